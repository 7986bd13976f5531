package session

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// Counts that cannot be, and frames that have no place, end the session on both ends, as a violation of the protocol.
func TestSession18Violations(t *testing.T) {
	for name, violate := range map[string]func(k *kit, p *peer, id []byte) *peer{
		"ack above what was sent": func(k *kit, p *peer, id []byte) *peer { p.ack(4); return p },
		"ack that falls":          func(k *kit, p *peer, id []byte) *peer { p.ack(2); p.ack(1); return p },
		"ack of 7 bytes":          func(k *kit, p *peer, id []byte) *peer { p.control(5, 0, 0, 0, 0, 0, 0, 1); return p },
		"ask with a body":         func(k *kit, p *peer, id []byte) *peer { p.control(6, 0); return p },
		"answer from a client":    func(k *kit, p *peer, id []byte) *peer { p.control(4, 0x81, 0xa2, 's', 't', 1); return p },
		"got above what was sent": func(k *kit, p *peer, id []byte) *peer {
			q := k.ask(hello{id: id, try: 2, got: 4})
			return q
		},
		"got below what was acked": func(k *kit, p *peer, id []byte) *peer {
			p.ack(2)
			synctest.Wait()
			q := k.ask(hello{id: id, try: 2, got: 1})
			return q
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKit(t, serverOptions())
				id := newID()
				p := k.ask(hello{id: id, try: 1, isNew: true})
				p.wantSession(created, 0)
				server := <-k.arrived
				send(t, server, 1, 3)
				for i := 1; i <= 3; i++ {
					p.wantMessage(i)
				}
				p = violate(k, p, id)
				if code := p.goodbye(); code != int(qsocket.CodeProtocol) {
					t.Errorf("code %d, want %d", code, qsocket.CodeProtocol)
				}
				<-server.Done()
				if err := server.Err(); !errors.Is(err, qsocket.ErrProtocol) {
					t.Errorf("got %v, want ErrProtocol", err)
				}
				k.ask(hello{id: id, try: 3, got: 3}).wantSession(lost, 0)
			})
		})
	}
}

// A client acknowledges what it was sent on the last connection, and not yet again on this one.
func TestSession18AckOfWhatWasNotGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const messages = 20_000 // more than the buffers of a connection hold
		opts := serverOptions()
		opts.SendBuffer = 100
		k := newKit(t, opts)
		id := newID()
		p := k.ask(hello{id: id, try: 1, isNew: true})
		p.wantSession(created, 0)
		server := <-k.arrived
		sent := testkit.Async(func() error {
			for i := 1; i <= messages; i++ {
				if err := server.Send(t.Context(), i); err != nil {
					return err
				}
			}
			return nil
		})
		for i := 1; i <= messages; i++ {
			p.wantMessage(i)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		q := k.ask(hello{id: id, try: 2})
		q.wantSession(resumed, 0)
		synctest.Wait() // what is sent again fills all buffers
		q.ack(messages)
		if code := q.goodbye(); code != int(qsocket.CodeProtocol) {
			t.Errorf("code %d, want %d", code, qsocket.CodeProtocol)
		}
		<-server.Done()
		if err := server.Err(); !errors.Is(err, qsocket.ErrProtocol) {
			t.Errorf("got %v, want ErrProtocol", err)
		}
	})
}

