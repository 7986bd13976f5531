package qsocket_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

func TestRoundTrip(t *testing.T) {
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		ctx := testkit.Context(t)
		a, b := testkit.Pair(t, transport, testkit.Text, nil, nil)
		for i, ends := range []struct {
			from, to *qsocket.Conn[string]
		}{{a, b}, {b, a}} {
			for j := range 100 {
				want := fmt.Sprintf("message %d.%d", i, j)
				if err := ends.from.Send(ctx, want); err != nil {
					t.Fatal(err)
				}
				got, err := ends.to.Recv(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if got != want {
					t.Fatalf("got %q, want %q", got, want)
				}
			}
		}
		if err := a.Close(); err != nil {
			t.Error("Close:", err)
		}
		if _, err := b.Recv(ctx); err != io.EOF {
			t.Errorf("Recv after the peer's Close: got %v, want io.EOF", err)
		}
		if err := b.Close(); err != nil {
			t.Error("Close:", err)
		}
		for name, c := range map[string]*qsocket.Conn[string]{"a": a, "b": b} {
			testkit.WaitClosed(t, "Done of "+name, c.Done())
			if err := c.Err(); err != nil {
				t.Errorf("Err of %s: got %v, want nil", name, err)
			}
		}
	})
}

// All framings carry payloads of every size around their limits.
func TestFramingsCarryMessages(t *testing.T) {
	for _, f := range testkit.Framings {
		t.Run(f.String(), func(t *testing.T) {
			ctx := testkit.Context(t)
			p := testkit.Raw
			p.Framing = f
			a, b := testkit.Pair(t, "tcp", p, nil, nil)
			for _, size := range []int{0, 1, 127, 128, 255, 256, 9999, 65535, 65536, 1 << 20} {
				limit := map[qsocket.Framing]int{qsocket.Uint8: 255, qsocket.Uint16: 65535}[f]
				err := a.Send(ctx, make([]byte, size))
				if limit > 0 && size > limit {
					if !errors.Is(err, qsocket.ErrFrameTooLarge) {
						t.Fatalf("Send of %d bytes: got %v, want ErrFrameTooLarge", size, err)
					}
					continue
				}
				if err != nil {
					t.Fatalf("Send of %d bytes: %v", size, err)
				}
				got, err := b.Recv(ctx)
				if err != nil {
					t.Fatalf("Recv of %d bytes: %v", size, err)
				}
				if len(got) != size {
					t.Fatalf("got %d bytes, want %d", len(got), size)
				}
			}
		})
	}
}

// closeRecorder tells whether it was closed.
type closeRecorder struct {
	net.Conn
	closed bool
}

func (c *closeRecorder) Close() error {
	c.closed = true
	return c.Conn.Close()
}

