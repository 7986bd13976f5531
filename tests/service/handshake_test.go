package service

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
	"github.com/google/go-cmp/cmp"
)

// Handshakes that fail are counted by cause.
func TestRefusals(t *testing.T) {
	ctx := testkit.Context(t)
	for _, test := range []struct {
		cause string
		tls   bool
		come  func(nc net.Conn)
	}{
		{"magic", false, func(nc net.Conn) { io.WriteString(nc, "GET / HTTP/1.0\r\n\r\n"); io.Copy(io.Discard, nc) }},
		{"version", false, func(nc net.Conn) { io.WriteString(nc, "QSK\x02\x00\x00\x00\x00"); io.Copy(io.Discard, nc) }},
		{"hello", false, func(nc net.Conn) {}},
		{"proto", false, func(nc net.Conn) {
			_, _ = qsocket.NewConn(ctx, nc, qsocket.Protocol[string]{Name: "text/2", Codec: testkit.TextCodec}, nil)
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
				opts.TLS = &tls.Config{Certificates: []tls.Certificate{testkit.CA().Server}}
			}
			if test.cause == "timeout" {
				opts.HandshakeTimeout = 50 * time.Millisecond
			}
			ln, err := qsocket.Listen("tcp", "127.0.0.1:0", testkit.Named, opts)
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
		ln, err := qsocket.NewListener(&oneAtATime{conns: []net.Conn{b}, closed: make(chan struct{})}, testkit.Named, nil)
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

// A ctx that ends during the TLS handshake ends Dial and the connection.
func TestDialContextDuringHandshake(t *testing.T) {
	address, spoken, ended := silentServer(t)
	ctx, cancel := context.WithCancel(testkit.Context(t))
	dialed := testkit.Async(func() error {
		_, err := qsocket.Dial(ctx, "tcp", address, testkit.Text, &qsocket.Options{TLS: testkit.ClientTLS()})
		return err
	})
	testkit.WaitClosed(t, "the handshake to begin", spoken)
	cancel()
	if err := testkit.Result(t, "Dial", dialed); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	checkEnded(t, ended)
}

// A TLS server that never answers ends Dial after HandshakeTimeout, with the
// error of a context; the ctx given need not end.
func TestDialHandshakeTimeout(t *testing.T) {
	const timeout = 30 * time.Millisecond
	address, _, ended := silentServer(t)
	start := time.Now()
	_, err := qsocket.Dial(context.Background(), "tcp", address, testkit.Text, &qsocket.Options{TLS: testkit.ClientTLS(), HandshakeTimeout: timeout})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "qsocket: TLS handshake: ") {
		t.Errorf("got %v, want qsocket: TLS handshake: context.DeadlineExceeded", err)
	}
	if took := time.Since(start); took < timeout || took > testkit.Timeout/2 {
		t.Errorf("Dial took %v, want %v", took, timeout)
	}
	checkEnded(t, ended)
	testkit.NoGoroutinesLeft(t)
}

// Clients that connect to a TLS listener and say nothing do not delay others. They
// are in Handshaking while they last, and refused when the Listener closes.
func TestSilentClientsDelayNobody(t *testing.T) {
	const silent = 200
	ln := testkit.ListenOn(t, "tls", testkit.Text, nil)
	clients := make([]net.Conn, silent)
	for i := range clients {
		clients[i] = testkit.NetDial(t, ln)
	}
	client := testkit.DialTo(t, "tls", ln, testkit.Text)
	server := testkit.Accept(t, ln)
	testkit.Exchange(t, client, server, "hello")
	want := qsocket.ListenerStats{Open: 1, Handshaking: silent, Accepted: 1} // accepted in order, so all are there
	if got := ln.Stats(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	want = qsocket.ListenerStats{Open: 1, Accepted: 1, Refused: silent}
	if got := ln.Stats(); got != want {
		t.Errorf("after Close: got %+v, want %+v", got, want)
	}
	for i, c := range clients {
		c.SetReadDeadline(time.Now().Add(testkit.Timeout))
		if _, err := c.Read(make([]byte, 1)); err == nil || testkit.IsTimeout(err) {
			t.Errorf("silent client %d: got %v, want the end", i, err)
		}
	}
	testkit.Exchange(t, client, server, "lives on")
}

// A TLS client that says nothing is refused after exactly HandshakeTimeout.
func TestListenerHandshakeTimeout(t *testing.T) {
	const silent = 200
	now := time.Now() // the certificate knows no other time
	server, client := testkit.ServerTLS(), testkit.ClientTLS()
	server.SessionTicketsDisabled = true // net.Pipe has no buffer to leave them in
	server.Time, client.Time = func() time.Time { return now }, func() time.Time { return now }
	client.ServerName = "localhost"
	for _, test := range []struct{ set, want time.Duration }{
		{0, 10 * time.Second},
		{3 * time.Second, 3 * time.Second},
	} {
		t.Run(fmt.Sprint(test.set), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log testkit.LogRecorder
				nl := newFakeListener()
				ln, err := qsocket.NewListener(nl, testkit.Text, &qsocket.Options{TLS: server, HandshakeTimeout: test.set, Logger: log.Logger()})
				if err != nil {
					t.Fatal(err)
				}
				defer testkit.EndListener(ln)
				var clients []net.Conn
				for range silent {
					clients = append(clients, nl.client(t))
				}
				good := tls.Client(nl.client(t), client)
				go func() {
					c, err := qsocket.NewConn(t.Context(), good, testkit.Text, nil)
					if err != nil {
						t.Error(err)
						return
					}
					if err := c.Send(t.Context(), "hello"); err != nil {
						t.Error(err)
					}
					<-t.Context().Done()
					testkit.End(c)
				}()
				start := time.Now()
				c, err := ln.Accept(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer testkit.End(c)
				if m, err := c.Recv(t.Context()); m != "hello" || err != nil {
					t.Errorf("got %q, %v, want hello", m, err)
				}
				if took := time.Since(start); took != 0 {
					t.Errorf("the good client had to wait for %v", took)
				}
				for _, step := range []struct {
					sleep time.Duration
					want  qsocket.ListenerStats
				}{
					{test.want - 1, qsocket.ListenerStats{Open: 1, Handshaking: silent, Accepted: 1}},
					{1, qsocket.ListenerStats{Open: 1, Accepted: 1, Refused: silent}},
				} {
					time.Sleep(step.sleep)
					synctest.Wait()
					if got := ln.Stats(); got != step.want {
						t.Errorf("after %v: got %+v, want %+v", time.Since(start), got, step.want)
					}
				}
				for _, c := range clients {
					if _, err := c.Read(make([]byte, 1)); err != io.EOF {
						t.Errorf("silent client: got %v, want io.EOF", err)
					}
				}
				if got := log.Count("level=WARN", "handshake refused", "deadline exceeded"); got != silent {
					t.Errorf("got %d log records, want %d", got, silent)
				}
			})
		})
	}
}

// A failed handshake is logged and counted, and never returned by Accept.
func TestFailedHandshake(t *testing.T) {
	var log testkit.LogRecorder
	ln := testkit.ListenOn(t, "tls", testkit.Text, &qsocket.Options{Logger: log.Logger()})
	bad := testkit.NetDial(t, ln)
	if _, err := bad.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	bad.SetReadDeadline(time.Now().Add(testkit.Timeout))
	if _, err := io.Copy(io.Discard, bad); testkit.IsTimeout(err) {
		t.Error("the client is not told of the end")
	}
	client := testkit.DialTo(t, "tls", ln, testkit.Text)
	server := testkit.Accept(t, ln)
	if got, want := server.RemoteAddr().String(), client.LocalAddr().String(); got != want {
		t.Errorf("Accept returned the client at %v, want the one at %v", got, want)
	}
	testkit.Eventually(t, "the refusal to be counted", func() bool { return ln.Stats().Refused == 1 })
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if err := ln.Err(); err != nil {
		t.Errorf("Err: got %v, want nil", err)
	}
	want := qsocket.ListenerStats{Open: 1, Accepted: 1, Refused: 1}
	if got := ln.Stats(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := log.Count("level=WARN", "handshake refused", bad.LocalAddr().String(), "TLS handshake"); got != 1 {
		t.Errorf("got %d log records of the refusal, want 1", got)
	}
}

// A panic in a callback of the TLS Config refuses one connection.
func TestPanicInHandshake(t *testing.T) {
	ctx := testkit.Context(t)
	ca := testkit.CA()
	var log testkit.LogRecorder
	ln := testkit.ListenOn(t, "tcp", testkit.Text, &qsocket.Options{Logger: log.Logger(), MaxConns: 1, TLS: &tls.Config{
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if hello.ServerName == "panic.test" {
				panic("oh no")
			}
			return &ca.Server, nil
		},
	}})
	for range 3 {
		_, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), testkit.Text, &qsocket.Options{TLS: &tls.Config{RootCAs: ca.Pool, ServerName: "panic.test"}})
		if err == nil {
			t.Fatal("no error")
		}
	}
	c, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), testkit.Text, &qsocket.Options{TLS: &tls.Config{RootCAs: ca.Pool}})
	if err != nil {
		t.Fatal(err)
	}
	defer testkit.End(c)
	if got := ln.Stats().Refused; got != 3 {
		t.Errorf("Refused: got %d, want 3", got)
	}
	if got := log.Count("handshake refused", "oh no"); got != 3 {
		t.Errorf("got %d log records, want 3", got)
	}
}
