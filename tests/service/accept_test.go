package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

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

// An ended ctx costs the call of Accept and nothing else: the connection that
// waits goes to the next.
func TestAcceptContextCostsNothing(t *testing.T) {
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		ctx := testkit.Context(t)
		ln := testkit.ListenOn(t, transport, testkit.Text, nil)
		ended, cancel := context.WithCancel(ctx)
		waiting := testkit.Async(func() error { _, err := ln.Accept(ended); return err })
		cancel()
		if err := testkit.Result(t, "Accept", waiting); err != context.Canceled {
			t.Errorf("Accept while ctx ends: got %v, want context.Canceled", err)
		}
		client := testkit.DialTo(t, transport, ln, testkit.Text)
		testkit.Eventually(t, "a connection to wait", func() bool { return ln.Stats().Accepted == 1 })
		for range 50 {
			if c, err := ln.Accept(ended); c != nil || err != context.Canceled {
				t.Fatalf("Accept with an ended ctx: got %v, %v, want context.Canceled", c, err)
			}
		}
		testkit.Exchange(t, client, testkit.Accept(t, ln), "still here")

		const clients = 20
		var dialing sync.WaitGroup
		for range clients {
			dialing.Go(func() {
				c, err := qsocket.Dial(ctx, ln.Addr().Network(), ln.Addr().String(), testkit.Text, testkit.DialOptions(transport))
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(func() { testkit.End(c) })
			})
		}
		for n := 0; n < clients; {
			short, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(100))*time.Microsecond)
			c, err := ln.Accept(short)
			cancel()
			switch {
			case err == nil:
				n++
				defer testkit.End(c)
			case err != context.DeadlineExceeded || ctx.Err() != nil:
				t.Fatalf("after %d connections: %v", n, err)
			}
		}
		dialing.Wait()
	})
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
		{"Shutdown", func(t *testing.T, c *qsocket.Conn[string], client net.Conn) { testkit.End(c) }},
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
				ln, err := qsocket.NewListener(nl, testkit.Text, &qsocket.Options{MaxConns: limit})
				if err != nil {
					t.Fatal(err)
				}
				defer testkit.EndListener(ln)
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
					defer testkit.End(c)
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
	server := testkit.ServerTLS()
	synctest.Test(t, func(t *testing.T) {
		nl := newFakeListener()
		ln, err := qsocket.NewListener(nl, testkit.Text, &qsocket.Options{TLS: server, MaxConns: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.EndListener(ln)
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
	ln := testkit.ListenOn(t, "tcp", testkit.Text, &qsocket.Options{MaxConns: 1})
	client := testkit.DialTo(t, "tcp", ln, testkit.Text)
	server := testkit.Accept(t, ln)
	second := testkit.DialTo(t, "tcp", ln, testkit.Text) // waits in the kernel
	if err := testkit.Result(t, "Close", testkit.Async(ln.Close)); err != nil {
		t.Error(err)
	}
	if m, err := second.Recv(testkit.Context(t)); err == nil || testkit.IsTimeout(err) {
		t.Errorf("the client that was not accepted: got %q, %v, want the end", m, err)
	}
	testkit.Exchange(t, client, server, "lives on")
}

// Errors of the network that pass are retried after 5 ms, and twice as long
// each time up to 1 s; a success starts over. They are counted and logged.
func TestAcceptBackOff(t *testing.T) {
	for _, maxConns := range []int{0, 1} { // failed attempts do not count towards MaxConns
		t.Run(fmt.Sprint("MaxConns=", maxConns), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log testkit.LogRecorder
				nl := newFakeListener()
				for range 11 {
					nl.queue <- temporaryError{}
				}
				nl.client(t)
				nl.queue <- temporaryError{}
				nl.queue <- fmt.Errorf("wrapped: %w", temporaryError{})
				ln, err := qsocket.NewListener(nl, testkit.Text, &qsocket.Options{MaxConns: maxConns, Logger: log.Logger()})
				if err != nil {
					t.Fatal(err)
				}
				defer testkit.EndListener(ln)
				c, err := ln.Accept(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				testkit.End(c)
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
					if got := log.Count("level=WARN", "accept", "out of something", "after="+r.after+"\n"); got != r.want {
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
		ln, err := qsocket.NewListener(nl, testkit.Text, nil)
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
// closed, and Accept, Serve and Err return the error. Connections that were
// not taken are closed, the others live on.
func TestPermanentAcceptError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		var log testkit.LogRecorder
		nl := newFakeListener()
		takenClient := nl.client(t)
		ln, err := qsocket.NewListener(nl, testkit.Text, &qsocket.Options{Logger: log.Logger()})
		if err != nil {
			t.Fatal(err)
		}
		taken, err := ln.Accept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.End(taken)
		served := testkit.Async(func() error { return ln.Serve(t.Context(), testkit.Echo) })
		accepting := testkit.Async(func() error { _, err := ln.Accept(t.Context()); return err })
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
			if err := ln.Serve(t.Context(), testkit.Echo); !errors.Is(err, broken) {
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
		if got := log.Count("level=ERROR", "accept", "broken"); got != 1 {
			t.Errorf("got %d log records, want 1", got)
		}
		go takenClient.Write([]byte(testkit.Frame(t, qsocket.Uint32, "lives on")))
		if m, err := taken.Recv(t.Context()); m != "lives on" || err != nil {
			t.Errorf("got %q, %v, want the message", m, err)
		}
	})
}

// netError is an error of the network that does, or does not, say that it passes.
type netError struct{ temporary, timeout bool }

func (netError) Error() string     { return "mux: listener closed" }
func (e netError) Timeout() bool   { return e.timeout }
func (e netError) Temporary() bool { return e.temporary }

// What passes is retried, in whatever it is wrapped; everything else ends the Listener, for
// which trying again would be in vain.
func TestAcceptErrorKinds(t *testing.T) {
	opError := func(err error) error {
		return &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", err)}
	}
	for _, tt := range []struct {
		name   string
		err    error
		passes bool
	}{
		{"too many files", opError(syscall.EMFILE), true},
		{"too many files in the system", opError(syscall.ENFILE), true},
		{"interrupted", opError(syscall.EINTR), true},
		{"aborted", opError(syscall.ECONNABORTED), true},
		{"reset", opError(syscall.ECONNRESET), true},
		{"no buffers", opError(syscall.ENOBUFS), true},
		{"no memory", fmt.Errorf("wrapped: %w", opError(syscall.ENOMEM)), true},
		{"protocol", opError(syscall.EPROTO), true},
		{"network down", opError(syscall.ENETDOWN), true},
		{"host unreachable", opError(syscall.EHOSTUNREACH), true},
		{"deadline", opError(os.ErrDeadlineExceeded), true},
		{"says so", netError{temporary: true}, true},
		{"invalid", opError(syscall.EINVAL), false},
		{"no socket", opError(syscall.ENOTSOCK), false},
		{"bad descriptor", opError(syscall.EBADF), false},
		{"no stream", opError(syscall.EOPNOTSUPP), false},
		{"bad descriptor, bare", syscall.EBADF, false},
		{"says that it stays", netError{}, false},
		{"a timeout that stays", netError{timeout: true}, false},
		{"closed", opError(net.ErrClosed), false},
		{"end", io.EOF, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nl := newFakeListener()
				nl.queue <- tt.err
				nl.client(t)
				ln, err := qsocket.NewListener(nl, testkit.Text, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer testkit.EndListener(ln)
				served := make(chan error, 1)
				go func() { // ends with the Listener
					served <- ln.Serve(t.Context(), func(context.Context, *qsocket.Conn[string]) {})
				}()
				time.Sleep(time.Minute)
				stats := ln.Stats()
				if tt.passes {
					if stats.Accepted != 1 || stats.AcceptErrors != 1 || ln.Err() != nil {
						t.Errorf("got %+v, %v, want the next connection accepted", stats, ln.Err())
					}
					return
				}
				if calls := len(nl.callTimes()); stats.Accepted != 0 || stats.AcceptErrors != 1 || calls != 1 {
					t.Errorf("got %+v after %d calls of Accept, want none after the error", stats, calls)
				}
				select {
				case err := <-served:
					if !errors.Is(err, tt.err) || !errors.Is(ln.Err(), tt.err) {
						t.Errorf("Serve: got %v, Err: %v, want %v", err, ln.Err(), tt.err)
					}
				default:
					t.Error("Serve goes on")
				}
			})
		})
	}
}

// A connection that was not taken when accepting fails for good is closed.
func TestPermanentAcceptErrorClosesUntaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nl := newFakeListener()
		untaken := nl.client(t)
		ln, err := qsocket.NewListener(nl, testkit.Text, nil)
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
