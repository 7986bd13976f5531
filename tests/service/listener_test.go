package service

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// A Listener serves many clients at once, on every kind of network; Conns
// always returns one channel.
func TestListenerManyClients(t *testing.T) {
	const clients = 50
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		ctx := testkit.Context(t)
		ln := testkit.ListenOn(t, transport, testkit.Text, nil)
		if first, second := ln.Conns(), ln.Conns(); first != second {
			t.Error("Conns returned two channels")
		}
		var echoing sync.WaitGroup
		taken := testkit.Async(func() int {
			n := 0
			for c := range ln.Conns() {
				n++
				echoing.Go(func() {
					defer c.Close()
					for m, err := range c.All(ctx) {
						if err == nil {
							err = c.Send(ctx, m)
						}
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
			return n
		})
		var wg sync.WaitGroup
		for i := range clients {
			wg.Go(func() {
				c, err := qsocket.Dial(ctx, ln.Addr().Network(), ln.Addr().String(), testkit.Text, testkit.DialOptions(transport))
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				for j := range 20 {
					want := fmt.Sprintf("client %d, message %d", i, j)
					if err := c.Send(ctx, want); err != nil {
						t.Error(err)
						return
					}
					if got, err := c.Recv(ctx); got != want || err != nil {
						t.Errorf("got %q, %v, want %q", got, err, want)
						return
					}
				}
			})
		}
		wg.Wait()
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
		if got := testkit.Result(t, "Conns to close", taken); got != clients {
			t.Errorf("got %d connections, want %d", got, clients)
		}
		echoing.Wait()
		s := ln.Stats()
		if s.Accepted != clients || s.Refused != 0 || s.Handshaking != 0 || s.AcceptErrors != 0 || s.Panics != 0 {
			t.Errorf("got %+v, want %d accepted and nothing else", s, clients)
		}
		testkit.Eventually(t, "all Conns to end", func() bool { return ln.Stats().Open == 0 })
	})
}

// Conns, Accept and Serve take from one queue: each connection goes to one of
// them, and none is lost.
func TestListenerOneQueue(t *testing.T) {
	const clients = 100
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		ctx := testkit.Context(t)
		ln := testkit.ListenOn(t, transport, testkit.Text, nil)
		seen := make(chan string, 2*clients)
		take := func(c *qsocket.Conn[string]) {
			m, err := c.Recv(ctx)
			if err != nil {
				t.Error(err)
			}
			seen <- m
			c.Close()
		}
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for c := range ln.Conns() {
					take(c)
				}
			})
			wg.Go(func() {
				for {
					c, err := ln.Accept(ctx)
					if err != nil {
						if !errors.Is(err, net.ErrClosed) {
							t.Error(err)
						}
						return
					}
					take(c)
				}
			})
			wg.Go(func() {
				err := ln.Serve(ctx, func(_ context.Context, c *qsocket.Conn[string]) { take(c) })
				if err != nil {
					t.Error("Serve:", err)
				}
			})
		}
		for i := range clients {
			c := testkit.DialTo(t, transport, ln, testkit.Text)
			if err := c.Send(ctx, fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		got := make(map[string]int)
		for range clients {
			got[testkit.Result(t, "a connection", seen)]++
		}
		for i := range clients {
			if n := got[fmt.Sprint(i)]; n != 1 {
				t.Errorf("connection %d was taken %d times, want once", i, n)
			}
		}
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
	})
}

