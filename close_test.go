package qsocket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// Close loses nothing that Send accepted, although data that this end has not
// read lies in its socket: a plain close would answer it with a reset.
func TestCloseWithUnreadInbound(t *testing.T) {
	const rounds, messages = 100, 200
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		ctx := testkit.Context(t)
		for round := range rounds {
			na, nb := testkit.NetPair(t, transport)
			a, b := testkit.WrapPair(t, na, nb, testkit.Raw, nil, nil)
			for range 20 {
				if err := b.Send(ctx, make([]byte, 1000)); err != nil { // a never receives these
					t.Fatal(err)
				}
			}
			if err := b.Flush(ctx); err != nil {
				t.Fatal(err)
			}
			for i := range messages {
				if err := a.Send(ctx, testkit.Numbered(0, i, 1000)); err != nil {
					t.Fatal(err)
				}
			}
			closed := testkit.Async(a.Close)
			for i := range messages {
				m, err := b.Recv(ctx)
				if err != nil {
					t.Fatalf("round %d, message %d: %v", round, i, err)
				}
				if _, got := testkit.ParseNumbered(m); got != i {
					t.Fatalf("round %d: got message %d, want %d", round, got, i)
				}
			}
			if _, err := b.Recv(ctx); err != io.EOF {
				t.Fatalf("round %d: got %v, want io.EOF", round, err)
			}
			if err := testkit.Result(t, "Close", closed); err != nil {
				t.Fatal(err)
			}
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			testkit.WaitClosed(t, "Done", a.Done())
			if err := a.Err(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Close returns after CloseTimeout with an error if accepted messages could not
// be flushed, exactly then.
func TestCloseTimeout(t *testing.T) {
	t.Run("pipe", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b, err := qsocket.Pipe(testkit.Text, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Send(t.Context(), "nobody reads this"); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			err = a.Close()
			if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 5*time.Second {
				t.Errorf("got %v after %v, want os.ErrDeadlineExceeded after 5s", err, time.Since(start))
			}
			<-a.Done()
			if !errors.Is(a.Err(), os.ErrDeadlineExceeded) {
				t.Errorf("Err: got %v, want os.ErrDeadlineExceeded", a.Err())
			}
			if _, err := a.Recv(t.Context()); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Recv: got %v, want net.ErrClosed", err)
			}
			if err := a.Close(); err != nil {
				t.Errorf("second Close: got %v, want nil", err)
			}
			testkit.End(b)
		})
	})
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		for _, how := range []string{"Close", "CloseWrite"} {
			t.Run(how, func(t *testing.T) {
				a, _, _ := testkit.StalledPair(t, transport, &qsocket.Options{CloseTimeout: 30 * time.Millisecond}, 1000)
				call := map[string]func() error{"Close": a.Close, "CloseWrite": a.CloseWrite}[how]
				if err := call(); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("got %v, want os.ErrDeadlineExceeded", err)
				}
				testkit.WaitClosed(t, "Done", a.Done())
				if !errors.Is(a.Err(), os.ErrDeadlineExceeded) {
					t.Errorf("Err: got %v, want os.ErrDeadlineExceeded", a.Err())
				}
			})
		}
	})
}

// A peer that never ends holds the socket for CloseTimeout, and is no error.
func TestCloseWithoutPeersEnd(t *testing.T) {
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		a, b := testkit.Pair(t, transport, testkit.Text, &qsocket.Options{CloseTimeout: 250 * time.Millisecond}, nil)
		if err := a.Send(testkit.Context(t), "last"); err != nil {
			t.Fatal(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		testkit.WaitClosed(t, "Done", a.Done())
		if err := a.Err(); err != nil {
			t.Error("Err:", err)
		}
		if m, err := b.Recv(testkit.Context(t)); err != nil || m != "last" {
			t.Errorf("got %q, %v", m, err)
		}
	})
}