// What an end says that has no session is what it always was.
func TestSession18FramesOutsideSessions(t *testing.T) {
	for name, frame := range map[string]func(*peer){
		"answer": func(p *peer) { p.control(4, 0x81, 0xa2, 's', 't', 1) },
		"ack":    func(p *peer) { p.ack(0) },
		"ask":    func(p *peer) { p.control(6) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKit(t, serverOptions())
				p := k.ask(hello{})
				server := <-k.arrived
				frame(p)
				if code := p.goodbye(); code != int(qsocket.CodeProtocol) {
					t.Errorf("code %d", code)
				}
				<-server.Done()
				if err := server.Err(); !errors.Is(err, qsocket.ErrProtocol) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// The client, too, is told of what cannot be: an ack before its answer, a session that is created twice, and counts.
func TestSession18ViolationsOfAServer(t *testing.T) {
	answer := func(p *peer, st, got byte) {
		p.control(4, 0x83, 0xa2, 's', 't', st, 0xa3, 'g', 'o', 't', got, 0xa3, 'e', 'x', 'p', 100)
	}
	for name, c := range map[string]struct {
		first, second func(p *peer)
	}{
		"ack before the answer":    {first: func(p *peer) { p.ack(0) }},
		"message before it":        {first: func(p *peer) { p.send(1) }},
		"state 0":                  {first: func(p *peer) { answer(p, 0, 0) }},
		"state 7":                  {first: func(p *peer) { answer(p, 7, 0) }},
		"created, and got":         {first: func(p *peer) { answer(p, created, 1) }},
		"created again":            {func(p *peer) { answer(p, created, 0) }, func(p *peer) { answer(p, created, 0) }},
		"got above what was sent":  {func(p *peer) { answer(p, created, 0) }, func(p *peer) { answer(p, resumed, 9) }},
		"got below what was acked": {func(p *peer) { answer(p, created, 0); p.wantMessage(1); p.ack(1) }, func(p *peer) { answer(p, resumed, 0) }},
		"answered twice":           {first: func(p *peer) { answer(p, created, 0); answer(p, created, 0) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := qsockettest.Listen(address)
				done := make(chan struct{})
				go func() {
					defer close(done)
					for _, say := range []func(*peer){c.first, c.second} {
						nc, err := network.Accept()
						if err != nil || say == nil {
							return
						}
						p := newPeer(t, nc)
						p.greetAsServer()
						say(p)
						if c.second != nil {
							time.Sleep(time.Second)
							_ = nc.Close()
						}
					}
				}()
				client, err := qsocket.DialSession(t.Context(), "tcp", address, protocol, &qsocket.Options{DialContext: network.DialContext})
				if err == nil {
					_ = client.Send(t.Context(), 1)
					<-client.Done()
					err = client.Err()
				}
				_ = network.Close()
				<-done
				var he *qsocket.HandshakeError
				if !errors.Is(err, qsocket.ErrProtocol) && !(errors.As(err, &he) && he.Field == "hello") {
					t.Errorf("got %v, want a violation", err)
				}
			})
		})
	}
}

// greetAsServer reads a hello and sends that of a server with sessions.
func (p *peer) greetAsServer() { p.greetAsServerOf("session/1", 0x1000) }

func (p *peer) greetAsServerOf(proto string, max int) {
	header := p.read(8)
	p.read(int(binary.BigEndian.Uint32(header[4:])))
	p.sayHelloOfServer(proto, max)
}

func (p *peer) sayHelloOfServer(proto string, max int) {
	body, err := msgpack.Marshal(map[string]any{"proto": proto, "codec": "msgpack", "max": max, "keep": 0x1000, "ses": 0x1000, "nl": "\r\n\r\n"})
	if err != nil {
		p.t.Error(err)
	}
	p.write(append(binary.BigEndian.AppendUint32([]byte("QSK\x01"), uint32(len(body))), body...))
}

// Ends with and without sessions, in all four pairs.
func TestSession26FourPairs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a server with, a client without
		k := newKit(t, serverOptions())
		c, err := qsocket.Dial(t.Context(), "tcp", address, protocol, k.clientOptions())
		if err != nil {
			t.Fatal(err)
		}
		server := <-k.arrived
		if err := c.Send(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		expect(t, server, 1, 1)
		if err := server.Send(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Recv(t.Context()); got != 2 || err != nil {
			t.Errorf("got %d, %v", got, err)
		}
		if err := server.Sync(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Sync: %v", err)
		}
		k.cut()
		<-server.Done()
		if server.Err() == nil {
			t.Error("a plain peer is gone, and Err is nil")
		}
		_ = c.Close()
	})
	synctest.Test(t, func(t *testing.T) { // a server without, a client with
		network := qsockettest.Listen(address)
		ln, err := qsocket.NewListener(network, protocol, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.EndListener(ln)
		go func() {
			for c := range ln.Conns() {
				go func() {
					<-c.Done()
					_ = c.Close()
				}()
			}
		}()
		_, err = qsocket.DialSession(t.Context(), "tcp", address, protocol, &qsocket.Options{DialContext: network.DialContext})
		var he *qsocket.HandshakeError
		if !errors.As(err, &he) || he.Field != "session" || !he.Final() {
			t.Errorf("got %v, want a HandshakeError with Field session", err)
		}
		if err := ln.ServeSessions(t.Context(), func(context.Context, *qsocket.Session[int]) {}); err == nil {
			t.Error("ServeSessions without MaxSessions: no error")
		}
	})
}

var many = flag.Int("session.many", 20_000, "how many clients of TestSession28ManyThatLeave come and go")

// Clients that ask for a session and leave take no more than MaxSessions, and are told so.
func TestSession28ManyThatLeave(t *testing.T) {
	clients := *many
	if testkit.RaceEnabled {
		clients = 2000
	}
	synctest.Test(t, func(t *testing.T) {
		opts := serverOptions()
		opts.SessionExpiry = time.Minute
		k := newKit(t, opts)
		var before, after runtime.MemStats
		told := make(map[int]int)
		for i := range clients {
			nc, err := k.network.DialContext(t.Context(), "tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			p := &peer{t: t, nc: nc}
			p.greet(hello{id: newID(), try: 1, isNew: true})
			st, _ := p.readSession()
			told[st]++
			_ = p.nc.Close()
			if i == 1000 {
				synctest.Wait()
				runtime.GC()
				runtime.ReadMemStats(&before)
			}
			if st == created {
				<-k.arrived
			}
		}
		synctest.Wait()
		runtime.GC()
		runtime.ReadMemStats(&after)
		if told[created] != 100 || told[busy] != clients-100 {
			t.Errorf("told: %v", told)
		}
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
			t.Errorf("the heap has grown by %d bytes", grown)
		}
		time.Sleep(2 * time.Minute)
		p := k.ask(hello{id: newID(), try: 1, isNew: true})
		p.wantSession(created, 0)
		p.close()
	})
}

// What is remembered of sessions that have ended is bounded as well, by MaxSessions: of the latest ones a client learns how
// they have ended, the others are not known.
func TestSession28Tombstones(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 100
		k := newKit(t, serverOptions())
		var before, after runtime.MemStats
		var ids [][]byte
		sessions := 3000
		for i := range sessions {
			id := newID()
			p := k.ask(hello{id: id, try: 1, isNew: true})
			p.wantSession(created, 0)
			p.send(1)
			expect(t, <-k.arrived, 1, 1)
			p.close()
			synctest.Wait()
			ids = append(ids, id)
			if i == 2*most {
				runtime.GC()
				runtime.ReadMemStats(&before)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
			t.Errorf("the heap has grown by %d bytes", grown)
		}
		for i, id := range ids[sessions-2*most:] {
			p := k.ask(hello{id: id, try: 2})
			if i < most {
				p.wantSession(lost, 0)
			} else {
				p.wantSession(over, 1)
			}
			_ = p.nc.Close()
		}
	})
}

