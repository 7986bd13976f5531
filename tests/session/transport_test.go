package session

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

var soak = flag.Duration("session.soak", time.Second, "how long TestSessionSoak sends over each transport")

// Sessions over real sockets whose connections are cut all the time, in all ways, under load: each end gets what the other
// sends, every message numbered, exactly once and in order; and both programs know at the end.
func TestSessionSoak(t *testing.T) {
	for _, transport := range []string{"tcp", "unix", "tls"} {
		t.Run(transport, func(t *testing.T) {
			if *soak > time.Minute {
				t.Parallel()
			}
			soakOver(t, transport)
		})
	}
}

func soakOver(t *testing.T, transport string) {
	const clients = 4
	network, addr := "tcp", "127.0.0.1:0"
	if transport == "unix" {
		network, addr = "unix", filepath.Join(testkit.ShortTempDir(t), "s")
	}
	sopts := &qsocket.Options{MaxSessions: clients, SessionBuffer: 64 << 10, Heartbeat: time.Second}
	copts := *sopts
	copts.MaxSessions = 0
	copts.Backoff = func(int) time.Duration { return rand.N(20 * time.Millisecond) }
	if transport == "tls" {
		sopts.TLS, copts.TLS = testkit.ServerTLS(), testkit.ClientTLS()
	}
	ln, err := qsocket.Listen(network, addr, blobs, sopts)
	if err != nil {
		t.Fatal(err)
	}
	proxy := qsockettest.NewProxy(rand.Uint64(), qsockettest.Faults{Split: 3000}, qsockettest.Faults{Split: 3000})
	defer proxy.Close()
	var mu sync.Mutex
	var latest []net.Conn // of all clients
	copts.DialContext = func(ctx context.Context, nw, _ string) (net.Conn, error) {
		nc, err := proxy.Through(new(net.Dialer).DialContext)(ctx, network, ln.Addr().String())
		if err == nil {
			mu.Lock()
			latest = append(latest, nc)
			mu.Unlock()
		}
		return nc, err
	}
	served := testkit.Async(func() error {
		return ln.ServeSessions(context.Background(), func(ctx context.Context, s *qsocket.Session[[]byte]) {
			sendUntil := time.Now().Add(*soak)
			if err := soakEnd(ctx, s, sendUntil); err != nil {
				t.Errorf("server: %v", err)
			}
		})
	})
	var work sync.WaitGroup
	var messages, resumes, replayed atomic.Uint64
	for i := range clients {
		s, err := qsocket.DialSession(t.Context(), "tcp", "localhost:1", blobs, &copts)
		if err != nil {
			t.Fatal(err)
		}
		work.Go(func() {
			if err := soakEnd(context.Background(), s, time.Now().Add(*soak)); err != nil {
				t.Errorf("client %d: %v", i, err)
			}
			got := s.Stats()
			messages.Add(got.MessagesSent + got.MessagesReceived)
			resumes.Add(got.Resumes)
			replayed.Add(got.Replayed)
		})
	}
	stop := make(chan struct{})
	troubled := make(chan struct{})
	go func() { // ends with the work
		defer close(troubled)
		for {
			select {
			case <-time.After(rand.N(100 * time.Millisecond)):
			case <-stop:
				return
			}
			switch rand.N(8) {
			case 0:
				proxy.Cut(qsockettest.FIN)
			case 1:
				proxy.Cut(qsockettest.RST)
			case 2:
				if rand.N(20) == 0 { // it takes two heartbeats to find that out
					proxy.Cut(qsockettest.BlackHole)
				}
			default:
				mu.Lock()
				if n := len(latest); n > 0 {
					i := rand.N(n)
					_ = latest[i].Close()
					latest = append(latest[:i], latest[i+1:]...)
				}
				mu.Unlock()
			}
		}
	}()
	work.Wait()
	close(stop)
	<-troubled
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := ln.Drain(ctx, "over"); err != nil {
		t.Errorf("Drain: %v", err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	t.Logf("%s, %v: %d messages, %d resumes, %d messages sent again", transport, *soak, messages.Load(), resumes.Load(), replayed.Load())
	if messages.Load() == 0 || resumes.Load() == 0 {
		t.Error("nothing was sent, or nothing was cut")
	}
}

// soakEnd sends numbered messages of random sizes until that time, and receives those of the other end meanwhile.
func soakEnd(ctx context.Context, s *qsocket.Session[[]byte], until time.Time) error {
	pause := 20 * time.Millisecond
	if *soak > time.Minute {
		pause *= 5 // the machine has other work
	}
	sent := testkit.Async(func() error {
		for i := 1; time.Now().Before(until); i++ {
			if err := s.Send(ctx, numbered(i, 8+rand.N(2000))); err != nil {
				return fmt.Errorf("Send %d: %w", i, err)
			}
			if i%50 == 0 {
				time.Sleep(rand.N(pause))
			}
		}
		return s.CloseWrite()
	})
	next := 1
	for v, err := range s.All(ctx) {
		if err != nil {
			return fmt.Errorf("after %d messages: %w", next-1, err)
		}
		if number(v) != next || v[len(v)-1] != byte(next) && len(v) > 8 {
			return fmt.Errorf("got message %d, want %d", number(v), next)
		}
		next++
	}
	if err := <-sent; err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := s.Shutdown(within); err != nil {
		return fmt.Errorf("Shutdown: %w", err)
	}
	for v, perhaps := range s.Unacknowledged() {
		return fmt.Errorf("message %d is unacknowledged (%v)", number(v), perhaps)
	}
	return s.Err()
}

// A session belongs to the certificate of the client that began it.
func TestSession19AnotherCertificate(t *testing.T) {
	sopts := &qsocket.Options{MaxSessions: 10, TLS: testkit.ServerTLS().Clone()}
	sopts.TLS.ClientAuth = tls.RequireAnyClientCert
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", protocol, sopts)
	if err != nil {
		t.Fatal(err)
	}
	arrived := make(chan *qsocket.Session[int], 10)
	go ln.ServeSessions(context.Background(), func(ctx context.Context, s *qsocket.Session[int]) {
		arrived <- s
		<-s.Done()
	})
	defer func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = ln.Drain(ctx, "")
	}()
	alice, mallory := clientCertificate(t), clientCertificate(t)
	id := newID()
	connect := func(cert tls.Certificate, h hello) *peer {
		config := testkit.ClientTLS().Clone()
		config.Certificates = []tls.Certificate{cert}
		nc, err := tls.Dial("tcp", ln.Addr().String(), config)
		if err != nil {
			t.Fatal(err)
		}
		p := newPeer(t, nc)
		p.greet(h)
		return p
	}
	first := connect(alice, hello{id: id, try: 1, isNew: true})
	first.wantSession(created, 0)
	server := <-arrived
	stranger := connect(mallory, hello{id: id, try: 2})
	stranger.wantSession(lost, 0)
	_ = stranger.nc.Close()
	first.send(1)
	expect(t, server, 1, 1)
	second := connect(alice, hello{id: id, try: 2})
	second.wantSession(resumed, 1)
	second.send(2)
	expect(t, server, 2, 2)
	second.close()
	<-server.Done()
	if err := server.Err(); err != nil {
		t.Error(err)
	}
}
