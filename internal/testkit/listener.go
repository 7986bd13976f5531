package testkit

import (
	"context"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/fb9bb4ed/qsocket"
)

// ListenOn returns a Listener on one of the KernelTransports.
func ListenOn[T any](t testing.TB, transport string, p qsocket.Protocol[T], opts *qsocket.Options) *qsocket.Listener[T] {
	t.Helper()
	var o qsocket.Options
	if opts != nil {
		o = *opts
	}
	network, address := "tcp", "127.0.0.1:0"
	switch transport {
	case "unix":
		network, address = "unix", filepath.Join(ShortTempDir(t), "s")
	case "tls":
		o.TLS = ServerTLS()
	}
	ln, err := qsocket.Listen(network, address, p, &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { EndListener(ln) })
	return ln
}

// DialTo connects to a Listener made by ListenOn.
func DialTo[T any](t testing.TB, transport string, ln *qsocket.Listener[T], p qsocket.Protocol[T]) *qsocket.Conn[T] {
	t.Helper()
	c, err := qsocket.Dial(Context(t), ln.Addr().Network(), ln.Addr().String(), p, DialOptions(transport))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { End(c) })
	return c
}

// DialOptions are those with which a client connects over one of the KernelTransports.
func DialOptions(transport string) *qsocket.Options {
	if transport == "tls" {
		return &qsocket.Options{TLS: ClientTLS()}
	}
	return nil
}

// NetDial connects to a Listener without package qsocket.
func NetDial[T any](t testing.TB, ln *qsocket.Listener[T]) net.Conn {
	t.Helper()
	nc, err := net.Dial(ln.Addr().Network(), ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return nc
}

// EndListener closes a Listener and all its Conns the hard way.
func EndListener[T any](ln *qsocket.Listener[T]) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = ln.Shutdown(ctx)
}

// Accept takes the next Conn.
func Accept[T any](t testing.TB, ln *qsocket.Listener[T]) *qsocket.Conn[T] {
	t.Helper()
	c, err := ln.Accept(Context(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { End(c) })
	return c
}

// Serve runs Serve and returns the channel of its result.
func Serve[T any](ctx context.Context, ln *qsocket.Listener[T], handle func(context.Context, *qsocket.Conn[T])) <-chan error {
	return Async(func() error { return ln.Serve(ctx, handle) })
}

// Echo is a handler that sends back what arrives.
func Echo[T any](ctx context.Context, c *qsocket.Conn[T]) {
	for m := range c.Messages() {
		if c.Send(ctx, m) != nil {
			return
		}
	}
}

// oneConn is a net.Listener with a single connection.
type oneConn struct {
	conn   chan net.Conn
	closed chan struct{}
	end    func()
}

// OneConn returns a net.Listener that accepts nc, and then waits until it is closed.
func OneConn(nc net.Conn) net.Listener {
	l := &oneConn{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
	l.conn <- nc
	l.end = sync.OnceFunc(func() { close(l.closed) })
	return l
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case nc := <-l.conn:
		return nc, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *oneConn) Close() error   { l.end(); return nil }
func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{Name: "one", Net: "unix"} }
