package service

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// Serve runs a handler for each connection, all at the same time, and closes
// the Conn when its handler returns.
func TestServe(t *testing.T) {
	const clients = 20
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		ctx := testkit.Context(t)
		ln := testkit.ListenOn(t, transport, testkit.Text, nil)
		var together sync.WaitGroup
		together.Add(clients)
		conns := make(chan *qsocket.Conn[string], clients)
		served := testkit.Serve(ctx, ln, func(ctx context.Context, c *qsocket.Conn[string]) {
			conns <- c
			together.Done()
			together.Wait() // all handlers run at once
			if err := c.Send(ctx, "hello"); err != nil {
				t.Error(err)
			}
		})
		var dialed []*qsocket.Conn[string]
		for range clients {
			dialed = append(dialed, testkit.DialTo(t, transport, ln, testkit.Text))
		}
		for _, c := range dialed {
			if m, err := c.Recv(ctx); m != "hello" || err != nil {
				t.Errorf("got %q, %v, want hello", m, err)
			}
			if m, err := c.Recv(ctx); err != io.EOF {
				t.Errorf("after the handler: got %q, %v, want io.EOF", m, err)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		for range clients {
			c := <-conns
			testkit.WaitClosed(t, "Done", c.Done())
			if err := c.Err(); err != nil {
				t.Errorf("Err: got %v, want nil", err)
			}
			if err := c.Send(ctx, "late"); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Send after the handler: got %v, want net.ErrClosed", err)
			}
		}
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
		if err := testkit.Result(t, "Serve", served); err != nil {
			t.Errorf("Serve: got %v, want nil", err)
		}
		if got, want := ln.Stats(), (qsocket.ListenerStats{Accepted: clients}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// The context of a handler has the values of Serve's, ends when the handler
// returns, and not before.
func TestHandlerContext(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(testkit.Context(t), key{}, "value")
	ln := testkit.ListenOn(t, "tcp", testkit.Text, nil)
	inside, outside := make(chan error, 1), make(chan context.Context, 1)
	served := testkit.Serve(ctx, ln, func(ctx context.Context, c *qsocket.Conn[string]) {
		if got := ctx.Value(key{}); got != "value" {
			t.Errorf("got %v, want the value", got)
		}
		inside <- ctx.Err()
		outside <- ctx
	})
	testkit.DialTo(t, "tcp", ln, testkit.Text)
	if err := testkit.Result(t, "the handler", inside); err != nil {
		t.Errorf("in the handler: got %v, want nil", err)
	}
	testkit.WaitClosed(t, "the handler's context", (<-outside).Done())
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if err := testkit.Result(t, "Serve", served); err != nil {
		t.Errorf("Serve: got %v, want nil", err)
	}
}

// When its ctx ends, Serve stops accepting, ends the context of the handlers
// and closes their Conns, which ends what they wait for, waits for them, and
// returns nil.
func TestServeContext(t *testing.T) {
	for _, test := range []struct {
		name   string
		handle func(ctx context.Context, c *qsocket.Conn[string]) error
		want   error
	}{
		{"range Messages", func(ctx context.Context, c *qsocket.Conn[string]) error {
			for range c.Messages() {
			}
			return c.Err()
		}, nil},
		{"Recv", func(_ context.Context, c *qsocket.Conn[string]) error {
			_, err := c.Recv(context.Background())
			return err
		}, net.ErrClosed},
		{"Recv with ctx", func(ctx context.Context, c *qsocket.Conn[string]) error {
			_, err := c.Recv(ctx)
			return err
		}, context.Canceled},
		{"Send", func(_ context.Context, c *qsocket.Conn[string]) error {
			for {
				if err := c.Send(context.Background(), string(make([]byte, 10000))); err != nil {
					return err
				}
			}
		}, net.ErrClosed},
		{"ctx", func(ctx context.Context, c *qsocket.Conn[string]) error {
			<-ctx.Done()
			return ctx.Err()
		}, context.Canceled},
	} {
		t.Run(test.name, func(t *testing.T) {
			testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
				const clients = 3
				ln := testkit.ListenOn(t, transport, testkit.Text, &qsocket.Options{CloseTimeout: 20 * time.Millisecond})
				started, left, leave := make(chan struct{}, clients), make(chan error, clients), make(chan struct{})
				ctx, cancel := context.WithCancel(testkit.Context(t))
				served := testkit.Serve(ctx, ln, func(ctx context.Context, c *qsocket.Conn[string]) {
					started <- struct{}{}
					left <- test.handle(ctx, c)
					if err := ctx.Err(); err != context.Canceled {
						t.Errorf("the handler's context: got %v, want context.Canceled", err)
					}
					<-leave
				})
				for range clients {
					testkit.DialTo(t, transport, ln, testkit.Text)
				}
				for range clients {
					testkit.Result(t, "the handlers to start", started)
				}
				cancel()
				for range clients {
					if err := testkit.Result(t, "the handlers to be told", left); !errors.Is(err, test.want) {
						t.Errorf("the handler got %v, want %v", err, test.want)
					}
				}
				if _, ok := <-ln.Conns(); ok {
					t.Error("Serve goes on accepting")
				}
				select {
				case err := <-served:
					t.Errorf("Serve returned %v before its handlers", err)
				default:
				}
				close(leave)
				if err := testkit.Result(t, "Serve", served); err != nil {
					t.Errorf("Serve: got %v, want nil", err)
				}
				checkClosed(t, ln)
			})
		})
	}
}

// A client of a Serve whose ctx ends sees a clean end, after all that was sent
// to it.
func TestServeContextClientSeesCleanEnd(t *testing.T) {
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		ctx := testkit.Context(t)
		ln := testkit.ListenOn(t, transport, testkit.Text, nil)
		serveCtx, cancel := context.WithCancel(ctx)
		served := testkit.Serve(serveCtx, ln, func(_ context.Context, c *qsocket.Conn[string]) {
			if err := c.Send(ctx, "last words"); err != nil {
				t.Error(err)
			}
			cancel()
			for range c.Messages() {
			}
		})
		c := testkit.DialTo(t, transport, ln, testkit.Text)
		if m, err := c.Recv(ctx); m != "last words" || err != nil {
			t.Errorf("got %q, %v, want the last words", m, err)
		}
		if m, err := c.Recv(ctx); err != io.EOF {
			t.Errorf("got %q, %v, want io.EOF", m, err)
		}
		if err := testkit.Result(t, "Serve", served); err != nil {
			t.Errorf("Serve: got %v, want nil", err)
		}
	})
}

