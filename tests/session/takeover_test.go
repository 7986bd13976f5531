package session

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// A client that comes back while the server still believes in the old connection goes on at once, and what
// becomes of the old one later harms nothing.
func TestSession03OldConnectionIsABlackHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := serverOptions()
		opts.Heartbeat = time.Minute
		k := newKit(t, opts)
		hole := qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{})
		defer hole.Close()
		first := true
		copts := k.clientOptions()
		copts.Heartbeat = time.Second // it notices sooner
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
		hole.Cut(qsockettest.BlackHole)
		send(t, server, 1, 3)
		send(t, client, 4, 6)
		expect(t, server, 4, 6)
		expect(t, client, 1, 3)
		if k.dials() != 2 {
			t.Errorf("%d dials, want 2", k.dials())
		}
		time.Sleep(10 * time.Minute) // all timeouts of the old one
		send(t, client, 7, 9)
		expect(t, server, 7, 9)
		if k.dials() != 2 || client.Stats().Resumes != 1 || server.Stats().Resumes != 1 {
			t.Errorf("%d dials, %+v, %+v", k.dials(), client.Stats(), server.Stats())
		}
	})
}

// What was read from the old connection and could not be put into the full queue is neither lost nor
// comes twice, and the client has its answer though the consumer sleeps.
func TestSession05PumpWaitsForTheConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := serverOptions()
		opts.RecvQueue = 2
		k := newKit(t, opts)
		copts := k.clientOptions()
		copts.RecvQueue = 2
		client, server := k.pair(copts)
		for round := range 10 {
			first := 1 + 20*round
			send(t, client, first, first+19)
			send(t, server, first, first+19)
			expect(t, client, first, first+19)
			synctest.Wait() // the server's queue is full, and a message waits for space
			k.cut()
			time.Sleep(time.Second)
			if got := client.Stats(); got.Resumes != uint64(round+1) || got.Down != time.Duration(round+1)*10*time.Millisecond {
				t.Errorf("round %d: %+v", round, got)
			}
			expect(t, server, first, first+19)
		}
	})
}

// asker is a client of its own that asks for sessions as a test wants it.
func (k *kit) ask(h hello) *peer {
	k.t.Helper()
	nc, err := k.network.DialContext(k.t.Context(), "tcp", address)
	if err != nil {
		k.t.Fatal(err)
	}
	p := newPeer(k.t, nc)
	p.greet(h)
	return p
}

// The answer to the first hello is lost, and the client asks again, as at first: it has one session, and one handler.
func TestSession02AnswerLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		id := newID()
		for try := 1; try <= 3; try++ {
			nc, err := k.network.DialContext(t.Context(), "tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			p := newPeer(t, nc)
			p.sayHello(hello{id: id, try: try, isNew: true})
			synctest.Wait()
			_ = nc.Close() // nothing was read
		}
		p := k.ask(hello{id: id, try: 4, isNew: true})
		p.wantSession(resumed, 0)
		p.send(1)
		expect(t, <-k.arrived, 1, 1)
		if n := len(k.arrived); n > 0 {
			t.Errorf("%d handlers more", n)
		}
		if got := k.ln.Stats().Sessions; got != 1 {
			t.Errorf("%d sessions", got)
		}
		p.close()
	})
}

// An attempt that arrives late is told so, and the live connection is not harmed.
func TestSession06LateAttemptIsStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		id := newID()
		first := k.ask(hello{id: id, try: 1, isNew: true})
		first.wantSession(created, 0)
		server := <-k.arrived
		third := k.ask(hello{id: id, try: 3})
		third.wantSession(resumed, 0)
		second := k.ask(hello{id: id, try: 2})
		second.wantSession(stale, 0)
		third.send(1)
		expect(t, server, 1, 1)
		if len(k.arrived) > 0 {
			t.Error("a second handler")
		}
		third.close()
	})
}