// A net.Listener that makes TLS connections by itself needs no Options.TLS; its
// handshakes run apart from accepting, too.
func TestListenerOverTLSListener(t *testing.T) {
	inner, err := tls.Listen("tcp", "127.0.0.1:0", testkit.ServerTLS())
	if err != nil {
		t.Fatal(err)
	}
	ln, err := qsocket.NewListener(inner, testkit.Text, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer testkit.EndListener(ln)
	if got, want := ln.Addr(), inner.Addr(); got != want {
		t.Errorf("Addr: got %v, want %v", got, want)
	}
	testkit.NetDial(t, ln) // silent
	client := testkit.DialTo(t, "tls", ln, testkit.Text)
	server := testkit.Accept(t, ln)
	testkit.Exchange(t, client, server, "over TLS")
	testkit.Exchange(t, server, client, "and back")
	if state := server.NetConn().(*tls.Conn).ConnectionState(); !state.HandshakeComplete {
		t.Error("the handshake is not complete")
	}
	if got := ln.Stats().Handshaking; got != 1 {
		t.Errorf("Handshaking: got %d, want 1", got)
	}
}

// A net.Listener that is closed from outside ends the Listener with an error: the
// program that uses the Listener did not ask for it.
func TestListenerClosedBySomebodyElse(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := qsocket.NewListener(inner, testkit.Text, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer testkit.EndListener(ln)
	client := testkit.DialTo(t, "tcp", ln, testkit.Text)
	server := testkit.Accept(t, ln)
	inner.Close()
	if _, ok := <-ln.Conns(); ok {
		t.Error("Conns is open")
	}
	_, acceptErr := ln.Accept(testkit.Context(t))
	for what, err := range map[string]error{
		"Accept": acceptErr,
		"Serve":  ln.Serve(testkit.Context(t), testkit.Echo),
		"Err":    ln.Err(),
	} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: got %v, want net.ErrClosed", what, err)
		}
	}
	if err := ln.Close(); err != nil {
		t.Errorf("Close: got %v, want nil", err)
	}
	testkit.Exchange(t, client, server, "lives on")
}

// Close stops accepting and closes the connections that were not taken; those
// handed out live on. Afterwards Accept says net.ErrClosed and Err nothing.
func TestListenerClose(t *testing.T) {
	const untaken = 5
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		ctx := testkit.Context(t)
		ln := testkit.ListenOn(t, transport, testkit.Text, nil)
		client := testkit.DialTo(t, transport, ln, testkit.Text)
		server := testkit.Accept(t, ln)
		var waiting []*qsocket.Conn[string]
		for range untaken {
			waiting = append(waiting, testkit.DialTo(t, transport, ln, testkit.Text))
		}
		testkit.Eventually(t, "connections to wait", func() bool { return ln.Stats().Accepted == 1+untaken })
		if err := testkit.Result(t, "Close", testkit.Async(ln.Close)); err != nil {
			t.Error("Close:", err)
		}
		for i, c := range waiting {
			if m, err := c.Recv(ctx); err != io.EOF {
				t.Errorf("client %d that nobody has taken: got %q, %v, want io.EOF", i, m, err)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		testkit.Eventually(t, "the untaken to end", func() bool { return ln.Stats().Open == 1 })
		testkit.Exchange(t, client, server, "lives on")
		testkit.Exchange(t, server, client, "and answers")
		checkClosed(t, ln)
		if _, err := qsocket.Dial(ctx, ln.Addr().Network(), ln.Addr().String(), testkit.Text, testkit.DialOptions(transport)); err == nil {
			t.Error("Dial after Close: no error")
		}
	})
}

// checkClosed checks what is promised after Close and Shutdown.
func checkClosed[T any](t *testing.T, ln *qsocket.Listener[T]) {
	t.Helper()
	ctx := testkit.Context(t)
	for range 2 {
		if err := testkit.Result(t, "Close", testkit.Async(ln.Close)); err != nil {
			t.Errorf("second Close: got %v, want nil", err)
		}
		if _, err := ln.Accept(ctx); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: got %v, want net.ErrClosed", err)
		}
		if c, ok := <-ln.Conns(); ok {
			t.Errorf("Conns: got %v, want it closed", c)
		}
		if err := ln.Serve(ctx, testkit.Echo); err != nil {
			t.Errorf("Serve: got %v, want nil", err)
		}
		if err := ln.Err(); err != nil {
			t.Errorf("Err: got %v, want nil", err)
		}
	}
}

// Close ends an Accept and a range over Conns that are under way.
func TestListenerCloseUnblocks(t *testing.T) {
	ctx := testkit.Context(t)
	ln := testkit.ListenOn(t, "tcp", testkit.Text, nil)
	accepting := testkit.Async(func() error { _, err := ln.Accept(ctx); return err })
	ranging := testkit.Async(func() int {
		n := 0
		for range ln.Conns() {
			n++
		}
		return n
	})
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if err := testkit.Result(t, "Accept", accepting); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: got %v, want net.ErrClosed", err)
	}
	if n := testkit.Result(t, "Conns", ranging); n != 0 {
		t.Errorf("got %d connections, want none", n)
	}
}

