package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

const address = "service"

// server listens on a network of its own, in a bubble.
type server struct {
	t       *testing.T
	network *qsockettest.Listener
	ln      *qsocket.Listener[string]
	served  <-chan error
}

func newServer(t *testing.T, p qsocket.Protocol[string], handle func(context.Context, *qsocket.Conn[string]), opts *qsocket.Options) *server {
	t.Helper()
	s := &server{t: t, network: qsockettest.Listen(address)}
	var err error
	if s.ln, err = qsocket.NewListener(s.network, p, opts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { testkit.EndListener(s.ln) })
	if handle != nil {
		s.served = testkit.Serve(context.Background(), s.ln, handle)
	}
	return s
}

func (s *server) dial(p qsocket.Protocol[string]) *qsocket.Conn[string] {
	s.t.Helper()
	c, err := qsocket.Dial(s.t.Context(), "tcp", address, p, &qsocket.Options{DialContext: s.network.DialContext})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { testkit.End(c) })
	synctest.Wait() // until it has a handler
	return c
}

// drain begins a Drain that gets so much time, and waits until it waits.
func (s *server) drain(within time.Duration) <-chan error {
	drained := testkit.Async(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		return s.ln.Drain(ctx, "update")
	})
	synctest.Wait()
	return drained
}

// slowEcho answers after a second.
func slowEcho(ctx context.Context, c *qsocket.Conn[string]) {
	for m, err := range c.All(ctx) {
		if err != nil {
			return
		}
		time.Sleep(time.Second)
		if c.Send(context.Background(), m) != nil {
			return
		}
	}
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

func expectCode(t *testing.T, err error, code qsocket.Code, reason string) {
	t.Helper()
	var remote *qsocket.RemoteError
	if !errors.As(err, &remote) || remote.Code != code || remote.Reason != reason {
		t.Errorf("got %v, want a RemoteError with the code %v and %q", err, code, reason)
	}
}

// What is under way is done: a request gets its answer, the client learns that it is time, and
// nobody gets in any more.
func TestDrainWaits(t *testing.T) {
	for _, p := range []qsocket.Protocol[string]{testkit.Named, testkit.Text} {
		t.Run(p.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, p, slowEcho, nil)
				c := s.dial(p)
				if err := c.Send(t.Context(), "request"); err != nil {
					t.Fatal(err)
				}
				c.Messages()
				synctest.Wait()
				drained := s.drain(time.Hour)
				if got, want := isClosed(c.GoingAway()), p.Name != ""; got != want {
					t.Errorf("the client's GoingAway is closed: %v, want %v", got, want)
				}
				if _, err := s.network.DialContext(t.Context(), "tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
					t.Errorf("dialing while the server drains: %v, want ECONNREFUSED", err)
				}
				if m, err := c.Recv(t.Context()); m != "request" || err != nil {
					t.Errorf("got %q, %v, want the answer", m, err)
				}
				if err := c.Send(t.Context(), "another"); err != nil { // it still may
					t.Error(err)
				}
				if m, err := c.Recv(t.Context()); m != "another" || err != nil {
					t.Errorf("got %q, %v, want the answer", m, err)
				}
				time.Sleep(time.Minute)
				if len(drained) > 0 {
					t.Errorf("Drain has returned %v while a Conn is open", <-drained)
				}
				if err := c.Close(); err != nil {
					t.Error(err)
				}
				if err := <-drained; err != nil {
					t.Errorf("Drain: %v", err)
				}
				if err := <-s.served; err != nil {
					t.Errorf("Serve: %v", err)
				}
				if err := c.Err(); err != nil {
					t.Errorf("the client's Err is %v", err)
				}
			})
		})
	}
}

// What the end of Serve's ctx loses, and Drain does not: the answer to a request that a handler holds,
// and requests that no handler has received. The client has no error to see it by.
func TestServeContextLoses(t *testing.T) {
	const requests = 50
	for _, test := range []struct {
		name    string
		stop    func(s *server, cancel func()) error
		answers int
	}{
		{"the end of ctx", func(_ *server, cancel func()) error { cancel(); return nil }, 0},
		{"Drain", func(s *server, _ func()) error { return <-s.drain(time.Hour) }, requests},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, testkit.Named, nil, &qsocket.Options{RecvQueue: 4})
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				sendErr := make(chan error, requests)
				served := testkit.Serve(ctx, s.ln, func(_ context.Context, c *qsocket.Conn[string]) {
					for m := range c.Messages() {
						time.Sleep(time.Second)
						sendErr <- c.Send(context.Background(), m)
					}
				})
				c := s.dial(testkit.Named)
				answers := testkit.Async(func() (n int) {
					for range c.Messages() {
						if n++; n == requests {
							c.Close()
						}
					}
					return n
				})
				for range requests {
					if err := c.Send(t.Context(), "request"); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				if err := test.stop(s, cancel); err != nil {
					t.Errorf("stop: %v", err)
				}
				if err := <-served; err != nil {
					t.Errorf("Serve: %v", err)
				}
				if got := <-answers; got != test.answers {
					t.Errorf("got %d answers to %d requests, want %d", got, requests, test.answers)
				}
				if err := <-sendErr; (err == nil) != (test.answers > 0) || err != nil && !errors.Is(err, net.ErrClosed) {
					t.Errorf("the handler's Send: %v", err)
				}
				if handled := len(sendErr) + 1; test.answers == 0 && handled > 10 {
					t.Errorf("the handler got %d requests, want most of them dropped", handled)
				}
				if err := c.Err(); err != nil {
					t.Errorf("the client's Err is %v, want nil", err)
				}
			})
		})
	}
}

