package session

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

const address = "server"

var protocol = qsocket.Protocol[int]{Name: "session/1"}

// kit is a server with sessions on a network of its own, in a bubble.
type kit struct {
	t       *testing.T
	network *qsockettest.Listener
	ln      *qsocket.Listener[int]
	served  <-chan error
	arrived chan *qsocket.Session[int] // one for each handler; the handler waits for the end of its session

	mu    sync.Mutex
	conns []net.Conn // of the client
}

func serverOptions() *qsocket.Options { return &qsocket.Options{MaxSessions: 100} }

func newKit(t *testing.T, opts *qsocket.Options) *kit {
	t.Helper()
	k := &kit{t: t, network: qsockettest.Listen(address), arrived: make(chan *qsocket.Session[int], 1000)}
	var err error
	if k.ln, err = qsocket.NewListener(k.network, protocol, opts); err != nil {
		t.Fatal(err)
	}
	k.served = testkit.Async(func() error {
		return k.ln.ServeSessions(context.Background(), func(ctx context.Context, s *qsocket.Session[int]) {
			k.arrived <- s
			<-s.Done()
		})
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = k.ln.Drain(ctx, "")
	})
	return k
}

// dialContext is that of the network, and keeps the connection for cut.
func (k *kit) dialContext(ctx context.Context, network, address string) (net.Conn, error) {
	nc, err := k.network.DialContext(ctx, network, address)
	if err == nil {
		k.mu.Lock()
		k.conns = append(k.conns, nc)
		k.mu.Unlock()
	}
	return nc, err
}

// dials returns how many connections there were.
func (k *kit) dials() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.conns)
}

// cut breaks the latest connection.
func (k *kit) cut() {
	k.mu.Lock()
	defer k.mu.Unlock()
	_ = k.conns[len(k.conns)-1].Close()
}

func (k *kit) clientOptions() *qsocket.Options {
	return &qsocket.Options{DialContext: k.dialContext, Backoff: func(int) time.Duration { return 10 * time.Millisecond }}
}

// pair begins a session.
func (k *kit) pair(opts *qsocket.Options) (client, server *qsocket.Session[int]) {
	k.t.Helper()
	if opts == nil {
		opts = k.clientOptions()
	}
	client, err := qsocket.DialSession(k.t.Context(), "tcp", address, protocol, opts)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { _ = client.Close() })
	return client, <-k.arrived
}

// send sends from to to, as they are numbered.
func send(t *testing.T, s *qsocket.Session[int], from, to int) {
	t.Helper()
	for i := from; i <= to; i++ {
		if err := s.Send(t.Context(), i); err != nil {
			t.Fatalf("Send %d: %v", i, err)
		}
	}
}

// expect receives from to to, as they are numbered.
func expect(t *testing.T, s *qsocket.Session[int], from, to int) {
	t.Helper()
	for i := from; i <= to; i++ {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		got, err := s.Recv(ctx)
		cancel()
		if err != nil || got != i {
			t.Fatalf("Recv: got %d, %v, want %d", got, err, i)
		}
	}
}
