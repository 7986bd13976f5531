package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// forNamed runs a test over all transports and with both ways to receive.
func forNamed(t *testing.T, test func(t *testing.T, ctx context.Context, a, b *qsocket.Conn[string], recv func(*qsocket.Conn[string], context.Context) (string, error))) {
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		for _, r := range testkit.Receivers {
			t.Run(r.Name, func(t *testing.T) {
				a, b := testkit.Pair(t, transport, testkit.Named, nil, nil)
				test(t, testkit.Context(t), a, b, r.Recv)
			})
		}
	})
}

func TestNamedMessages(t *testing.T) {
	forNamed(t, func(t *testing.T, ctx context.Context, a, b *qsocket.Conn[string], recv func(*qsocket.Conn[string], context.Context) (string, error)) {
		for i := range 100 {
			for _, ends := range [][2]*qsocket.Conn[string]{{a, b}, {b, a}} {
				want := fmt.Sprint("message ", i)
				if err := ends[0].Send(ctx, want); err != nil {
					t.Fatal(err)
				}
				if got, err := recv(ends[1], ctx); got != want || err != nil {
					t.Fatalf("got %q, %v, want %q", got, err, want)
				}
			}
		}
		for _, c := range []*qsocket.Conn[string]{a, b} {
			if err := c.Flush(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if s := a.Stats(); s.MessagesSent != 100 || s.MessagesReceived != 100 || s.BytesSent != s.BytesReceived || s.SendBuffered != 0 {
			t.Errorf("got %+v, want 100 messages each way and as many bytes", s)
		}
	})
}

// A Close is announced to the peer, which ends by itself: its Close is not waited for.
func TestGoodbye(t *testing.T) {
	forNamed(t, func(t *testing.T, ctx context.Context, a, b *qsocket.Conn[string], recv func(*qsocket.Conn[string], context.Context) (string, error)) {
		if err := a.Send(ctx, "last"); err != nil {
			t.Fatal(err)
		}
		closed := testkit.Async(a.Close)
		if m, err := recv(b, ctx); m != "last" || err != nil {
			t.Fatalf("got %q, %v", m, err)
		}
		if _, err := recv(b, ctx); err != io.EOF {
			t.Errorf("got %v, want io.EOF", err)
		}
		if err := b.Send(ctx, "too late"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Send after the peer's goodbye: got %v, want net.ErrClosed", err)
		}
		if err := testkit.Result(t, "Close", closed); err != nil {
			t.Errorf("Close: %v", err)
		}
		testkit.WaitClosed(t, "Done of the end that closed", a.Done())
		testkit.WaitClosed(t, "Done of its peer", b.Done())
		if a.Err() != nil || b.Err() != nil {
			t.Errorf("Err: got %v and %v, want nil", a.Err(), b.Err())
		}
		if err := b.Close(); err != nil {
			t.Errorf("Close of the peer: %v", err)
		}
	})
}

// A program that only sends learns of the peer's Close from Done.
func TestGoodbyeToSender(t *testing.T) {
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		a, b := testkit.Pair(t, transport, testkit.Named, nil, nil)
		done := b.Done()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		testkit.WaitClosed(t, "Done", done)
		if err := b.Send(testkit.Context(t), "x"); !errors.Is(err, net.ErrClosed) || b.Err() != nil {
			t.Errorf("got %v and %v, want net.ErrClosed and nil", err, b.Err())
		}
	})
}

func TestCloseWithReason(t *testing.T) {
	long := strings.Repeat("ä", 600)
	for _, test := range []struct{ reason, arrives string }{
		{"maintenance", "maintenance"},
		{long, strings.Repeat("ä", 512)},
		{"x" + long, "x" + strings.Repeat("ä", 511)},
		{"not \xff UTF-8", "not \uFFFD UTF-8"},
	} {
		forNamed(t, func(t *testing.T, ctx context.Context, a, b *qsocket.Conn[string], recv func(*qsocket.Conn[string], context.Context) (string, error)) {
			done := b.Done
			closed := testkit.Async(func() error { return a.CloseWithReason(test.reason) })
			_, err := recv(b, ctx)
			var remote *qsocket.RemoteError
			if !errors.As(err, &remote) || remote.Reason != test.arrives {
				t.Errorf("got %v, want the reason %q", err, test.arrives)
			}
			if err := testkit.Result(t, "Close", closed); err != nil || a.Err() != nil {
				t.Errorf("got %v and %v, want nil", err, a.Err())
			}
			testkit.WaitClosed(t, "Done", done())
			if err := b.Err(); !errors.As(err, &remote) {
				t.Errorf("Err: got %v, want the reason", err)
			}
			if err := b.Send(ctx, "x"); !errors.Is(err, net.ErrClosed) || !errors.As(err, &remote) {
				t.Errorf("Send: got %v, want net.ErrClosed and the reason", err)
			}
		})
	}
}

