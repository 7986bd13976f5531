package session

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// A peer that has said on one connection that no more messages come, and sends one on the next, violates the protocol.
func TestSession18MessageAfterGoodbye(t *testing.T) {
	for name, full := range map[string]bool{"half": false, "full": true} {
		for _, cut := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					k := newKit(t, serverOptions())
					id := newID()
					p := k.ask(hello{id: id, try: 1, isNew: true})
					p.wantSession(created, 0)
					server := <-k.arrived
					p.send(1)
					if full {
						p.control(1, 0x81, 0xa4, 'f', 'u', 'l', 'l', 0xc3)
					} else {
						p.control(1, 0x80)
					}
					synctest.Wait()
					if cut {
						_ = p.nc.Close()
					}
					q := k.ask(hello{id: id, try: 2})
					if state, _ := q.readSession(); state != resumed && !full {
						t.Fatalf("state %d, want %d", state, resumed)
					} else if state != resumed { // it has ended well
						return
					}
					q.send(2)
					if code := q.goodbye(); code != int(qsocket.CodeProtocol) {
						t.Errorf("code %d, want %d", code, qsocket.CodeProtocol)
					}
					expect(t, server, 1, 1)
					if _, more := <-server.Messages(); more {
						t.Error("a message after the last one")
					}
					<-server.Done()
					if err := server.Err(); !errors.Is(err, qsocket.ErrProtocol) {
						t.Errorf("got %v, want ErrProtocol", err)
					}
				})
			})
		}
	}
}

// An ack of what was sent earlier, and is yet to be sent again, comes together with the hello: the feeder has not begun, which
// is a violation, or has been faster.
func TestSession18AckBeforeTheFeeder(t *testing.T) {
	rounds, violations := 2000, 0
	if testkit.RaceEnabled {
		rounds = 300
	}
	for range rounds {
		synctest.Test(t, func(t *testing.T) {
			const messages = 100
			k := newKit(t, serverOptions())
			id := newID()
			p := k.ask(hello{id: id, try: 1, isNew: true})
			p.wantSession(created, 0)
			server := <-k.arrived
			send(t, server, 1, messages)
			for i := 1; i <= messages; i++ {
				p.wantMessage(i)
			}
			nc, err := k.network.DialContext(t.Context(), "tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			q := newPeer(t, nc)
			contend(server)
			q.sayHello(hello{id: id, try: 2})
			q.ack(messages)
			synctest.Wait()
			switch err := server.Err(); {
			case errors.Is(err, qsocket.ErrProtocol):
				violations++
			case err != nil:
				t.Errorf("got %v, want ErrProtocol or none", err)
			default: // the feeder was the first, and has given it all
				_ = q.nc.Close()
				_ = k.ask(hello{id: id, try: 3, got: messages}).nc.Close()
			}
		})
	}
	if violations == 0 {
		t.Error("the ack was never too early")
	}
}

// contend has others wait for the mutex of s for a while, so that it is handed over in any order.
func contend(s *qsocket.Session[int]) {
	for range 4 {
		go func() { // ends by itself
			for range 300 {
				s.Stats()
			}
		}()
	}
}

// A server drains while a client is on its way back: it gets its answer first, and learns that behind it.
func TestDrainDuringTheResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sopts := serverOptions()
		var slow atomic.Bool
		drained := make(chan struct{})
		sopts.Admit = func(context.Context, qsocket.Peer, map[string]string, net.Conn) error {
			if slow.Load() {
				<-drained
			}
			return nil
		}
		k := newKit(t, sopts)
		client, server := k.pair(nil)
		slow.Store(true)
		k.cut()
		time.Sleep(time.Second) // it waits for Admit
		send(t, client, 1, 3)
		over := testkit.Async(func() error { return k.ln.Drain(t.Context(), "update") })
		synctest.Wait()
		close(drained)
		<-client.GoingAway()
		expect(t, server, 1, 3)
		if err := client.Sync(t.Context()); err != nil {
			t.Error(err)
		}
		if err := client.Close(); err != nil || client.Err() != nil {
			t.Error(err, client.Err())
		}
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
}

