package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/vmihailenco/msgpack/v5"
)

// inBubble returns a named Conn with a testkit.WirePeer in a bubble. The peer wants to
// hear something every 15 s.
func inBubble(t *testing.T, opts *qsocket.Options) (*qsocket.Conn[string], testkit.WirePeer) {
	return inBubbleWith(t, opts, testkit.GoldenHello)
}

// inBubbleWith is inBubble for a peer with another hello.
func inBubbleWith(t *testing.T, opts *qsocket.Options, hello string) (*qsocket.Conn[string], testkit.WirePeer) {
	nc, peer := net.Pipe()
	made := testkit.Async(func() *qsocket.Conn[string] {
		c, err := qsocket.NewConn(context.Background(), nc, testkit.Named, opts)
		if err != nil {
			t.Error(err)
		}
		return c
	})
	s := testkit.WirePeer{T: t, Conn: peer}
	s.ExpectHello()
	s.Send(hello)
	c := <-made
	t.Cleanup(func() { testkit.End(c); peer.Close() })
	return c, s
}

// A heartbeat goes out when nothing was sent for half of what the peer asked for, after the
// hello, and on an idle connection within what it asked for.
func TestHeartbeatsAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := inBubble(t, &qsocket.Options{Heartbeat: -1})
		least, most := 7500*time.Millisecond, 7500*time.Millisecond+15*time.Second/8
		for range 10 {
			began := time.Now()
			s.SetReadDeadline(time.Time{})
			got := make([]byte, 5)
			if _, err := io.ReadFull(s, got); err != nil || string(got) != string(testkit.Unhex(testkit.GoldenHeartbeat)) {
				t.Fatalf("got % x, %v", got, err)
			}
			if took := time.Since(began); took < least || took > most {
				t.Errorf("after %v, want %v to %v", took, least, most)
			}
		}
		if s := c.Stats(); s.MessagesSent != 0 || s.BytesSent != 0 {
			t.Errorf("got %+v: a heartbeat is no message", s)
		}
	})
}

// A connection on which messages are sent needs none.
func TestNoHeartbeatsAmongMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := inBubble(t, &qsocket.Options{Heartbeat: -1})
		sent := testkit.Async(func() bool {
			for range 20 {
				if err := c.Send(context.Background(), "m"); err != nil {
					t.Error(err)
				}
				time.Sleep(7400 * time.Millisecond)
			}
			return true
		})
		for range 20 {
			s.Expect("00000001 6d")
		}
		<-sent
	})
}

// Whatever is sent when, a heartbeat follows only half an interval without anything, and the
// peer hears something at least every 15⁄16 of it, 1 9⁄16 if it is below a second: it gives
// up after twice the interval.
func TestSilenceIsBounded(t *testing.T) {
	for interval, longest := range map[time.Duration]time.Duration{
		15 * time.Second:       15 * time.Second * 15 / 16,
		999 * time.Millisecond: 999 * time.Millisecond * 25 / 16,
	} {
		for seed := range uint64(20) {
			silenceIsBounded(t, interval, longest, seed)
		}
	}
}

func silenceIsBounded(t *testing.T, interval, longest time.Duration, seed uint64) {
	synctest.Test(t, func(t *testing.T) {
		c, s := inBubbleWith(t, &qsocket.Options{Heartbeat: -1}, helloAsking(t, interval))
		random := rand.New(rand.NewPCG(seed, 0))
		sent := testkit.Async(func() bool { // ends with c
			for c.Send(context.Background(), "m") == nil {
				// Many at once, and then nothing for up to five intervals.
				for range random.IntN(20) {
					time.Sleep(time.Duration(random.Int64N(int64(interval / 2))))
					_ = c.Send(context.Background(), "m")
				}
				time.Sleep(time.Duration(random.Int64N(int64(5 * interval))))
			}
			return true
		})
		began := time.Now()
		for last := began; last.Sub(began) < 500*interval; {
			s.SetReadDeadline(time.Time{})
			frame := make([]byte, 5)
			if _, err := io.ReadFull(s, frame); err != nil {
				t.Fatal(err)
			}
			silent := time.Since(last)
			last = time.Now()
			if silent > longest {
				t.Errorf("seed %d: silent for %v, want at most %v", seed, silent, longest)
			}
			if frame[0] == 0x80 && silent < interval/2 {
				t.Errorf("seed %d: a heartbeat after %v, want at least %v", seed, silent, interval/2)
			}
		}
		testkit.End(c)
		<-sent
	})
}

// Nothing is sent to a peer that does not want it, nor after a full goodbye.
func TestNoHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, err := qsocket.Pipe(testkit.Named, &qsocket.Options{Heartbeat: -1})
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.End(a)
		defer testkit.End(b)
		read := testkit.Async(func() int { n, _ := b.NetConn().Read(make([]byte, 1)); return n })
		time.Sleep(time.Hour)
		synctest.Wait()
		select {
		case n := <-read:
			t.Errorf("%d bytes came", n)
		default:
		}
		a.NetConn().Close()
		<-read
	})
}

