package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

func TestShutdownUnconfirmed(t *testing.T) {
	t.Run("reset", func(t *testing.T) {
		ctx := testkit.Context(t)
		nc, peer := testkit.NetPair(t, "tcp")
		c, err := qsocket.NewConn(ctx, nc, testkit.Text, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Send(ctx, "never read"); err != nil {
			t.Fatal(err)
		}
		if err := c.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		shut := testkit.Async(func() error { return c.Shutdown(ctx) })
		if _, err := io.ReadFull(peer, make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
		peer.Close() // with unread data, so the kernel resets
		if err := testkit.Result(t, "Shutdown", shut); !errors.Is(err, qsocket.ErrUnconfirmed) {
			t.Errorf("got %v, want ErrUnconfirmed", err)
		}
	})
	t.Run("no half-close", func(t *testing.T) {
		a, b := testkit.Pair(t, "pipe", testkit.Text, nil, nil)
		if err := a.Shutdown(testkit.Context(t)); !errors.Is(err, qsocket.ErrUnconfirmed) {
			t.Errorf("got %v, want ErrUnconfirmed", err)
		}
		if _, err := b.Recv(testkit.Context(t)); err != io.EOF {
			t.Errorf("the peer got %v, want io.EOF", err)
		}
	})
	t.Run("context", func(t *testing.T) {
		testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
			a, _ := testkit.Pair(t, transport, testkit.Text, nil, nil) // the peer never ends
			ctx, cancel := context.WithCancel(context.Background())
			shut := testkit.Async(func() error { return a.Shutdown(ctx) })
			cancel()
			if err := testkit.Result(t, "Shutdown", shut); err != context.Canceled {
				t.Errorf("got %v, want context.Canceled", err)
			}
			testkit.WaitClosed(t, "Done", a.Done())
			if err := a.Shutdown(testkit.Context(t)); !errors.Is(err, qsocket.ErrUnconfirmed) {
				t.Errorf("second Shutdown: got %v, want ErrUnconfirmed", err)
			}
		})
	})
	t.Run("context with messages left", func(t *testing.T) {
		a, _, _ := testkit.StalledPair(t, "tcp", nil, 1000)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := a.Shutdown(ctx); err != context.Canceled {
			t.Errorf("got %v, want context.Canceled", err)
		}
		testkit.WaitClosed(t, "Done", a.Done())
		if err := a.Err(); !errors.Is(err, context.Canceled) {
			t.Errorf("Err: got %v, want context.Canceled: accepted messages are lost", err)
		}
	})
}

