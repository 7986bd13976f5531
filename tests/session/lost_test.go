package session

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// A server that has restarted does not know the session: the client is told so, with what was not taken, and
// nothing begins by itself.
func TestSession08ServerRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network qsockettest.Network
		serve := func() (*qsocket.Listener[int], chan *qsocket.Session[int]) {
			nl, err := network.Listen(address)
			if err != nil {
				t.Fatal(err)
			}
			ln, err := qsocket.NewListener(nl, protocol, serverOptions())
			if err != nil {
				t.Fatal(err)
			}
			arrived := make(chan *qsocket.Session[int], 10)
			go ln.ServeSessions(context.Background(), func(ctx context.Context, s *qsocket.Session[int]) {
				arrived <- s
				<-s.Done()
			})
			return ln, arrived
		}
		stop := func(ln *qsocket.Listener[int]) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_ = ln.Shutdown(ctx)
		}
		first, arrived := serve()
		client, err := qsocket.DialSession(t.Context(), "tcp", address, protocol, &qsocket.Options{DialContext: network.DialContext})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		server := <-arrived
		send(t, client, 1, 10)
		expect(t, server, 1, 4)
		time.Sleep(10 * time.Second) // the next ack tells that 4 of 10 were taken
		_ = first.Close()
		_ = server.NetConn().Close() // the process is gone
		synctest.Wait()
		send(t, client, 11, 12)
		second, arrived2 := serve()
		defer stop(second)
		defer stop(first)
		<-client.Done()
		var lost *qsocket.SessionError
		if err := client.Err(); !errors.As(err, &lost) || !errors.Is(err, qsocket.ErrSessionLost) || lost.Taken != 4 || lost.Sent != 10 {
			t.Errorf("got %v", err)
		}
		next := 5
		for v, perhaps := range client.Unacknowledged() {
			if v != next || perhaps != (v <= 10) {
				t.Errorf("got %d, %v, want %d", v, perhaps, next)
			}
			next++
		}
		if next != 13 {
			t.Errorf("unacknowledged up to %d, want 12", next-1)
		}
		if err := client.Send(t.Context(), 13); !errors.Is(err, net.ErrClosed) || !errors.Is(err, qsocket.ErrSessionLost) {
			t.Errorf("Send: %v", err)
		}
		time.Sleep(time.Hour)
		if len(arrived2) > 0 {
			t.Error("a session has begun by itself")
		}
	})
}

// The client comes back in the moment in which it is given up: either way both ends agree.
func TestSession09ExpiryDuringResume(t *testing.T) {
	for around := -20 * time.Microsecond; around <= 20*time.Microsecond; around += time.Microsecond {
		synctest.Test(t, func(t *testing.T) {
			opts := serverOptions()
			opts.SessionExpiry = time.Second
			k := newKit(t, opts)
			copts := k.clientOptions()
			copts.SessionExpiry = time.Hour
			copts.Backoff = func(failures int) time.Duration { return time.Second + around }
			client, server := k.pair(copts)
			send(t, client, 1, 3)
			expect(t, server, 1, 3)
			k.cut()
			synctest.Wait()
			send(t, client, 4, 6)
			time.Sleep(time.Minute)
			if server.Err() == nil {
				expect(t, server, 4, 6)
				send(t, server, 1, 3)
				expect(t, client, 1, 3)
			} else if !errors.Is(client.Err(), qsocket.ErrSessionLost) {
				t.Errorf("the server has %v, the client %v", server.Err(), client.Err())
			}
		})
	}
}

// Nothing was ever sent when the connection is lost.
func TestSession15NothingReceived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		client, server := k.pair(nil)
		k.cut()
		time.Sleep(time.Second)
		k.cut()
		time.Sleep(time.Second)
		send(t, client, 1, 1)
		send(t, server, 1, 1)
		expect(t, server, 1, 1)
		expect(t, client, 1, 1)
		if got := client.Stats(); got.Resumes != 2 || got.Replayed != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// The confirm of a goodbye is lost: Shutdown learns from the server that the session has ended well.
func TestSession21ConfirmLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		hole := qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{})
		defer hole.Close()
		copts := k.clientOptions()
		copts.Heartbeat = time.Second
		first := true
		copts.DialContext = func(ctx context.Context, nw, addr string) (net.Conn, error) {
			if first {
				first = false
				return hole.Through(k.dialContext)(ctx, nw, addr)
			}
			return k.dialContext(ctx, nw, addr)
		}
		client, server := k.pair(copts)
		send(t, client, 1, 3)
		expect(t, server, 1, 3)
		hole.Set(qsockettest.Faults{}, qsockettest.Faults{Stall: true}) // nothing comes from the server
		shut := testkit.Async(func() error { return client.Shutdown(t.Context()) })
		<-server.Done()
		if err := server.Err(); err != nil {
			t.Errorf("server: %v", err)
		}
		hole.Cut(qsockettest.RST)
		if err := <-shut; err != nil || client.Err() != nil {
			t.Errorf("Shutdown: %v, Err %v", err, client.Err())
		}
		for v := range client.Unacknowledged() {
			t.Errorf("%d is unacknowledged", v)
		}
		if k.dials() != 2 {
			t.Errorf("%d dials", k.dials())
		}
	})
}

