package session

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// dialPlain makes a Conn to the server of k, or returns the field of the HandshakeError.
func (k *kit) dialPlain() (c *qsocket.Conn[int], refused string) {
	k.t.Helper()
	c, err := qsocket.Dial(k.t.Context(), "tcp", address, protocol, &qsocket.Options{DialContext: k.network.DialContext})
	var he *qsocket.HandshakeError
	if errors.As(err, &he) {
		return nil, he.Field
	}
	if err != nil {
		k.t.Fatal(err)
	}
	<-k.arrived
	return c, ""
}

// A session whose client is away keeps its place at a server that is full: others are told so, and the client comes back.
func TestResumeAtAFullServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := serverOptions()
		opts.MaxConns = 1
		opts.Admit = func(context.Context, qsocket.Peer, map[string]string, net.Conn) error { return nil }
		k := newKit(t, opts)
		copts := k.clientOptions()
		copts.Backoff = func(int) time.Duration { return time.Minute }
		client, server := k.pair(copts)
		send(t, client, 1, 3)
		expect(t, server, 1, 3)
		k.cut()
		synctest.Wait()
		if _, refused := k.dialPlain(); refused != "full" {
			t.Errorf("another client while the first one is away: %q, want full", refused)
		}
		if _, err := qsocket.DialSession(t.Context(), "tcp", address, protocol, &qsocket.Options{DialContext: k.network.DialContext}); !isFull(err) {
			t.Errorf("another session: %v, want full", err)
		}
		send(t, client, 4, 6)
		expect(t, server, 4, 6)
		if got := client.Stats().Resumes; got != 1 {
			t.Errorf("resumed %d times", got)
		}
		if err := client.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		other, refused := k.dialPlain()
		if refused != "" {
			t.Fatalf("the session has ended, and the server is %s", refused)
		}
		testkit.End(other)
	})
}

func isFull(err error) bool {
	var he *qsocket.HandshakeError
	return errors.As(err, &he) && he.Field == "full" && !he.Final()
}

// A client whose old connection is a black hole takes over at once, also where every place is taken: its own is the session's.
func TestTakeoverAtAFullServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := serverOptions()
		opts.MaxConns = 2
		k := newKit(t, opts)
		id := newID()
		k.ask(hello{id: id, try: 1, isNew: true}).wantSession(created, 0) // of which nothing is heard any more
		server := <-k.arrived
		k.ask(hello{id: id, try: 2}).wantSession(resumed, 0) // by the other place, which is free again then
		other, refused := k.dialPlain()
		if refused != "" {
			t.Fatal(refused)
		}
		defer testkit.End(other)
		start := time.Now()
		p := k.ask(hello{id: id, try: 3})
		p.wantSession(resumed, 0)
		if took := time.Since(start); took > 0 {
			t.Errorf("took over after %v", took)
		}
		p.send(1)
		expect(t, server, 1, 1)
		// A name that is not known, and the right one with nothing else right, are no way in.
		k.ask(hello{id: newID(), try: 4}).wantFull()
		k.ask(hello{id: newID(), try: 1, isNew: true}).wantFull()
		k.ask(hello{id: id, try: 3}).wantSession(stale, 0)
		if _, refused := k.dialPlain(); refused != "full" {
			t.Errorf("%q, want full", refused)
		}
		p.close()
		<-server.Done()
		synctest.Wait()
		again, refused := k.dialPlain()
		if refused != "" {
			t.Fatal(refused)
		}
		testkit.End(again)
	})
}

// wantFull reads the goodbye of a server that has no room.
func (p *peer) wantFull() {
	p.t.Helper()
	if code := p.goodbye(); code != int(qsocket.CodeFull) {
		p.t.Errorf("code %d, want %d", code, qsocket.CodeFull)
	}
}

// A client that says nothing on, or is slow, has a second at a full server, and one that comes back to a session the time of
// any handshake.
func TestSlowAtAFullServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := serverOptions()
		opts.MaxConns = 1
		opts.Admit = func(context.Context, qsocket.Peer, map[string]string, net.Conn) error {
			time.Sleep(3 * time.Second)
			return nil
		}
		k := newKit(t, opts)
		client, server := k.pair(nil)
		silent, err := k.network.DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, _ = io.Copy(io.Discard, silent)
		if took := time.Since(start); took != time.Second {
			t.Errorf("a silent client had %v", took)
		}
		k.cut()
		send(t, client, 1, 3)
		expect(t, server, 1, 3)
		if got := k.ln.Refusals(); got["full"] != 1 || len(got) != 1 {
			t.Errorf("%v", got)
		}
	})
}

// Whatever sessions and connections do, MaxConns is how many there may be at the end: no place is lost, and none is won.
func TestPlacesOfSessions(t *testing.T) {
	const places = 5
	rounds := 300
	if testkit.RaceEnabled {
		rounds = 60
	}
	for range rounds {
		synctest.Test(t, func(t *testing.T) {
			opts := serverOptions()
			opts.MaxConns = places
			opts.SessionExpiry = time.Minute
			k := newKit(t, opts)
			go func() { // who comes is not of interest
				for range k.arrived {
				}
			}()
			defer close(k.arrived)
			var work sync.WaitGroup
			for range 8 {
				work.Go(func() { k.comeAndGo(rand.New(rand.NewPCG(rand.Uint64(), 0))) })
			}
			work.Wait()
			time.Sleep(5 * time.Minute) // lost sessions have expired
			synctest.Wait()
			dial := func() (*qsocket.Conn[int], error) {
				return qsocket.Dial(t.Context(), "tcp", address, protocol, &qsocket.Options{DialContext: k.network.DialContext})
			}
			var conns []*qsocket.Conn[int]
			for i := range places {
				c, err := dial()
				if err != nil {
					t.Fatalf("place %d of %d: %v", i+1, places, err)
				}
				conns = append(conns, c)
			}
			if c, err := dial(); err == nil {
				t.Errorf("a connection more than MaxConns %d", places)
				conns = append(conns, c)
			}
			for _, c := range conns {
				testkit.End(c)
			}
			synctest.Wait()
		})
		if t.Failed() {
			return
		}
	}
}

