package qsocket_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/leak"
)

// listenOn returns a Listener on one of the kernelTransports.
func listenOn[T any](t testing.TB, transport string, p qsocket.Protocol[T], opts *qsocket.Options) *qsocket.Listener[T] {
	t.Helper()
	var o qsocket.Options
	if opts != nil {
		o = *opts
	}
	network, address := "tcp", "127.0.0.1:0"
	switch transport {
	case "unix":
		network, address = "unix", filepath.Join(shortTempDir(t), "s")
	case "tls":
		o.TLS = serverTLS()
	}
	ln, err := qsocket.Listen(network, address, p, &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { endListener(ln) })
	return ln
}

// dialTo connects to a Listener made by listenOn.
func dialTo[T any](t testing.TB, transport string, ln *qsocket.Listener[T], p qsocket.Protocol[T]) *qsocket.Conn[T] {
	t.Helper()
	c, err := qsocket.Dial(testContext(t), ln.Addr().Network(), ln.Addr().String(), p, dialOptions(transport))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(c) })
	return c
}

func dialOptions(transport string) *qsocket.Options {
	if transport == "tls" {
		return &qsocket.Options{TLS: clientTLS()}
	}
	return nil
}

func serverTLS() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{testCA().server}}
}

func clientTLS() *tls.Config {
	return &tls.Config{RootCAs: testCA().pool}
}

// netDial connects to a Listener without the package.
func netDial[T any](t testing.TB, ln *qsocket.Listener[T]) net.Conn {
	t.Helper()
	nc, err := net.Dial(ln.Addr().Network(), ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return nc
}

// endListener closes a Listener and all its Conns the hard way.
func endListener[T any](ln *qsocket.Listener[T]) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = ln.Shutdown(ctx)
}

// accepted takes the next Conn.
func accepted[T any](t testing.TB, ln *qsocket.Listener[T]) *qsocket.Conn[T] {
	t.Helper()
	c, err := ln.Accept(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(c) })
	return c
}

// exchange fails the test if a message does not arrive.
func exchange(t testing.TB, from, to *qsocket.Conn[string], message string) {
	t.Helper()
	ctx := testContext(t)
	if err := from.Send(ctx, message); err != nil {
		t.Fatal(err)
	}
	if got, err := to.Recv(ctx); got != message || err != nil {
		t.Fatalf("got %q, %v, want %q", got, err, message)
	}
}

// eventually polls for what no event tells: counters, which change when the
// call that changes them is long over or of the other end, the length of a
// channel, and the number of goroutines.
func eventually(t testing.TB, what string, true func() bool) {
	t.Helper()
	ticks := time.NewTicker(time.Millisecond)
	defer ticks.Stop()
	for deadline := time.Now().Add(testTimeout); !true(); <-ticks.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %v", what, testTimeout)
		}
	}
}

// noGoroutinesLeft waits until the tests so far have left nothing behind.
func noGoroutinesLeft(t *testing.T) {
	t.Helper()
	if left := leak.Left(testTimeout); left != "" {
		t.Fatalf("goroutines left:\n\n%s", left)
	}
}

// logRecorder keeps what is logged.
type logRecorder struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (r *logRecorder) logger() *slog.Logger { return slog.New(slog.NewTextHandler(r, nil)) }

func (r *logRecorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(b)
}

// count returns the number of records that contain all of the given texts.
func (r *logRecorder) count(texts ...string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for line := range strings.Lines(r.buf.String()) {
		if !slices.ContainsFunc(texts, func(s string) bool { return !strings.Contains(line, s) }) {
			n++
		}
	}
	return n
}

// fakeListener is a net.Listener whose connections and errors come from a test.
type fakeListener struct {
	queue  chan any // a net.Conn or an error
	closed chan struct{}
	close  func()
	start  time.Time

	mu    sync.Mutex
	calls []time.Duration // when Accept was called
}

func newFakeListener(queue ...any) *fakeListener {
	l := &fakeListener{queue: make(chan any, 1000), closed: make(chan struct{}), start: time.Now()}
	l.close = sync.OnceFunc(func() { close(l.closed) })
	for _, v := range queue {
		l.queue <- v
	}
	return l
}

