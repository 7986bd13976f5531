package proxy_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/leak"
	"github.com/fb9bb4ed/qsocket/internal/testkit"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/proxy"
)

func TestMain(m *testing.M) { leak.Main(m) }

// seen is a Watcher that keeps everything.
type seen struct {
	mu     sync.Mutex
	bytes  [2]bytes.Buffer
	ends   [2]error
	closed chan struct{}
}

func (s *seen) Saw(from proxy.Side, b []byte, _ time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes[from].Write(b)
}
func (s *seen) Passed(proxy.Side) {}
func (s *seen) Ended(from proxy.Side, err error, _ time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ends[from] = err
}
func (s *seen) Closed() { close(s.closed) }

// between returns the two ends of a connection through a proxy, and what it has seen.
func between(t *testing.T) (client, server *net.TCPConn, s *seen) {
	t.Helper()
	back := listen(t)
	front := listen(t)
	s = &seen{closed: make(chan struct{})}
	p := &proxy.Proxy{
		Listener: front,
		Dial:     func(ctx context.Context) (net.Conn, error) { return net.Dial("tcp", back.Addr().String()) },
		Watch: func(conn uint32, client net.Addr, failed error) proxy.Watcher {
			if failed != nil || conn != 1 {
				t.Errorf("got the connection %d, %v", conn, failed)
			}
			return s
		},
		Most: 1,
	}
	served := testkit.Async(func() error { return p.Serve(context.Background()) })
	t.Cleanup(func() {
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	nc, err := net.Dial("tcp", front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	accepted, err := back.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { accepted.Close() })
	for _, c := range []net.Conn{nc, accepted} {
		_ = c.SetDeadline(time.Now().Add(testkit.Timeout))
	}
	return nc.(*net.TCPConn), accepted.(*net.TCPConn), s
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nl.Close() })
	return nl
}

// Both directions at once, to the byte; each ends by itself.
func TestBytes(t *testing.T) {
	client, server, s := between(t)
	var sums [2][2][sha256.Size]byte
	var all sync.WaitGroup
	for i, ends := range [][2]*net.TCPConn{{client, server}, {server, client}} {
		random := make([]byte, 5<<20+i)
		rand.New(rand.NewSource(int64(i))).Read(random)
		sums[i][0] = sha256.Sum256(random)
		all.Go(func() {
			if _, err := ends[0].Write(random); err != nil {
				t.Error(err)
			}
			_ = ends[0].CloseWrite()
		})
		all.Go(func() {
			got, err := io.ReadAll(ends[1])
			if err != nil {
				t.Error(err)
			}
			sums[i][1] = sha256.Sum256(got)
		})
	}
	all.Wait()
	<-s.closed
	for i := range sums {
		if sums[i][0] != sums[i][1] || sha256.Sum256(s.bytes[i].Bytes()) != sums[i][0] || s.ends[i] != nil {
			t.Errorf("direction %d: it was changed, or ended with %v", i, s.ends[i])
		}
	}
}

// After the end of one direction the other goes on.
func TestHalfClose(t *testing.T) {
	client, server, s := between(t)
	if _, err := client.Write([]byte("question")); err != nil {
		t.Fatal(err)
	}
	_ = client.CloseWrite()
	if got, err := io.ReadAll(server); string(got) != "question" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	if _, err := server.Write([]byte("answer")); err != nil {
		t.Fatal(err)
	}
	server.Close()
	if got, err := io.ReadAll(client); string(got) != "answer" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	<-s.closed
}

// A reset of either end reaches the other, behind what that end had sent before.
func TestReset(t *testing.T) {
	for name, swap := range map[string]bool{"of the client": false, "of the server": true} {
		t.Run(name, func(t *testing.T) {
			one, other, s := between(t)
			from := proxy.Client
			if swap {
				one, other, from = other, one, proxy.Server
			}
			if _, err := one.Write([]byte("last words")); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 10)
			if _, err := io.ReadFull(other, got); err != nil {
				t.Fatal(err)
			}
			_ = one.SetLinger(0)
			one.Close()
			if n, err := other.Read(got); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("got %d bytes, %v, want a reset", n, err)
			}
			<-s.closed
			if s.ends[from] == nil {
				t.Error("the watcher was told of a clean end")
			}
		})
	}
}

// An end that closes its socket and is written to answers with a reset, through a proxy as without.
func TestWriteToOneThatHasGone(t *testing.T) {
	client, server, s := between(t)
	server.Close()
	if _, err := io.ReadAll(client); err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		if _, err := client.Write([]byte("still there?")); err != nil {
			break
		}
	}
	<-s.closed
}

