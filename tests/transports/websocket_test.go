package transports_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
)

// gorillaConn is a WebSocket of gorilla's as a net.Conn: bytes go in binary messages whose
// bounds mean nothing. NetConn, LocalAddr and RemoteAddr are those of the *Conn.
type gorillaConn struct {
	*gorilla.Conn
	r             io.Reader // of the message that is being read; nil between two
	writeDeadline atomic.Pointer[time.Time]
}

func (c *gorillaConn) Read(b []byte) (int, error) {
	for {
		if c.r == nil {
			_, r, err := c.NextReader()
			if gorilla.IsCloseError(err, gorilla.CloseNormalClosure) {
				return 0, io.EOF
			}
			if err != nil {
				return 0, err
			}
			c.r = r
		}
		n, err := c.r.Read(b)
		if err == io.EOF {
			c.r, err = nil, nil
		}
		if n > 0 || err != nil || len(b) == 0 {
			return n, err
		}
	}
}

func (c *gorillaConn) Write(b []byte) (int, error) {
	if t := c.writeDeadline.Load(); t != nil {
		if err := c.Conn.SetWriteDeadline(*t); err != nil {
			return 0, err
		}
	}
	if err := c.WriteMessage(gorilla.BinaryMessage, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (c *gorillaConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetWriteDeadline may be called while a Write waits, which that of the *Conn may not. The one
// of the connection below wakes the Write.
func (c *gorillaConn) SetWriteDeadline(t time.Time) error {
	c.writeDeadline.Store(&t)
	return c.NetConn().SetWriteDeadline(t)
}

// Close says that this is the end. Without that the peer would see a failure.
func (c *gorillaConn) Close() error {
	_ = c.WriteControl(gorilla.CloseMessage, gorilla.FormatCloseMessage(gorilla.CloseNormalClosure, ""), time.Now().Add(time.Second))
	return c.Conn.Close()
}

// webListener accepts the WebSockets of an HTTP server, of which it is the handler.
type webListener struct {
	upgrade func(http.ResponseWriter, *http.Request) (net.Conn, error)
	addr    net.Addr
	conns   chan net.Conn
	once    sync.Once
	closing chan struct{}
}

func newWebListener(addr net.Addr, upgrade func(http.ResponseWriter, *http.Request) (net.Conn, error)) *webListener {
	return &webListener{upgrade: upgrade, addr: addr, conns: make(chan net.Conn), closing: make(chan struct{})}
}

func (l *webListener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	nc, err := l.upgrade(w, r)
	if err != nil {
		return // the client has been told
	}
	select {
	case l.conns <- nc:
	case <-l.closing:
		_ = nc.Close()
	}
}

func (l *webListener) Accept() (net.Conn, error) {
	select {
	case <-l.closing:
		return nil, net.ErrClosed
	case nc := <-l.conns:
		return nc, nil
	}
}

func (l *webListener) Close() error {
	l.once.Do(func() { close(l.closing) })
	return nil
}

func (l *webListener) Addr() net.Addr { return l.addr }

func upgradeCoder(w http.ResponseWriter, r *http.Request) (net.Conn, error) {
	ws, err := coder.Accept(w, r, nil)
	if err != nil {
		return nil, err
	}
	return coder.NetConn(context.Background(), ws, coder.MessageBinary), nil // the request's ctx ends with the handler
}

func dialCoder(ctx context.Context, addr string) (net.Conn, error) {
	ws, _, err := coder.Dial(ctx, "ws://"+addr, nil)
	if err != nil {
		return nil, err
	}
	return coder.NetConn(context.Background(), ws, coder.MessageBinary), nil
}

func upgradeGorilla(w http.ResponseWriter, r *http.Request) (net.Conn, error) {
	ws, err := new(gorilla.Upgrader).Upgrade(w, r, nil)
	if err != nil {
		return nil, err
	}
	return &gorillaConn{Conn: ws}, nil
}

func dialGorilla(ctx context.Context, addr string) (net.Conn, error) {
	ws, _, err := gorilla.DefaultDialer.DialContext(ctx, "ws://"+addr, nil)
	if err != nil {
		return nil, err
	}
	return &gorillaConn{Conn: ws}, nil
}

// serveWeb runs an HTTP server for a listener.
func serveWeb(t testing.TB, upgrade func(http.ResponseWriter, *http.Request) (net.Conn, error)) *webListener {
	t.Helper()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := newWebListener(tcp.Addr(), upgrade)
	server := &http.Server{Handler: ln}
	ended := make(chan struct{})
	go func() { // ends with the Close of server
		defer close(ended)
		_ = server.Serve(tcp)
	}()
	t.Cleanup(func() { _, _ = ln.Close(), server.Close(); <-ended })
	return ln
}