// What a Recv had read beyond its own message can be received after Close.
func TestRecvAfterOwnClose(t *testing.T) {
	ctx := testkit.Context(t)
	nc, peer := testkit.NetPair(t, "tcp")
	a, err := qsocket.NewConn(ctx, nc, testkit.Text, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer testkit.End(a)
	if _, err := peer.Write([]byte(testkit.Frame(t, qsocket.Uint32, "1") + testkit.Frame(t, qsocket.Uint32, "2"))); err != nil {
		t.Fatal(err)
	}
	var got []string
	m, err := a.Recv(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, m)
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	for {
		m, err = a.Recv(ctx)
		if err != nil {
			break
		}
		got = append(got, m)
	}
	if fmt.Sprint(got) != "[1 2]" || !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %q and %v, want both messages and net.ErrClosed", got, err)
	}
}

// Close unblocks every call under way.
func TestCloseUnblocks(t *testing.T) {
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		for _, mode := range []string{"pull", "channel"} {
			a, _, _ := testkit.StalledPair(t, transport, &qsocket.Options{SendBuffer: 1000, CloseTimeout: 50 * time.Millisecond}, 400)
			ctx := testkit.Context(t)
			if mode == "channel" {
				a.Messages()
			}
			calls := map[string]<-chan error{}
			start := func(name string, call func(context.Context) error) {
				w := newWatched(ctx)
				calls[name] = testkit.Async(func() error { defer w.tell(); return call(w) })
				testkit.Result(t, name+" to wait", w.waits)
			}
			for i := range 3 {
				start(fmt.Sprint("Send ", i), func(ctx context.Context) error { return a.Send(ctx, make([]byte, 400)) })
				start(fmt.Sprint("Recv ", i), func(ctx context.Context) error { _, err := a.Recv(ctx); return err })
				start(fmt.Sprint("Flush ", i), a.Flush)
			}
			_ = a.Close()
			for name, call := range calls {
				err := testkit.Result(t, name, call)
				if err == nil && name[0] != 'R' && transport != "pipe" {
					continue // the kernel has found room after all
				}
				if want := os.ErrDeadlineExceeded; name[0] == 'F' && !errors.Is(err, want) && !errors.Is(err, net.ErrClosed) {
					t.Errorf("%s: got %v, want the failed write", name, err)
				}
				if name[0] != 'F' && !errors.Is(err, net.ErrClosed) {
					t.Errorf("%s: got %v, want net.ErrClosed", name, err)
				}
			}
		}
	})
}