// comeAndGo is a client that does anything.
func (k *kit) comeAndGo(r *rand.Rand) {
	var mu sync.Mutex
	var latest net.Conn
	opts := &qsocket.Options{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			nc, err := k.network.DialContext(ctx, network, address)
			mu.Lock()
			defer mu.Unlock()
			latest = nc
			return nc, err
		},
		Backoff:       func(int) time.Duration { return rand.N(20 * time.Millisecond) },
		SessionExpiry: time.Minute,
	}
	cut := func() {
		mu.Lock()
		defer mu.Unlock()
		if latest != nil {
			_ = latest.Close()
		}
	}
	for range 4 {
		time.Sleep(rand.N(10 * time.Millisecond))
		ctx, cancel := context.WithTimeout(k.t.Context(), time.Second)
		if r.IntN(3) == 0 {
			if c, err := qsocket.Dial(ctx, "tcp", address, protocol, opts); err == nil {
				if r.IntN(2) == 0 {
					cut()
				}
				_ = c.Close()
			}
			cancel()
			continue
		}
		s, err := qsocket.DialSession(ctx, "tcp", address, protocol, opts)
		cancel()
		if err != nil {
			continue
		}
		for range r.IntN(5) {
			switch r.IntN(3) {
			case 0:
				cut()
			case 1:
				time.Sleep(rand.N(30 * time.Millisecond))
			case 2:
				cut()
				time.Sleep(time.Millisecond)
				cut() // while it comes back
			}
		}
		switch r.IntN(3) {
		case 0:
			_ = s.Close()
		case 1: // and never comes back
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			cut()
			_ = s.Shutdown(ctx)
		case 2:
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			_ = s.Shutdown(ctx)
			cancel()
		}
	}
}

// The same where the old connection is kept by a proxy that has swallowed all that came.
func TestBlackHoleAtAFullServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		proxy := qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{})
		defer proxy.Close()
		sopts := serverOptions()
		sopts.MaxConns, sopts.Heartbeat = 1, time.Hour
		copts := &qsocket.Options{Heartbeat: time.Second}
		client, server, _ := blobPair(t, proxy, sopts, copts)
		proxy.Cut(qsockettest.BlackHole)
		for i := range 3 {
			if err := client.Send(t.Context(), numbered(i+1, 10)); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		if err := recvBlobs(t.Context(), server, 1, 3, 10); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("took over after %v, want about twice the client's heartbeat", took)
		}
	})
}

// Whoever knows a session, as its own client does, cannot use it to have more connections at a full server than there are
// places for those who are turned away, however many attempts it makes, in whatever way they are late or stuck.
func TestAttemptsAtAFullServer(t *testing.T) {
	for name, attempt := range map[string]func(k *kit, id []byte){
		"stale": func(k *kit, id []byte) { k.say(hello{id: id, try: 1}) },
		"stuck before the verdict": func(k *kit, id []byte) {
			k.say(hello{id: id, try: 2, admits: true}) // and never says what it has decided
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts := serverOptions()
				opts.MaxConns = 2
				k := newKit(t, opts)
				id := newID()
				k.ask(hello{id: id, try: 1, isNew: true}).wantSession(created, 0)
				server := <-k.arrived
				client, other := k.pair(nil)
				for range 200 {
					attempt(k, id)
				}
				start := time.Now()
				k.cut() // an honest client of another session
				send(t, client, 1, 3)
				expect(t, other, 1, 3)
				if took := time.Since(start); took > 20*time.Second {
					t.Errorf("it came back after %v", took)
				}
				for range 30 {
					if stats := k.ln.Stats(); stats.Open+stats.Handshaking > 2+16 {
						t.Fatalf("%+v with MaxConns 2", stats)
					}
					time.Sleep(100 * time.Millisecond)
				}
				if err := server.Err(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// say connects and sends a hello, and nothing else.
func (k *kit) say(h hello) {
	k.t.Helper()
	nc, err := k.network.DialContext(k.t.Context(), "tcp", address)
	if err != nil {
		k.t.Fatal(err)
	}
	newPeer(k.t, nc).sayHello(h)
}

// What Options.Admit does about a client that comes back is counted as such, also where the server is full.
func TestAdmitAtAFullServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := serverOptions()
		opts.MaxConns = 1
		admit := make(chan func(ctx context.Context) error, 1) // something else than to let the next one in
		opts.Admit = func(ctx context.Context, _ qsocket.Peer, _ map[string]string, _ net.Conn) error {
			select {
			case f := <-admit:
				return f(ctx)
			default:
				return nil
			}
		}
		k := newKit(t, opts)
		client, server := k.pair(nil)
		admit <- func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() } // for HandshakeTimeout
		k.cut()
		send(t, client, 1, 3)
		expect(t, server, 1, 3)
		admit <- func(context.Context) error { return qsocket.Refuse("no longer") }
		k.cut()
		<-client.Done()
		var he *qsocket.HandshakeError
		if err := client.Err(); !errors.As(err, &he) || he.Field != "refused" {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		if got := k.ln.Refusals(); got["timeout"] != 1 || got["refused"] != 1 || len(got) != 2 {
			t.Errorf("%v", got)
		}
	})
}
