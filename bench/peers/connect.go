package peers

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"
)

// connectContestants returns a bidirectional stream of connectrpc.com/connect
// over HTTP/2 in cleartext, one on each connection.
func connectContestants() []Contestant {
	return []Contestant{{
		Name: "connect stream", Codec: "msgpack", Background: true,
		Listen: listenConnect,
		Dial:   dialConnect,
	}}
}

// connectCodec passes the payloads of envelopes.
type connectCodec struct{}

func (connectCodec) Name() string                    { return "msgpack" }
func (connectCodec) Marshal(msg any) ([]byte, error) { return msg.(*envelope).marshalAppend(nil) }

// MarshalAppend is preferred by the library to Marshal.
func (connectCodec) MarshalAppend(dst []byte, msg any) ([]byte, error) {
	return msg.(*envelope).marshalAppend(dst)
}

func (connectCodec) Unmarshal(payload []byte, msg any) error {
	return msg.(*envelope).unmarshal(payload)
}

const connectProcedure = "/bench.Peers/Stream"

// connectHTTP2 is HTTP/2 without TLS, and nothing else.
func connectHTTP2() *http.Protocols {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return p
}

// connectController is the key of a request's http.ResponseController.
type connectController struct{}

func listenConnect(m Message) (Server, error) {
	b := newBacklog()
	stream := connect.NewBidiStreamHandler(connectProcedure,
		func(ctx context.Context, stream *connect.BidiStream[envelope, envelope]) error {
			end := newConnectEnd(stream.Conn(), m)
			done := make(chan struct{})
			control := ctx.Value(connectController{}).(*http.ResponseController)
			end.hangUp = sync.OnceValue(func() error {
				// Who is inside Send or Recv comes out with an error. The
				// handler returns after that, as net/http requires.
				control.SetReadDeadline(time.Unix(1, 0))
				control.SetWriteDeadline(time.Unix(1, 0))
				end.mu.Lock()
				defer end.mu.Unlock()
				end.closed = true
				close(done)
				return nil
			})
			b.put(end)
			select {
			case <-done:
			case <-ctx.Done():
				end.Close()
			}
			return nil
		},
		connect.WithCodec(connectCodec{}),
		connect.WithCompression("gzip", nil, nil),
	)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), connectController{}, http.NewResponseController(w))
		stream.ServeHTTP(w, r.WithContext(ctx))
	})
	return listenHTTP("http", TCP, &http.Server{Handler: handler, Protocols: connectHTTP2()}, b)
}

func dialConnect(ctx context.Context, addr string, m Message) (End, error) {
	dialed := make(chan error, 1)
	transport := &http.Transport{
		Protocols: connectHTTP2(), DisableCompression: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			var d net.Dialer
			nc, err := d.DialContext(ctx, network, addr)
			select {
			case dialed <- err:
			default: // net/http tries again
			}
			return nc, err
		},
	}
	client := connect.NewClient[envelope, envelope](&http.Client{Transport: transport}, addr+connectProcedure,
		connect.WithCodec(connectCodec{}),
		connect.WithAcceptCompression("gzip", nil, nil),
	)
	streamCtx, cancel := context.WithCancel(context.Background())
	stop := context.AfterFunc(ctx, cancel) // ctx bounds the dialing, not the stream
	stream := client.CallBidiStream(streamCtx)
	err := stream.Send(nil) // only the headers, so that the server learns of the stream
	if err == nil {
		// It dials in the background: without this, thousands of Dials would
		// swamp the server.
		select {
		case err = <-dialed:
		case <-ctx.Done():
		}
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	hangUp := func() error {
		cancel()
		transport.CloseIdleConnections()
		return nil
	}
	if err != nil {
		hangUp()
		return nil, err
	}
	conn, err := stream.Conn()
	if err != nil {
		hangUp()
		return nil, err
	}
	end := newConnectEnd(conn, m)
	end.hangUp = hangUp
	return end, nil
}

// connectConn is what the streams of both sides have in common.
type connectConn interface {
	Send(any) error
	Receive(any) error
}

type connectEnd struct {
	conn   connectConn
	hangUp func() error
	in     envelope // owned by Recv

	mu     sync.Mutex // guards following and sending: a stream has one sender at a time
	out    envelope
	closed bool
}

func newConnectEnd(conn connectConn, m Message) *connectEnd {
	codec := newMsgpackCodec(m)
	return &connectEnd{conn: conn, in: envelope{codec: codec}, out: envelope{codec: codec}}
}

func (e *connectEnd) Send(stamp int64) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return net.ErrClosed
	}
	e.out.stamp = stamp
	return e.conn.Send(&e.out)
}

func (e *connectEnd) Flush() error { return nil }

func (e *connectEnd) Recv() (int64, error) {
	err := e.conn.Receive(&e.in)
	return e.in.stamp, err
}

func (e *connectEnd) Pending() bool { return false }
func (e *connectEnd) Close() error  { return e.hangUp() }