func TestConstructorsRefuse(t *testing.T) {
	for _, test := range []struct {
		name string
		p    qsocket.Protocol[string]
		opts *qsocket.Options
		want string
	}{
		{"unknown framing", qsocket.Protocol[string]{Framing: 99}, nil, "unknown framing 99"},
		{"name with another framing", qsocket.Protocol[string]{Name: "x/1", Framing: qsocket.Netstring}, nil, `"x/1" uses framing Netstring, but a named protocol requires Uint32`},
		{"name", qsocket.Protocol[string]{Name: strings.Repeat("x", 1025)}, nil, "is 1025 bytes, want UTF-8 of at most 1024"},
		{"MaxFrame", testkit.Text, &qsocket.Options{MaxFrame: -1}, "Options.MaxFrame is -1"},
		{"RecvQueue", testkit.Text, &qsocket.Options{RecvQueue: -2}, "Options.RecvQueue is -2"},
		{"SendBuffer", testkit.Text, &qsocket.Options{SendBuffer: -3}, "Options.SendBuffer is -3"},
		{"RecvQueue of any size", testkit.Text, &qsocket.Options{RecvQueue: math.MaxInt}, "want at most 16777216"},
		{"MaxConns", testkit.Text, &qsocket.Options{MaxConns: -4}, "Options.MaxConns is -4"},
		{"CloseTimeout", testkit.Text, &qsocket.Options{CloseTimeout: -5}, "Options.CloseTimeout is -5ns"},
		{"HandshakeTimeout", testkit.Text, &qsocket.Options{HandshakeTimeout: -6}, "Options.HandshakeTimeout is -6ns"},
		{"Heartbeat", testkit.Text, &qsocket.Options{Heartbeat: 1}, "Options.Heartbeat is 1ns, want at least 1ms"},
	} {
		t.Run(test.name, func(t *testing.T) {
			check := func(what string, err error) {
				t.Helper()
				if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "qsocket: ") {
					t.Errorf("%s: got %v, want qsocket: … %s", what, err, test.want)
				}
			}
			na, nb := net.Pipe()
			defer nb.Close()
			nc := &closeRecorder{Conn: na}
			_, err := qsocket.NewConn(context.Background(), nc, test.p, test.opts)
			check("NewConn", err)
			if !nc.closed {
				t.Error("NewConn did not close its net.Conn")
			}
			_, _, err = qsocket.Pipe(test.p, test.opts)
			check("Pipe", err)
			_, err = qsocket.Listen("tcp", "127.0.0.1:0", test.p, test.opts)
			check("Listen", err)
			_, err = qsocket.Dial(context.Background(), "tcp", "127.0.0.1:1", test.p, test.opts)
			check("Dial", err)
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			_, err = qsocket.NewListener(ln, test.p, test.opts)
			check("NewListener", err)
			if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("NewListener did not close its net.Listener: Accept returned %v", err)
			}
		})
	}
	t.Run("nil net.Conn", func(t *testing.T) {
		for _, nc := range []net.Conn{nil, (*net.TCPConn)(nil)} {
			if _, err := qsocket.NewConn(context.Background(), nc, testkit.Text, nil); err == nil {
				t.Errorf("%T: no error", nc)
			}
		}
	})
	t.Run("nil net.Listener", func(t *testing.T) {
		for _, ln := range []net.Listener{nil, (*net.TCPListener)(nil)} {
			if _, err := qsocket.NewListener(ln, testkit.Text, nil); err == nil {
				t.Errorf("%T: no error", ln)
			}
		}
	})
	t.Run("TLS without a certificate", func(t *testing.T) {
		ln, err := qsocket.Listen("tcp", "127.0.0.1:0", testkit.Text, &qsocket.Options{TLS: emptyTLS})
		if err == nil {
			ln.Close()
			t.Error("Listen: no error")
		}
	})
	t.Run("NewConn with TLS", func(t *testing.T) {
		na, nb := net.Pipe()
		defer nb.Close()
		if _, err := qsocket.NewConn(context.Background(), na, testkit.Text, &qsocket.Options{TLS: emptyTLS}); err == nil {
			t.Error("no error")
		}
	})
	t.Run("ended context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		na, nb := net.Pipe()
		defer nb.Close()
		nc := &closeRecorder{Conn: na}
		if _, err := qsocket.NewConn(ctx, nc, testkit.Text, nil); !errors.Is(err, context.Canceled) || !nc.closed {
			t.Errorf("got %v and closed=%v, want context.Canceled and closed", err, nc.closed)
		}
	})
}

func TestNegativeTimeoutsAreAccepted(t *testing.T) {
	a, b, err := qsocket.Pipe(testkit.Text, &qsocket.Options{FrameTimeout: -1, WriteTimeout: -1, Heartbeat: -1})
	if err != nil {
		t.Fatal(err)
	}
	testkit.End(a)
	testkit.End(b)
}

// Codecs that make nothing are refused, and so are networks that are no stream.
func TestConstructorsRefuseMore(t *testing.T) {
	na, nb := net.Pipe()
	defer nb.Close()
	p := qsocket.Protocol[string]{Codec: emptyCodec{}}
	if _, err := qsocket.NewConn(context.Background(), na, p, nil); err == nil || !strings.Contains(err.Error(), `codec "empty"`) {
		t.Errorf("got %v, want an error that names the codec", err)
	}
	for _, network := range []string{"udp", "", "unixgram", "ip"} {
		want := fmt.Sprintf("network is %q, want a stream", network)
		if _, err := qsocket.Dial(context.Background(), network, "127.0.0.1:1", testkit.Text, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Dial: got %v, want %s", err, want)
		}
		if _, err := qsocket.Listen(network, "127.0.0.1:0", testkit.Text, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Listen: got %v, want %s", err, want)
		}
	}
}

