package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// bothEnds shakes hands and returns the errors of the two ends.
func bothEnds[T, U any](t *testing.T, na, nb net.Conn, p qsocket.Protocol[T], q qsocket.Protocol[U]) (errA, errB error) {
	t.Helper()
	other := testkit.Async(func() error {
		b, err := qsocket.NewConn(context.Background(), nb, q, nil)
		if err == nil {
			testkit.End(b)
		}
		return err
	})
	a, errA := qsocket.NewConn(context.Background(), na, p, nil)
	if errA == nil {
		defer testkit.End(a)
	}
	return errA, testkit.Result(t, "the other end", other)
}

// Both ends say the same of what differs, whatever carries them.
func TestHandshakeMismatch(t *testing.T) {
	other := qsocket.Protocol[string]{Name: "text/2", Codec: testkit.TextCodec}
	asJSON := qsocket.Protocol[string]{Name: "text/1", Codec: qsocket.JSON[string]()}
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		for _, test := range []struct {
			q                  qsocket.Protocol[string]
			field, local, peer string
		}{
			{other, "proto", "text/1", "text/2"},
			{asJSON, "codec", "text", "json"},
		} {
			na, nb := testkit.NetPair(t, transport)
			errA, errB := bothEnds(t, na, nb, testkit.Named, test.q)
			var a, b *qsocket.HandshakeError
			if !errors.As(errA, &a) || *a != (qsocket.HandshakeError{Field: test.field, Local: test.local, Peer: test.peer}) {
				t.Errorf("%s: got %v", test.field, errA)
			}
			if !errors.As(errB, &b) || *b != (qsocket.HandshakeError{Field: test.field, Local: test.peer, Peer: test.local}) {
				t.Errorf("%s, the other end: got %v", test.field, errB)
			}
		}
	})
}

// What an end without a hello gets to read is an error that says what was found
// there, and so does the end with one.
func TestNamedAndRaw(t *testing.T) {
	ctx := testkit.Context(t)
	for _, side := range []string{"the client is raw", "the server is raw"} {
		for _, sends := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, sends=%v", side, sends), func(t *testing.T) {
				na, nb := testkit.NetPair(t, "tcp")
				if side == "the server is raw" {
					na, nb = nb, na
				}
				r, err := qsocket.NewConn(ctx, na, testkit.Text, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer testkit.End(r)
				failed := testkit.Async(func() error { _, err := qsocket.NewConn(ctx, nb, testkit.Named, nil); return err })
				if sends {
					if err := r.Send(ctx, "a raw message"); err != nil {
						t.Fatal(err)
					}
				}
				_, err = r.Recv(ctx)
				if !errors.Is(err, qsocket.ErrFrameTooLarge) || !strings.Contains(err.Error(), "peer runs a named protocol") {
					t.Errorf("the raw end: got %v", err)
				}
				var he *qsocket.HandshakeError
				err = testkit.Result(t, "the handshake", failed)
				want := "peer runs raw mode or another protocol"
				if !errors.As(err, &he) || !strings.Contains(err.Error(), want) || sends && he.Field != "magic" || !sends && he.Field != "hello" {
					t.Errorf("the named end: got %v, want: %s", err, want)
				}
			})
		}
	}
}