// A peer that is gone is found after exactly twice the interval, in each of the
// ways to wait for it. So is one behind a half-closed connection.
func TestPeerDead(t *testing.T) {
	ctx := context.Background()
	for _, test := range []struct {
		name string
		wait func(c *qsocket.Conn[string]) error
	}{
		{"Recv", func(c *qsocket.Conn[string]) error { _, err := c.Recv(ctx); return err }},
		{"Messages", func(c *qsocket.Conn[string]) error {
			for range c.Messages() {
			}
			return c.Err()
		}},
		{"Done", func(c *qsocket.Conn[string]) error { <-c.Done(); return c.Err() }},
		{"Recv with short deadlines", func(c *qsocket.Conn[string]) error {
			for {
				// None may end when the peer's time does: between two waits there is no receiver
				// to tell, and that is tried again after a millisecond.
				short, cancel := context.WithTimeout(ctx, 270*time.Millisecond)
				_, err := c.Recv(short)
				cancel()
				if !errors.Is(err, context.DeadlineExceeded) {
					return err
				}
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, words := range []string{"", testkit.GoldenHeartbeat, "00000001 6d", "00000005 6d"} { // the last is a part of a message
				synctest.Test(t, func(t *testing.T) {
					c, s := inBubble(t, &qsocket.Options{Heartbeat: time.Second, FrameTimeout: -1})
					go io.Copy(io.Discard, s)
					began := time.Now()
					if words != "" {
						go func() {
							time.Sleep(time.Second)
							s.Send(words)
						}()
					}
					if words == "00000001 6d" {
						if m, err := c.Recv(ctx); m != "m" || err != nil {
							t.Fatalf("got %q, %v", m, err)
						}
					}
					err := test.wait(c)
					if !errors.Is(err, qsocket.ErrPeerDead) || !errors.Is(c.Err(), qsocket.ErrPeerDead) {
						t.Errorf("got %v, want ErrPeerDead", err)
					}
					want := 2 * time.Second
					if words != "" {
						want += time.Second
					}
					if took := time.Since(began); took != want {
						t.Errorf("%q: found after %v, want %v", words, took, want)
					}
				})
			}
		})
	}
}

// Heartbeats keep an idle connection alive, and one whose consumer is slow:
// the clock stands still while this end does not read.
func TestHeartbeatsKeepAlive(t *testing.T) {
	for _, every := range []time.Duration{time.Second, time.Millisecond} {
		t.Run(every.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b, err := qsocket.Pipe(testkit.Named, &qsocket.Options{Heartbeat: every, RecvQueue: 1})
				if err != nil {
					t.Fatal(err)
				}
				defer testkit.End(a)
				defer testkit.End(b)
				a.Done() // a reads
				messages := b.Messages()
				time.Sleep(60 * every) // idle
				for range 10 {
					if err := a.Send(context.Background(), "m"); err != nil {
						t.Fatal(err)
					}
				}
				for range 10 { // slow
					time.Sleep(60 * every)
					if m, ok := <-messages; m != "m" || !ok {
						t.Fatalf("got %q, %v", m, b.Err())
					}
				}
				if a.Err() != nil || b.Err() != nil {
					t.Errorf("got %v and %v", a.Err(), b.Err())
				}
			})
		})
	}
}

// An end that has said half a goodbye still lives.
func TestHeartbeatsAfterCloseWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, err := qsocket.Pipe(testkit.Named, &qsocket.Options{Heartbeat: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.End(a)
		defer testkit.End(b)
		done := b.Done()
		if err := a.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			time.Sleep(time.Minute)
			select {
			case <-done:
				t.Fatalf("b has ended: %v", b.Err())
			default:
			}
			if err := b.Send(context.Background(), "m"); err != nil {
				t.Fatal(err)
			}
			if m, err := a.Recv(context.Background()); m != "m" || err != nil {
				t.Fatalf("got %q, %v", m, err)
			}
		}
	})
}

// A peer that falls silent amid dense traffic is found an eighth of the time,
// or a second, later at most.
func TestPeerDeadAmidTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := inBubble(t, &qsocket.Options{Heartbeat: time.Second})
		go io.Copy(io.Discard, s)
		go func() {
			for range 5000 {
				time.Sleep(time.Millisecond)
				s.Send("00000001 6d")
			}
		}()
		n := 0
		var last time.Time
		for range c.Messages() {
			n++
			last = time.Now()
		}
		took := time.Since(last)
		if n != 5000 || !errors.Is(c.Err(), qsocket.ErrPeerDead) || took < 2*time.Second || took > 2250*time.Millisecond {
			t.Errorf("got %d messages, and %v after %v, want ErrPeerDead after 2s to 2.25s", n, c.Err(), took)
		}
	})
}