func (l *fakeListener) Accept() (net.Conn, error) {
	l.mu.Lock()
	l.calls = append(l.calls, time.Since(l.start))
	l.mu.Unlock()
	select {
	case v := <-l.queue:
		if err, ok := v.(error); ok {
			return nil, err
		}
		return v.(net.Conn), nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *fakeListener) Close() error   { l.close(); return nil }
func (l *fakeListener) Addr() net.Addr { return &net.UnixAddr{Name: "fake", Net: "unix"} }

// client connects over a net.Pipe.
func (l *fakeListener) client(t *testing.T) net.Conn {
	client, server := net.Pipe()
	t.Cleanup(func() { client.Close(); server.Close() })
	l.queue <- server
	return client
}

// callTimes returns when Accept was called.
func (l *fakeListener) callTimes() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.calls)
}

// temporaryError is an error of Accept that passes.
type temporaryError struct{}

func (temporaryError) Error() string   { return "out of something" }
func (temporaryError) Timeout() bool   { return false }
func (temporaryError) Temporary() bool { return true }

// A Listener serves many clients at once, on every kind of network; Conns
// always returns one channel.
func TestListenerManyClients(t *testing.T) {
	const clients = 50
	forTransports(t, kernelTransports, func(t *testing.T, transport string) {
		ctx := testContext(t)
		ln := listenOn(t, transport, text, nil)
		if first, second := ln.Conns(), ln.Conns(); first != second {
			t.Error("Conns returned two channels")
		}
		var echoing sync.WaitGroup
		taken := async(func() int {
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
				c, err := qsocket.Dial(ctx, ln.Addr().Network(), ln.Addr().String(), text, dialOptions(transport))
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
		if got := result(t, "Conns to close", taken); got != clients {
			t.Errorf("got %d connections, want %d", got, clients)
		}
		echoing.Wait()
		s := ln.Stats()
		if s.Accepted != clients || s.Refused != 0 || s.Handshaking != 0 || s.AcceptErrors != 0 || s.Panics != 0 {
			t.Errorf("got %+v, want %d accepted and nothing else", s, clients)
		}
		eventually(t, "all Conns to end", func() bool { return ln.Stats().Open == 0 })
	})
}

// Conns, Accept and Serve take from one queue: each connection goes to one of
// them, and none is lost.
func TestListenerOneQueue(t *testing.T) {
	const clients = 100
	forTransports(t, kernelTransports, func(t *testing.T, transport string) {
		ctx := testContext(t)
		ln := listenOn(t, transport, text, nil)
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
			c := dialTo(t, transport, ln, text)
			if err := c.Send(ctx, fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		got := make(map[string]int)
		for range clients {
			got[result(t, "a connection", seen)]++
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

// An ended ctx costs the call of Accept and nothing else: the connection that
// waits goes to the next.
func TestAcceptContextCostsNothing(t *testing.T) {
	forTransports(t, kernelTransports, func(t *testing.T, transport string) {
		ctx := testContext(t)
		ln := listenOn(t, transport, text, nil)
		ended, cancel := context.WithCancel(ctx)
		waiting := async(func() error { _, err := ln.Accept(ended); return err })
		cancel()
		if err := result(t, "Accept", waiting); err != context.Canceled {
			t.Errorf("Accept while ctx ends: got %v, want context.Canceled", err)
		}
		client := dialTo(t, transport, ln, text)
		eventually(t, "a connection to wait", func() bool { return ln.Stats().Accepted == 1 })
		for range 50 {
			if c, err := ln.Accept(ended); c != nil || err != context.Canceled {
				t.Fatalf("Accept with an ended ctx: got %v, %v, want context.Canceled", c, err)
			}
		}
		exchange(t, client, accepted(t, ln), "still here")

		const clients = 20
		var dialing sync.WaitGroup
		for range clients {
			dialing.Go(func() {
				c, err := qsocket.Dial(ctx, ln.Addr().Network(), ln.Addr().String(), text, dialOptions(transport))
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(func() { end(c) })
			})
		}
		for n := 0; n < clients; {
			short, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(100))*time.Microsecond)
			c, err := ln.Accept(short)
			cancel()
			switch {
			case err == nil:
				n++
				defer end(c)
			case err != context.DeadlineExceeded || ctx.Err() != nil:
				t.Fatalf("after %d connections: %v", n, err)
			}
		}
		dialing.Wait()
	})
}

// A net.Listener that makes TLS connections by itself needs no Options.TLS; its
// handshakes run apart from accepting, too.
func TestListenerOverTLSListener(t *testing.T) {
	inner, err := tls.Listen("tcp", "127.0.0.1:0", serverTLS())
	if err != nil {
		t.Fatal(err)
	}
	ln, err := qsocket.NewListener(inner, text, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer endListener(ln)
	if got, want := ln.Addr(), inner.Addr(); got != want {
		t.Errorf("Addr: got %v, want %v", got, want)
	}
	netDial(t, ln) // silent
	client := dialTo(t, "tls", ln, text)
	server := accepted(t, ln)
	exchange(t, client, server, "over TLS")
	exchange(t, server, client, "and back")
	if state := server.NetConn().(*tls.Conn).ConnectionState(); !state.HandshakeComplete {
		t.Error("the handshake is not complete")
	}
	if got := ln.Stats().Handshaking; got != 1 {
		t.Errorf("Handshaking: got %d, want 1", got)
	}
}

// Clients that connect to a TLS listener and say nothing delay nobody. They
// are in Handshaking while they last, and refused when the Listener closes.
func TestSilentClientsDelayNobody(t *testing.T) {
	const silent = 200
	ln := listenOn(t, "tls", text, nil)
	clients := make([]net.Conn, silent)
	for i := range clients {
		clients[i] = netDial(t, ln)
	}
	client := dialTo(t, "tls", ln, text)
	server := accepted(t, ln)
	exchange(t, client, server, "hello")
	want := qsocket.ListenerStats{Open: 1, Handshaking: silent, Accepted: 1} // accepted in order, so all are there
	if got := ln.Stats(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	want = qsocket.ListenerStats{Open: 1, Accepted: 1, Refused: silent}
	if got := ln.Stats(); got != want {
		t.Errorf("after Close: got %+v, want %+v", got, want)
	}
	for i, c := range clients {
		c.SetReadDeadline(time.Now().Add(testTimeout))
		if _, err := c.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			t.Errorf("silent client %d: got %v, want the end", i, err)
		}
	}
	exchange(t, client, server, "lives on")
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// A TLS client that says nothing is refused after exactly HandshakeTimeout.
func TestListenerHandshakeTimeout(t *testing.T) {
	const silent = 200
	now := time.Now() // the certificate knows no other time
	server, client := serverTLS(), clientTLS()
	server.SessionTicketsDisabled = true // net.Pipe has no buffer to leave them in
	server.Time, client.Time = func() time.Time { return now }, func() time.Time { return now }
	client.ServerName = "localhost"
	for _, test := range []struct{ set, want time.Duration }{
		{0, 10 * time.Second},
		{3 * time.Second, 3 * time.Second},
	} {
		t.Run(fmt.Sprint(test.set), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log logRecorder
				nl := newFakeListener()
				ln, err := qsocket.NewListener(nl, text, &qsocket.Options{TLS: server, HandshakeTimeout: test.set, Logger: log.logger()})
				if err != nil {
					t.Fatal(err)
				}
				defer endListener(ln)
				var clients []net.Conn
				for range silent {
					clients = append(clients, nl.client(t))
				}
				good := tls.Client(nl.client(t), client)
				go func() {
					c, err := qsocket.NewConn(t.Context(), good, text, nil)
					if err != nil {
						t.Error(err)
						return
					}
					if err := c.Send(t.Context(), "hello"); err != nil {
						t.Error(err)
					}
					<-t.Context().Done()
					end(c)
				}()
				start := time.Now()
				c, err := ln.Accept(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer end(c)
				if m, err := c.Recv(t.Context()); m != "hello" || err != nil {
					t.Errorf("got %q, %v, want hello", m, err)
				}
				if took := time.Since(start); took != 0 {
					t.Errorf("the good client had to wait for %v", took)
				}
				for _, step := range []struct {
					sleep time.Duration
					want  qsocket.ListenerStats
				}{
					{test.want - 1, qsocket.ListenerStats{Open: 1, Handshaking: silent, Accepted: 1}},
					{1, qsocket.ListenerStats{Open: 1, Accepted: 1, Refused: silent}},
				} {
					time.Sleep(step.sleep)
					synctest.Wait()
					if got := ln.Stats(); got != step.want {
						t.Errorf("after %v: got %+v, want %+v", time.Since(start), got, step.want)
					}
				}
				for _, c := range clients {
					if _, err := c.Read(make([]byte, 1)); err != io.EOF {
						t.Errorf("silent client: got %v, want io.EOF", err)
					}
				}
				if got := log.count("level=WARN", "handshake refused", "deadline exceeded"); got != silent {
					t.Errorf("got %d log records, want %d", got, silent)
				}
			})
		})
	}
}

// A failed handshake is logged and counted, and never returned by Accept.
func TestFailedHandshake(t *testing.T) {
	var log logRecorder
	ln := listenOn(t, "tls", text, &qsocket.Options{Logger: log.logger()})
	bad := netDial(t, ln)
	if _, err := bad.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	bad.SetReadDeadline(time.Now().Add(testTimeout))
	if _, err := io.Copy(io.Discard, bad); isTimeout(err) {
		t.Error("the client is not told of the end")
	}
	client := dialTo(t, "tls", ln, text)
	server := accepted(t, ln)
	if got, want := server.RemoteAddr().String(), client.LocalAddr().String(); got != want {
		t.Errorf("Accept returned the client at %v, want the one at %v", got, want)
	}
	eventually(t, "the refusal to be counted", func() bool { return ln.Stats().Refused == 1 })
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if err := ln.Err(); err != nil {
		t.Errorf("Err: got %v, want nil", err)
	}
	want := qsocket.ListenerStats{Open: 1, Accepted: 1, Refused: 1}
	if got := ln.Stats(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := log.count("level=WARN", "handshake refused", bad.LocalAddr().String(), "TLS handshake"); got != 1 {
		t.Errorf("got %d log records of the refusal, want 1", got)
	}
}

// With MaxConns, accepting waits while that many connections are open, taken
// or not, and goes on when one ends, however it ends.
func TestMaxConns(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(t *testing.T, c *qsocket.Conn[string], client net.Conn)
	}{
		{"Close", func(t *testing.T, c *qsocket.Conn[string], client net.Conn) {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}},
		{"Shutdown", func(t *testing.T, c *qsocket.Conn[string], client net.Conn) { end(c) }},
		{"failure", func(t *testing.T, c *qsocket.Conn[string], client net.Conn) {
			go client.Write([]byte("no frame"))
			if _, err := c.Recv(t.Context()); !errors.Is(err, qsocket.ErrProtocol) {
				t.Errorf("got %v, want ErrProtocol", err)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const limit = 3
				nl := newFakeListener()
				ln, err := qsocket.NewListener(nl, text, &qsocket.Options{MaxConns: limit})
				if err != nil {
					t.Fatal(err)
				}
				defer endListener(ln)
				clients := make(map[net.Conn]net.Conn) // by the other end
				for range 10 {
					client, server := net.Pipe()
					defer client.Close()
					clients[server] = client
					nl.queue <- server
				}
				for i := range 5 {
					time.Sleep(time.Hour)
					synctest.Wait()
					if got, want := len(nl.callTimes()), limit+i; got != want {
						t.Fatalf("after %d ends: %d calls of the net.Listener, want %d", i, got, want)
					}
					if got, want := ln.Stats(), (qsocket.ListenerStats{Open: limit, Accepted: uint64(limit + i)}); got != want {
						t.Errorf("after %d ends: got %+v, want %+v", i, got, want)
					}
					c, err := ln.Accept(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					defer end(c)
					synctest.Wait()
					if got, want := len(nl.callTimes()), limit+i; got != want {
						t.Fatalf("taking a connection made room: %d calls of the net.Listener, want %d", got, want)
					}
					test.end(t, c, clients[c.NetConn()])
				}
			})
		})
	}
}

// A handshake counts towards MaxConns while it lasts, and not after it failed.
func TestMaxConnsCountsHandshakes(t *testing.T) {
	server := serverTLS()
	synctest.Test(t, func(t *testing.T) {
		nl := newFakeListener()
		ln, err := qsocket.NewListener(nl, text, &qsocket.Options{TLS: server, MaxConns: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer endListener(ln)
		for range 5 {
			nl.client(t) // silent
		}
		for _, want := range []struct {
			calls int
			stats qsocket.ListenerStats
		}{
			{2, qsocket.ListenerStats{Handshaking: 2}},
			{4, qsocket.ListenerStats{Handshaking: 2, Refused: 2}},
			{6, qsocket.ListenerStats{Handshaking: 1, Refused: 4}}, // the sixth call waits for a client
		} {
			time.Sleep(9 * time.Second)
			synctest.Wait()
			if got := len(nl.callTimes()); got != want.calls {
				t.Errorf("got %d calls of the net.Listener, want %d", got, want.calls)
			}
			if got := ln.Stats(); got != want.stats {
				t.Errorf("got %+v, want %+v", got, want.stats)
			}
			time.Sleep(time.Second)
		}
	})
}

// Close does not wait for room under MaxConns.
func TestCloseAtMaxConns(t *testing.T) {
	ln := listenOn(t, "tcp", text, &qsocket.Options{MaxConns: 1})
	client := dialTo(t, "tcp", ln, text)
	server := accepted(t, ln)
	second := dialTo(t, "tcp", ln, text) // waits in the kernel
	if err := result(t, "Close", async(ln.Close)); err != nil {
		t.Error(err)
	}
	if m, err := second.Recv(testContext(t)); err == nil || isTimeout(err) {
		t.Errorf("the client that was not accepted: got %q, %v, want the end", m, err)
	}
	exchange(t, client, server, "lives on")
}

// Errors of the network that pass are retried after 5 ms, and twice as long
// each time up to 1 s; a success starts over. They are counted and logged.
func TestAcceptBackOff(t *testing.T) {
	for _, maxConns := range []int{0, 1} { // failed attempts do not count towards MaxConns
		t.Run(fmt.Sprint("MaxConns=", maxConns), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log logRecorder
				nl := newFakeListener()
				for range 11 {
					nl.queue <- temporaryError{}
				}
				nl.client(t)
				nl.queue <- temporaryError{}
				nl.queue <- fmt.Errorf("wrapped: %w", temporaryError{})
				ln, err := qsocket.NewListener(nl, text, &qsocket.Options{MaxConns: maxConns, Logger: log.logger()})
				if err != nil {
					t.Fatal(err)
				}
				defer endListener(ln)
				c, err := ln.Accept(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				end(c)
				time.Sleep(time.Minute)

				want := []time.Duration{5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000, 0, 5, 10}
				var got []time.Duration
				calls := nl.callTimes()
				for i := range calls[1:] {
					got = append(got, calls[i+1]-calls[i])
				}
				for i := range want {
					want[i] *= time.Millisecond
				}
				if !slices.Equal(got, want) {
					t.Errorf("got delays %v, want %v", got, want)
				}
				if got, want := ln.Stats().AcceptErrors, uint64(13); got != want {
					t.Errorf("AcceptErrors: got %d, want %d", got, want)
				}
				for _, r := range []struct {
					after string
					want  int
				}{{"5ms", 2}, {"10ms", 2}, {"640ms", 1}, {"1s", 3}} {
					if got := log.count("level=WARN", "accept", "out of something", "after="+r.after+"\n"); got != r.want {
						t.Errorf("got %d log records after %s, want %d", got, r.after, r.want)
					}
				}
				if err := ln.Err(); err != nil {
					t.Errorf("Err: got %v, want nil", err)
				}
			})
		})
	}
}

// Close does not wait for the end of a back-off.
func TestCloseDuringBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nl := newFakeListener()
		for range 100 {
			nl.queue <- temporaryError{}
		}
		ln, err := qsocket.NewListener(nl, text, nil)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10*time.Second + time.Nanosecond)
		start := time.Now()
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("Close took %v", took)
		}
		if _, err := ln.Accept(t.Context()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: got %v, want net.ErrClosed", err)
		}
		if err := ln.Err(); err != nil {
			t.Errorf("Err: got %v, want nil", err)
		}
	})
}