// A browser or a health checker connects.
func TestHTTPAgainstConn(t *testing.T) {
	for name, p := range map[string]qsocket.Protocol[string]{"named": testkit.Named, "raw": testkit.Text} {
		t.Run(name, func(t *testing.T) {
			na, nb := testkit.NetPair(t, "tcp")
			failed := testkit.Async(func() error {
				c, err := qsocket.NewConn(context.Background(), nb, p, nil)
				if err != nil {
					return err
				}
				defer testkit.End(c)
				_, err = c.Recv(testkit.Context(t))
				return err
			})
			if _, err := io.WriteString(na, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			_ = na.SetReadDeadline(time.Now().Add(testkit.Timeout))
			if _, err := http.ReadResponse(bufio.NewReader(na), nil); err == nil || os.IsTimeout(err) {
				t.Errorf("the HTTP client: got %v, want an error at once", err)
			}
			na.Close()
			if err := testkit.Result(t, "the Conn", failed); !strings.Contains(err.Error(), "peer speaks HTTP") {
				t.Errorf("got %v, want: peer speaks HTTP", err)
			}
		})
	}
}

// A named client at a web server.
func TestConnAgainstHTTP(t *testing.T) {
	na, nb := testkit.NetPair(t, "tcp")
	go func() {
		server := &http.Server{Handler: http.NotFoundHandler()}
		ln := &oneListener{conn: nb, closed: make(chan struct{})}
		_ = server.Serve(ln) // until the listener ends
	}()
	_, err := qsocket.NewConn(context.Background(), na, testkit.Named, nil)
	var he *qsocket.HandshakeError
	if !errors.As(err, &he) || he.Field != "magic" || !strings.Contains(err.Error(), "peer speaks HTTP") {
		t.Errorf("got %v, want: peer speaks HTTP", err)
	}
}

// oneListener accepts one connection.
type oneListener struct {
	conn   net.Conn
	closed chan struct{}
}

func (l *oneListener) Accept() (net.Conn, error) {
	if nc := l.conn; nc != nil {
		l.conn = nil
		return nc, nil
	}
	return nil, net.ErrClosed
}
func (l *oneListener) Close() error   { return nil }
func (l *oneListener) Addr() net.Addr { return l.conn.LocalAddr() }

// TLS on one end only: each end says what the other is.
func TestNamedTLSOnOneEnd(t *testing.T) {
	ctx := testkit.Context(t)
	for _, p := range []qsocket.Protocol[string]{testkit.Named, testkit.Text} {
		t.Run("the server, "+p.Name, func(t *testing.T) {
			na, nb := testkit.NetPair(t, "tcp")
			failed := testkit.Async(func() error {
				_, err := qsocket.NewConn(ctx, tls.Server(nb, &tls.Config{Certificates: []tls.Certificate{testkit.CA().Server}}), p, nil)
				return err
			})
			c, err := qsocket.NewConn(ctx, na, p, nil)
			if err == nil { // raw: the first message tells
				defer testkit.End(c)
				if err := c.Send(ctx, "not TLS"); err != nil {
					t.Error(err)
				}
				_, err = c.Recv(ctx)
			}
			if err == nil || !strings.Contains(err.Error(), "peer sent a TLS record") {
				t.Errorf("the client: got %v, want: peer sent a TLS record", err)
			}
			err = testkit.Result(t, "the server", failed)
			if want := "peer runs a named protocol"; err == nil || p.Name != "" && !strings.Contains(err.Error(), want) {
				t.Errorf("the server: got %v, want: %s", err, want)
			}
		})
		t.Run("the client, "+p.Name, func(t *testing.T) {
			na, nb := testkit.NetPair(t, "tcp")
			failed := testkit.Async(func() error {
				_, err := qsocket.NewConn(ctx, tls.Client(na, &tls.Config{RootCAs: testkit.CA().Pool, ServerName: "localhost"}), p, nil)
				return err
			})
			c, err := qsocket.NewConn(ctx, nb, p, nil)
			if err == nil {
				defer testkit.End(c)
				_, err = c.Recv(ctx)
			}
			if err == nil || !strings.Contains(err.Error(), "peer sent a TLS record") {
				t.Errorf("the server: got %v, want: peer sent a TLS record", err)
			}
			err = testkit.Result(t, "the client", failed)
			if want := "peer runs a named protocol"; err == nil || p.Name != "" && !strings.Contains(err.Error(), want) {
				t.Errorf("the client: got %v, want: %s", err, want)
			}
		})
	}
}

// Hellos that are none, byte by byte.
func TestMalformedHello(t *testing.T) {
	for _, test := range []struct{ name, words, field, want string }{
		{"another version", "51534b02 00000000", "version", `"1" here, "2" at the peer`},
		{"too long", "51534b01 00001001", "hello", "at most 4096 bytes"},
		{"far too long", "51534b01 ffffffff", "hello", "4294967295 bytes"},
		{"empty", "51534b01 00000000", "hello", "empty payload"},
		{"an array", "51534b01 00000001 90", "hello", "map"},
		{"no max", "51534b01 00000015 82 a5 70726f746f a6 746578742f31 a5 636f646563 a0", "hello", `"max" is missing`},
		{"max is a string", "51534b01 00000006 81 a3 6d6178 a0", "hello", "max"},
		{"a number twice", "51534b01 0000000d 82 a3 6d6178 01 a3 6d6178 01 c0c0", "hello", "max"},
		{"bytes after the map", "51534b01 00000002 80 80", "hello", "1 trailing bytes"},
		{"nested too deep", "51534b01 000000cb 81 a1 78" + strings.Repeat("91", 199) + "c0", "hello", "deep"},
		{"another protocol", hex.EncodeToString([]byte("hello?")), "magic", `it sent "hello?"`},
		{"a mail server", hex.EncodeToString([]byte("220 mail ESMTP\r\n")), "magic", `another protocol: it sent "220 mail"`},
		{"one wrong byte", "00", "magic", "another protocol: it sent 00"},
		{"the third byte is wrong", "515353", "magic", `it sent "QSS"`},
		{"SSH", hex.EncodeToString([]byte("SSH-2.0-")), "magic", "peer speaks SSH"},
		{"PROXY", hex.EncodeToString([]byte("PROXY TCP4 ")), "magic", "a proxy that announces itself"},
	} {
		t.Run(test.name, func(t *testing.T) {
			nc, peer := testkit.NetPair(t, "tcp")
			failed := testkit.Async(func() error { _, err := qsocket.NewConn(context.Background(), nc, testkit.Named, nil); return err })
			s := testkit.WirePeer{T: t, Conn: peer}
			s.ExpectHello()
			s.Send(test.words)
			s.Conn.(*net.TCPConn).CloseWrite()
			rest, _ := io.ReadAll(s)
			err := testkit.Result(t, "NewConn", failed)
			var he *qsocket.HandshakeError
			if !errors.As(err, &he) || he.Field != test.field || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want field %s and: %s", err, test.field, test.want)
			}
			if told := strings.HasPrefix(hex.EncodeToString(rest), "800000"); told != (test.field != "magic") {
				t.Errorf("the peer got % x", rest)
			}
		})
	}
}