// Two attempts at the same time: one of them has the session, and nothing is lost.
func TestSession07TwoResumesAtOnce(t *testing.T) {
	for range 1000 {
		synctest.Test(t, func(t *testing.T) {
			k := newKit(t, serverOptions())
			id := newID()
			first := k.ask(hello{id: id, try: 1, isNew: true})
			first.wantSession(created, 0)
			server := <-k.arrived
			if err := server.Send(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			nc, err := k.network.DialContext(t.Context(), "tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			second := newPeer(t, nc)
			var asking sync.WaitGroup
			asking.Go(func() { second.sayHello(hello{id: id, try: 2}) }) // it is stale, or has the session until the other comes
			third := k.ask(hello{id: id, try: 3})
			third.wantSession(resumed, 0)
			third.wantMessage(1)
			third.send(1)
			expect(t, server, 1, 1)
			asking.Wait()
		})
	}
}

// A client whose welcome was lost asks for a new session once more: it is the one that it has made.
func TestSession20NewWithASessionThatLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		id := newID()
		first := k.ask(hello{id: id, try: 1, isNew: true})
		first.wantSession(created, 0)
		server := <-k.arrived
		second := k.ask(hello{id: id, try: 2, isNew: true})
		second.wantSession(resumed, 0)
		second.send(1)
		expect(t, server, 1, 1)
		if len(k.arrived) > 0 {
			t.Error("a second handler")
		}
		second.close()
		<-server.Done()
		if err := server.Err(); err != nil {
			t.Error(err)
		}
	})
}

// Whoever knows the name of a session and is another, or guesses one, is told that there is none, and the session is
// not harmed.
func TestSession19AnotherIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := serverOptions()
		identity := "alice"
		opts.SessionIdentity = func(net.Conn) string { return identity }
		k := newKit(t, opts)
		id := newID()
		first := k.ask(hello{id: id, try: 1, isNew: true})
		first.wantSession(created, 0)
		server := <-k.arrived
		identity = "mallory"
		k.ask(hello{id: id, try: 2}).wantSession(lost, 0)
		k.ask(hello{id: id, try: 3, isNew: true}).wantSession(lost, 0)
		k.ask(hello{id: newID(), try: 2}).wantSession(lost, 0)
		identity = "alice"
		first.send(1)
		expect(t, server, 1, 1)
		k.ask(hello{id: id, try: 2, got: 0}).wantSession(resumed, 1)
		if server.Err() != nil {
			t.Error(server.Err())
		}
	})
}

// Messages lie unread in the old socket when another connection takes over: none comes twice.
func TestSession04UnreadAtTakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := serverOptions()
		opts.RecvQueue = 1
		k := newKit(t, opts)
		id := newID()
		first := k.ask(hello{id: id, try: 1, isNew: true})
		first.wantSession(created, 0)
		server := <-k.arrived
		for i := 1; i <= 100; i++ {
			first.send(i)
		}
		synctest.Wait()
		second := k.ask(hello{id: id, try: 2})
		st, got := second.readSession()
		if st != resumed || got > 3 {
			t.Fatalf("state %d, got %d", st, got)
		}
		for i := int(got) + 1; i <= 100; i++ {
			second.send(i)
		}
		expect(t, server, 1, 100)
		second.close()
		if _, err := server.Recv(t.Context()); err == nil || errors.Is(err, qsocket.ErrSessionLost) {
			t.Errorf("got %v", err)
		}
	})
}

// A connection whose end is under way when another takes over is not kept open by a peer that never ends it.
func TestTakeoverDuringTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		id := newID()
		p := k.ask(hello{id: id, try: 1, isNew: true})
		p.wantSession(created, 0)
		server := <-k.arrived
		closed := testkit.Async(server.Close)
		synctest.Wait() // it has said so on the first connection
		q := k.ask(hello{id: id, try: 2})
		q.wantSession(resumed, 0)
		q.goodbye()
		if err := <-closed; err != nil && !errors.Is(err, qsocket.ErrSessionLost) {
			t.Error(err)
		}
		_ = p.nc.SetReadDeadline(time.Now().Add(6 * time.Second)) // CloseTimeout is 5 s
		if _, err := io.Copy(io.Discard, p.nc); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("the first connection is open after 6 s, want 5 at most")
		}
	})
}
