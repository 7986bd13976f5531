package peers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// each runs a test for every contestant.
func each(t *testing.T, test func(*testing.T, Contestant)) {
	for _, c := range All() {
		t.Run(c.String(), func(t *testing.T) { test(t, c) })
	}
}

// open returns both ends of n connections. Those that only call have no server's ends.
func open(t *testing.T, c Contestant, m Message, n int) (server Server, clients, servers []End) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	server, err := c.Listen(m)
	if err != nil {
		t.Fatalf("Listen: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("Server.Close: %v", err)
		}
	})
	for i := range n {
		client, err := c.Dial(ctx, server.Addr(), m)
		if err != nil {
			t.Fatalf("Dial %d: %v", i, err)
		}
		t.Cleanup(func() { client.Close() })
		clients = append(clients, client)
		if c.Calls {
			continue
		}
		end, err := server.Accept()
		if err != nil {
			t.Fatalf("Accept %d: %v", i, err)
		}
		servers = append(servers, end)
	}
	return server, clients, servers
}

// send sends stamps first … first+n-1 and flushes.
func send(s Sender, first, n int) error {
	for i := range n {
		if err := s.Send(int64(first + i)); err != nil {
			return fmt.Errorf("Send %d: %w", first+i, err)
		}
	}
	return s.Flush()
}

// recv receives n messages and returns their stamps.
func recv(e End, n int) ([]int64, error) {
	stamps := make([]int64, 0, n)
	for range n {
		stamp, err := e.Recv()
		if err != nil {
			return stamps, fmt.Errorf("Recv after %d of %d: %w", len(stamps), n, err)
		}
		stamps = append(stamps, stamp)
	}
	return stamps, nil
}

// count returns the stamps 0 … n-1.
func count(n int) []int64 {
	stamps := make([]int64, n)
	for i := range stamps {
		stamps[i] = int64(i)
	}
	return stamps
}

// transfer sends n messages from one end to the other with as many goroutines
// as senders, and checks that all arrive, in order if one sent them.
func transfer(t *testing.T, from, to End, ordered bool, senders, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			if err := send(from, i*n/senders, n/senders); err != nil {
				t.Error(err)
			}
		})
	}
	stamps, err := recv(to, n)
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if !ordered || senders > 1 {
		slices.Sort(stamps)
	}
	if !slices.Equal(stamps, count(n)) {
		t.Fatalf("got stamps %v …, want 0 to %d", stamps[:min(n, 10)], n-1)
	}
}

// far returns the end at which messages sent by client arrive.
func far(client End, servers []End, i int) End {
	if len(servers) == 0 {
		return client
	}
	return servers[i]
}

func TestOrder(t *testing.T) {
	each(t, func(t *testing.T, c Contestant) {
		_, clients, servers := open(t, c, Message{}, 1)
		transfer(t, clients[0], far(clients[0], servers, 0), !c.Calls, 1, 1000)
		if !c.Calls {
			transfer(t, servers[0], clients[0], true, 1, 1000)
		}
	})
}

func TestSenders(t *testing.T) {
	each(t, func(t *testing.T, c Contestant) {
		_, clients, servers := open(t, c, Message{}, 1)
		transfer(t, clients[0], far(clients[0], servers, 0), false, 16, 16*200)
	})
}

func TestBlob(t *testing.T) {
	each(t, func(t *testing.T, c Contestant) {
		_, clients, servers := open(t, c, Message{BlobSize: 1 << 20}, 1)
		transfer(t, clients[0], far(clients[0], servers, 0), !c.Calls, 1, 1)
		if !c.Calls {
			transfer(t, servers[0], clients[0], true, 1, 1)
		}
	})
}

func TestConnections(t *testing.T) {
	each(t, func(t *testing.T, c Contestant) {
		_, clients, servers := open(t, c, Message{}, 20)
		var wg sync.WaitGroup
		for i, client := range clients {
			wg.Go(func() { transfer(t, client, far(client, servers, i), !c.Calls, 1, 50) })
		}
		wg.Wait()
		if c.Calls {
			return
		}
		for i, server := range servers {
			wg.Go(func() { transfer(t, server, clients[i], true, 1, 50) })
		}
		wg.Wait()
	})
}

func TestGroup(t *testing.T) {
	each(t, func(t *testing.T, c Contestant) {
		server, clients, servers := open(t, c, Message{}, 5)
		grouper, ok := server.(Grouper)
		if !ok {
			t.Skip("no group of its own")
		}
		group, err := grouper.Group(servers)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for _, client := range clients {
			wg.Go(func() {
				stamps, err := recv(client, 100)
				if err != nil || !slices.Equal(stamps, count(100)) {
					t.Errorf("got %v, %v, want 0 to 99", stamps, err)
				}
			})
		}
		if err := send(group, 0, 100); err != nil {
			t.Error(err)
		}
		wg.Wait()
	})
}

// TestClose checks that closing an end unblocks its Recv and a Send that
// waits for the peer, that closing the server ends its connections, and that no
// goroutine remains.
func TestClose(t *testing.T) {
	each(t, func(t *testing.T, c Contestant) {
		before := runtime.NumGoroutine()
		t.Run("ends", func(t *testing.T) {
			_, clients, servers := open(t, c, Message{BlobSize: 64 << 10}, 2)
			for _, end := range append(clients, servers...) {
				done := make(chan error)
				var begun sync.WaitGroup // both may be waiting then; no need that they are
				begun.Add(2)
				go func() { begun.Done(); _, err := end.Recv(); done <- err }()
				go func() { begun.Done(); done <- fill(c, end) }()
				begun.Wait()
				closed := make(chan error)
				go func() { closed <- end.Close() }()
				for range 2 {
					wait(t, "Recv and Send after Close", done)
				}
				wait(t, "Close", closed)
			}
		})
		t.Run("server", func(t *testing.T) {
			server, _, servers := open(t, c, Message{}, 2)
			done := make(chan error)
			var begun sync.WaitGroup
			begun.Add(len(servers))
			for _, end := range servers {
				go func() { begun.Done(); _, err := end.Recv(); done <- err }()
			}
			if !c.Calls {
				begun.Add(1)
				go func() { begun.Done(); _, err := server.Accept(); done <- err }()
			}
			begun.Wait()
			if err := server.Close(); err != nil {
				t.Errorf("Server.Close: %v", err)
			}
			for range servers {
				wait(t, "Recv after Server.Close", done)
			}
			if !c.Calls {
				wait(t, "Accept after Server.Close", done)
			}
		})
		if strings.HasPrefix(c.Name, "zmq4") {
			return // it leaves a goroutine where messages have not been received
		}
		deadline := time.Now().Add(10 * time.Second)
		ticks := time.NewTicker(time.Millisecond) // there is no event for the end of a goroutine
		defer ticks.Stop()
		for ; runtime.NumGoroutine() > before; <-ticks.C {
			if time.Now().After(deadline) {
				buf := make([]byte, 1<<20)
				t.Fatalf("%d goroutines, want %d:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
			}
		}
	})
}

// fill sends until that fails, or for long enough.
func fill(c Contestant, end End) error {
	for i := range 1000 {
		if err := end.Send(int64(i)); err != nil {
			return err
		}
	}
	return nil
}

// wait waits for done. What comes out is the library's business.
func wait(t *testing.T, what string, done <-chan error) {
	t.Helper()
	select {
	case err := <-done:
		if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", what, err)
		}
	case <-time.After(5 * time.Second):
		t.Fatalf("%s: still waiting", what)
	}
}