type emptyCodec struct{}

func (emptyCodec) Name() string                        { return "empty" }
func (emptyCodec) NewEncoder() qsocket.Encoder[string] { return nil }
func (emptyCodec) NewDecoder() qsocket.Decoder[string] { return nil }

func TestStats(t *testing.T) {
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		ctx := testkit.Context(t)
		a, b := testkit.Pair(t, transport, testkit.Text, nil, nil)
		for range 3 {
			if err := a.Send(ctx, "12345"); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			if _, err := b.Recv(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		sa, sb := a.Stats(), b.Stats()
		if sa.MessagesSent != 3 || sa.BytesSent != 27 || sa.SendBuffered != 0 || sa.Flushes < 1 || sa.Flushes > 3 {
			t.Errorf("sender: got %+v, want 3 messages of 9 bytes in 1 to 3 flushes", sa)
		}
		if sb.MessagesReceived != 3 || sb.BytesReceived != 27 {
			t.Errorf("receiver: got %+v, want 3 messages of 9 bytes", sb)
		}
	})
}

func TestAddresses(t *testing.T) {
	na, nb := testkit.NetPair(t, "tcp")
	a, _ := testkit.WrapPair(t, na, nb, testkit.Text, nil, nil)
	if a.NetConn() != na {
		t.Errorf("NetConn: got %v, want the net.Conn given", a.NetConn())
	}
	if got, want := a.LocalAddr().String(), nb.RemoteAddr().String(); got != want {
		t.Errorf("LocalAddr: got %v, want %v", got, want)
	}
	if got, want := a.RemoteAddr().String(), nb.LocalAddr().String(); got != want {
		t.Errorf("RemoteAddr: got %v, want %v", got, want)
	}
	if got := a.Peer(); got != (qsocket.Peer{}) {
		t.Errorf("Peer: got %+v, want zero in raw mode", got)
	}
}

// A Conn whose program sends only learns from Done that the peer has ended,
// and then that sending fails.
func TestDoneOfSender(t *testing.T) {
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		ctx := testkit.Context(t)
		a, b := testkit.Pair(t, transport, testkit.Text, nil, nil)
		done := a.Done()
		testkit.End(b)
		var err error
		for err == nil {
			err = a.Send(ctx, "x")
		}
		testkit.WaitClosed(t, "Done", done)
		failure := a.Err()
		if !errors.Is(failure, syscall.EPIPE) && !errors.Is(failure, syscall.ECONNRESET) {
			t.Errorf("Err: got %v, want EPIPE or ECONNRESET", failure)
		}
		if !errors.Is(err, failure) || !errors.Is(err, net.ErrClosed) {
			t.Errorf("Send: got %v, want net.ErrClosed and the failure", err)
		}
	})
}

var emptyTLS = new(tls.Config)

// A program that has only called Recv finds Messages closed when Done is.
func TestDoneAfterTheEnd(t *testing.T) {
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		for range 100 {
			ctx := testkit.Context(t)
			a, b := testkit.Pair(t, transport, testkit.Text, nil, nil)
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := a.Recv(ctx); err != io.EOF {
				t.Fatalf("got %v, want io.EOF", err)
			}
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			testkit.WaitClosed(t, "Done", a.Done())
			select {
			case _, ok := <-a.Messages():
				if ok {
					t.Fatal("a message after the end")
				}
			default:
				t.Fatal("Done is closed, and Messages is not")
			}
		}
	})
}

// rawText is text without a hello.
var rawText = qsocket.Protocol[string]{Codec: testkit.TextCodec}

// tattler is a connection that was reset, as the kernel reports it: once, and
// here to Write, which is slow to pass that on. Read returns io.EOF from then on.
type tattler struct {
	net.Conn
	told chan struct{}
}

func (c tattler) Read([]byte) (int, error) {
	<-c.told
	return 0, io.EOF
}

func (c tattler) Write([]byte) (int, error) {
	close(c.told)
	time.Sleep(time.Millisecond)
	return 0, syscall.ECONNRESET
}

