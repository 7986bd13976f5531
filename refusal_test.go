package qsocket_test

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/qsockettest"
	"github.com/google/go-cmp/cmp"
)

// A flood of silent clients holds MaxHandshakes places, and a good one takes
// the place of the one that has been silent for longest.
func TestMaxHandshakes(t *testing.T) {
	ctx := testContext(t)
	const most, flood = 10, 50
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", named, &qsocket.Options{MaxHandshakes: most, HandshakeTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var silent []net.Conn
	for range flood {
		nc, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		silent = append(silent, nc)
	}
	for _, nc := range silent[:flood-most] { // those that have given way
		if _, err := io.Copy(io.Discard, nc); err != nil {
			t.Error(err)
		}
	}
	for range 3 {
		c, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), named, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer end(c)
		s, err := ln.Accept(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer end(s)
	}
	if s := ln.Stats(); s.Accepted != 3 || s.Handshaking > most || s.Refused < flood-most {
		t.Errorf("got %+v", s)
	}
	if got := ln.Refusals(); got["crowded"] < flood-most || len(got) != 1 {
		t.Errorf("got %v, want at least %d crowded", got, flood-most)
	}
}

// Handshakes that fail are counted by cause.
func TestRefusals(t *testing.T) {
	ctx := testContext(t)
	for _, test := range []struct {
		cause string
		tls   bool
		come  func(nc net.Conn)
	}{
		{"magic", false, func(nc net.Conn) { io.WriteString(nc, "GET / HTTP/1.0\r\n\r\n"); io.Copy(io.Discard, nc) }},
		{"version", false, func(nc net.Conn) { io.WriteString(nc, "QSK\x02\x00\x00\x00\x00"); io.Copy(io.Discard, nc) }},
		{"hello", false, func(nc net.Conn) {}},
		{"proto", false, func(nc net.Conn) {
			_, _ = qsocket.NewConn(ctx, nc, qsocket.Protocol[string]{Name: "text/2", Codec: textCodec}, nil)
		}},
		{"codec", false, func(nc net.Conn) {
			_, _ = qsocket.NewConn(ctx, nc, qsocket.Protocol[string]{Name: "text/1", Codec: qsocket.JSON[string]()}, nil)
		}},
		{"tls", true, func(nc net.Conn) { io.WriteString(nc, "GET / HTTP/1.0\r\n\r\n"); io.Copy(io.Discard, nc) }},
		{"timeout", false, func(nc net.Conn) { io.Copy(io.Discard, nc) }},
		{"timeout", true, func(nc net.Conn) { io.Copy(io.Discard, nc) }},
	} {
		t.Run(test.cause, func(t *testing.T) {
			opts := &qsocket.Options{}
			if test.tls {
				opts.TLS = &tls.Config{Certificates: []tls.Certificate{testCA().server}}
			}
			if test.cause == "timeout" {
				opts.HandshakeTimeout = 50 * time.Millisecond
			}
			ln, err := qsocket.Listen("tcp", "127.0.0.1:0", named, opts)
			if err != nil {
				t.Fatal(err)
			}
			nc, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			test.come(nc)
			nc.Close()
			for ln.Stats().Refused == 0 { // it is counted when the connection has been closed
				select {
				case <-ctx.Done():
					t.Fatal("the handshake was not refused")
				case <-time.After(time.Millisecond):
				}
			}
			ln.Close()
			if got := ln.Refusals(); !cmp.Equal(got, map[string]uint64{test.cause: 1}) {
				t.Errorf("got %v, want one %s", got, test.cause)
			}
		})
	}
}

// Handshakes that are under way when the Listener closes are no attack.
func TestRefusalsAtClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := qsockettest.NetPipe()
		ln, err := qsocket.NewListener(&oneAtATime{conns: []net.Conn{b}, closed: make(chan struct{})}, named, nil)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		ln.Close()
		a.Close()
		if got := ln.Refusals(); !cmp.Equal(got, map[string]uint64{"closed": 1}) {
			t.Errorf("got %v, want one closed", got)
		}
	})
}

// oneAtATime is a net.Listener with some connections.
type oneAtATime struct {
	conns  []net.Conn
	closed chan struct{}
}

func (l *oneAtATime) Accept() (net.Conn, error) {
	if len(l.conns) > 0 {
		nc := l.conns[0]
		l.conns = l.conns[1:]
		return nc, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneAtATime) Close() error   { close(l.closed); return nil }
func (l *oneAtATime) Addr() net.Addr { return &net.UnixAddr{Name: "test", Net: "unix"} }