// refusedInterval connects two ends and returns the errors of their handshakes, or of the
// first receive.
func refusedInterval(t *testing.T, first, second time.Duration) (errs [2]error) {
	t.Helper()
	na, nb := testkit.NetPair(t, "tcp")
	run := func(nc net.Conn, every time.Duration) error {
		c, err := qsocket.NewConn(t.Context(), nc, testkit.Named, &qsocket.Options{Heartbeat: every})
		if err != nil {
			return err
		}
		defer testkit.End(c)
		if err := c.CloseWrite(); err != nil && c.Err() == nil {
			return err
		}
		_, err = c.Recv(t.Context())
		return err
	}
	other := testkit.Async(func() error { return run(nb, second) })
	errs[0] = run(na, first)
	errs[1] = <-other
	return errs
}

// An end that asks for heartbeats too often is refused by one that does not, and learns it
// from the goodbye. Ends that ask for as little as each other talk.
func TestHeartbeatRefused(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct {
		asks, refuses time.Duration
		least         string
	}{
		{60 * ms, 0, "100 ms"}, {99 * ms, 0, "100 ms"}, {50 * ms, -1, "100 ms"}, {50 * ms, 100 * ms, "100 ms"}, {20 * ms, 50 * ms, "50 ms"},
	} {
		errs := refusedInterval(t, test.asks, test.refuses)
		var he *qsocket.HandshakeError
		want := qsocket.HandshakeError{Field: "heartbeat", Local: "at least " + test.least, Peer: fmt.Sprint(test.asks.Milliseconds(), " ms")}
		if !errors.As(errs[1], &he) || *he != want {
			t.Errorf("%v at %v: got %v, want %+v", test.asks, test.refuses, errs[1], want)
			continue
		}
		var re *qsocket.RemoteError
		if !errors.As(errs[0], &re) || re.Reason != he.Error() {
			t.Errorf("%v at %v: got %v, want a RemoteError with %q", test.asks, test.refuses, errs[0], he)
		}
	}
	for _, every := range [][2]time.Duration{{100 * ms, 0}, {100 * ms, -1}, {60 * ms, 60 * ms}, {50 * ms, 50 * ms}, {50*ms + 1, 50*ms + 900*time.Microsecond}} {
		if errs := refusedInterval(t, every[0], every[1]); errs[0] != io.EOF || errs[1] != io.EOF {
			t.Errorf("%v: got %v, want two clean ends", every, errs)
		}
	}
}

// The end that is refused learns the reason as well where it waits for the description of
// the other's message types.
func TestHeartbeatRefusedWithTypes(t *testing.T) {
	type old struct{ A int }
	type added struct{ A, B int }
	na, nb := testkit.NetPair(t, "tcp")
	other := testkit.Async(func() error {
		_, err := qsocket.NewConn(t.Context(), nb, qsocket.Protocol[old]{Name: "types/1"}, nil)
		return err
	})
	_, err := qsocket.NewConn(t.Context(), na, qsocket.Protocol[added]{Name: "types/1"}, &qsocket.Options{Heartbeat: time.Millisecond})
	var he *qsocket.HandshakeError
	if err := <-other; !errors.As(err, &he) || he.Field != "heartbeat" {
		t.Fatalf("got %v, want a HandshakeError about heartbeat", err)
	}
	var re *qsocket.RemoteError
	if !errors.As(err, &re) || re.Reason != he.Error() {
		t.Errorf("got %v, want a RemoteError with %q", err, he)
	}
}

// helloAsking is a hello that asks for heartbeats, as hex digits.
func helloAsking(t *testing.T, interval time.Duration) string {
	body, err := msgpack.Marshal(map[string]any{"proto": "text/1", "codec": "text", "max": 1, "hb": interval.Milliseconds()})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("51534b01 %08x %x", len(body), body)
}

// What the asking peer reads is a goodbye with the reason, and the service counts it.
func TestHeartbeatRefusalOnTheWire(t *testing.T) {
	ln := testkit.ListenOn(t, "tcp", testkit.Named, nil)
	nc := testkit.NetDial(t, ln)
	s := testkit.WirePeer{T: t, Conn: nc}
	s.Send(helloAsking(t, 99*time.Millisecond))
	s.ExpectHello()
	frame, err := io.ReadAll(s)
	if err != nil || !strings.Contains(string(frame), "the interval of heartbeats is too short: want at least 100 ms, the peer asks for one every 99 ms") {
		t.Errorf("got %q, %v", frame, err)
	}
	nc.Close()
	testkit.Eventually(t, "a refusal", func() bool { return ln.Refusals()["heartbeat"] == 1 })
}