// A peer that never lets the socket become empty, and a queue that is never full,
// must not keep the reader goroutine from seeing that it is to stop.
func TestCloseWhileThePeerFloods(t *testing.T) {
	type message struct {
		Number int
		Text   string
	}
	p := qsocket.Protocol[message]{Codec: qsocket.JSON[message]()} // slower than the peer
	nc, peer := testkit.NetPair(t, "tcp")
	c, err := qsocket.NewConn(testkit.Context(t), nc, p, &qsocket.Options{RecvQueue: 1 << 16, CloseTimeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	chunk := []byte(strings.Repeat(testkit.Frame(t, qsocket.Uint32, `{"Number":1,"Text":"`+strings.Repeat("x", 50)+`"}`), 1000))
	go func() { // ends with the connection
		for {
			if _, err := peer.Write(chunk); err != nil {
				return
			}
		}
	}()
	received := make(chan struct{})
	go func() { // ends with the connection
		n := 0
		for range c.Messages() {
			if n++; n == 50_000 {
				close(received)
			}
		}
	}()
	testkit.WaitClosed(t, "50,000 messages", received)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	testkit.WaitClosed(t, "Done", c.Done())
}

// The peer of a Conn that has failed does not see a clean end.
func TestFailureIsNoCleanEndForThePeer(t *testing.T) {
	for _, transport := range []string{"tcp", "tls"} {
		t.Run(transport, func(t *testing.T) {
			ctx := testkit.Context(t)
			a, b := testkit.Pair(t, transport, testkit.Text, nil, &qsocket.Options{MaxFrame: 100})
			if err := a.Send(ctx, strings.Repeat("x", 200)); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Recv(ctx); !errors.Is(err, qsocket.ErrFrameTooLarge) {
				t.Fatalf("got %v, want ErrFrameTooLarge", err)
			}
			if _, err := a.Recv(ctx); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the peer got %v, want ECONNRESET", err)
			}
		})
	}
}

// CloseWrite tells that the Conn has failed.
func TestCloseWriteAfterFailure(t *testing.T) {
	ctx := testkit.Context(t)
	a, b := testkit.Pair(t, "tcp", testkit.Text, nil, &qsocket.Options{MaxFrame: 100})
	if err := a.Send(ctx, strings.Repeat("x", 200)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Recv(ctx); err == nil {
		t.Fatal("no error")
	}
	if err := b.CloseWrite(); !errors.Is(err, qsocket.ErrFrameTooLarge) {
		t.Errorf("got %v, want the failure", err)
	}
	if err := b.Close(); err != nil {
		t.Errorf("Close: got %v, want nil: no message was lost", err)
	}
}

func TestCloseReasonIsLogged(t *testing.T) {
	var log strings.Builder
	a, _ := testkit.Pair(t, "tcp", testkit.Text, &qsocket.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, nil)
	if err := a.CloseWithReason("lunch break"); err != nil {
		t.Error(err)
	}
	if got := log.String(); !strings.Contains(got, `reason="lunch break"`) || !strings.Contains(got, a.RemoteAddr().String()) {
		t.Errorf("log: got %q, want the reason and the peer", got)
	}
}

func TestSendAfterClose(t *testing.T) {
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		a, _ := testkit.Pair(t, transport, testkit.Text, nil, nil)
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		if err := a.Send(testkit.Context(t), "x"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Send: got %v, want net.ErrClosed", err)
		}
		if err := a.Flush(testkit.Context(t)); err != nil {
			t.Errorf("Flush: got %v, want nil: everything was flushed", err)
		}
		for range 3 {
			if err := a.Close(); err != nil {
				t.Errorf("Close again: got %v, want nil", err)
			}
		}
		if err := a.CloseWithReason("again"); err != nil {
			t.Errorf("CloseWithReason: got %v, want nil", err)
		}
	})
}

// CloseWrite ends one direction and leaves the other.
func TestCloseWrite(t *testing.T) {
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		for _, mode := range []string{"pull", "channel"} {
			t.Run(mode, func(t *testing.T) {
				ctx := testkit.Context(t)
				a, b := testkit.Pair(t, transport, testkit.Text, nil, nil)
				if mode == "channel" {
					a.Messages()
					b.Messages()
				}
				for i := range 100 {
					if err := a.Send(ctx, fmt.Sprint(i)); err != nil {
						t.Fatal(err)
					}
				}
				for range 2 {
					if err := a.CloseWrite(); err != nil {
						t.Fatal(err)
					}
				}
				if err := a.Send(ctx, "x"); !errors.Is(err, net.ErrClosed) {
					t.Errorf("Send: got %v, want net.ErrClosed", err)
				}
				for i := range 100 { // b answers each message although a has ended sending
					m, err := b.Recv(ctx)
					if err != nil || m != fmt.Sprint(i) {
						t.Fatalf("got %q, %v, want %d", m, err, i)
					}
					if err := b.Send(ctx, m); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := b.Recv(ctx); err != io.EOF {
					t.Errorf("got %v, want io.EOF", err)
				}
				if err := b.CloseWrite(); err != nil {
					t.Error(err)
				}
				for i := range 100 {
					if m, err := a.Recv(ctx); err != nil || m != fmt.Sprint(i) {
						t.Fatalf("got %q, %v, want %d", m, err, i)
					}
				}
				if _, err := a.Recv(ctx); err != io.EOF {
					t.Errorf("got %v, want io.EOF", err)
				}
				testkit.WaitClosed(t, "Done of a", a.Done()) // both directions are over, without a Close
				testkit.WaitClosed(t, "Done of b", b.Done())
				if a.Err() != nil || b.Err() != nil {
					t.Errorf("Err: got %v and %v, want nil", a.Err(), b.Err())
				}
			})
		}
	})
	t.Run("pipe", func(t *testing.T) {
		ctx := testkit.Context(t)
		a, b := testkit.Pair(t, "pipe", testkit.Text, nil, nil)
		if err := a.CloseWrite(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("got %v, want errors.ErrUnsupported", err)
		}
		if err := a.Send(ctx, "unharmed"); err != nil {
			t.Error(err)
		}
		if m, err := b.Recv(ctx); err != nil || m != "unharmed" {
			t.Errorf("got %q, %v", m, err)
		}
	})
}