// An error of the net.Listener that does not pass ends the Listener: Conns is
// closed, and Accept, Serve and Err return the error. Connections that nobody
// has taken are closed, the others live on.
func TestPermanentAcceptError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		var log logRecorder
		nl := newFakeListener()
		takenClient := nl.client(t)
		ln, err := qsocket.NewListener(nl, text, &qsocket.Options{Logger: log.logger()})
		if err != nil {
			t.Fatal(err)
		}
		taken, err := ln.Accept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer end(taken)
		served := async(func() error { return ln.Serve(t.Context(), echo) })
		accepting := async(func() error { _, err := ln.Accept(t.Context()); return err })
		synctest.Wait()
		nl.queue <- broken
		if err := <-served; !errors.Is(err, broken) {
			t.Errorf("Serve under way: got %v, want %v", err, broken)
		}
		if err := <-accepting; !errors.Is(err, broken) {
			t.Errorf("Accept under way: got %v, want %v", err, broken)
		}
		for range 2 {
			if c, ok := <-ln.Conns(); ok {
				t.Errorf("Conns: got %v, want it closed", c)
			}
			if _, err := ln.Accept(t.Context()); !errors.Is(err, broken) {
				t.Errorf("Accept: got %v, want %v", err, broken)
			}
			if err := ln.Serve(t.Context(), echo); !errors.Is(err, broken) {
				t.Errorf("Serve: got %v, want %v", err, broken)
			}
			if err := ln.Err(); !errors.Is(err, broken) {
				t.Errorf("Err: got %v, want %v", err, broken)
			}
			if err := ln.Close(); err != nil {
				t.Errorf("Close: got %v, want nil", err)
			}
		}
		<-nl.closed
		if got := ln.Stats().AcceptErrors; got != 1 {
			t.Errorf("AcceptErrors: got %d, want 1", got)
		}
		if got := log.count("level=ERROR", "accept", "broken"); got != 1 {
			t.Errorf("got %d log records, want 1", got)
		}
		go takenClient.Write([]byte(wire(t, qsocket.Uint32, "lives on")))
		if m, err := taken.Recv(t.Context()); m != "lives on" || err != nil {
			t.Errorf("got %q, %v, want the message", m, err)
		}
	})
}