// A server at whose next hello the types differ is none to resume at, nor one that takes less than what is queued: the session
// ends with what would come again, and dials no more.
func TestSession31ChangedAtResume(t *testing.T) {
	type number struct{ N int }
	type text struct{ N string }
	synctest.Test(t, func(t *testing.T) {
		network, other := qsockettest.Listen(address), qsockettest.Listen("other")
		first := listenTo(t, network, qsocket.Protocol[number]{Name: "changes/1"}, serverOptions())
		listenTo(t, other, qsocket.Protocol[text]{Name: "changes/1"}, serverOptions())
		dials := 0
		client, err := qsocket.DialSession(t.Context(), "tcp", address, qsocket.Protocol[number]{Name: "changes/1"}, &qsocket.Options{
			DialContext: func(ctx context.Context, nw, addr string) (net.Conn, error) {
				if dials++; dials > 1 {
					return other.DialContext(ctx, nw, "other")
				}
				return network.DialContext(ctx, nw, addr)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		_ = (<-first).NetConn().Close()
		<-client.Done()
		var he *qsocket.HandshakeError
		if err := client.Err(); !errors.As(err, &he) || he.Field != "types" || dials != 2 {
			t.Errorf("%v after %d dials", err, dials)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		network := qsockettest.Listen(address)
		dials := 0
		served := testkit.Async(func() error {
			for max := 1000; ; max = 100 {
				nc, err := network.Accept()
				if err != nil {
					return nil
				}
				dials++
				p := newPeer(t, nc)
				p.greetAsServerOf("blobs/1", max)
				p.control(4, 0x81, 0xa2, 's', 't', byte(dials)) // created, and then resumed, with nothing had
				if dials == 1 {
					time.Sleep(time.Second)
					_ = nc.Close()
				}
			}
		})
		client, err := qsocket.DialSession(t.Context(), "tcp", address, blobs, &qsocket.Options{DialContext: network.DialContext})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := client.Send(t.Context(), make([]byte, 500)); err != nil {
				t.Fatal(err)
			}
		}
		<-client.Done()
		_ = network.Close()
		<-served
		n := 0
		for range client.Unacknowledged() {
			n++
		}
		if err := client.Err(); !errors.Is(err, qsocket.ErrFrameTooLarge) || dials != 2 || n != 3 {
			t.Errorf("%v after %d dials, with %d messages left", err, dials, n)
		}
	})
}

func listenTo[T any](t *testing.T, nl net.Listener, p qsocket.Protocol[T], opts *qsocket.Options) chan *qsocket.Session[T] {
	t.Helper()
	ln, err := qsocket.NewListener(nl, p, opts)
	if err != nil {
		t.Fatal(err)
	}
	arrived := make(chan *qsocket.Session[T], 10)
	go ln.ServeSessions(context.Background(), func(ctx context.Context, s *qsocket.Session[T]) {
		arrived <- s
		<-s.Done()
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = ln.Drain(ctx, "")
	})
	return arrived
}