// A peer that ends at any byte of its hello, or stops there.
func TestHelloCutShort(t *testing.T) {
	hello := testkit.Unhex(testkit.GoldenHello)
	for n := range hello {
		for _, how := range []string{"EOF", "silence"} {
			synctest.Test(t, func(t *testing.T) {
				nc, peer := net.Pipe()
				began := time.Now()
				failed := testkit.Async(func() error { _, err := qsocket.NewConn(context.Background(), nc, testkit.Named, nil); return err })
				s := testkit.WirePeer{T: t, Conn: peer}
				s.ExpectHello()
				if _, err := peer.Write(hello[:n]); err != nil {
					t.Error(err)
				}
				want := os.ErrDeadlineExceeded
				if how == "EOF" {
					want = io.ErrUnexpectedEOF
					peer.Close()
				}
				err := <-failed
				var he *qsocket.HandshakeError
				if !errors.As(err, &he) || he.Field != "hello" || !errors.Is(err, want) {
					t.Errorf("%s after %d bytes: got %v", how, n, err)
				}
				if took := time.Since(began); how == "silence" && took != 10*time.Second {
					t.Errorf("took %v, want HandshakeTimeout, 10s", took)
				}
				peer.Close()
			})
		}
	}
}

// The ctx of Dial bounds the hello too.
func TestHelloContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nc, peer := net.Pipe()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := qsocket.NewConn(ctx, nc, testkit.Named, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want that of ctx", err)
		}
		if _, err := peer.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the peer got %v, want io.EOF: the socket is closed", err)
		}
	})
}

// The messages of a peer that does not wait for our hello are not lost.
func TestMessagesBehindHello(t *testing.T) {
	nc, peer := testkit.NetPair(t, "tcp")
	if _, err := peer.Write(testkit.Unhex(testkit.GoldenHello + "00000002 6869" + "00000002 686f")); err != nil {
		t.Fatal(err)
	}
	c, err := qsocket.NewConn(context.Background(), nc, testkit.Named, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer testkit.End(c)
	for _, want := range []string{"hi", "ho"} {
		if m, err := c.Recv(testkit.Context(t)); m != want || err != nil {
			t.Errorf("got %q, %v, want %q", m, err, want)
		}
	}
}

func TestPeer(t *testing.T) {
	a, b := testkit.Pair(t, "tcp", testkit.Named,
		&qsocket.Options{MaxFrame: 1000, Heartbeat: 1500 * time.Millisecond},
		&qsocket.Options{MaxFrame: math.MaxInt, Heartbeat: -1})
	if got, want := b.Peer(), (qsocket.Peer{MaxFrame: 1000, Heartbeat: 1500 * time.Millisecond}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	// On 32 bits an int has no room for headers beyond the largest MaxFrame.
	if got, want := a.Peer(), (qsocket.Peer{MaxFrame: min(1<<31-1, math.MaxInt-64)}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A refused handshake is logged with its cause, counted, and does not delay others.
func TestListenerRefusesHello(t *testing.T) {
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", testkit.Named, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := io.WriteString(nc, "GET / HTTP/1.1\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, bufio.NewReader(nc)); err != nil { // until it is refused
		t.Error(err)
	}
	nc.Close()
	c, err := qsocket.Dial(testkit.Context(t), "tcp", ln.Addr().String(), testkit.Named, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer testkit.End(c)
	s, err := ln.Accept(testkit.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	defer testkit.End(s)
	testkit.Eventually(t, "the end of the lingering, after which the refusal is counted", func() bool { return ln.Stats().Refused > 0 })
	if got := ln.Stats(); got.Accepted != 1 || got.Refused != 1 {
		t.Errorf("got %+v, want one accepted and one refused", got)
	}
}