// CloseWrite ends one direction, over every kind of connection.
func TestNamedCloseWrite(t *testing.T) {
	forNamed(t, func(t *testing.T, ctx context.Context, a, b *qsocket.Conn[string], recv func(*qsocket.Conn[string], context.Context) (string, error)) {
		if err := a.Send(ctx, "question"); err != nil {
			t.Fatal(err)
		}
		closed := testkit.Async(a.CloseWrite)
		if m, err := recv(b, ctx); m != "question" || err != nil {
			t.Fatalf("got %q, %v", m, err)
		}
		if _, err := recv(b, ctx); err != io.EOF {
			t.Fatalf("got %v, want io.EOF", err)
		}
		if err := testkit.Result(t, "CloseWrite", closed); err != nil {
			t.Errorf("CloseWrite: %v", err)
		}
		if err := a.Send(ctx, "x"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Send after CloseWrite: %v", err)
		}
		for i := range 3 {
			want := fmt.Sprint("answer ", i)
			if err := b.Send(ctx, want); err != nil {
				t.Fatal(err)
			}
			if m, err := recv(a, ctx); m != want || err != nil {
				t.Fatalf("got %q, %v", m, err)
			}
		}
		select {
		case <-b.Done():
			t.Error("half an end is none")
		default:
		}
		closed = testkit.Async(b.CloseWrite)
		if _, err := recv(a, ctx); err != io.EOF {
			t.Errorf("got %v, want io.EOF", err)
		}
		if err := testkit.Result(t, "CloseWrite", closed); err != nil {
			t.Errorf("CloseWrite: %v", err)
		}
		// Both directions are over, so both ends are, although neither has called Close.
		testkit.WaitClosed(t, "Done of a", a.Done())
		testkit.WaitClosed(t, "Done of b", b.Done())
		if a.Err() != nil || b.Err() != nil || a.Close() != nil || b.Close() != nil {
			t.Errorf("got %v and %v, want a clean end", a.Err(), b.Err())
		}
	})
}

// Shutdown returns nil when the peer's reader has taken everything, whether or
// not the peer closes as well.
func TestNamedShutdown(t *testing.T) {
	forNamed(t, func(t *testing.T, ctx context.Context, a, b *qsocket.Conn[string], recv func(*qsocket.Conn[string], context.Context) (string, error)) {
		for range 10 {
			if err := a.Send(ctx, "m"); err != nil {
				t.Fatal(err)
			}
		}
		down := testkit.Async(func() error { return a.Shutdown(ctx) })
		for range 10 {
			if _, err := recv(b, ctx); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := recv(b, ctx); err != io.EOF {
			t.Errorf("got %v, want io.EOF", err)
		}
		if err := testkit.Result(t, "Shutdown", down); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := b.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown of the peer: %v", err)
		}
		testkit.WaitClosed(t, "Done of a", a.Done())
		testkit.WaitClosed(t, "Done of b", b.Done())
	})
}

// Two Shutdowns at once confirm each other.
func TestNamedShutdownCrossing(t *testing.T) {
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		for range 100 {
			a, b := testkit.Pair(t, transport, testkit.Named, nil, nil)
			ctx := testkit.Context(t)
			down := testkit.Async(func() error { return a.Shutdown(ctx) })
			if err := b.Shutdown(ctx); err != nil {
				t.Fatal(err)
			}
			if err := testkit.Result(t, "Shutdown", down); err != nil {
				t.Fatal(err)
			}
			testkit.WaitClosed(t, "Done of a", a.Done())
			testkit.WaitClosed(t, "Done of b", b.Done())
		}
	})
}

// A peer that has closed, and dropped what we sent, does not confirm.
func TestNamedShutdownUnconfirmed(t *testing.T) {
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		ctx := testkit.Context(t)
		a, b := testkit.Pair(t, transport, testkit.Named, &qsocket.Options{CloseTimeout: time.Second}, &qsocket.Options{RecvQueue: 1, CloseTimeout: time.Second})
		sent := testkit.Async(func() error {
			for range 50 { // more than the reader of b has room for
				if err := a.Send(ctx, "dropped"); err != nil {
					return err
				}
			}
			return nil
		})
		<-b.Messages()
		if err := testkit.Result(t, "Send", sent); err != nil {
			t.Fatal(err)
		}
		closed := testkit.Async(b.Close)
		if err := a.Shutdown(ctx); !errors.Is(err, qsocket.ErrUnconfirmed) {
			t.Errorf("got %v, want ErrUnconfirmed", err)
		}
		if err := testkit.Result(t, "Close", closed); err != nil {
			t.Error(err)
		}
		testkit.WaitClosed(t, "Done", b.Done())
	})
}