// Serve with a ctx that has ended closes the Listener and serves no connection.
func TestServeWithEndedContext(t *testing.T) {
	ln := testkit.ListenOn(t, "tcp", testkit.Text, nil)
	c := testkit.DialTo(t, "tcp", ln, testkit.Text)
	testkit.Eventually(t, "the connection to wait", func() bool { return ln.Stats().Accepted == 1 })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := ln.Serve(ctx, func(context.Context, *qsocket.Conn[string]) { t.Error("a handler runs") })
	if err != nil {
		t.Errorf("Serve: got %v, want nil", err)
	}
	if m, err := c.Recv(testkit.Context(t)); err != io.EOF {
		t.Errorf("the client got %q, %v, want io.EOF", m, err)
	}
	checkClosed(t, ln)
}

// After Close, Serve returns nil while its handlers go on with their Conns,
// under its ctx.
func TestServeAfterClose(t *testing.T) {
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		ctx, cancel := context.WithCancel(testkit.Context(t))
		defer cancel()
		ln := testkit.ListenOn(t, transport, testkit.Text, nil)
		handled := make(chan struct{})
		served := testkit.Serve(ctx, ln, func(ctx context.Context, c *qsocket.Conn[string]) {
			defer close(handled)
			testkit.Echo(ctx, c)
		})
		c := testkit.DialTo(t, transport, ln, testkit.Text)
		answers := func(m string) {
			t.Helper()
			if err := c.Send(ctx, m); err != nil {
				t.Fatal(err)
			}
			if got, err := c.Recv(ctx); got != m || err != nil {
				t.Fatalf("got %q, %v, want %q", got, err, m)
			}
		}
		answers("before")
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
		if err := testkit.Result(t, "Serve", served); err != nil {
			t.Errorf("Serve: got %v, want nil", err)
		}
		answers("after")
		cancel()
		testkit.WaitClosed(t, "the handler", handled)
		if m, err := c.Recv(testkit.Context(t)); err != io.EOF {
			t.Errorf("got %q, %v, want io.EOF", m, err)
		}
	})
}

