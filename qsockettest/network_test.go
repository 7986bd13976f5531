package qsockettest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// listening is a kind of listener, with the kernel's as the model.
type listening struct {
	listen func(address string) (net.Listener, error)
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
}

func forListeners(t *testing.T, test func(t *testing.T, kind listening, ln net.Listener)) {
	var network qsockettest.Network
	for _, l := range []struct {
		name, address string
		kind          listening
	}{
		{"tcp", "127.0.0.1:0", listening{
			func(address string) (net.Listener, error) { return net.Listen("tcp", address) },
			new(net.Dialer).DialContext,
		}},
		{"network", "server", listening{
			func(address string) (net.Listener, error) { return network.Listen(address) },
			network.DialContext,
		}},
	} {
		t.Run(l.name, func(t *testing.T) {
			ln, err := l.kind.listen(l.address)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { ln.Close() })
			test(t, l.kind, ln)
		})
	}
}

// dialTo connects to ln.
func (l listening) dialTo(t *testing.T, ln net.Listener) net.Conn {
	t.Helper()
	nc, err := l.dial(t.Context(), ln.Addr().Network(), ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return nc
}

func accept(t *testing.T, ln net.Listener) net.Conn {
	t.Helper()
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return nc
}

// wantOpError expects an error as those of package net. Not every kernel has the numbers of
// package syscall.
func wantOpError(t *testing.T, what string, err error, op string, target error) {
	t.Helper()
	_, isErrno := target.(syscall.Errno)
	var oe *net.OpError
	if !errors.As(err, &oe) || oe.Op != op || !errors.Is(err, target) && (linuxTells || !isErrno) {
		t.Errorf("%s: %v, want a *net.OpError of %s with %v", what, err, op, target)
	}
}

// Both ends name each other's address, and connections are accepted in the order of dialing.
// They can be written to, and ended, before that.
func TestListenerAccept(t *testing.T) {
	forListeners(t, func(t *testing.T, kind listening, ln net.Listener) {
		var clients []net.Conn
		for i := range 3 {
			clients = append(clients, kind.dialTo(t, ln))
			write(t, clients[i], fmt.Sprint("hello ", i))
			closeWrite(t, clients[i])
		}
		for i, client := range clients {
			server := accept(t, ln)
			wantRead(t, server, fmt.Sprint("hello ", i))
			wantEnd(t, server, nil)
			if a, b := server.LocalAddr().String(), ln.Addr().String(); a != b {
				t.Errorf("the server's address is %s, want %s", a, b)
			}
			if a, b := client.RemoteAddr().String(), ln.Addr().String(); a != b {
				t.Errorf("the client's peer is %s, want %s", a, b)
			}
			if a, b := server.RemoteAddr().String(), client.LocalAddr().String(); a != b {
				t.Errorf("the server's peer is %s, want %s", a, b)
			}
			if i > 0 && client.LocalAddr().String() == clients[0].LocalAddr().String() {
				t.Errorf("two clients have the address %s", client.LocalAddr())
			}
		}
	})
}

// Close wakes Accept, resets what was not accepted, leaves alone what was, and frees the address.
func TestListenerClose(t *testing.T) {
	forListeners(t, func(t *testing.T, kind listening, ln net.Listener) {
		accepting := async(func() error { _, err := ln.Accept(); return err })
		if err := ln.Close(); err != nil {
			t.Fatal(err)
		}
		wantOpError(t, "Accept", result(t, "Accept", accepting), "accept", net.ErrClosed)
		_, err := ln.Accept()
		wantOpError(t, "Accept after Close", err, "accept", net.ErrClosed)
		wantOpError(t, "a second Close", ln.Close(), "close", net.ErrClosed)

		ln, err = kind.listen(ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, err = kind.listen(ln.Addr().String())
		wantOpError(t, "listening twice", err, "listen", syscall.EADDRINUSE)
		client := kind.dialTo(t, ln)
		server := accept(t, ln)
		waiting := kind.dialTo(t, ln)
		ln.Close()
		wantEnd(t, waiting, syscall.ECONNRESET)
		write(t, client, "question")
		wantRead(t, server, "question")
	})
}

func TestListenerRefuses(t *testing.T) {
	forListeners(t, func(t *testing.T, kind listening, ln net.Listener) {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := kind.dial(ended, ln.Addr().Network(), ln.Addr().String())
		wantOpError(t, "dialing with an ended ctx", err, "dial", context.Canceled)
		ln.Close()
		_, err = kind.dial(t.Context(), ln.Addr().Network(), ln.Addr().String())
		wantOpError(t, "dialing after Close", err, "dial", syscall.ECONNREFUSED)
	})
}

// Everything at the same time: for the race detector, and so that no client hangs, whatever
// it meets.
func TestListenerConcurrentMethods(t *testing.T) {
	forListeners(t, func(t *testing.T, kind listening, ln net.Listener) {
		var running sync.WaitGroup
		for range 10 {
			running.Go(func() {
				for {
					nc, err := kind.dial(context.Background(), ln.Addr().Network(), ln.Addr().String())
					if err != nil {
						return
					}
					nc.Write([]byte("x"))
					nc.Read(make([]byte, 1))
					nc.Close()
				}
			})
			running.Go(func() {
				for range 100 {
					nc, err := ln.Accept()
					if err != nil {
						return
					}
					nc.Write([]byte("x"))
					nc.Close()
				}
				ln.Close()
			})
		}
		result(t, "the end", async(func() bool { running.Wait(); return true }))
	})
}

// When the backlog is full, dialing waits: until one is accepted, ctx ends, or the Listener
// is closed.
func TestListenerBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const backlog = 128
		ln := qsockettest.Listen("server")
		dial := func(ctx context.Context) <-chan error {
			return async(func() error { _, err := ln.DialContext(ctx, "tcp", "server"); return err })
		}
		for range backlog {
			if err := <-dial(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		late, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		err := <-dial(late)
		wantOpError(t, "with a ctx that ends", err, "dial", context.DeadlineExceeded)
		if ne := net.Error(nil); !errors.As(err, &ne) || !ne.Timeout() || time.Since(start) != time.Hour {
			t.Errorf("%v after %v, want a timeout after an hour", err, time.Since(start))
		}

		waiting := dial(t.Context())
		synctest.Wait()
		if len(waiting) == 1 {
			t.Errorf("dialing did not wait: %v", <-waiting)
		}
		accept(t, ln)
		if err := <-waiting; err != nil {
			t.Error(err)
		}

		waiting = dial(t.Context())
		synctest.Wait()
		ln.Close()
		wantOpError(t, "when it is closed", <-waiting, "dial", syscall.ECONNREFUSED)
	})
}

// Listeners of one Network find each other by address, those of others do not.
func TestNetworkAddresses(t *testing.T) {
	var network qsockettest.Network
	a, err := network.Listen("a")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := network.Listen("b")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := network.DialContext(t.Context(), "any network", "b"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.DialContext(t.Context(), "tcp", "b"); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if got, want := accept(t, b).RemoteAddr().String(), fmt.Sprintf("client-%d", i+1); got != want {
			t.Errorf("client %s, want %s", got, want)
		}
	}
	other := qsockettest.Listen("c")
	defer other.Close()
	_, err = network.DialContext(t.Context(), "tcp", "c")
	wantOpError(t, "a Listener of another Network", err, "dial", syscall.ECONNREFUSED)
	_, err = other.DialContext(t.Context(), "tcp", "a")
	wantOpError(t, "a Listener of another Network", err, "dial", syscall.ECONNREFUSED)
	if got, want := err.Error(), "dial tcp a: connect: connection refused"; linuxTells && got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A Proxy listens in memory, dials in memory, or both, and its delays are exact in a bubble.
func TestProxyInNetwork(t *testing.T) {
	for name, lead := range map[string]func(*qsockettest.Proxy, *qsockettest.Network) (address string, dial func(context.Context, string, string) (net.Conn, error)){
		"Through": func(p *qsockettest.Proxy, n *qsockettest.Network) (string, func(context.Context, string, string) (net.Conn, error)) {
			return "server", p.Through(n.DialContext)
		},
		"Forward": func(p *qsockettest.Proxy, n *qsockettest.Network) (string, func(context.Context, string, string) (net.Conn, error)) {
			front, err := n.Listen("proxy")
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Forward(front, func(ctx context.Context) (net.Conn, error) { return n.DialContext(ctx, "tcp", "server") }); err != nil {
				t.Fatal(err)
			}
			return "proxy", n.DialContext
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var network qsockettest.Network
				ln, err := network.Listen("server")
				if err != nil {
					t.Fatal(err)
				}
				p := qsockettest.NewProxy(1, faults{Latency: time.Minute}, faults{Latency: time.Hour})
				address, dial := lead(p, &network)
				client, err := dial(t.Context(), "tcp", address)
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				server := accept(t, ln)
				if got, want := client.RemoteAddr().String(), address; got != want {
					t.Errorf("the client's peer is %s, want %s", got, want)
				}

				start := time.Now()
				write(t, client, "question")
				wantRead(t, server, "question")
				write(t, server, "answer")
				wantRead(t, client, "answer")
				if got, want := time.Since(start), time.Hour+time.Minute; got != want {
					t.Errorf("a round trip took %v, want %v", got, want)
				}
				p.Cut(qsockettest.RST)
				wantEnd(t, client, syscall.ECONNRESET)
				wantEnd(t, server, syscall.ECONNRESET)

				ln.Close()
				client, err = dial(t.Context(), "tcp", address)
				if name == "Through" {
					wantOpError(t, "dialing what is closed", err, "dial", syscall.ECONNREFUSED)
				} else if wantEnd(t, client, syscall.ECONNRESET); err != nil {
					t.Error(err)
				}
				p.Close()
				_, err = dial(t.Context(), "tcp", address)
				if !errors.Is(err, net.ErrClosed) && !errors.Is(err, syscall.ECONNREFUSED) {
					t.Errorf("dialing after Close of the Proxy: %v", err)
				}
				if err := p.Forward(ln, nil); !errors.Is(err, net.ErrClosed) {
					t.Errorf("Forward after Close of the Proxy: %v, want %v", err, net.ErrClosed)
				}
			})
		})
	}
}