// A connection that nobody has taken when accepting fails for good is closed.
func TestPermanentAcceptErrorClosesUntaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nl := newFakeListener()
		untaken := nl.client(t)
		ln, err := qsocket.NewListener(nl, text, nil)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		nl.queue <- errors.New("broken")
		if _, err := untaken.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the client got %v, want io.EOF", err)
		}
		synctest.Wait()
		if got, want := ln.Stats(), (qsocket.ListenerStats{Accepted: 1, AcceptErrors: 1}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// A net.Listener that somebody else closes ends the Listener with an error:
// the program that uses the Listener did not ask for it.
func TestListenerClosedBySomebodyElse(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := qsocket.NewListener(inner, text, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer endListener(ln)
	client := dialTo(t, "tcp", ln, text)
	server := accepted(t, ln)
	inner.Close()
	if _, ok := <-ln.Conns(); ok {
		t.Error("Conns is open")
	}
	_, acceptErr := ln.Accept(testContext(t))
	for what, err := range map[string]error{
		"Accept": acceptErr,
		"Serve":  ln.Serve(testContext(t), echo),
		"Err":    ln.Err(),
	} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: got %v, want net.ErrClosed", what, err)
		}
	}
	if err := ln.Close(); err != nil {
		t.Errorf("Close: got %v, want nil", err)
	}
	exchange(t, client, server, "lives on")
}