// After CloseWrite the Conn may live for long: CloseTimeout bounds the call.
func TestCloseWriteDoesNotEndReceiving(t *testing.T) {
	const timeout = 300 * time.Millisecond
	opts := &qsocket.Options{CloseTimeout: timeout}
	stillThere := func(t *testing.T, a, b *qsocket.Conn[string]) {
		ctx := testkit.Context(t)
		if err := b.Send(ctx, "still there"); err != nil {
			t.Error(err)
		}
		if m, err := a.Recv(ctx); err != nil || m != "still there" {
			t.Errorf("got %q, %v", m, err)
		}
	}
	t.Run("tcp", func(t *testing.T) {
		a, b := testkit.Pair(t, "tcp", testkit.Text, opts, nil)
		if err := a.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 3*timeout)
		defer cancel()
		if m, err := a.Recv(ctx); err != context.DeadlineExceeded {
			t.Fatalf("got %q, %v, want to wait until ctx ends", m, err)
		}
		stillThere(t, a, b)
	})
	t.Run("bubble", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b := qsockettest.Pipe(t, testkit.Text, opts)
			if err := a.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			stillThere(t, a, b)
		})
	})
}

// Both ends close with full buffers, and neither program reads: each end discards what
// the other flushes.
func TestBothClose(t *testing.T) {
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		for range 20 {
			a, b := testkit.Pair(t, transport, testkit.Raw, nil, nil)
			var wg sync.WaitGroup
			for _, c := range []*qsocket.Conn[[]byte]{a, b} {
				wg.Go(func() {
					for {
						ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
						err := c.Send(ctx, make([]byte, 10000))
						cancel()
						if err != nil {
							return
						}
					}
				})
			}
			wg.Wait()
			ca, cb := testkit.Async(a.Close), testkit.Async(b.Close)
			if err := testkit.Result(t, "Close", ca); err != nil {
				t.Error(err)
			}
			if err := testkit.Result(t, "Close", cb); err != nil {
				t.Error(err)
			}
			testkit.WaitClosed(t, "Done", a.Done())
			testkit.WaitClosed(t, "Done", b.Done())
		}
	})
}

// The peer's end of file ends receiving only: messages can still be sent to a
// peer that has half-closed.
func TestPeerEndsFirst(t *testing.T) {
	ctx := testkit.Context(t)
	a, b := testkit.Pair(t, "tcp", testkit.Text, nil, nil)
	if err := a.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, ok := <-b.Messages(); ok {
		t.Error("a message from nowhere")
	}
	if err := b.Err(); err != nil {
		t.Error(err)
	}
	if err := b.Send(ctx, "goodbye"); err != nil {
		t.Error(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if m, err := a.Recv(ctx); err != nil || m != "goodbye" {
		t.Errorf("got %q, %v", m, err)
	}
	testkit.WaitClosed(t, "Done", b.Done())
}