// A receiver that does not read stops its sender: what is in between is bounded by what the kernel
// keeps.
func TestBackPressure(t *testing.T) {
	client, server, s := between(t)
	_ = server.SetReadBuffer(64 << 10)
	var sent atomic.Int64
	stalled := make(chan struct{})
	go func() { // ends with the deadline of the write
		defer close(stalled)
		block := make([]byte, 64<<10)
		for {
			_ = client.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
			n, err := client.Write(block)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	}()
	<-stalled
	s.mu.Lock()
	through := s.bytes[proxy.Client].Len()
	s.mu.Unlock()
	if n := sent.Load(); n > 64<<20 || int64(through) > n {
		t.Errorf("%d bytes were taken from the sender, %d seen", n, through)
	}
	client.Close()
	_, _ = io.Copy(io.Discard, server)
	server.Close()
	<-s.closed
}

// A server that is not there resets the client, and so does the end of the proxy.
func TestServerIsNotThere(t *testing.T) {
	front := listen(t)
	failed := make(chan error, 1)
	want := errors.New("nothing listens there")
	ctx, cancel := context.WithCancel(context.Background())
	p := &proxy.Proxy{
		Listener: front,
		Dial:     func(context.Context) (net.Conn, error) { return nil, want },
		Watch:    func(_ uint32, _ net.Addr, err error) proxy.Watcher { failed <- err; return nil },
	}
	served := testkit.Async(func() error { return p.Serve(ctx) })
	if nc, err := net.Dial("tcp", front.Addr().String()); err == nil { // or it was reset that early
		defer nc.Close()
		if _, err := nc.Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Errorf("got %v, want a reset", err)
		}
	}
	if err := <-failed; err != want {
		t.Errorf("got %v, want %v", err, want)
	}
	cancel()
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
}

func TestInterrupted(t *testing.T) {
	back, front := listen(t), listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	s := &seen{closed: make(chan struct{})}
	p := &proxy.Proxy{
		Listener: front,
		Dial:     func(ctx context.Context) (net.Conn, error) { return net.Dial("tcp", back.Addr().String()) },
		Watch:    func(uint32, net.Addr, error) proxy.Watcher { return s },
	}
	served := testkit.Async(func() error { return p.Serve(ctx) })
	nc, err := net.Dial("tcp", front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	accepted, err := back.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	if _, err := nc.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(accepted, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := nc.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a reset", err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	<-s.closed
}

// TLS of the client ends here. Its close_notify is passed on, and a stream that is cut is not taken
// for one that has ended.
func TestTLS(t *testing.T) {
	for _, clean := range []bool{true, false} {
		t.Run(fmt.Sprint(clean), func(t *testing.T) {
			back, front := listen(t), listen(t)
			s := &seen{closed: make(chan struct{})}
			p := &proxy.Proxy{
				Listener: front, TLS: testkit.ServerTLS(), Most: 1,
				Dial:  func(ctx context.Context) (net.Conn, error) { return net.Dial("tcp", back.Addr().String()) },
				Watch: func(uint32, net.Addr, error) proxy.Watcher { return s },
			}
			served := testkit.Async(func() error { return p.Serve(context.Background()) })
			nc, err := net.Dial("tcp", front.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			client := tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
			if _, err := client.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			server, err := back.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			if clean {
				_ = client.CloseWrite()
			} else {
				_, _ = nc.Write([]byte("\x17\x03\x03\x00\x10abc")) // the beginning of a record
				_ = nc.(*net.TCPConn).CloseWrite()
			}
			_, err = io.ReadAll(server)
			if (err == nil) != clean {
				t.Errorf("got %v at the end", err)
			}
			server.Close()
			<-s.closed
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	}
	// A client that speaks no TLS.
	front := listen(t)
	failed := make(chan error, 1)
	p := &proxy.Proxy{Listener: front, TLS: testkit.ServerTLS(), Most: 1, Watch: func(_ uint32, _ net.Addr, err error) proxy.Watcher { failed <- err; return nil }}
	served := testkit.Async(func() error { return p.Serve(context.Background()) })
	nc, err := net.Dial("tcp", front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_, _ = nc.Write([]byte("QSK\x01\x00\x00\x00\x00"))
	if err := <-failed; err == nil {
		t.Error("a client without TLS was let in")
	}
	<-served
}