// Close stops accepting and closes the connections that nobody has taken; those
// handed out live on. Afterwards Accept says net.ErrClosed and Err nothing.
func TestListenerClose(t *testing.T) {
	const untaken = 5
	forTransports(t, kernelTransports, func(t *testing.T, transport string) {
		ctx := testContext(t)
		ln := listenOn(t, transport, text, nil)
		client := dialTo(t, transport, ln, text)
		server := accepted(t, ln)
		var waiting []*qsocket.Conn[string]
		for range untaken {
			waiting = append(waiting, dialTo(t, transport, ln, text))
		}
		eventually(t, "connections to wait", func() bool { return ln.Stats().Accepted == 1+untaken })
		if err := result(t, "Close", async(ln.Close)); err != nil {
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
		eventually(t, "the untaken to end", func() bool { return ln.Stats().Open == 1 })
		exchange(t, client, server, "lives on")
		exchange(t, server, client, "and answers")
		checkClosed(t, ln)
		if _, err := qsocket.Dial(ctx, ln.Addr().Network(), ln.Addr().String(), text, dialOptions(transport)); err == nil {
			t.Error("Dial after Close: no error")
		}
	})
}

// checkClosed checks what is promised after Close and Shutdown.
func checkClosed[T any](t *testing.T, ln *qsocket.Listener[T]) {
	t.Helper()
	ctx := testContext(t)
	for range 2 {
		if err := result(t, "Close", async(ln.Close)); err != nil {
			t.Errorf("second Close: got %v, want nil", err)
		}
		if _, err := ln.Accept(ctx); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: got %v, want net.ErrClosed", err)
		}
		if c, ok := <-ln.Conns(); ok {
			t.Errorf("Conns: got %v, want it closed", c)
		}
		if err := ln.Serve(ctx, echo); err != nil {
			t.Errorf("Serve: got %v, want nil", err)
		}
		if err := ln.Err(); err != nil {
			t.Errorf("Err: got %v, want nil", err)
		}
	}
}