// deafConn is a net.Conn whose writes fail at some time, while what comes can be read.
type deafConn struct {
	net.Conn
	fails *atomic.Bool
}

func (d deafConn) Write(b []byte) (int, error) {
	if d.fails.Load() {
		return 0, errors.New("nothing gets through")
	}
	return d.Conn.Write(b)
}

// deafPair begins a session whose first connection fails to write when fails is set.
func (k *kit) deafPair(fails *atomic.Bool) (client, server *qsocket.Session[int]) {
	opts := k.clientOptions()
	dial := opts.DialContext
	opts.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := dial(ctx, network, address)
		if err == nil && k.dials() == 1 {
			nc = deafConn{nc, fails}
		}
		return nc, err
	}
	return k.pair(opts)
}

// A connection on which nothing can be written any more is lost, although the peer is still heard.
func TestWriteFailsWhileThePeerTalks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		var fails atomic.Bool
		client, server := k.deafPair(&fails)
		talked := testkit.Async(func() error {
			for i := 1; ; i++ {
				if err := server.Send(t.Context(), i); err != nil {
					return err
				}
				time.Sleep(10 * time.Millisecond)
			}
		})
		expect(t, client, 1, 10)
		fails.Store(true)
		start := time.Now()
		send(t, client, 1, 3)
		expect(t, server, 1, 3)
		if took := time.Since(start); took > time.Second {
			t.Errorf("it took %v", took)
		}
		expect(t, client, 11, 100)
		_ = client.Close()
		<-talked
	})
}

// Against a peer that has fallen silent the end takes CloseTimeout, and no more, as that of a Drain does.
func TestEndWithASilentPeer(t *testing.T) {
	for i := range 4 {
		drain, messages := i%2 == 1, i/2*3
		synctest.Test(t, func(t *testing.T) {
			proxy := qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{})
			defer proxy.Close()
			k := newKit(t, serverOptions())
			copts := k.clientOptions()
			copts.DialContext = proxy.Through(copts.DialContext)
			client, server := k.pair(copts)
			proxy.Cut(qsockettest.BlackHole)
			send(t, server, 1, messages)
			start := time.Now()
			if drain {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				_ = k.ln.Drain(ctx, "update")
			} else if err := server.Close(); errors.Is(err, qsocket.ErrSessionLost) != (messages > 0) {
				t.Errorf("got %v with %d messages, want ErrSessionLost if there are some", err, messages)
			}
			for k.ln.Stats().Open > 0 {
				time.Sleep(10 * time.Millisecond)
			}
			if took := time.Since(start); took > 5*time.Second+100*time.Millisecond {
				t.Errorf("drain %v, %d messages: it took %v, want CloseTimeout 5 s", drain, messages, took)
			}
			proxy.Close()
			<-client.Done()
		})
	}
}

// A callback that panics costs its session, and a log line, and no more.
func TestPanickingCallbacksOfSessions(t *testing.T) {
	t.Run("Backoff", func(t *testing.T) {
		panicking(t, "Options.Backoff panicked: oh", func(o *qsocket.Options, again *atomic.Bool) {
			o.Backoff = func(int) time.Duration { panic("oh") }
		})
	})
	t.Run("dial", func(t *testing.T) {
		panicking(t, "the function that dials panicked: oh", func(o *qsocket.Options, again *atomic.Bool) {
			dial := o.DialContext
			o.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				if again.Load() {
					panic("oh")
				}
				return dial(ctx, network, address)
			}
		})
	})
	t.Run("TLS", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var again atomic.Bool
			sopts := serverOptions()
			sopts.TLS = testkit.ServerTLS()
			k := newKit(t, sopts)
			copts := k.clientOptions()
			copts.TLS = testkit.ClientTLS()
			copts.TLS.ServerName = "localhost"
			copts.TLS.VerifyConnection = func(tls.ConnectionState) error {
				if again.Load() {
					panic("oh")
				}
				return nil
			}
			client, _ := k.pair(copts)
			again.Store(true)
			k.cut()
			<-client.Done()
			if err := client.Err(); err == nil || !strings.Contains(err.Error(), "panic in the handshake: oh") {
				t.Errorf("got %v, want the panic", err)
			}
		})
	})
	t.Run("SessionIdentity", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var again atomic.Bool
			sopts := serverOptions()
			sopts.SessionIdentity = func(net.Conn) string {
				if again.Load() {
					panic("oh")
				}
				return ""
			}
			k := newKit(t, sopts)
			client, server := k.pair(nil)
			again.Store(true)
			k.cut()
			time.Sleep(time.Second)
			again.Store(false)
			send(t, client, 1, 3)
			expect(t, server, 1, 3)
			if got := k.ln.Refusals(); got["panic"] == 0 || len(got) != 1 {
				t.Errorf("%v", got)
			}
		})
	})
}