// The end of the messages comes once, however often it is said.
func TestSession22CloseWriteAndCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		client, server := k.pair(nil)
		send(t, client, 1, 3)
		if err := client.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if err := client.Send(t.Context(), 4); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Send: %v", err)
		}
		for range 5 {
			k.cut()
			time.Sleep(time.Second)
			send(t, server, 1, 2)
			expect(t, client, 1, 2)
		}
		next := 1
		for v := range server.Messages() {
			if v != next {
				t.Errorf("got %d, want %d", v, next)
			}
			next++
		}
		if next != 4 || server.Err() != nil {
			t.Errorf("%d messages, %v", next-1, server.Err())
		}
		k.cut()
		time.Sleep(time.Second)
		send(t, server, 7, 9)
		expect(t, client, 7, 9)
		if err := server.CloseWrite(); err != nil {
			t.Error(err)
		}
		if _, err := client.Recv(t.Context()); err != io.EOF {
			t.Errorf("got %v, want io.EOF", err)
		}
		<-client.Done()
		<-server.Done()
		if client.Err() != nil || server.Err() != nil {
			t.Errorf("%v, %v", client.Err(), server.Err())
		}
	})
}

// A message that one end cannot decode would come again and again: both ends end, after one connection.
func TestSession23PoisonMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		p := k.ask(hello{id: newID(), try: 1, isNew: true})
		p.wantSession(created, 0)
		server := <-k.arrived
		p.write([]byte{0, 0, 0, 1, 0xc1}) // no MessagePack
		if code := p.goodbye(); code != int(qsocket.CodeBadMessage) {
			t.Errorf("code %d", code)
		}
		<-server.Done()
		var codec *qsocket.CodecError
		if !errors.As(server.Err(), &codec) {
			t.Errorf("server: %v", server.Err())
		}
	})
	synctest.Test(t, func(t *testing.T) { // the client learns it by the server's goodbye
		network := qsockettest.Listen(address)
		text := qsocket.Protocol[any]{Name: protocol.Name, Codec: renamed[any]{qsocket.Msgpack[any]()}}
		number := qsocket.Protocol[int]{Name: protocol.Name, Codec: renamed[int]{qsocket.Msgpack[int]()}}
		ln, err := qsocket.NewListener(network, number, serverOptions())
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.EndListener(ln)
		ended := make(chan error, 1)
		go ln.ServeSessions(context.Background(), func(ctx context.Context, s *qsocket.Session[int]) {
			<-s.Done()
			ended <- s.Err()
		})
		var dials atomic.Int64
		client, err := qsocket.DialSession(t.Context(), "tcp", address, text, &qsocket.Options{DialContext: func(ctx context.Context, nw, addr string) (net.Conn, error) {
			dials.Add(1)
			return network.DialContext(ctx, nw, addr)
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		if err := client.Send(t.Context(), any("poison")); err != nil {
			t.Fatal(err)
		}
		<-client.Done()
		var remote *qsocket.RemoteError
		if !errors.As(client.Err(), &remote) || remote.Code != qsocket.CodeBadMessage {
			t.Errorf("client: %v", client.Err())
		}
		if err := <-ended; err == nil {
			t.Error("the server has no error")
		}
		time.Sleep(time.Hour)
		if dials.Load() != 1 {
			t.Errorf("%d dials", dials.Load())
		}
	})
}

// renamed is a codec that tells no types.
type renamed[T any] struct{ qsocket.Codec[T] }

func (renamed[T]) Name() string    { return "untyped" }
func (renamed[T]) Stateless() bool { return true }

// A server that accepts and closes is not hammered.
func TestSession24AcceptThenClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		copts := k.clientOptions()
		copts.Backoff = nil
		copts.SessionExpiry = 24 * time.Hour
		var closing atomic.Bool
		var count atomic.Int64
		copts.DialContext = func(ctx context.Context, nw, addr string) (net.Conn, error) {
			if !closing.Load() {
				return k.dialContext(ctx, nw, addr)
			}
			count.Add(1)
			a, b := qsockettest.NetPipe()
			_ = b.Close()
			return a, nil
		}
		client, _ := k.pair(copts)
		closing.Store(true)
		k.cut()
		time.Sleep(time.Hour)
		dials := count.Load()
		// With full jitter and a ceiling of 15 s, 7.5 s on average.
		if dials < 300 || dials > 700 {
			t.Errorf("%d dials in an hour, want about 480", dials)
		}
		if client.Err() != nil {
			t.Error(client.Err())
		}
	})
}

// The same where each connection is taken up and then lost: what counts is how long one has lasted.
func TestSession24ResumeThenCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		copts := k.clientOptions()
		copts.Backoff = nil
		client, _ := k.pair(copts)
		start := time.Now()
		for time.Since(start) < time.Hour {
			k.cut()
			synctest.Wait()
			for client.NetConn() == nil {
				time.Sleep(time.Millisecond)
			}
		}
		if n := k.dials(); n < 300 || n > 700 {
			t.Errorf("%d dials in an hour, want about 480", n)
		}
	})
}