// Close ends an Accept and a range over Conns that are under way.
func TestListenerCloseUnblocks(t *testing.T) {
	ctx := testContext(t)
	ln := listenOn(t, "tcp", text, nil)
	accepting := async(func() error { _, err := ln.Accept(ctx); return err })
	ranging := async(func() int {
		n := 0
		for range ln.Conns() {
			n++
		}
		return n
	})
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if err := result(t, "Accept", accepting); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: got %v, want net.ErrClosed", err)
	}
	if n := result(t, "Conns", ranging); n != 0 {
		t.Errorf("got %d connections, want none", n)
	}
}

// Shutdown shuts down every Conn of the Listener, taken or not, and waits for
// their peers.
func TestListenerShutdown(t *testing.T) {
	forTransports(t, kernelTransports, func(t *testing.T, transport string) {
		ctx := testContext(t)
		ln := listenOn(t, transport, text, nil)
		var clients []*qsocket.Conn[string]
		for i := range 4 {
			clients = append(clients, dialTo(t, transport, ln, text))
			if i < 3 {
				if err := accepted(t, ln).Send(ctx, "last words"); err != nil {
					t.Fatal(err)
				}
			}
		}
		eventually(t, "the last connection to wait", func() bool { return ln.Stats().Accepted == 4 })
		shut := async(func() error { return ln.Shutdown(ctx) })
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
		if err := result(t, "Shutdown", shut); err != nil {
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
	forTransports(t, kernelTransports, func(t *testing.T, transport string) {
		ln := listenOn(t, transport, text, nil)
		var clients []*qsocket.Conn[string]
		var servers []*qsocket.Conn[string]
		for range 3 {
			clients = append(clients, dialTo(t, transport, ln, text))
			servers = append(servers, accepted(t, ln))
		}
		ctx, cancel := context.WithCancel(context.Background())
		shut := async(func() error { return ln.Shutdown(ctx) })
		for _, c := range clients { // so Shutdown is under way; these do not close
			if m, err := c.Recv(testContext(t)); err != io.EOF {
				t.Errorf("got %q, %v, want io.EOF", m, err)
			}
		}
		cancel()
		if err := result(t, "Shutdown", shut); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		if got := ln.Stats().Open; got != 0 {
			t.Errorf("Open: got %d, want 0", got)
		}
		for _, c := range servers {
			waitClosed(t, "Done", c.Done())
		}
		if err := ln.Err(); err != nil {
			t.Errorf("Err: got %v, want nil", err)
		}
	})
}

// Shutdown tells if one of the peers did not end well; the others do not
// suffer from it.
func TestListenerShutdownUnconfirmed(t *testing.T) {
	ctx := testContext(t)
	ln := listenOn(t, "tcp", text, nil)
	good := dialTo(t, "tcp", ln, text)
	accepted(t, ln)
	bad := netDial(t, ln)
	if err := accepted(t, ln).Send(ctx, "never read"); err != nil {
		t.Fatal(err)
	}
	shut := async(func() error { return ln.Shutdown(ctx) })
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
	if err := result(t, "Shutdown", shut); !errors.Is(err, qsocket.ErrUnconfirmed) {
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
		ln, err := qsocket.NewListener(nl, text, &qsocket.Options{MaxConns: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer endListener(ln)
		c, err := ln.Accept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		done := c.Done()
		go end(c)
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

// Listen reports an address that is in use, or is none.
func TestListenErrors(t *testing.T) {
	ln := listenOn(t, "tcp", text, nil)
	for _, address := range []string{ln.Addr().String(), "no address"} {
		second, err := qsocket.Listen("tcp", address, text, nil)
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
		churn(t, kernelTransports[round%len(kernelTransports)])
		if t.Failed() {
			t.Fatal("in round ", round)
		}
	}
	noGoroutinesLeft(t)
}

func churn(t *testing.T, transport string) {
	const clients = 4
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	o := qsocket.Options{MaxConns: rand.IntN(2 * clients)}
	network, address := "tcp", "127.0.0.1:0"
	switch transport {
	case "unix":
		network, address = "unix", filepath.Join(shortTempDir(t), "s")
	case "tls":
		o.TLS = serverTLS()
	}
	ln, err := qsocket.Listen(network, address, text, &o)
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
			c, err := qsocket.Dial(ctx, network, ln.Addr().String(), text, dialOptions(transport))
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
	result(t, "the round", async(func() bool { wg.Wait(); return true }))
	eventually(t, "all Conns to end", func() bool { return ln.Stats().Open == 0 })
}

// A panic in a callback of the TLS Config refuses one connection.
func TestPanicInHandshake(t *testing.T) {
	ctx := testContext(t)
	ca := testCA()
	var log logRecorder
	ln := listenOn(t, "tcp", text, &qsocket.Options{Logger: log.logger(), MaxConns: 1, TLS: &tls.Config{
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if hello.ServerName == "panic.test" {
				panic("oh no")
			}
			return &ca.server, nil
		},
	}})
	for range 3 {
		_, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), text, &qsocket.Options{TLS: &tls.Config{RootCAs: ca.pool, ServerName: "panic.test"}})
		if err == nil {
			t.Fatal("no error")
		}
	}
	c, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), text, &qsocket.Options{TLS: &tls.Config{RootCAs: ca.pool}})
	if err != nil {
		t.Fatal(err)
	}
	defer end(c)
	if got := ln.Stats().Refused; got != 3 {
		t.Errorf("Refused: got %d, want 3", got)
	}
	if got := log.count("handshake refused", "oh no"); got != 3 {
		t.Errorf("got %d log records, want 3", got)
	}
}
