package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// stay is the loop that the documentation of the package shows, "Reconnecting", with waits of the
// test's choice. use gets a connection and returns at its end; what stay returns says why dialing
// again would not help, or is ctx's error.
func stay(ctx context.Context, network, address string, protocol qsocket.Protocol[string], opts *qsocket.Options, shortest, longest time.Duration, use func(context.Context, *qsocket.Conn[string]) error) error {
	log := slog.New(slog.DiscardHandler)
	wait := shortest
	for {
		dialing, cancel := context.WithTimeout(ctx, 10*time.Second) // a host that is gone does not answer at all
		conn, err := qsocket.Dial(dialing, network, address, protocol, opts)
		cancel()
		if refused := (*qsocket.HandshakeError)(nil); errors.As(err, &refused) && refused.Final() {
			return err // dialing again will not help
		}
		if err == nil {
			since := time.Now()
			err = use(ctx, conn) // until Messages ends
			conn.Close()
			if time.Since(since) >= longest { // not a server that ends each connection at once
				wait = shortest
			}
		}
		select {
		case <-time.After(rand.N(wait)): // by chance: all clients of a server that restarts come at the same time
			log.Info("connecting again", "err", err)
		case <-ctx.Done():
			return ctx.Err()
		}
		wait = min(2*wait, longest)
	}
}

// The documentation shows the loop that is tested here.
func TestDocumentedLoop(t *testing.T) {
	code := testkit.DocumentedCode(t, "../../doc.go", "Reconnecting")
	code, found := strings.CutPrefix(code, "const shortest, longest = 50 * time.Millisecond, 5 * time.Second\n")
	if !found {
		t.Error("the waits are not those of TestReconnectBacksOff")
	}
	if strings.Count(code, "\n") < 15 || !strings.Contains(testkit.Unindented(t, "restart_test.go"), code) {
		t.Errorf("this is not in stay:\n%s", code)
	}
}

var restarting = qsocket.Protocol[string]{Name: "restarts/1", Codec: testkit.Text.Codec}

// clients are reconnecting clients that say hello to each server that they meet, and note
// which one that is.
type clients struct {
	n       int
	met     []atomic.Int64 // by client: the number of the server that answered last
	ended   sync.WaitGroup
	cancel  context.CancelFunc
	dials   atomic.Int64 // connections made
	results []error
}

func startClients(t *testing.T, n int, network, address string, opts *qsocket.Options) *clients {
	ctx, cancel := context.WithCancel(t.Context())
	cs := &clients{n: n, met: make([]atomic.Int64, n), cancel: cancel, results: make([]error, n)}
	for i := range n {
		cs.ended.Go(func() { // ends with ctx
			cs.results[i] = stay(ctx, network, address, restarting, opts, 50*time.Millisecond, 200*time.Millisecond, func(ctx context.Context, conn *qsocket.Conn[string]) error {
				cs.dials.Add(1)
				defer context.AfterFunc(ctx, func() { conn.Close() })()
				if err := conn.Send(ctx, "hello"); err != nil {
					return err
				}
				for m := range conn.Messages() {
					var server int64
					if _, err := fmt.Sscan(m, &server); err != nil {
						return err
					}
					cs.met[i].Store(server)
				}
				return conn.Err()
			})
		})
	}
	return cs
}

// awaitAll waits until all clients have met that server, or a later one.
func (cs *clients) awaitAll(t *testing.T, server int) {
	t.Helper()
	testkit.Eventually(t, fmt.Sprintf("all clients to meet server %d", server), func() bool {
		for i := range cs.met {
			if cs.met[i].Load() < int64(server) {
				return false
			}
		}
		return true
	})
}

// end ends the clients. None of them has given up before.
func (cs *clients) end(t *testing.T) {
	t.Helper()
	cs.cancel()
	cs.ended.Wait()
	for i, err := range cs.results {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("client %d has given up: %v", i, err)
		}
	}
}

// server is the life of one server, that answers with its number. It ends in one of several ways.
type server struct {
	ln     *qsocket.Listener[string]
	cancel context.CancelFunc
	served <-chan error
	mu     sync.Mutex
	conns  []*qsocket.Conn[string]
}