func panicking(t *testing.T, want string, prepare func(o *qsocket.Options, again *atomic.Bool)) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		copts := k.clientOptions()
		log := new(testkit.LogRecorder)
		copts.Logger = log.Logger()
		var again atomic.Bool
		prepare(copts, &again)
		client, _ := k.pair(copts)
		again.Store(true)
		k.cut()
		send(t, client, 1, 3)
		<-client.Done()
		if err := client.Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		n := 0
		for range client.Unacknowledged() {
			n++
		}
		if n != 3 || !strings.Contains(log.Text(), want[:strings.Index(want, ":")]) {
			t.Errorf("%d messages are left, want 3; the log: %s", n, log.Text())
		}
	})
}

// What the program is told of a session makes sense in the order in which it is told.
func TestSessionEventsInOrder(t *testing.T) {
	rounds := 300
	if testkit.RaceEnabled {
		rounds = 50
	}
	for range rounds {
		synctest.Test(t, func(t *testing.T) {
			k := newKit(t, serverOptions())
			copts := k.clientOptions()
			copts.Backoff = func(int) time.Duration { return time.Millisecond }
			dial := copts.DialContext
			dials := 0
			copts.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				if dials++; dials%3 == 0 {
					return nil, errors.New("not now")
				}
				nc, err := dial(ctx, network, address)
				if err == nil && dials > 1 {
					go func() { // ends at once
						time.Sleep(time.Duration(dials%2) * time.Millisecond)
						_ = nc.Close()
					}()
				}
				return nc, err
			}
			var events []qsocket.SessionKind
			over := make(chan struct{})
			copts.OnSession = func(e qsocket.SessionEvent) {
				if events = append(events, e.Kind); e.Kind == qsocket.SessionEnded {
					close(over)
				}
			}
			client, _ := k.pair(copts)
			k.cut()
			time.Sleep(20 * time.Millisecond)
			go client.Close()
			<-over
			time.Sleep(time.Second) // nothing follows
			after := map[qsocket.SessionKind][]qsocket.SessionKind{
				0:                      {qsocket.SessionDown, qsocket.SessionEnded},
				qsocket.SessionDown:    {qsocket.SessionRetry, qsocket.SessionResumed, qsocket.SessionEnded},
				qsocket.SessionRetry:   {qsocket.SessionRetry, qsocket.SessionResumed, qsocket.SessionEnded},
				qsocket.SessionResumed: {qsocket.SessionDown, qsocket.SessionEnded},
			}
			last := qsocket.SessionKind(0)
			for i, kind := range events {
				if !strings.Contains(names(after[last]), kind.String()) {
					t.Fatalf("event %d is %v, want one of %v: %v", i, kind, names(after[last]), events)
				}
				last = kind
			}
		})
	}
}

func names(kinds []qsocket.SessionKind) string {
	var list []string
	for _, k := range kinds {
		list = append(list, k.String())
	}
	return strings.Join(list, ", ")
}

// event is what a Union with one case is of.
type event interface{ isEvent() }

type known struct{ N int }

func (known) isEvent() {}

var events = qsocket.Protocol[event]{
	Name:  "events/1",
	Codec: qsocket.Union(qsocket.Case[event](1, qsocket.Msgpack[known]()), qsocket.SkipUnknown[event]()),
}

