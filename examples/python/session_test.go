package python

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// A path leads from clients to a server with sessions, through a proxy that breaks what it is told to.
type path struct {
	ln     *qsocket.Listener[string]
	proxy  *qsockettest.Proxy
	port   int
	conns  atomic.Int64
	target atomic.Pointer[qsocket.Listener[string]]
}

const maxSessions = 3

// newPath serves sessions. faults says what happens to each connection, which are counted from 1.
func newPath(t *testing.T, opts qsocket.Options, handle func(context.Context, *qsocket.Session[string]), faults func(n int64) (up, down qsockettest.Faults)) *path {
	t.Helper()
	opts.MaxSessions = max(opts.MaxSessions, maxSessions)
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", testkit.Named, &opts)
	if err != nil {
		t.Fatal(err)
	}
	p := &path{ln: ln, proxy: qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{})}
	p.target.Store(ln)
	served := testkit.Async(func() error { return ln.ServeSessions(context.Background(), handle) })
	t.Cleanup(func() {
		p.proxy.Close()
		testkit.EndListener(ln)
		if err := testkit.Result(t, "ServeSessions", served); err != nil {
			t.Error(err)
		}
	})
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.port = front.Addr().(*net.TCPAddr).Port
	err = p.proxy.Forward(front, func(ctx context.Context) (net.Conn, error) { // one after the other, as the client dials
		p.proxy.Set(faults(p.conns.Add(1)))
		return new(net.Dialer).DialContext(ctx, "tcp", p.target.Load().Addr().String())
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// countTo sends the numbers from 1 to count, and receives the same. An error that is ErrSessionLost comes after that.
func countTo(ctx context.Context, s *qsocket.Session[string], count int) error {
	sent := testkit.Async(func() error {
		for i := 1; i <= count; i++ {
			if err := s.Send(ctx, fmt.Sprint(i, strings.Repeat(" ", i%300))); err != nil {
				return fmt.Errorf("Send: %v", err)
			}
		}
		return nil
	})
	for i := 1; ; i++ {
		m, err := s.Recv(ctx)
		if err == io.EOF && i == count+1 {
			break
		}
		if err != nil || strings.TrimSpace(m) != fmt.Sprint(i) {
			return fmt.Errorf("Recv: got %q, %v, want %d of %d", m, err, i, count)
		}
	}
	if err := <-sent; err != nil {
		return err
	}
	if err := s.Shutdown(ctx); err != nil {
		return fmt.Errorf("Shutdown: %w", err)
	}
	return nil
}

// The client's connections are cut many times, in both directions and in every way: each message arrives once and in order, and both
// ends know that.
func TestSessionCut(t *testing.T) {
	d := newDriver(t)
	ctx := testkit.Context(t)
	const count, cuts = 1500, 60
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(n int64) (f qsockettest.Faults) {
		f.Cut = []qsockettest.Cut{qsockettest.FIN, qsockettest.RST}[r.IntN(2)]
		f.CutAfter = []int64{r.Int64N(300), 300 + r.Int64N(30_000)}[r.IntN(2)]
		switch {
		case n == 1:
			f.CutAfter += 1000 // for the first one the client wants a hello
		case n%30 == 0:
			f.Cut = qsockettest.BlackHole
		case n > cuts:
			f = qsockettest.Faults{}
		}
		return f
	}
	ended := make(chan error, 10)
	p := newPath(t, qsocket.Options{SessionBuffer: 20_000}, func(_ context.Context, s *qsocket.Session[string]) {
		ended <- countTo(ctx, s, count)
	}, func(n int64) (up, down qsockettest.Faults) { return draw(n), draw(n) })
	said := d.say(t, task{
		Port: p.port, Timeouts: [3]float64{2, 30, hang}, Heartbeat: 0.25, Session: 30_000, Pauses: [3]float64{4, 0.01, 0.02},
		Steps: []string{fmt.Sprint("numbers ", count), "close", "left"},
	})
	expectSaid(t, said, fmt.Sprintf("connected; numbers %d: all; close: True; left: []", count))
	if err := testkit.Result(t, "the handler", ended); err != nil {
		t.Error(err)
	}
	if n := p.conns.Load(); n < 10 || len(ended) > 0 {
		t.Errorf("%d connections and %d more sessions, want 10 connections at least", n, len(ended))
	}
}

// A connection that is cut anywhere, the parting included, changes nothing.
func TestSessionCutAnywhere(t *testing.T) {
	d := newDriver(t)
	ctx := testkit.Context(t)
	ended := make(chan error, 100)
	var mu sync.Mutex // guards faults
	var faults [2]qsockettest.Faults
	p := newPath(t, qsocket.Options{MaxSessions: 100, SessionExpiry: 3 * time.Second}, func(_ context.Context, s *qsocket.Session[string]) {
		ended <- countTo(ctx, s, 3)
	}, func(n int64) (up, down qsockettest.Faults) {
		mu.Lock()
		defer mu.Unlock()
		up, down = faults[0], faults[1]
		faults = [2]qsockettest.Faults{}
		return up, down
	})
	const hello = 100 // bytes, at least that of the client, and of the server without its answer
	resumed := 0
	for direction := range faults {
		for after := int64(hello); after < hello+100; after += 5 {
			before := p.conns.Load()
			mu.Lock()
			faults[direction] = qsockettest.Faults{Cut: qsockettest.RST, CutAfter: after}
			mu.Unlock()
			said := d.say(t, task{
				Port: p.port, Timeouts: [3]float64{2, 30, hang}, Session: 30_000, Pauses: [3]float64{4, 0.01, 0.02},
				Steps: []string{"numbers 3", "close", "left"},
			})
			expectSaid(t, said, "connected; numbers 3: all; close: True; left: []")
			resumed += int(p.conns.Load()-before) - 1
		}
	}
	for range 40 {
		if err := testkit.Result(t, "the handler", ended); err != nil && !errors.Is(err, qsocket.ErrSessionLost) { // the answer to its goodbye was lost
			t.Error(err)
		}
	}
	if resumed < 10 {
		t.Errorf("%d sessions went on over another connection, want 10 of 40 at least", resumed)
	}
}

// A server that has restarted does not know the session: the client says so, and what may be missing.
func TestSessionLost(t *testing.T) {
	d := newDriver(t)
	arrived := make(chan *qsocket.Session[string], 10)
	take := func(ctx context.Context, s *qsocket.Session[string]) { // two messages, and no more
		arrived <- s
		for range 2 {
			if _, err := s.Recv(ctx); err != nil {
				t.Error(err)
			}
		}
		<-s.Done()
	}
	opts := qsocket.Options{Heartbeat: 100 * time.Millisecond} // it acknowledges as often
	none := func(int64) (up, down qsockettest.Faults) { return }
	p, restarted := newPath(t, opts, take, none), newPath(t, opts, take, none)
	said := d.say(t, task{
		Port: p.port, Timeouts: patient, Session: 30_000, Pauses: [3]float64{4, 0.01, 0.02},
		Steps: []string{"follow", "send a", "send b", "wait 2", "hold", "send c", "down", "send d", "release", "join", "send e", "left", "close"},
	})
	s := testkit.Result(t, "the handler", arrived)
	testkit.Eventually(t, "the third message", func() bool { return s.Stats().MessagesReceived == 3 })
	p.target.Store(restarted.ln)
	p.proxy.Cut(qsockettest.RST)
	lost := "SessionLost: the server does not have the session any more: no such session"
	expectSaid(t, said, "connected; follow: None; send a: None; send b: None; wait 2: None; hold: None; send c: None; down: None; send d: None; release: None; "+
		"join: "+lost+"; send e: "+lost+"; left: [('c', True), ('d', False)]; close: False")
	if len(arrived) > 0 {
		t.Error("a session has begun by itself")
	}
}

// A client for which there is no room waits until there is.
func TestSessionBusy(t *testing.T) {
	d := newDriver(t)
	ctx := testkit.Context(t)
	ended := make(chan error, 10)
	p := newPath(t, qsocket.Options{}, func(_ context.Context, s *qsocket.Session[string]) {
		ended <- countTo(ctx, s, 3)
	}, func(int64) (up, down qsockettest.Faults) { return })
	var others []*qsocket.Session[string]
	for range maxSessions {
		s, err := qsocket.DialSession(ctx, "tcp", p.ln.Addr().String(), testkit.Named, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		others = append(others, s)
	}
	said := d.say(t, task{
		Port: p.port, Timeouts: patient, Session: 30_000, Pauses: [3]float64{4, 0.01, 0.02}, Steps: []string{"numbers 3", "close"},
	})
	testkit.Eventually(t, "attempts", func() bool { return p.conns.Load() > 3 })
	if err := others[0].Close(); err != nil {
		t.Error(err)
	}
	expectSaid(t, said, "connected; numbers 3: all; close: True")
}

// sessionHello is the hello of a server that has sessions and keeps 40 bytes.
var sessionHello = "51534b01 0000002f 85" + "a5 70726f746f a6 746578742f31" + "a5 636f646563 a4 74657874" + "a3 6d6178 ce00100000" + "a4 6b656570 28" + "a3 736573 cd03e8"

// Answers about a session, and what the client makes of them.
func TestSessionAnswers(t *testing.T) {
	d := newDriver(t)
	violation := "8000"
	for _, test := range []struct{ name, answer, want, sent string }{
		{"ended", "80000006 04 81 a27374 03", "SessionLost: the server does not have the session any more: state 3", ""},
		{"lost", "8000000d 04 82 a27374 04 a3776879 a26e6f", "SessionLost: the server does not have the session any more: no", ""},
		{"stale", "80000006 04 81 a27374 05", "SessionLost: the server does not have the session any more: state 5", ""},
		{"no such state", "80000006 04 81 a27374 07", "Violation: answer with the state 7, want one from 1 to 6", violation},
		{"no state", "80000002 04 80", "Violation: answer with the state None, want one from 1 to 6", violation},
		{"more than was sent", "8000000b 04 82 a27374 01 a3676f74 01", "Violation: answer with state 1 and got 1, want 0 to 0", violation},
		{"a message before it", "00000001 61", "Violation: message before the answer about the session", violation},
		{"an ack before it", "80000009 05 0000000000000000", "Violation: control frame of the kind 0x05, which is reserved, or not for here and now", violation},
		{"a refusal", "80000018 01 83 a6726561736f6e a26e6f a466756c6c c3 a4636f6465 08", "RemoteError: no", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			peer, said := d.start(t, task{Timeouts: patient, Session: 1000})
			readHello(t, peer)
			peer.Send(sessionHello + test.answer)
			peer.Conn.(*net.TCPConn).CloseWrite()
			sent, _ := rest(peer)
			if told := strings.Contains(string(sent), "\xa4code\x03"); told != (test.sent != "") {
				t.Errorf("the client sent %q", sent)
			}
			expectSaid(t, said, test.want)
		})
	}
	t.Run("no sessions", func(t *testing.T) {
		peer, said := d.start(t, task{Timeouts: patient, Session: 1000})
		readHello(t, peer)
		peer.Send(testkit.GoldenHello)
		peer.Conn.(*net.TCPConn).CloseWrite()
		_, _ = rest(peer)
		expectSaid(t, said, "Refused: the peer has no sessions")
	})
}

const (
	goldenAsk = "80000001 06"
	created   = "80000006 04 81 a27374 01"
)

// ack is that of so many messages.
func ack(n int) string { return fmt.Sprintf("80000009 05 %016x", n) }

// The client acknowledges a quarter of what the server keeps, when it is asked, behind an answer that resumes, and before its
// goodbye; it sends again what the server has not had.
func TestSessionAcks(t *testing.T) {
	d := newDriver(t)
	const a = "00000001 61" // 5 bytes
	k := task{Timeouts: patient, Session: 11, Pauses: [3]float64{hang, 0.01, 0.02}, Steps: []string{"follow", "send x", "send y", "send z", "join", "close"}}
	peer, said := d.start(t, k)
	_, hello := readHello(t, peer)
	if !strings.Contains(string(hello), "\xa3try\x01") || !strings.Contains(string(hello), "\xa3new\xc3") || !strings.Contains(string(hello), "\xa3got\x00") {
		t.Errorf("the hello is %q", hello)
	}
	peer.Send(sessionHello + created)
	peer.Expect("00000001 78" + "00000001 79" + goldenAsk) // and there is no room for z
	peer.Send(a)
	peer.Send(a)
	peer.Expect(ack(2))
	peer.Send(a + goldenAsk)
	peer.Expect(ack(3))
	peer.Send(a)
	peer.Send(ack(1))
	peer.Expect("00000001 7a")
	peer.Close()

	peer = d.accept(t)
	_, again := readHello(t, peer)
	if !strings.Contains(string(again), "\xa3try\x02") || strings.Contains(string(again), "\xa3new") || !strings.Contains(string(again), "\xa3got\x04") {
		t.Errorf("the hello is %q", again)
	}
	sid := strings.Index(string(hello), "\xa3sid")
	if sid < 0 || !strings.Contains(string(again), string(hello[sid:sid+4+2+16])) {
		t.Errorf("the hellos are of two sessions: %q and %q", hello, again)
	}
	peer.Send(sessionHello + "8000000b 04 82 a27374 02 a3676f74 02") // it has had y, but not z
	peer.Expect(ack(4) + "00000001 7a")
	peer.Send(a + full)
	peer.Expect(testkit.GoldenConfirm + ack(5) + full)
	peer.Send(testkit.GoldenConfirm)
	peer.Close()
	expectSaid(t, said, "connected; follow: None; send x: None; send y: None; send z: None; join: ['a', 'a', 'a', 'a', 'a']; close: True")
}

// What was taken is acknowledged after a while, however little it is.
func TestSessionLateAck(t *testing.T) {
	d := newDriver(t)
	peer, said := d.start(t, task{Timeouts: patient, Session: 1000, Pauses: [3]float64{0.1, 0.01, 0.02}, Steps: []string{"read", "close"}})
	readHello(t, peer)
	peer.Send(sessionHello + created + "00000001 61")
	peer.Expect(ack(1))
	peer.Send(full)
	peer.Expect(testkit.GoldenConfirm + ack(1) + full)
	peer.Send(testkit.GoldenConfirm)
	peer.Close()
	expectSaid(t, said, "connected; read: ['a']; close: True")
}

// A client whose answer to the end may have been lost comes once more to say it: to a server that still waits for it, to one
// that has ended, and to one that knows nothing of it.
func TestSessionAnswerLost(t *testing.T) {
	d := newDriver(t)
	for _, state := range []string{"02", "03", "04"} {
		peer, said := d.start(t, task{Timeouts: patient, Session: 1000, Pauses: [3]float64{hang, 0.01, 0.02}, Steps: []string{"send x", "read", "close"}})
		readHello(t, peer)
		peer.Send(sessionHello + created + "00000001 61")
		peer.Expect("00000001 78")
		peer.Send(ack(1) + full)
		peer.Expect(testkit.GoldenConfirm + ack(1) + full)
		peer.Close() // without a confirm

		peer = d.accept(t)
		readHello(t, peer)
		peer.Send(sessionHello + "8000000b 04 82 a27374 " + state + " a3676f74 01")
		if state == "02" {
			peer.Expect(ack(1) + ack(1) + full)
			peer.Send(testkit.GoldenConfirm + full)
			peer.Expect(testkit.GoldenConfirm)
		}
		peer.Close()
		expectSaid(t, said, "connected; send x: None; read: ['a']; close: True")
	}
}

// Counts that cannot be end the session, with code 3.
func TestSessionViolations(t *testing.T) {
	d := newDriver(t)
	for _, test := range []struct{ name, bytes, want string }{
		{"ack of more than was sent", ack(2), "ack of 2 messages, want 0 to 1"},
		{"ack of less than before", ack(1) + ack(0), "ack of 0 messages, want 1 to 1"},
		{"a short ack", "80000008 05 00000000000000", "control frame of the kind 0x05, which is reserved, or not for here and now"},
		{"ask with a body", "80000002 06 00", "control frame of the kind 0x06, which is reserved, or not for here and now"},
		{"another answer", created, "control frame of the kind 0x04, which is reserved, or not for here and now"},
	} {
		t.Run(test.name, func(t *testing.T) {
			peer, said := d.start(t, task{Timeouts: patient, Session: 1000, Pauses: [3]float64{hang, 0.01, 0.02}, Steps: []string{"send x", "read", "close"}})
			readHello(t, peer)
			peer.Send(sessionHello + created)
			peer.Expect("00000001 78")
			peer.Send(test.bytes)
			sent, _ := rest(peer)
			if !strings.Contains(string(sent), "\xa4code\x03") {
				t.Errorf("the client sent %q", sent)
			}
			peer.Close()
			expectSaid(t, said, "connected; send x: None; read: Violation: "+test.want+"; close: False")
		})
	}
}
