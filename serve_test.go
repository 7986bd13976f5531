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
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// serve runs Serve and returns the channel of its result.
func serve[T any](ctx context.Context, ln *qsocket.Listener[T], handle func(context.Context, *qsocket.Conn[T])) <-chan error {
	return async(func() error { return ln.Serve(ctx, handle) })
}

// echo is a handler that sends back what arrives.
func echo[T any](ctx context.Context, c *qsocket.Conn[T]) {
	for m := range c.Messages() {
		if c.Send(ctx, m) != nil {
			return
		}
	}
}

// Serve runs a handler for each connection, all at the same time, and closes
// the Conn when its handler returns.
func TestServe(t *testing.T) {
	const clients = 20
	forTransports(t, kernelTransports, func(t *testing.T, transport string) {
		ctx := testContext(t)
		ln := listenOn(t, transport, text, nil)
		var together sync.WaitGroup
		together.Add(clients)
		conns := make(chan *qsocket.Conn[string], clients)
		served := serve(ctx, ln, func(ctx context.Context, c *qsocket.Conn[string]) {
			conns <- c
			together.Done()
			together.Wait() // all handlers run at once
			if err := c.Send(ctx, "hello"); err != nil {
				t.Error(err)
			}
		})
		var dialed []*qsocket.Conn[string]
		for range clients {
			dialed = append(dialed, dialTo(t, transport, ln, text))
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
			waitClosed(t, "Done", c.Done())
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
		if err := result(t, "Serve", served); err != nil {
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
	ctx := context.WithValue(testContext(t), key{}, "value")
	ln := listenOn(t, "tcp", text, nil)
	inside, outside := make(chan error, 1), make(chan context.Context, 1)
	served := serve(ctx, ln, func(ctx context.Context, c *qsocket.Conn[string]) {
		if got := ctx.Value(key{}); got != "value" {
			t.Errorf("got %v, want the value", got)
		}
		inside <- ctx.Err()
		outside <- ctx
	})
	dialTo(t, "tcp", ln, text)
	if err := result(t, "the handler", inside); err != nil {
		t.Errorf("in the handler: got %v, want nil", err)
	}
	waitClosed(t, "the handler's context", (<-outside).Done())
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if err := result(t, "Serve", served); err != nil {
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
			forTransports(t, kernelTransports, func(t *testing.T, transport string) {
				const clients = 3
				ln := listenOn(t, transport, text, &qsocket.Options{CloseTimeout: 20 * time.Millisecond})
				started, left, leave := make(chan struct{}, clients), make(chan error, clients), make(chan struct{})
				ctx, cancel := context.WithCancel(testContext(t))
				served := serve(ctx, ln, func(ctx context.Context, c *qsocket.Conn[string]) {
					started <- struct{}{}
					left <- test.handle(ctx, c)
					if err := ctx.Err(); err != context.Canceled {
						t.Errorf("the handler's context: got %v, want context.Canceled", err)
					}
					<-leave
				})
				for range clients {
					dialTo(t, transport, ln, text)
				}
				for range clients {
					result(t, "the handlers to start", started)
				}
				cancel()
				for range clients {
					if err := result(t, "the handlers to be told", left); !errors.Is(err, test.want) {
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
				if err := result(t, "Serve", served); err != nil {
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
	forTransports(t, kernelTransports, func(t *testing.T, transport string) {
		ctx := testContext(t)
		ln := listenOn(t, transport, text, nil)
		serveCtx, cancel := context.WithCancel(ctx)
		served := serve(serveCtx, ln, func(_ context.Context, c *qsocket.Conn[string]) {
			if err := c.Send(ctx, "last words"); err != nil {
				t.Error(err)
			}
			cancel()
			for range c.Messages() {
			}
		})
		c := dialTo(t, transport, ln, text)
		if m, err := c.Recv(ctx); m != "last words" || err != nil {
			t.Errorf("got %q, %v, want the last words", m, err)
		}
		if m, err := c.Recv(ctx); err != io.EOF {
			t.Errorf("got %q, %v, want io.EOF", m, err)
		}
		if err := result(t, "Serve", served); err != nil {
			t.Errorf("Serve: got %v, want nil", err)
		}
	})
}

// Serve with a ctx that has ended closes the Listener and serves nobody.
func TestServeWithEndedContext(t *testing.T) {
	ln := listenOn(t, "tcp", text, nil)
	c := dialTo(t, "tcp", ln, text)
	eventually(t, "the connection to wait", func() bool { return ln.Stats().Accepted == 1 })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := ln.Serve(ctx, func(context.Context, *qsocket.Conn[string]) { t.Error("a handler runs") })
	if err != nil {
		t.Errorf("Serve: got %v, want nil", err)
	}
	if m, err := c.Recv(testContext(t)); err != io.EOF {
		t.Errorf("the client got %q, %v, want io.EOF", m, err)
	}
	checkClosed(t, ln)
}

// After Close, Serve returns nil while its handlers go on with their Conns,
// under its ctx.
func TestServeAfterClose(t *testing.T) {
	forTransports(t, kernelTransports, func(t *testing.T, transport string) {
		ctx, cancel := context.WithCancel(testContext(t))
		defer cancel()
		ln := listenOn(t, transport, text, nil)
		handled := make(chan struct{})
		served := serve(ctx, ln, func(ctx context.Context, c *qsocket.Conn[string]) {
			defer close(handled)
			echo(ctx, c)
		})
		c := dialTo(t, transport, ln, text)
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
		if err := result(t, "Serve", served); err != nil {
			t.Errorf("Serve: got %v, want nil", err)
		}
		answers("after")
		cancel()
		waitClosed(t, "the handler", handled)
		if m, err := c.Recv(testContext(t)); err != io.EOF {
			t.Errorf("got %q, %v, want io.EOF", m, err)
		}
	})
}

// Shutdown ends the handlers' loops over Messages, and Serve returns nil.
func TestServeAndShutdown(t *testing.T) {
	forTransports(t, kernelTransports, func(t *testing.T, transport string) {
		const clients = 5
		ctx := testContext(t)
		ln := listenOn(t, transport, text, nil)
		started, handled := make(chan struct{}, clients), make(chan struct{}, clients)
		served := serve(ctx, ln, func(ctx context.Context, c *qsocket.Conn[string]) {
			started <- struct{}{}
			echo(ctx, c)
			handled <- struct{}{}
		})
		var clientsEnd sync.WaitGroup
		for range clients {
			c := dialTo(t, transport, ln, text)
			clientsEnd.Go(func() {
				if m, err := c.Recv(ctx); err != io.EOF {
					t.Errorf("got %q, %v, want io.EOF", m, err)
				}
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		for range clients {
			result(t, "the handlers to start", started)
		}
		if err := ln.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: got %v, want nil", err)
		}
		for range clients {
			result(t, "the handlers to end", handled)
		}
		clientsEnd.Wait()
		if err := result(t, "Serve", served); err != nil {
			t.Errorf("Serve: got %v, want nil", err)
		}
		checkClosed(t, ln)
	})
}

// The bound on Shutdown is its ctx, also where the handler's return closes the Conn
// meanwhile: a peer that takes its time gets everything.
func TestServeAndPatientShutdown(t *testing.T) {
	for _, p := range []qsocket.Protocol[string]{text, named} {
		synctest.Test(t, func(t *testing.T) {
			const messages, pause = 20, 20 * time.Second // they fit into SendBuffer
			nl := newFakeListener()
			client, server := qsockettest.NetPipe()
			nl.queue <- server
			ln, err := qsocket.NewListener(nl, p, &qsocket.Options{CloseTimeout: time.Second, Heartbeat: -1})
			if err != nil {
				t.Fatal(err)
			}
			sent := make(chan struct{})
			served := serve(t.Context(), ln, func(ctx context.Context, c *qsocket.Conn[string]) {
				for range messages {
					if err := c.Send(ctx, string(make([]byte, 10_000))); err != nil {
						t.Error(err)
					}
				}
				close(sent)
				for range c.Messages() { // until Shutdown
				}
			})
			c, err := qsocket.NewConn(t.Context(), client, p, &qsocket.Options{Heartbeat: -1})
			if err != nil {
				t.Fatal(err)
			}
			slowly := async(func() error {
				for n := range messages {
					if n%10 == 5 {
						time.Sleep(pause)
					}
					if _, err := c.Recv(t.Context()); err != nil {
						return fmt.Errorf("message %d: %w", n, err)
					}
				}
				if _, err := c.Recv(t.Context()); err != io.EOF {
					return err
				}
				return c.Close()
			})
			<-sent
			ctx, cancel := context.WithTimeout(t.Context(), 10*pause)
			defer cancel()
			if err := ln.Shutdown(ctx); err != nil {
				t.Errorf("Shutdown: got %v, want nil", err)
			}
			if err := <-slowly; err != nil {
				t.Errorf("the client: %v", err)
			}
			if err := <-served; err != nil {
				t.Errorf("Serve: got %v, want nil", err)
			}
		})
	}
}

// Where the end of Serve's ctx meets a Shutdown, a Close of the handler still tells
// what was lost.
func TestServeShutdownAndLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const closeTimeout = 200 * time.Millisecond
		nl := newFakeListener()
		client, server := qsockettest.NetPipe()
		defer client.Close() // never reads
		nl.queue <- server
		ln, err := qsocket.NewListener(nl, text, &qsocket.Options{CloseTimeout: closeTimeout})
		if err != nil {
			t.Fatal(err)
		}
		sent := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		served := serve(ctx, ln, func(ctx context.Context, c *qsocket.Conn[string]) {
			for range 20 { // more than the pipe holds, less than SendBuffer
				if err := c.Send(ctx, string(make([]byte, 10_000))); err != nil {
					t.Error(err)
				}
			}
			close(sent)
			<-ctx.Done()
			time.Sleep(2 * closeTimeout) // Serve's own Close has given up waiting
			if err := c.Close(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Close: got %v, want os.ErrDeadlineExceeded", err)
			}
		})
		<-sent
		bounded, done := context.WithTimeout(t.Context(), time.Minute)
		defer done()
		shut := async(func() error { return ln.Shutdown(bounded) })
		synctest.Wait()
		cancel()
		if err := <-shut; !errors.Is(err, qsocket.ErrUnconfirmed) {
			t.Errorf("Shutdown: got %v, want ErrUnconfirmed", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: got %v, want nil", err)
		}
	})
}

// A peer that stops reading cannot keep Serve from returning for longer than
// CloseTimeout; that its messages were lost is logged.
func TestServeContextWithStalledPeer(t *testing.T) {
	ctx, cancel := context.WithCancel(testContext(t))
	var log logRecorder
	ln := listenOn(t, "tcp", raw, &qsocket.Options{CloseTimeout: 20 * time.Millisecond, Logger: log.logger()})
	full := make(chan struct{})
	served := serve(ctx, ln, func(_ context.Context, c *qsocket.Conn[[]byte]) {
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
	netDial(t, ln) // never reads
	waitClosed(t, "the buffers to be full", full)
	cancel()
	if err := result(t, "Serve", served); err != nil {
		t.Errorf("Serve: got %v, want nil", err)
	}
	if got := log.count("level=WARN", "close after handler", "could not be flushed"); got != 1 {
		t.Errorf("got %d log records, want 1", got)
	}
}

// Serve needs a handler. Without one it takes no connection.
func TestServeWithoutHandler(t *testing.T) {
	ln := listenOn(t, "tcp", text, nil)
	client := dialTo(t, "tcp", ln, text)
	if err := ln.Serve(testContext(t), nil); err == nil || !strings.HasPrefix(err.Error(), "qsocket: ") {
		t.Errorf("got %v, want an error of qsocket", err)
	}
	exchange(t, client, accepted(t, ln), "not lost")
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
// closed and nothing is logged any more.
func TestServeWaitsForWhatItStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := blockingHandler{
			Handler: slog.NewTextHandler(io.Discard, nil),
			message: "close after handler",
			logging: make(chan struct{}),
			goOn:    make(chan struct{}),
		}
		nl := newFakeListener()
		nl.client(t) // never reads
		ln, err := qsocket.NewListener(nl, text, &qsocket.Options{Logger: slog.New(log)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		served := serve(ctx, ln, func(_ context.Context, c *qsocket.Conn[string]) {
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
	forTransports(t, kernelTransports, func(t *testing.T, transport string) {
		ctx, cancel := context.WithCancel(testContext(t))
		ln := listenOn(t, transport, text, nil)
		served := serve(ctx, ln, echo)
		for range 10 {
			c := dialTo(t, transport, ln, text)
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
		if err := result(t, "Serve", served); err != nil {
			t.Errorf("Serve: got %v, want nil", err)
		}
	})
	noGoroutinesLeft(t)
}