// An end that has closed, and has much to write first, acknowledges nothing of what comes meanwhile: neither a message that it
// drops, nor one of an unknown case behind that.
func TestNoAckAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := qsockettest.Listen(address)
		ln, err := qsocket.NewListener(network, events, serverOptions())
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.EndListener(ln)
		arrived := make(chan *qsocket.Session[event], 1)
		go ln.ServeSessions(context.Background(), func(ctx context.Context, s *qsocket.Session[event]) { // ends with the Listener
			arrived <- s
			<-s.Done()
		})
		nc, err := network.DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		p := newPeer(t, nc)
		p.greet(hello{id: newID(), try: 1, isNew: true, proto: events.Name, codec: "union(msgpack)"})
		p.wantSession(created, 0)
		server := <-arrived
		for i := range 100_000 { // more than the socket holds, and SendBuffer
			if err := server.Send(t.Context(), known{i}); err != nil {
				t.Fatal(err)
			}
		}
		closed := testkit.Async(server.Close)
		synctest.Wait()
		p.write([]byte{0, 0, 0, 5, 1, 0x81, 0xa1, 'N', 7}) // a known one
		p.write([]byte{0, 0, 0, 1, 9})                     // and an unknown one
		synctest.Wait()
		for {
			kind, body := p.frame()
			if kind == 5 {
				t.Errorf("ack % x, although the first message was dropped", body)
			}
			if kind == 1 {
				break
			}
		}
		p.control(2)
		_ = nc.Close()
		<-closed
	})
}

// A peer whose program has taken all that came may have acknowledged none of the last quarter of SessionBuffer. What must not
// wait is accepted all the same, also with messages that are little but their frames.
func TestTrySendToWhoHasTakenAll(t *testing.T) {
	for _, size := range []int{8, 100} {
		synctest.Test(t, func(t *testing.T) {
			const buffer = 4 << 10
			opts := &qsocket.Options{SessionBuffer: buffer, Heartbeat: time.Hour}
			client, server, _ := blobPair(t, nil, serverOptions(), opts)
			group := qsocket.NewGroup(blobs, qsocket.Disconnect)
			group.AddSession(client)
			for i := 1; i <= 10_000; i++ {
				n := size
				if i%100 == 0 {
					n = buffer - 10
				}
				if i%2 == 0 {
					group.Broadcast(t.Context(), numbered(i, n))
				} else if sent, err := client.TrySend(numbered(i, n)); !sent {
					t.Fatalf("message %d of %d bytes: %v", i, n, err)
				}
				if err := recvBlobs(t.Context(), server, i, i, n); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if held := client.Stats().Unacknowledged; held >= buffer/4 && n < buffer/4 {
					t.Fatalf("%d bytes are not acknowledged after message %d", held, i)
				}
			}
			if client.Err() != nil || client.Stats().Unacknowledged > buffer {
				t.Error(client.Err(), client.Stats().Unacknowledged)
			}
		})
	}
}

// The program closes a session just when a write of nothing but an ack has failed: the end is told on the next connection.
func TestCloseBehindAFailedAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		var fails atomic.Bool
		client, server := k.deafPair(&fails)
		send(t, client, 1, 3)
		expect(t, server, 1, 3)
		send(t, server, 1, 1)
		fails.Store(true)
		synced := testkit.Async(func() error { return server.Sync(t.Context()) }) // asks for an ack
		expect(t, client, 1, 1)
		time.Sleep(10 * time.Millisecond)
		start := time.Now()
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took > 2*time.Second || k.dials() != 2 {
			t.Errorf("Close took %v, and %d dials", took, k.dials())
		}
		if err := <-synced; err != nil {
			t.Error(err)
		}
	})
}

// A Shutdown that is given up at once still lets a goodbye out: with everything taken both ends end well.
func TestShutdownGivenUpWithNothingLeft(t *testing.T) {
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			k := newKit(t, serverOptions())
			client, server := k.pair(nil)
			send(t, server, 1, 3)
			expect(t, client, 1, 3)
			if err := server.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			contend(server)
			_ = server.Shutdown(ctx)
			<-client.Done()
			if client.Err() != nil || server.Err() != nil {
				t.Errorf("client %v, server %v", client.Err(), server.Err())
			}
		})
		if t.Failed() {
			return
		}
	}
}