// An end without goodbye is no clean end, wherever it comes.
func TestEndWithoutGoodbye(t *testing.T) {
	forNamed(t, func(t *testing.T, ctx context.Context, a, b *qsocket.Conn[string], recv func(*qsocket.Conn[string], context.Context) (string, error)) {
		if err := a.Send(ctx, "m"); err != nil {
			t.Fatal(err)
		}
		arrived := testkit.Async(func() error { _, err := recv(b, ctx); return err })
		if err := a.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		if err := testkit.Result(t, "Recv", arrived); err != nil {
			t.Fatal(err)
		}
		a.NetConn().Close() // the process has died, say
		if _, err := recv(b, ctx); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %v, want io.ErrUnexpectedEOF", err)
		}
		if !errors.Is(b.Err(), io.ErrUnexpectedEOF) {
			t.Errorf("Err: got %v, want io.ErrUnexpectedEOF", b.Err())
		}
	})
}

// The peer's MaxFrame counts as ours does: the message is refused where it is
// sent, and both ends live on.
func TestPeerMaxFrame(t *testing.T) {
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		ctx := testkit.Context(t)
		a, b := testkit.Pair(t, transport, testkit.Named, nil, &qsocket.Options{MaxFrame: 100})
		if got := a.Peer().MaxFrame; got != 100 {
			t.Errorf("MaxFrame of the peer is %d, want 100", got)
		}
		err := a.Send(ctx, strings.Repeat("x", 101))
		if !errors.Is(err, qsocket.ErrFrameTooLarge) || !strings.Contains(err.Error(), "the peer's MaxFrame 100") {
			t.Errorf("got %v, want ErrFrameTooLarge", err)
		}
		if m, err := testkit.Named.Prepare(strings.Repeat("x", 101)); err != nil {
			t.Error(err)
		} else if err := a.SendPrepared(ctx, m); !errors.Is(err, qsocket.ErrFrameTooLarge) {
			t.Errorf("SendPrepared: got %v, want ErrFrameTooLarge", err)
		}
		fits := strings.Repeat("x", 100)
		sent := testkit.Async(func() error { return a.Send(ctx, fits) })
		if m, err := b.Recv(ctx); m != fits || err != nil {
			t.Errorf("got %q, %v", m, err)
		}
		if err := testkit.Result(t, "Send", sent); err != nil {
			t.Error(err)
		}
	})
}

// A goodbye does not overtake what was sent before it, nor wait for the
// consumer of what has arrived.
func TestGoodbyeBehindMessages(t *testing.T) {
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		for _, n := range []int{0, 1, 1000} {
			ctx := testkit.Context(t)
			a, b := testkit.Pair(t, transport, testkit.Named, nil, nil)
			go func() {
				for i := range n {
					if err := a.Send(ctx, fmt.Sprint(i)); err != nil {
						t.Error(err)
					}
				}
				a.Close()
			}()
			i := 0
			for m := range b.Messages() {
				if m != fmt.Sprint(i) {
					t.Fatalf("got %q, want %d", m, i)
				}
				i++
			}
			if i != n || b.Err() != nil {
				t.Errorf("got %d messages and %v, want %d and nil", i, b.Err(), n)
			}
		}
	})
}

// Close does not wait for a peer that does not read, if no message is lost by it.
func TestCloseOfIdlePipe(t *testing.T) {
	a, b, err := qsocket.Pipe(testkit.Named, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if _, err := b.Recv(testkit.Context(t)); err != io.EOF {
		t.Errorf("got %v, want io.EOF", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	testkit.WaitClosed(t, "Done of a", a.Done())
	testkit.WaitClosed(t, "Done of b", b.Done())
}

// Both ends close their half at once: each half-closes the socket when it has
// heard of the other, which may be while CloseWrite returns.
func TestNamedCloseWriteCrossing(t *testing.T) {
	for range 300 {
		a, b := testkit.Pair(t, "tcp", testkit.Named, nil, nil)
		var wg sync.WaitGroup
		for _, c := range []*qsocket.Conn[string]{a, b} {
			wg.Go(func() {
				for range c.Messages() {
				}
			})
			wg.Go(func() {
				if err := c.CloseWrite(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		testkit.WaitClosed(t, "Done of a", a.Done())
		testkit.WaitClosed(t, "Done of b", b.Done())
	}
}
