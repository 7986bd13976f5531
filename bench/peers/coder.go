package peers

import (
	"bytes"
	"context"
	"net/http"
	"sync"

	"github.com/coder/websocket"
)

// coderContestants returns github.com/coder/websocket with binary messages and
// no compression.
func coderContestants() []Contestant {
	var all []Contestant
	for _, over := range encrypted {
		all = append(all, Contestant{
			Name: "coder/websocket", Codec: "msgpack", Over: over,
			Listen: func(m Message) (Server, error) { return listenCoder(over, m) },
			Dial:   dialCoder,
		})
	}
	return all
}

// coderClient is for handshakes only: the connection is taken over from it.
var coderClient = sync.OnceValues(func() (*http.Client, error) {
	config, err := tlsConfig()
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config}}, err
})

func listenCoder(over Transport, m Message) (Server, error) {
	b := newBacklog()
	return listenHTTP(websocketScheme(over), over, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil) // which has answered the request if it fails
		if err == nil {
			b.put(newCoderEnd(conn, m))
		}
	})}, b)
}

func dialCoder(ctx context.Context, addr string, m Message) (End, error) {
	client, err := coderClient()
	if err != nil {
		return nil, err
	}
	conn, _, err := websocket.Dial(ctx, addr, &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		return nil, err
	}
	return newCoderEnd(conn, m), nil
}

type coderEnd struct {
	conn  *websocket.Conn
	codec *msgpackCodec // append is guarded by mu, decode belongs to Recv
	in    bytes.Buffer  // owned by Recv

	mu  sync.Mutex // guards following
	out []byte
}

func newCoderEnd(conn *websocket.Conn, m Message) *coderEnd {
	conn.SetReadLimit(maxPayload)
	return &coderEnd{conn: conn, codec: newMsgpackCodec(m)}
}

func (e *coderEnd) Send(stamp int64) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var err error
	if e.out, err = e.codec.append(e.out[:0], stamp); err != nil {
		return err
	}
	return e.conn.Write(context.Background(), websocket.MessageBinary, e.out)
}

func (e *coderEnd) Flush() error { return nil }

// Recv reads into a buffer that it keeps, where Conn.Read allocates one.
func (e *coderEnd) Recv() (int64, error) {
	_, r, err := e.conn.Reader(context.Background())
	if err != nil {
		return 0, err
	}
	e.in.Reset()
	if _, err := e.in.ReadFrom(r); err != nil {
		return 0, err
	}
	return e.codec.decode(e.in.Bytes())
}

func (e *coderEnd) Pending() bool { return false }
func (e *coderEnd) Close() error  { return e.conn.CloseNow() }
