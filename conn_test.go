package qsocket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/fb9bb4ed/qsocket"
)

func TestRoundTrip(t *testing.T) {
	forTransports(t, transports, func(t *testing.T, transport string) {
		ctx := testContext(t)
		a, b := pair(t, transport, text, nil, nil)
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
			waitClosed(t, "Done of "+name, c.Done())
			if err := c.Err(); err != nil {
				t.Errorf("Err of %s: got %v, want nil", name, err)
			}
		}
	})
}

// All framings carry payloads of every size around their limits.
func TestFramingsCarryMessages(t *testing.T) {
	for _, f := range framings {
		t.Run(f.String(), func(t *testing.T) {
			ctx := testContext(t)
			p := raw
			p.Framing = f
			a, b := pair(t, "tcp", p, nil, nil)
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
		{"MaxFrame", text, &qsocket.Options{MaxFrame: -1}, "Options.MaxFrame is -1"},
		{"RecvQueue", text, &qsocket.Options{RecvQueue: -2}, "Options.RecvQueue is -2"},
		{"SendBuffer", text, &qsocket.Options{SendBuffer: -3}, "Options.SendBuffer is -3"},
		{"RecvQueue of any size", text, &qsocket.Options{RecvQueue: math.MaxInt}, "want at most 16777216"},
		{"MaxConns", text, &qsocket.Options{MaxConns: -4}, "Options.MaxConns is -4"},
		{"CloseTimeout", text, &qsocket.Options{CloseTimeout: -5}, "Options.CloseTimeout is -5ns"},
		{"HandshakeTimeout", text, &qsocket.Options{HandshakeTimeout: -6}, "Options.HandshakeTimeout is -6ns"},
		{"Heartbeat", text, &qsocket.Options{Heartbeat: 1}, "Options.Heartbeat is 1ns, want at least 1ms"},
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
			if _, err := qsocket.NewConn(context.Background(), nc, text, nil); err == nil {
				t.Errorf("%T: no error", nc)
			}
		}
	})
	t.Run("nil net.Listener", func(t *testing.T) {
		for _, ln := range []net.Listener{nil, (*net.TCPListener)(nil)} {
			if _, err := qsocket.NewListener(ln, text, nil); err == nil {
				t.Errorf("%T: no error", ln)
			}
		}
	})
	t.Run("TLS without a certificate", func(t *testing.T) {
		ln, err := qsocket.Listen("tcp", "127.0.0.1:0", text, &qsocket.Options{TLS: emptyTLS})
		if err == nil {
			ln.Close()
			t.Error("Listen: no error")
		}
	})
	t.Run("NewConn with TLS", func(t *testing.T) {
		na, nb := net.Pipe()
		defer nb.Close()
		if _, err := qsocket.NewConn(context.Background(), na, text, &qsocket.Options{TLS: emptyTLS}); err == nil {
			t.Error("no error")
		}
	})
	t.Run("ended context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		na, nb := net.Pipe()
		defer nb.Close()
		nc := &closeRecorder{Conn: na}
		if _, err := qsocket.NewConn(ctx, nc, text, nil); !errors.Is(err, context.Canceled) || !nc.closed {
			t.Errorf("got %v and closed=%v, want context.Canceled and closed", err, nc.closed)
		}
	})
}

func TestNegativeTimeoutsAreAccepted(t *testing.T) {
	a, b, err := qsocket.Pipe(text, &qsocket.Options{FrameTimeout: -1, WriteTimeout: -1, Heartbeat: -1})
	if err != nil {
		t.Fatal(err)
	}
	end(a)
	end(b)
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
		if _, err := qsocket.Dial(context.Background(), network, "127.0.0.1:1", text, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Dial: got %v, want %s", err, want)
		}
		if _, err := qsocket.Listen(network, "127.0.0.1:0", text, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Listen: got %v, want %s", err, want)
		}
	}
}

type emptyCodec struct{}

func (emptyCodec) Name() string                        { return "empty" }
func (emptyCodec) NewEncoder() qsocket.Encoder[string] { return nil }
func (emptyCodec) NewDecoder() qsocket.Decoder[string] { return nil }

func TestStats(t *testing.T) {
	forTransports(t, transports, func(t *testing.T, transport string) {
		ctx := testContext(t)
		a, b := pair(t, transport, text, nil, nil)
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
	na, nb := netPair(t, "tcp")
	a, _ := wrapPair(t, na, nb, text, nil, nil)
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
	forTransports(t, kernelTransports, func(t *testing.T, transport string) {
		ctx := testContext(t)
		a, b := pair(t, transport, text, nil, nil)
		done := a.Done()
		end(b)
		var err error
		for err == nil {
			err = a.Send(ctx, "x")
		}
		waitClosed(t, "Done", done)
		failure := a.Err()
		if !errors.Is(failure, syscall.EPIPE) && !errors.Is(failure, syscall.ECONNRESET) {
			t.Errorf("Err: got %v, want EPIPE or ECONNRESET", failure)
		}
		if !errors.Is(err, failure) || !errors.Is(err, net.ErrClosed) {
			t.Errorf("Send: got %v, want net.ErrClosed and the failure", err)
		}
	})
}