func startServer(t *testing.T, number int, nl net.Listener, opts *qsocket.Options) *server {
	t.Helper()
	ln, err := qsocket.NewListener(nl, restarting, opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := &server{ln: ln, cancel: cancel}
	s.served = testkit.Serve(ctx, ln, func(ctx context.Context, conn *qsocket.Conn[string]) {
		s.mu.Lock()
		s.conns = append(s.conns, conn)
		s.mu.Unlock()
		for range conn.Messages() {
			if conn.Send(ctx, fmt.Sprint(number)) != nil {
				return
			}
		}
	})
	return s
}

func (s *server) end(t *testing.T, how int) {
	t.Helper()
	switch how % 3 {
	case 0: // goodbyes
	case 1:
		s.mu.Lock()
		for _, c := range s.conns {
			c.CloseWithReason("restarting")
		}
		s.mu.Unlock()
	case 2: // as a process that is killed
		s.mu.Lock()
		for _, c := range s.conns {
			c.NetConn().Close()
		}
		s.mu.Unlock()
	}
	s.cancel()
	if err := testkit.Result(t, "Serve", s.served); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// Every client is back after each of 20 restarts, when between two servers nobody listens.
func TestRestarts(t *testing.T) {
	address := filepath.Join(testkit.ShortTempDir(t), "s")
	const n, restarts = 20, 20
	cs := startClients(t, n, "unix", address, nil)
	for i := 1; i <= restarts; i++ {
		nl, err := net.Listen("unix", address)
		if err != nil {
			t.Fatal(err)
		}
		s := startServer(t, i, nl, &qsocket.Options{CloseTimeout: time.Second})
		cs.awaitAll(t, i)
		s.end(t, i)
	}
	cs.end(t)
	if got := cs.dials.Load(); got < n*restarts {
		t.Errorf("got %d connections, want at least %d", got, n*restarts)
	}
}

// front is a proxy in front of servers that come and go: without one it treats clients in one
// of several ways.
type front struct {
	net.Listener
	backend atomic.Pointer[chanListener]
	how     atomic.Int64 // what happens to a client without a backend
	lost    atomic.Int64 // such clients
	ended   sync.WaitGroup
}

func startFront(t *testing.T) *front {
	t.Helper()
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{Listener: nl}
	f.ended.Go(func() { // ends with nl
		for {
			nc, err := nl.Accept()
			if err != nil {
				return
			}
			if backend := f.backend.Load(); backend == nil || !backend.pass(nc) {
				f.lost.Add(1)
				f.ended.Go(func() { f.without(nc) }) // ends after 20 ms
			}
		}
	})
	t.Cleanup(func() { nl.Close(); f.ended.Wait() })
	return f
}

func (f *front) without(nc net.Conn) {
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(20 * time.Millisecond))
	switch f.how.Load() % 4 {
	case 0: // accept and close: what is unread makes it a reset
	case 1: // a clean end
		_, _ = io.Copy(io.Discard, nc)
	case 2:
		_ = nc.(*net.TCPConn).SetLinger(0)
	case 3:
		_, _ = io.WriteString(nc, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
		_, _ = io.Copy(io.Discard, nc)
	}
}

// chanListener is a net.Listener to which a front passes clients.
type chanListener struct {
	addr   net.Addr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *chanListener) pass(nc net.Conn) bool {
	select {
	case l.conns <- nc:
		return true
	case <-l.closed:
		return false
	}
}

func (l *chanListener) Accept() (net.Conn, error) {
	select {
	case nc := <-l.conns:
		return nc, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *chanListener) Addr() net.Addr { return l.addr }
func (l *chanListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }

// The same when clients reach the servers through a proxy, which accepts them all the time
// and without a server closes, resets, waits, or answers in HTTP.
func TestRestartsBehindProxy(t *testing.T) {
	for _, transport := range []string{"tcp", "tls"} {
		t.Run(transport, func(t *testing.T) {
			f := startFront(t)
			serverOptions := &qsocket.Options{CloseTimeout: time.Second}
			if transport == "tls" {
				serverOptions.TLS = testkit.ServerTLS()
			}
			const n, restarts = 20, 20
			cs := startClients(t, n, "tcp", f.Addr().String(), testkit.DialOptions(transport))
			for i := 1; i <= restarts; i++ {
				f.how.Store(int64(i))
				lost := f.lost.Load()
				testkit.Eventually(t, "a client without a server", func() bool { return f.lost.Load() > lost+3 })
				backend := &chanListener{addr: f.Addr(), conns: make(chan net.Conn), closed: make(chan struct{})}
				s := startServer(t, i, backend, serverOptions)
				f.backend.Store(backend)
				cs.awaitAll(t, i)
				f.backend.Store(nil)
				s.end(t, i)
			}
			cs.end(t)
			if got := cs.dials.Load(); got < n*restarts {
				t.Errorf("got %d connections, want at least %d", got, n*restarts)
			}
		})
	}
}

// Clients that find a server at its MaxConns come through when others have left.
func TestReconnectAtMaxConns(t *testing.T) {
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := qsocket.NewListener(nl, restarting, &qsocket.Options{MaxConns: 5})
	if err != nil {
		t.Fatal(err)
	}
	full := make(chan struct{}) // closed when clients have found it full
	ctx, cancel := context.WithCancel(t.Context())
	served := testkit.Serve(ctx, ln, func(ctx context.Context, conn *qsocket.Conn[string]) {
		if _, err := conn.Recv(ctx); err != nil {
			return
		}
		select {
		case <-full:
		case <-ctx.Done():
		}
		_ = conn.Send(ctx, "1")
	})
	cs := startClients(t, 20, "tcp", nl.Addr().String(), &qsocket.Options{HandshakeTimeout: 200 * time.Millisecond})
	testkit.Eventually(t, "the server to be full", func() bool { return ln.Stats().Open == 5 })
	time.AfterFunc(500*time.Millisecond, func() { close(full) }) // more than HandshakeTimeout
	cs.awaitAll(t, 1)
	cs.end(t)
	cancel()
	if err := testkit.Result(t, "Serve", served); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// Another protocol, and whatever else does not pass, ends the loop at once.
func TestReconnectGivesUp(t *testing.T) {
	for name, p := range map[string]qsocket.Protocol[string]{
		"proto": {Name: "restarts/2", Codec: testkit.Text.Codec},
		"codec": {Name: "restarts/1", Codec: qsocket.JSON[string]()},
	} {
		t.Run(name, func(t *testing.T) {
			ln := testkit.ListenOn(t, "tcp", p, nil)
			err := stay(testkit.Context(t), "tcp", ln.Addr().String(), restarting, nil, time.Millisecond, time.Second, nil)
			var refused *qsocket.HandshakeError
			if !errors.As(err, &refused) || refused.Field != name {
				t.Errorf("got %v, want a HandshakeError about %s", err, name)
			}
		})
	}
}

// With the waits that the documentation has: a server that ends each connection at once is dialed less and less
// often. After a connection that has lasted, the loop is back within the shortest wait.
func TestReconnectBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nl := qsockettest.Listen("server")
		ln, err := qsocket.NewListener(nl, restarting, nil)
		if err != nil {
			t.Fatal(err)
		}
		var lasting atomic.Int64 // how long a connection lasts
		served := testkit.Serve(t.Context(), ln, func(context.Context, *qsocket.Conn[string]) {
			time.Sleep(time.Duration(lasting.Load()))
		})
		var dialed, last []time.Time // when the connections were dialed, and when they ended
		var dials atomic.Int64
		ctx, cancel := context.WithCancel(t.Context())
		ended := testkit.Async(func() error {
			opts := &qsocket.Options{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				dialed = append(dialed, time.Now())
				dials.Add(1)
				return nl.DialContext(ctx, network, address)
			}}
			return stay(ctx, "tcp", "server", restarting, opts, 50*time.Millisecond, 5*time.Second, func(ctx context.Context, conn *qsocket.Conn[string]) error {
				_, err := conn.Recv(ctx)
				last = append(last, time.Now())
				return err
			})
		})
		time.Sleep(time.Hour)
		synctest.Wait()
		if n, want := int(dials.Load()), int(time.Hour/(5*time.Second/2)); n < want*8/10 || n > want*12/10 {
			t.Errorf("dialed %d times within an hour, want %d or so", n, want)
		}
		lasting.Store(int64(5 * time.Second))
		time.Sleep(time.Minute)
		lasting.Store(int64(time.Second))
		time.Sleep(time.Minute)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
		for i := range len(last) - 1 {
			lasted, waited := last[i].Sub(dialed[i]), dialed[i+1].Sub(last[i])
			if lasted >= 5*time.Second && waited > 50*time.Millisecond || waited > 5*time.Second {
				t.Errorf("waited %v after a connection of %v", waited, lasted)
			}
		}
		if err := ln.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// A host that does not answer at all, while it is gone, does not keep the loop for long.
func TestReconnectToHostThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nl := qsockettest.Listen("server")
		ln, err := qsocket.NewListener(nl, restarting, nil)
		if err != nil {
			t.Fatal(err)
		}
		var back atomic.Bool
		opts := &qsocket.Options{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if !back.Load() {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return nl.DialContext(ctx, network, address)
		}}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		ended := testkit.Async(func() error {
			return stay(ctx, "tcp", "server", restarting, opts, 50*time.Millisecond, 5*time.Second, func(context.Context, *qsocket.Conn[string]) error {
				cancel()
				return nil
			})
		})
		time.Sleep(time.Hour)
		back.Store(true)
		since := time.Now()
		if err := <-ended; !errors.Is(err, context.Canceled) || time.Since(since) > 15*time.Second {
			t.Errorf("got %v after %v, want to be back", err, time.Since(since))
		}
		if err := ln.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