// Listen reports an address that is in use, or is none.
func TestListenErrors(t *testing.T) {
	ln := testkit.ListenOn(t, "tcp", testkit.Text, nil)
	for _, address := range []string{ln.Addr().String(), "no address"} {
		second, err := qsocket.Listen("tcp", address, testkit.Text, nil)
		var oe *net.OpError
		if !errors.As(err, &oe) || !strings.HasPrefix(err.Error(), "qsocket: ") {
			t.Errorf("Listen on %q: got %v, want qsocket: … *net.OpError", address, err)
		}
		if second != nil {
			second.Close()
		}
	}
}

// Dial, Accept, Serve, Close and Shutdown at once, in any order: every call
// returns, every connection ends, and no goroutine is left.
func TestListenerChurn(t *testing.T) {
	const rounds = 300
	for round := range rounds {
		churn(t, testkit.KernelTransports[round%len(testkit.KernelTransports)])
		if t.Failed() {
			t.Fatal("in round ", round)
		}
	}
	testkit.NoGoroutinesLeft(t)
}

func churn(t *testing.T, transport string) {
	const clients = 4
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Timeout)
	defer cancel()
	o := qsocket.Options{MaxConns: rand.IntN(2 * clients)}
	network, address := "tcp", "127.0.0.1:0"
	switch transport {
	case "unix":
		network, address = "unix", filepath.Join(testkit.ShortTempDir(t), "s")
	case "tls":
		o.TLS = testkit.ServerTLS()
	}
	ln, err := qsocket.Listen(network, address, testkit.Text, &o)
	if err != nil {
		t.Fatal(err)
	}
	ended := func(what string, err error) { // any error but that of a hang
		if err == nil || ctx.Err() != nil {
			t.Errorf("%s: got %v, want the end", what, err)
		}
	}
	echo := func(_ context.Context, c *qsocket.Conn[string]) {
		for m := range c.Messages() {
			if c.Send(ctx, m) != nil {
				break
			}
		}
		c.Close()
	}
	var wg sync.WaitGroup
	dialed := make(chan struct{}, clients)
	for range clients {
		wg.Go(func() {
			c, err := qsocket.Dial(ctx, network, ln.Addr().String(), testkit.Text, testkit.DialOptions(transport))
			dialed <- struct{}{}
			if err != nil {
				ended("Dial", err)
				return
			}
			defer c.Close()
			if rand.IntN(3) == 0 {
				return
			}
			if err := c.Send(ctx, "hello"); err != nil {
				ended("Send", err)
			} else if m, err := c.Recv(ctx); err != nil {
				ended("Recv", err)
			} else if m != "hello" {
				t.Errorf("got %q, want the echo", m)
			}
		})
	}
	wg.Go(func() {
		for {
			c, err := ln.Accept(ctx)
			if err != nil {
				ended("Accept", err)
				return
			}
			wg.Go(func() { echo(ctx, c) })
		}
	})
	serveCtx, stop := context.WithCancel(ctx)
	defer stop()
	wg.Go(func() {
		if err := ln.Serve(serveCtx, echo); err != nil {
			t.Error("Serve:", err)
		}
	})
	for range rand.IntN(clients + 1) {
		<-dialed
	}
	for _, i := range rand.Perm(4)[:1+rand.IntN(3)] {
		wg.Go(func() {
			var err error
			switch i {
			case 0, 1:
				err = ln.Close()
			case 2:
				if err = ln.Shutdown(ctx); errors.Is(err, qsocket.ErrUnconfirmed) {
					err = nil // a client may end with the echo unread
				}
			case 3:
				stop()
			}
			if err != nil {
				t.Errorf("end %d: %v", i, err)
			}
		})
	}
	testkit.Result(t, "the round", testkit.Async(func() bool { wg.Wait(); return true }))
	testkit.Eventually(t, "all Conns to end", func() bool { return ln.Stats().Open == 0 })
}