// When the time is over, handlers and Conns end, and the clients learn why. A handler that does not
// end keeps Serve, but not Drain.
func TestDrainEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		seen := make(chan string, 1)
		s := newServer(t, testkit.Named, func(ctx context.Context, c *qsocket.Conn[string]) {
			<-c.GoingAway()
			<-ctx.Done()
			_, err := c.Recv(context.Background())
			seen <- fmt.Sprint(errors.Is(err, net.ErrClosed))
			<-release
		}, nil)
		c := s.dial(testkit.Named)
		done := c.Done()
		start := time.Now()
		drained := s.drain(time.Minute)
		if err := <-drained; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Drain: %v, want that of its ctx", err)
		}
		if got := time.Since(start); got != time.Minute {
			t.Errorf("Drain took %v, want a minute", got)
		}
		if got := <-seen; got != "true" {
			t.Errorf("the handler's Recv: wraps net.ErrClosed: %s", got)
		}
		<-done
		expectCode(t, c.Err(), qsocket.CodeGoingAway, "update")
		synctest.Wait()
		if len(s.served) > 0 {
			t.Error("Serve has returned before its handler")
		}
		close(release)
		if err := <-s.served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

// A peer that takes nothing gets CloseTimeout, and no more.
func TestDrainStuckPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, testkit.Text, func(ctx context.Context, c *qsocket.Conn[string]) {
			for c.Send(ctx, string(make([]byte, 64<<10))) == nil {
			}
		}, &qsocket.Options{CloseTimeout: 3 * time.Second})
		s.dial(testkit.Text)
		synctest.Wait()
		start := time.Now()
		if err := <-s.drain(time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Drain: %v, want that of its ctx", err)
		}
		if got := time.Since(start); got != time.Minute+3*time.Second {
			t.Errorf("Drain took %v, want a minute and CloseTimeout", got)
		}
		if err := <-s.served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

// Conns that nobody has taken are closed with the reason, and those that the program has taken
// with Accept are waited for as those of handlers are.
func TestDrainAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, testkit.Named, nil, nil)
		first, second := s.dial(testkit.Named), s.dial(testkit.Named)
		taken := testkit.Accept(t, s.ln)
		synctest.Wait()
		drained := s.drain(time.Hour)
		time.Sleep(2 * time.Second) // that is enough for whoever would take the other one
		var left *qsocket.Conn[string]
		for _, c := range []*qsocket.Conn[string]{first, second} {
			c.Messages()
			synctest.Wait()
			if c.Err() == nil {
				left = c
				continue
			}
			expectCode(t, c.Err(), qsocket.CodeGoingAway, "update")
		}
		if left == nil || !isClosed(left.GoingAway()) || !isClosed(taken.GoingAway()) || len(drained) > 0 {
			t.Fatalf("the Conn that was taken: %v", taken.Err())
		}
		if err := taken.Send(t.Context(), "goes on"); err != nil {
			t.Error(err)
		}
		if m, err := left.Recv(t.Context()); m != "goes on" {
			t.Errorf("got %q, %v", m, err)
		}
		if err := taken.Close(); err != nil {
			t.Error(err)
		}
		if err := <-drained; err != nil {
			t.Errorf("Drain: %v", err)
		}
		if _, err := left.Recv(t.Context()); err != io.EOF {
			t.Errorf("got %v, want io.EOF", err)
		}
	})
}

// Drain may come twice, after Close, and before Shutdown.
func TestDrainBesideOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, testkit.Named, slowEcho, nil)
		c := s.dial(testkit.Named)
		c.Messages()
		first := s.drain(time.Hour)
		second := s.drain(time.Minute)
		if err := <-second; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the Drain with less time: %v", err)
		}
		if err := <-first; err != nil {
			t.Errorf("the other one: %v", err)
		}
		synctest.Wait()
		expectCode(t, c.Err(), qsocket.CodeGoingAway, "update")
		if err := <-s.served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		for _, end := range []func(context.Context) error{s.ln.Shutdown, func(ctx context.Context) error { return s.ln.Drain(ctx, "again") }} {
			if err := end(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, testkit.Named, slowEcho, nil)
		c := s.dial(testkit.Named)
		if err := s.ln.Close(); err != nil {
			t.Error(err)
		}
		if err := <-s.served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		c.Messages()
		drained := s.drain(time.Hour)
		if !isClosed(c.GoingAway()) {
			t.Error("a Conn that has outlived Close is not told")
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := <-drained; err != nil {
			t.Errorf("Drain after Close: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, testkit.Named, slowEcho, nil)
		c := s.dial(testkit.Named)
		c.Messages()
		drained := s.drain(time.Hour)
		if err := s.ln.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-drained; err != nil {
			t.Errorf("Drain: %v", err)
		}
		if err := c.Err(); err != nil {
			t.Errorf("the client's Err is %v, want nil: Shutdown is a clean end", err)
		}
	})
}

// The sums of a Listener do not forget Conns that have ended.
func TestTotals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, testkit.Named, testkit.Echo[string], nil)
		for i := range 3 {
			c := s.dial(testkit.Named)
			for range 2 {
				testkit.Exchange(t, c, c, "m")
			}
			if i > 0 {
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			}
		}
		synctest.Wait()
		got := s.ln.Totals()
		want := qsocket.Stats{MessagesSent: 6, MessagesReceived: 6, BytesSent: got.BytesReceived, BytesReceived: 6 * 5, Flushes: got.Flushes}
		if got != want || got.Flushes < 6 || s.ln.Stats().Open != 1 {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}