// A peer that stops reading cannot keep Serve from returning for longer than
// CloseTimeout; that its messages were lost is logged.
func TestServeContextWithStalledPeer(t *testing.T) {
	ctx, cancel := context.WithCancel(testkit.Context(t))
	var log testkit.LogRecorder
	ln := testkit.ListenOn(t, "tcp", testkit.Raw, &qsocket.Options{CloseTimeout: 20 * time.Millisecond, Logger: log.Logger()})
	full := make(chan struct{})
	served := testkit.Serve(ctx, ln, func(_ context.Context, c *qsocket.Conn[[]byte]) {
		for {
			short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			err := c.Send(short, make([]byte, 10000))
			cancel()
			if err != nil {
				break
			}
		}
		close(full)
		<-c.Done()
	})
	testkit.NetDial(t, ln) // never reads
	testkit.WaitClosed(t, "the buffers to be full", full)
	cancel()
	if err := testkit.Result(t, "Serve", served); err != nil {
		t.Errorf("Serve: got %v, want nil", err)
	}
	if got := log.Count("level=WARN", "connection failed", "could not be flushed"); got != 1 {
		t.Errorf("got %d log records, want 1", got)
	}
}

// Serve needs a handler. Without one it takes no connection.
func TestServeWithoutHandler(t *testing.T) {
	ln := testkit.ListenOn(t, "tcp", testkit.Text, nil)
	client := testkit.DialTo(t, "tcp", ln, testkit.Text)
	if err := ln.Serve(testkit.Context(t), nil); err == nil || !strings.HasPrefix(err.Error(), "qsocket: ") {
		t.Errorf("got %v, want an error of qsocket", err)
	}
	testkit.Exchange(t, client, testkit.Accept(t, ln), "not lost")
}

// blockingHandler is a slog.Handler that takes its time over one message.
type blockingHandler struct {
	slog.Handler
	message       string
	logging, goOn chan struct{}
}

func (h blockingHandler) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, h.message) {
		close(h.logging)
		<-h.goOn
	}
	return nil
}

// When Serve returns, nothing that it has started goes on: no Conn is being
// closed and nothing is logged.
func TestServeWaitsForWhatItStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := blockingHandler{
			Handler: slog.NewTextHandler(io.Discard, nil),
			message: "connection failed",
			logging: make(chan struct{}),
			goOn:    make(chan struct{}),
		}
		nl := newFakeListener()
		nl.client(t) // never reads
		ln, err := qsocket.NewListener(nl, testkit.Text, &qsocket.Options{Logger: slog.New(log)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		served := testkit.Serve(ctx, ln, func(_ context.Context, c *qsocket.Conn[string]) {
			if err := c.Send(context.Background(), "cannot be flushed"); err != nil {
				t.Error(err)
			}
			cancel()
			<-log.logging // that the end of ctx could not close the Conn in good order
		})
		<-log.logging
		synctest.Wait()
		select {
		case err := <-served:
			t.Errorf("Serve returned %v while a Conn of its handlers is being closed", err)
			served = nil
		default:
		}
		close(log.goOn)
		if served != nil {
			if err := <-served; err != nil {
				t.Errorf("Serve: got %v, want nil", err)
			}
		}
	})
}

// Serve leaves no goroutines behind.
func TestServeLeavesNothingBehind(t *testing.T) {
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		ctx, cancel := context.WithCancel(testkit.Context(t))
		ln := testkit.ListenOn(t, transport, testkit.Text, nil)
		served := testkit.Serve(ctx, ln, testkit.Echo)
		for range 10 {
			c := testkit.DialTo(t, transport, ln, testkit.Text)
			if err := c.Send(ctx, "hello"); err != nil {
				t.Error(err)
			}
			if m, err := c.Recv(ctx); m != "hello" || err != nil {
				t.Errorf("got %q, %v, want the echo", m, err)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		cancel()
		if err := testkit.Result(t, "Serve", served); err != nil {
			t.Errorf("Serve: got %v, want nil", err)
		}
	})
	testkit.NoGoroutinesLeft(t)
}
