package session

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// cutForGood breaks the connection, and no other comes.
func (k *kit) cutForGood() {
	_ = k.network.Close()
	k.cut()
	synctest.Wait()
}

// unacknowledged returns how many messages s has left.
func unacknowledged(s *qsocket.Session[int]) (n int) {
	for range s.Unacknowledged() {
		n++
	}
	return n
}

// A peer that closes without receiving everything is no failure of the session, but the sender can find out.
func TestSessionPeerClosesWithoutReceiving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		client, server := k.pair(nil)
		send(t, client, 1, 40)
		synctest.Wait()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-client.Done()
		if err := client.Err(); err != nil {
			t.Errorf("Err: %v", err)
		}
		if err := client.Sync(t.Context()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Sync: %v", err)
		}
		if err := client.Shutdown(t.Context()); !errors.Is(err, qsocket.ErrUnconfirmed) || errors.Is(err, qsocket.ErrSessionLost) {
			t.Errorf("Shutdown: %v", err)
		}
		if n := unacknowledged(client); n != 40 {
			t.Errorf("%d messages are unacknowledged, want 40", n)
		}
	})
}

// What the methods that end a session return when it has ended already.
func TestSessionEndAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		client, _ := k.pair(nil)
		send(t, client, 1, 3)
		k.cutForGood()
		if err := client.Sync(t.Context()); !errors.Is(err, qsocket.ErrSessionLost) || !errors.Is(err, net.ErrClosed) {
			t.Errorf("Sync: %v", err)
		}
		if err := client.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := client.Shutdown(t.Context()); !errors.Is(err, qsocket.ErrUnconfirmed) || !errors.Is(err, qsocket.ErrSessionLost) {
			t.Errorf("Shutdown: %v", err)
		}
		if err := client.CloseWrite(); err != client.Err() || err == nil {
			t.Errorf("CloseWrite: %v", err)
		}
	})
}

// Close gives the peer CloseTimeout to come back, and Shutdown as long as ctx allows.
func TestSessionEndWhileDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		client, _ := k.pair(nil)
		send(t, client, 1, 3)
		k.cutForGood()
		start := time.Now()
		if err := client.Close(); !errors.Is(err, qsocket.ErrSessionLost) || err != client.Err() {
			t.Errorf("Close: %v, Err %v", err, client.Err())
		}
		if d, n := time.Since(start), unacknowledged(client); d != 5*time.Second || n != 3 {
			t.Errorf("Close took %v, and %d messages are left", d, n)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		client, _ := k.pair(nil)
		send(t, client, 1, 3)
		k.cutForGood()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		if err := client.Shutdown(ctx); err != context.DeadlineExceeded || !errors.Is(client.Err(), qsocket.ErrSessionLost) {
			t.Errorf("Shutdown: %v, Err %v", err, client.Err())
		}
		if d, n := time.Since(start), unacknowledged(client); d != time.Minute || n != 3 {
			t.Errorf("Shutdown took %v, and %d messages are left", d, n)
		}
	})
}

// With SendFailsWhileDown nothing is queued without a connection, and a Group leaves the session out.
func TestSessionSendFailsWhileDown(t *testing.T) {
	for _, overflow := range []qsocket.Overflow{qsocket.Block, qsocket.Drop, qsocket.Disconnect} {
		synctest.Test(t, func(t *testing.T) {
			opts := serverOptions()
			opts.SendFailsWhileDown = true
			k := newKit(t, opts)
			copts := k.clientOptions()
			copts.Backoff = func(int) time.Duration { return time.Second }
			firstClient, first := k.pair(copts)
			k.cut()
			synctest.Wait()
			if err := first.Send(t.Context(), 1); err == nil || errors.Is(err, net.ErrClosed) {
				t.Errorf("Send: %v", err)
			}
			if sent, err := first.TrySend(1); sent || err == nil {
				t.Errorf("TrySend: %v, %v", sent, err)
			}
			secondClient, second := k.pair(copts)
			group := qsocket.NewGroup(protocol, overflow)
			group.AddSession(first)
			group.AddSession(second)
			if n, err := group.Broadcast(t.Context(), 7); n != 1 || err != nil || group.Len() != 2 {
				t.Errorf("Broadcast: %d, %v, of %d members", n, err, group.Len())
			}
			expect(t, secondClient, 7, 7)
			time.Sleep(2 * time.Second) // the first one is back
			if n, err := group.Broadcast(t.Context(), 8); n != 2 || err != nil {
				t.Errorf("Broadcast: %d, %v", n, err)
			}
			expect(t, firstClient, 8, 8)
			expect(t, secondClient, 8, 8)
		})
	}
}

// What Options.Backoff is asked.
func TestSessionBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		var asked []int
		copts := k.clientOptions()
		copts.Backoff = func(failures int) time.Duration {
			asked = append(asked, failures)
			return time.Second
		}
		k.pair(copts)
		for range 3 {
			k.cut()
			time.Sleep(2 * time.Second)
		}
		time.Sleep(20 * time.Second)
		k.cut()
		time.Sleep(2 * time.Second)
		synctest.Wait() // which orders what Backoff has written
		if want := []int{0, 1, 2, 0}; !slices.Equal(asked, want) {
			t.Errorf("got %v, want %v", asked, want)
		}
	})
}