// Many clients that lose their server at once come back one by one.
func TestSession25FirstDialsAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients = 1000
		opts := serverOptions()
		opts.MaxSessions = clients
		k := newKit(t, opts)
		var sessions []*qsocket.Session[int]
		for range clients {
			copts := k.clientOptions()
			copts.Backoff = nil
			s, _ := k.pair(copts)
			sessions = append(sessions, s)
		}
		k.mu.Lock()
		for _, nc := range k.conns {
			_ = nc.Close()
		}
		k.mu.Unlock()
		synctest.Wait()
		back := make([]int, 11)
		for i := range back {
			for _, s := range sessions {
				if s.NetConn() != nil {
					back[i]++
				}
			}
			time.Sleep(20 * time.Millisecond)
		}
		// 200 ms, evenly: so a tenth of them in each 20 ms.
		for i := 1; i < len(back); i++ {
			if n := back[i] - back[i-1]; i < 10 && (n < clients/20 || n > clients/5) {
				t.Errorf("%d came back within 20 ms: %v", n, back)
			}
		}
		if back[10] != clients {
			t.Errorf("%d of %d are back", back[10], clients)
		}
	})
}

// Another protocol at the address of the server is for good. (Raw mode is not: what it sends may come from a balancer.)
func TestSession27AnotherProtocolAtResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		other := qsockettest.Listen("other")
		ln, err := qsocket.NewListener(other, qsocket.Protocol[int]{Name: "other/1"}, serverOptions())
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.EndListener(ln)
		copts := k.clientOptions()
		var moved atomic.Bool
		var dials atomic.Int64
		copts.DialContext = func(ctx context.Context, nw, addr string) (net.Conn, error) {
			if moved.Load() {
				dials.Add(1)
				return other.DialContext(ctx, nw, "other")
			}
			return k.dialContext(ctx, nw, addr)
		}
		client, _ := k.pair(copts)
		moved.Store(true)
		k.cut()
		<-client.Done()
		var he *qsocket.HandshakeError
		if err := client.Err(); !errors.As(err, &he) || he.Field != "proto" || dials.Load() != 1 {
			t.Errorf("%v after %d dials", err, dials.Load())
		}
	})
}

// A callback that blocks, or closes the session, holds up nothing.
func TestSession29OnSessionBlocksOrCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		copts := k.clientOptions()
		release := make(chan struct{})
		var kinds []qsocket.SessionKind
		copts.OnSession = func(e qsocket.SessionEvent) {
			<-release
			kinds = append(kinds, e.Kind)
		}
		client, server := k.pair(copts)
		for i := range 3 {
			k.cut()
			time.Sleep(time.Second)
			send(t, client, i, i)
			expect(t, server, i, i)
		}
		close(release)
		synctest.Wait()
		if len(kinds) != 6 || kinds[0] != qsocket.SessionDown || kinds[5] != qsocket.SessionResumed {
			t.Errorf("events: %v", kinds)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		copts := k.clientOptions()
		var client *qsocket.Session[int]
		closed := make(chan error, 1)
		copts.OnSession = func(e qsocket.SessionEvent) {
			if e.Kind == qsocket.SessionDown {
				closed <- client.Close()
			}
		}
		var server *qsocket.Session[int]
		client, server = k.pair(copts)
		k.cut()
		if err := <-closed; err != nil {
			t.Errorf("Close: %v", err)
		}
		<-server.Done()
		if server.Err() != nil || client.Err() != nil {
			t.Errorf("%v, %v", server.Err(), client.Err())
		}
	})
}

// What is accepted between the peer's goodbye and the end of the session is not confirmed with what came before
// it: Shutdown says so, and Unacknowledged has it.
func TestSendBehindPeersGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		slow := qsockettest.Faults{Latency: 10 * time.Millisecond}
		proxy := qsockettest.NewProxy(1, slow, slow)
		defer proxy.Close()
		opts := k.clientOptions()
		opts.DialContext = proxy.Through(k.dialContext)
		client, server := k.pair(opts)
		send(t, client, 1, 3)
		expect(t, server, 1, 3)
		shutdown := testkit.Async(func() error { return client.Shutdown(t.Context()) })
		if v, err := server.Recv(t.Context()); err != io.EOF {
			t.Fatalf("Recv: got %d, %v, want io.EOF", v, err)
		}
		synctest.Wait() // the goodbye is answered, and the client's confirm is on its way
		send(t, server, 1, 1)
		synctest.Wait() // the Conn has refused it
		if err := server.Shutdown(t.Context()); !errors.Is(err, qsocket.ErrUnconfirmed) {
			t.Errorf("Shutdown of the server: got %v, want ErrUnconfirmed", err)
		}
		var left []int
		for v := range server.Unacknowledged() {
			left = append(left, v)
		}
		if !slices.Equal(left, []int{1}) {
			t.Errorf("Unacknowledged: got %v, want [1]", left)
		}
		if err := <-shutdown; err != nil {
			t.Errorf("Shutdown of the client: %v", err)
		}
	})
}