// After a Close, Shutdown still tells how the peer ended.
func TestShutdownAfterClose(t *testing.T) {
	ctx := testkit.Context(t)
	a, b := testkit.Pair(t, "tcp", testkit.Text, nil, nil)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	shut := testkit.Async(func() error { return a.Shutdown(ctx) })
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := testkit.Result(t, "Shutdown", shut); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

// A reset is reported no matter which sees it first: a receiver that Close sends away,
// or the goroutine that discards.
func TestShutdownSeesTheReset(t *testing.T) {
	for round := range 500 {
		ctx := testkit.Context(t)
		nc, peer := testkit.NetPair(t, "tcp")
		c, err := qsocket.NewConn(ctx, nc, testkit.Text, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Messages()
		if err := c.Send(ctx, "lost"); err != nil {
			t.Fatal(err)
		}
		if err := c.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		reset := testkit.Async(func() error {
			peer.(*net.TCPConn).SetLinger(0)
			return peer.Close()
		})
		if err := c.Shutdown(ctx); err == nil {
			t.Fatalf("round %d: Shutdown returned nil although the peer has reset", round)
		}
		testkit.Result(t, "Close of the peer", reset)
	}
}

// The kernel reports a reset once. The reader goroutine, with data that came
// before and a full queue, may have been the one to see it.
func TestShutdownSeesTheResetBehindData(t *testing.T) {
	for range 20 {
		ctx := testkit.Context(t)
		nc, peer := testkit.NetPair(t, "tcp")
		if _, err := peer.Write([]byte(strings.Repeat(testkit.Frame(t, qsocket.Uint32, "a"), 10))); err != nil {
			t.Fatal(err)
		}
		peer.(*net.TCPConn).SetLinger(0)
		peer.Close()
		c, err := qsocket.NewConn(ctx, nc, testkit.Text, &qsocket.Options{RecvQueue: 1})
		if err != nil {
			t.Fatal(err)
		}
		for len(c.Messages()) == 0 && ctx.Err() == nil {
			runtime.Gosched()
		}
		if err := c.Shutdown(ctx); !errors.Is(err, qsocket.ErrUnconfirmed) {
			t.Fatalf("Shutdown: got %v, want ErrUnconfirmed", err)
		}
	}
}

// Shutdown shuts down every Conn of the Listener, taken or not, and waits for
// their peers.
func TestListenerShutdown(t *testing.T) {
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		ctx := testkit.Context(t)
		ln := testkit.ListenOn(t, transport, testkit.Text, nil)
		var clients []*qsocket.Conn[string]
		for i := range 4 {
			clients = append(clients, testkit.DialTo(t, transport, ln, testkit.Text))
			if i < 3 {
				if err := testkit.Accept(t, ln).Send(ctx, "last words"); err != nil {
					t.Fatal(err)
				}
			}
		}
		testkit.Eventually(t, "the last connection to wait", func() bool { return ln.Stats().Accepted == 4 })
		shut := testkit.Async(func() error { return ln.Shutdown(ctx) })
		for i, c := range clients {
			if i < 3 {
				if m, err := c.Recv(ctx); m != "last words" || err != nil {
					t.Errorf("client %d: got %q, %v, want the last words", i, m, err)
				}
			}
			if m, err := c.Recv(ctx); err != io.EOF {
				t.Errorf("client %d: got %q, %v, want io.EOF", i, m, err)
			}
			select {
			case err := <-shut:
				t.Fatalf("Shutdown returned %v before client %d ended", err, i)
			default:
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := testkit.Result(t, "Shutdown", shut); err != nil {
			t.Errorf("Shutdown: got %v, want nil", err)
		}
		if got, want := ln.Stats(), (qsocket.ListenerStats{Accepted: 4}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		checkClosed(t, ln)
		if err := ln.Shutdown(ctx); err != nil {
			t.Errorf("second Shutdown: got %v, want nil", err)
		}
	})
}

// When the ctx of Shutdown ends, its error is returned and the Conns whose
// peers have not ended are closed the hard way.
func TestListenerShutdownContext(t *testing.T) {
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		ln := testkit.ListenOn(t, transport, testkit.Text, nil)
		var clients []*qsocket.Conn[string]
		var servers []*qsocket.Conn[string]
		for range 3 {
			clients = append(clients, testkit.DialTo(t, transport, ln, testkit.Text))
			servers = append(servers, testkit.Accept(t, ln))
		}
		ctx, cancel := context.WithCancel(context.Background())
		shut := testkit.Async(func() error { return ln.Shutdown(ctx) })
		for _, c := range clients { // so Shutdown is under way; these do not close
			if m, err := c.Recv(testkit.Context(t)); err != io.EOF {
				t.Errorf("got %q, %v, want io.EOF", m, err)
			}
		}
		cancel()
		if err := testkit.Result(t, "Shutdown", shut); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		if got := ln.Stats().Open; got != 0 {
			t.Errorf("Open: got %d, want 0", got)
		}
		for _, c := range servers {
			testkit.WaitClosed(t, "Done", c.Done())
		}
		if err := ln.Err(); err != nil {
			t.Errorf("Err: got %v, want nil", err)
		}
	})
}

// Shutdown tells if one of the peers did not end well; the others do not
// suffer from it.
func TestListenerShutdownUnconfirmed(t *testing.T) {
	ctx := testkit.Context(t)
	ln := testkit.ListenOn(t, "tcp", testkit.Text, nil)
	good := testkit.DialTo(t, "tcp", ln, testkit.Text)
	testkit.Accept(t, ln)
	bad := testkit.NetDial(t, ln)
	if err := testkit.Accept(t, ln).Send(ctx, "never read"); err != nil {
		t.Fatal(err)
	}
	shut := testkit.Async(func() error { return ln.Shutdown(ctx) })
	if _, err := io.ReadFull(bad, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	bad.Close() // with unread data, so the kernel resets
	if _, err := good.Recv(ctx); err != io.EOF {
		t.Errorf("got %v, want io.EOF", err)
	}
	if err := good.Close(); err != nil {
		t.Error(err)
	}
	if err := testkit.Result(t, "Shutdown", shut); !errors.Is(err, qsocket.ErrUnconfirmed) {
		t.Errorf("got %v, want ErrUnconfirmed", err)
	}
}

// slowToClose is a net.Conn whose Close takes its time.
type slowToClose struct {
	net.Conn
	closing, release chan struct{}
	once             sync.Once
}

func (c *slowToClose) Close() error {
	c.once.Do(func() { close(c.closing) })
	<-c.release
	return c.Conn.Close()
}

// When Done is closed the socket has been released, and the Conn counts
// neither in Open nor towards MaxConns.
func TestDoneComesAfterRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer client.Close()
		nc := &slowToClose{Conn: server, closing: make(chan struct{}), release: make(chan struct{})}
		nl := newFakeListener(nc)
		ln, err := qsocket.NewListener(nl, testkit.Text, &qsocket.Options{MaxConns: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.EndListener(ln)
		c, err := ln.Accept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		done := c.Done()
		go testkit.End(c)
		<-nc.closing
		synctest.Wait()
		select {
		case <-done:
			t.Error("Done is closed while the socket is open")
		default:
		}
		close(nc.release)
		<-done
		if got := ln.Stats().Open; got != 0 {
			t.Errorf("Open: got %d, want 0", got)
		}
	})
}

// Shutdown ends the handlers' loops over Messages, and Serve returns nil.
func TestServeAndShutdown(t *testing.T) {
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		const clients = 5
		ctx := testkit.Context(t)
		ln := testkit.ListenOn(t, transport, testkit.Text, nil)
		started, handled := make(chan struct{}, clients), make(chan struct{}, clients)
		served := testkit.Serve(ctx, ln, func(ctx context.Context, c *qsocket.Conn[string]) {
			started <- struct{}{}
			testkit.Echo(ctx, c)
			handled <- struct{}{}
		})
		var clientsEnd sync.WaitGroup
		for range clients {
			c := testkit.DialTo(t, transport, ln, testkit.Text)
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
			testkit.Result(t, "the handlers to start", started)
		}
		if err := ln.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: got %v, want nil", err)
		}
		for range clients {
			testkit.Result(t, "the handlers to end", handled)
		}
		clientsEnd.Wait()
		if err := testkit.Result(t, "Serve", served); err != nil {
			t.Errorf("Serve: got %v, want nil", err)
		}
		checkClosed(t, ln)
	})
}

// The bound on Shutdown is its ctx, also where the handler's return closes the Conn
// meanwhile: a peer that takes its time gets everything.
func TestServeAndPatientShutdown(t *testing.T) {
	for _, p := range []qsocket.Protocol[string]{testkit.Text, testkit.Named} {
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
			served := testkit.Serve(t.Context(), ln, func(ctx context.Context, c *qsocket.Conn[string]) {
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
			slowly := testkit.Async(func() error {
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
		ln, err := qsocket.NewListener(nl, testkit.Text, &qsocket.Options{CloseTimeout: closeTimeout})
		if err != nil {
			t.Fatal(err)
		}
		sent := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		served := testkit.Serve(ctx, ln, func(ctx context.Context, c *qsocket.Conn[string]) {
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
		shut := testkit.Async(func() error { return ln.Shutdown(bounded) })
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