// Redial dials at once, and asks Options.Backoff after failures. An error that DialContext calls permanent ends it.
func TestRedialPermanent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []int
		var at []time.Duration
		start := time.Now()
		enough := errors.New("enough")
		err := qsocket.Redial(t.Context(), "tcp", address, protocol, &qsocket.Options{
			Backoff: func(failures int) time.Duration {
				asked = append(asked, failures)
				return time.Second
			},
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				at = append(at, time.Since(start))
				if len(at) == 3 {
					return nil, qsocket.Permanent(enough)
				}
				return nil, errors.New("refused")
			},
		}, func(context.Context, *qsocket.Conn[int]) error { return nil })
		if err != enough {
			t.Errorf("got %v, want %v", err, enough)
		}
		if want := []time.Duration{0, time.Second, 2 * time.Second}; !slices.Equal(at, want) || !slices.Equal(asked, []int{1, 2}) {
			t.Errorf("dialed at %v and asked %v", at, asked)
		}
	})
}

// An OnSession that does not return misses events, but not the last one.
func TestSessionSlowOnSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		goOn := make(chan struct{})
		var told []qsocket.SessionKind
		copts := k.clientOptions()
		copts.OnSession = func(e qsocket.SessionEvent) {
			<-goOn
			told = append(told, e.Kind)
		}
		client, _ := k.pair(copts)
		for range 50 {
			k.cut()
			time.Sleep(time.Second)
		}
		_ = client.Close()
		close(goOn)
		synctest.Wait()
		if len(told) != 66 || told[65] != qsocket.SessionEnded { // one is being told, 64 wait
			t.Errorf("%d events, the last is %v", len(told), told[len(told)-1])
		}
	})
}

// A connection that is lost while the server drains: the client, told that the server goes away, does not dial.
func TestSessionCutWhileTheServerDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		client, server := k.pair(nil)
		start := time.Now()
		drained := make(chan error, 1)
		go func() { drained <- k.ln.Drain(context.Background(), "restart") }()
		synctest.Wait()
		select {
		case <-client.GoingAway():
		default:
			t.Error("the client has not been told")
		}
		k.cut()
		<-client.Done()
		if d := time.Since(start); d > 0 || k.dials() != 1 || !errors.Is(client.Err(), qsocket.ErrSessionLost) {
			t.Errorf("after %v and %d dials: %v", d, k.dials(), client.Err())
		}
		<-server.Done()
		if err := <-drained; err != nil || time.Since(start) != 2*time.Minute {
			t.Errorf("Drain: %v after %v, want SessionExpiry", err, time.Since(start))
		}
	})
}

// Words of the peer cannot write lines of their own into a log.
func TestSessionErrorIsPrintable(t *testing.T) {
	e := &qsocket.SessionError{Why: "the server no longer has it: a\nb" + strings.Repeat("x", 10_000), Taken: 3, Sent: 5}
	text := e.Error()
	if strings.Contains(text, "\n") || len(text) > 1_500 || !strings.HasSuffix(text, "; of our messages 3 were taken, and 2 more may have arrived") {
		t.Errorf("got %q", text)
	}
}

// What a client is told that finds MaxSessions reached.
func TestSessionFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := serverOptions()
		opts.MaxSessions = 1
		k := newKit(t, opts)
		k.pair(nil)
		_, err := qsocket.DialSession(t.Context(), "tcp", address, protocol, k.clientOptions())
		var he *qsocket.HandshakeError
		if !errors.As(err, &he) || he.Field != "full" || he.Final() || err.Error() != "qsocket: handshake: the peer has no room: too many sessions" {
			t.Errorf("got %v", err)
		}
	})
}

// A handler that returns gives a client that is away CloseTimeout to come back for what it was sent.
func TestSessionHandlerReturnsWhileTheClientIsAway(t *testing.T) {
	for away, want := range map[time.Duration]error{3 * time.Second: nil, 10 * time.Second: qsocket.ErrSessionLost} {
		synctest.Test(t, func(t *testing.T) {
			k := &kit{t: t, network: qsockettest.Listen(address)}
			ln, err := qsocket.NewListener(k.network, protocol, serverOptions())
			if err != nil {
				t.Fatal(err)
			}
			defer testkit.EndListener(ln)
			returns := make(chan struct{})
			go ln.ServeSessions(context.Background(), func(ctx context.Context, s *qsocket.Session[int]) {
				<-returns
				send(t, s, 1, 2)
			})
			copts := k.clientOptions()
			copts.Backoff = func(int) time.Duration { return away }
			client, err := qsocket.DialSession(t.Context(), "tcp", address, protocol, copts)
			if err != nil {
				t.Fatal(err)
			}
			k.cut()
			synctest.Wait()
			close(returns)
			got := 0
			for range client.Messages() {
				got++
			}
			<-client.Done()
			if err := client.Err(); !errors.Is(err, want) || (err == nil) != (got == 2) {
				t.Errorf("away for %v: got %d messages and %v", away, got, err)
			}
		})
	}
}

// A Group with Disconnect ends a session whose peer receives nothing, when SessionBuffer is full.
func TestSessionDisconnectedByGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := serverOptions()
		opts.SessionBuffer = 1 << 10
		k := newKit(t, opts)
		client, server := k.pair(nil)
		group := qsocket.NewGroup(protocol, qsocket.Disconnect)
		group.AddSession(server)
		for i := range 1 << 10 {
			if _, err := group.Broadcast(t.Context(), i); err != nil {
				t.Fatal(err)
			}
		}
		<-server.Done()
		if err := server.Err(); !errors.Is(err, qsocket.ErrSlowConsumer) || group.Len() != 0 {
			t.Errorf("got %v, and %d members", err, group.Len())
		}
		for range client.Messages() {
		}
		<-client.Done()
		var remote *qsocket.RemoteError
		if err := client.Err(); !errors.As(err, &remote) {
			t.Errorf("client: %v", err)
		}
	})
}