// received counts what handlers get.
type received struct{ n atomic.Int64 }

func (r *received) count(_ context.Context, conn *qsocket.Conn[order]) {
	for range conn.Messages() {
		r.n.Add(1)
	}
}

// feed is a client: it sends an order every minute, and dials again while it has no connection.
func feed(ctx context.Context, opts *qsocket.Options) {
	for ctx.Err() == nil {
		conn, err := qsocket.Dial(ctx, "tcp", "gateway:7070", orders, opts)
		for err == nil {
			select {
			case <-conn.Done():
				err = io.EOF
			case <-ctx.Done():
				err = ctx.Err()
			case <-time.After(time.Minute):
				err = conn.Send(ctx, order{Item: "tea"})
			}
		}
		if conn != nil {
			conn.Close()
		}
		select {
		case <-time.After(10 * time.Second):
		case <-ctx.Done():
		}
	}
}

// A server that restarts, as the documentation of Network has it.
func TestNetworkRestart(t *testing.T) {
	var r received
	count, client := r.count, feed
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var network qsockettest.Network
		serve := func(until context.Context) {
			ln, err := network.Listen("gateway:7070")
			if err != nil {
				t.Error(err)
				return
			}
			server, err := qsocket.NewListener(ln, orders, nil)
			if err != nil {
				t.Error(err)
				return
			}
			server.Serve(until, count)
		}
		go client(t.Context(), &qsocket.Options{DialContext: network.DialContext})

		for range 3 {
			until, cancel := context.WithTimeout(t.Context(), time.Hour)
			serve(until)
			cancel()
			time.Sleep(10 * time.Minute) // the client finds nothing at that address
		}
		if got, want := time.Since(begin), 3*time.Hour+30*time.Minute; got != want {
			t.Errorf("it took %v, want %v", got, want)
		}
	})
	if n := r.n.Load(); n < 3*58 || n > 3*60 {
		t.Errorf("%d orders came, want about 180", n)
	}
}

// The documentation of Network shows what TestNetworkRestart does.
func TestNetworkDocumentation(t *testing.T) {
	read := func(file string) string {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(b), "\r\n", "\n")
	}
	_, doc, found := strings.Cut(read("network.go"), "//	synctest.Test(t, func(t *testing.T) {\n")
	doc, _, closed := strings.Cut(doc, "//	})\n")
	if !found || !closed {
		t.Fatal("network.go shows no test")
	}
	doc = strings.ReplaceAll(strings.ReplaceAll(doc, "//\n", "\n"), "//\t", "\t")
	if !strings.Contains(read("network_test.go"), doc) {
		t.Errorf("no test here does this:\n%s", doc)
	}
}
