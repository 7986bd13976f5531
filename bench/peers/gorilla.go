package peers

import (
	"bytes"
	"context"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
)

// gorillaContestants returns github.com/gorilla/websocket with binary messages
// and no compression.
func gorillaContestants() []Contestant {
	var all []Contestant
	for _, over := range encrypted {
		all = append(all, Contestant{
			Name: "gorilla/websocket", Codec: "msgpack", Over: over,
			Listen: func(m Message) (Server, error) { return listenGorilla(over, m) },
			Dial:   dialGorilla,
		})
	}
	return all
}

// websocketScheme is that of a URL.
func websocketScheme(over Transport) string {
	if over == TLS {
		return "wss"
	}
	return "ws"
}

// Write buffers are shared by all connections, as the documentation advises
// when there are many: one pool for each size.
var gorillaSmall, gorillaLarge sync.Pool

// gorillaBuffers follows the documentation's rule: as large as a message, but
// not beyond what pays. For orders that is the library's default of 4 KiB.
func gorillaBuffers(m Message) (size int, pool websocket.BufferPool) {
	if m.BlobSize > 4<<10 {
		return bufferSize, &gorillaLarge
	}
	return 0, &gorillaSmall
}

type gorillaServer struct {
	Server
	m Message
}

func listenGorilla(over Transport, m Message) (Server, error) {
	b := newBacklog()
	size, pool := gorillaBuffers(m)
	upgrader := websocket.Upgrader{ReadBufferSize: size, WriteBufferSize: size, WriteBufferPool: pool}
	s, err := listenHTTP(websocketScheme(over), over, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil) // which has answered the request if it fails
		if err == nil {
			b.put(newGorillaEnd(conn, m))
		}
	})}, b)
	return &gorillaServer{Server: s, m: m}, err
}

func dialGorilla(ctx context.Context, addr string, m Message) (End, error) {
	config, err := tlsConfig()
	if err != nil {
		return nil, err
	}
	size, pool := gorillaBuffers(m)
	dialer := websocket.Dialer{ReadBufferSize: size, WriteBufferSize: size, WriteBufferPool: pool, TLSClientConfig: config}
	conn, _, err := dialer.DialContext(ctx, addr, nil)
	if err != nil {
		return nil, err
	}
	return newGorillaEnd(conn, m), nil
}

// Group encodes and frames a message once for all connections.
func (s *gorillaServer) Group(ends []End) (Sender, error) {
	return &gorillaGroup{ends: ends, codec: newMsgpackCodec(s.m)}, nil
}

type gorillaGroup struct {
	ends  []End
	codec *msgpackCodec
}

func (g *gorillaGroup) Send(stamp int64) error {
	payload, err := g.codec.append(nil, stamp) // which the prepared message keeps
	if err != nil {
		return err
	}
	msg, err := websocket.NewPreparedMessage(websocket.BinaryMessage, payload)
	if err != nil {
		return err
	}
	for _, end := range g.ends {
		if err := end.(*gorillaEnd).sendPrepared(msg); err != nil {
			return err
		}
	}
	return nil
}

func (g *gorillaGroup) Flush() error { return nil }

type gorillaEnd struct {
	conn  *websocket.Conn
	codec *msgpackCodec // append is guarded by mu, decode belongs to Recv
	in    bytes.Buffer  // owned by Recv

	mu  sync.Mutex // guards following and writing: a connection has one writer at a time
	out []byte
}

func newGorillaEnd(conn *websocket.Conn, m Message) *gorillaEnd {
	conn.SetReadLimit(maxPayload)
	return &gorillaEnd{conn: conn, codec: newMsgpackCodec(m)}
}

func (e *gorillaEnd) Send(stamp int64) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var err error
	if e.out, err = e.codec.append(e.out[:0], stamp); err != nil {
		return err
	}
	return e.conn.WriteMessage(websocket.BinaryMessage, e.out)
}

func (e *gorillaEnd) sendPrepared(msg *websocket.PreparedMessage) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.conn.WritePreparedMessage(msg)
}

func (e *gorillaEnd) Flush() error { return nil }

// Recv reads into a buffer that it keeps, where ReadMessage allocates one.
func (e *gorillaEnd) Recv() (int64, error) {
	_, r, err := e.conn.NextReader()
	if err != nil {
		return 0, err
	}
	e.in.Reset()
	if _, err := e.in.ReadFrom(r); err != nil {
		return 0, err
	}
	return e.codec.decode(e.in.Bytes())
}

func (e *gorillaEnd) Pending() bool { return false }
func (e *gorillaEnd) Close() error  { return closeHard(e.conn.NetConn()) }