// A reset is no clean end, also if the end of file is read before the write that was told of
// the reset has returned.
func TestResetToldToWrite(t *testing.T) {
	for _, r := range testkit.Receivers {
		t.Run(r.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				na, nb := net.Pipe()
				defer nb.Close()
				c, err := qsocket.NewConn(t.Context(), tattler{na, make(chan struct{})}, rawText, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer testkit.End(c)
				if err := c.Send(t.Context(), "lost"); err != nil {
					t.Fatal(err)
				}
				if _, err := r.Recv(c, t.Context()); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("got %v, want ECONNRESET", err)
				}
			})
		})
	}
}

// A write that waits for the peer to read does not keep its end of file from us.
func TestEndOfFileWithBlockedWrite(t *testing.T) {
	for _, r := range testkit.Receivers {
		t.Run(r.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				na, nb := qsockettest.NetPipe()
				defer nb.Close()
				c, err := qsocket.NewConn(t.Context(), na, rawText, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer testkit.End(c)
				if err := c.Send(t.Context(), strings.Repeat("x", 100_000)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if err := nb.CloseWrite(); err != nil {
					t.Fatal(err)
				}
				for range 2 {
					if _, err := r.Recv(c, t.Context()); err != io.EOF {
						t.Errorf("got %v, want io.EOF", err)
					}
				}
			})
		})
	}
}

// Stats are exact while the reader goroutine waits for the rest of a frame that
// came with whole ones.
func TestStatsBesidePartialFrame(t *testing.T) {
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		ctx := testkit.Context(t)
		nc, peer := testkit.NetPair(t, transport)
		if transport == "tls" {
			go func() { _, _ = peer.Write(nil) }() // does the handshake
		}
		c, err := qsocket.NewConn(ctx, nc, testkit.Text, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.End(c)
		c.Messages()
		whole := testkit.Frame(t, qsocket.Uint32, "a") + testkit.Frame(t, qsocket.Uint32, "b")
		if _, err := peer.Write([]byte(whole + "\x00\x00\x00\x09part")); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := c.Recv(ctx); err != nil {
				t.Fatal(err)
			}
		}
		for {
			s := c.Stats()
			if s.MessagesReceived == 2 && s.BytesReceived == uint64(len(whole)) {
				return
			}
			if ctx.Err() != nil {
				t.Fatalf("got %d messages of %d bytes, want 2 of %d", s.MessagesReceived, s.BytesReceived, len(whole))
			}
			runtime.Gosched() // until the reader waits
		}
	})
}

// idler is a net.Conn whose Read and Write do nothing and say nothing.
type idler struct{ net.Conn }

func (idler) Read([]byte) (int, error)  { return 0, nil }
func (idler) Write([]byte) (int, error) { return 0, nil }

// boaster is a net.Conn that has done more than it was asked for.
type boaster struct{ net.Conn }

func (boaster) Read(b []byte) (int, error)  { return len(b) + 1, nil }
func (boaster) Write(b []byte) (int, error) { return len(b) + 1, nil }

// A net.Conn that breaks the rules of io.Reader or io.Writer ends its Conn, and
// neither loops nor panics.
func TestUnrulyNetConn(t *testing.T) {
	for name, wrap := range map[string]func(net.Conn) net.Conn{
		"nothing":  func(nc net.Conn) net.Conn { return idler{nc} },
		"too much": func(nc net.Conn) net.Conn { return boaster{nc} },
	} {
		t.Run(name, func(t *testing.T) {
			ctx := testkit.Context(t)
			na, nb := net.Pipe()
			defer nb.Close()
			c, err := qsocket.NewConn(ctx, wrap(na), testkit.Text, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer testkit.End(c)
			if _, err := c.Recv(ctx); err == nil || err == io.EOF {
				t.Errorf("Recv: got %v, want an error", err)
			}
			na, nb2 := net.Pipe()
			defer nb2.Close()
			c, err = qsocket.NewConn(ctx, wrap(na), testkit.Text, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer testkit.End(c)
			if err := c.Send(ctx, "x"); err != nil {
				t.Fatal(err)
			}
			if err := c.Flush(ctx); !errors.Is(err, io.ErrNoProgress) {
				t.Errorf("Flush: got %v, want io.ErrNoProgress", err)
			}
		})
	}
}
