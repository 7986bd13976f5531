package service

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// traced keeps what Options.Trace is told.
type traced struct {
	mu     sync.Mutex
	frames []qsocket.Frame
}

func (r *traced) trace(f qsocket.Frame) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frames = append(r.frames, f)
}

// way returns the frames of one direction, without what differs from run to run.
func (r *traced) way(out bool) (list []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.frames {
		if f.Out == out {
			list = append(list, fmt.Sprintf("kind %d size %d tag %d %v at %v", f.Kind, f.Size, f.Tag, f.HasTag, f.Time.Sub(r.frames[0].Time)))
		}
	}
	return list
}

// Every frame is told, in order, with its size, its case and the time: messages, and what the two
// ends say besides.
func TestTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r traced
		protocol := qsocket.Protocol[testkit.Event]{Name: "events/1", Codec: testkit.UnionOf(
			qsocket.Msgpack[testkit.Placed](), qsocket.Msgpack[*testkit.Filled](), qsocket.Msgpack[testkit.Reason]())}
		na, nb := qsockettest.NetPipe()
		a, b := testkit.WrapPair(t, na, nb, protocol, &qsocket.Options{Trace: r.trace}, nil)
		b.Messages()
		for _, m := range []testkit.Event{testkit.Reason("why"), testkit.Placed{}, testkit.Reason("")} {
			if err := a.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(14 * time.Second) // a heartbeat, both ways
		if err := b.Send(t.Context(), testkit.Reason("answer")); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Recv(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := a.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-a.Done() // Shutdown returns with the peer's confirm; the answer to its goodbye comes later
		placed, err := protocol.Codec.NewEncoder().Append(nil, testkit.Placed{})
		if err != nil {
			t.Fatal(err)
		}
		for out, want := range map[bool][]string{
			true: {
				"kind 0 size 6 tag 300 true at 0s",
				fmt.Sprintf("kind 0 size %d tag 1 true at 0s", len(placed)),
				"kind 0 size 3 tag 300 true at 0s",
				"kind 2 size 0 tag 0 false",
				"kind 1 size 7 tag 0 false",
				"kind 3 size 0 tag 0 false",
			},
			false: {
				"kind 2 size 0 tag 0 false",
				"kind 0 size 9 tag 300 true",
				"kind 3 size 0 tag 0 false",
				"kind 1 size 7 tag 0 false",
			},
		} {
			got := r.way(out)
			if len(got) != len(want) {
				t.Fatalf("out %v: got\n%s\nwant\n%s", out, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			for i := range want {
				if !strings.HasPrefix(got[i], want[i]) {
					t.Errorf("out %v: got %s, want %s", out, got[i], want[i])
				}
			}
		}
		for _, f := range r.frames {
			if f.Conn != a.ID() || f.Conn == 0 || b.ID() != 0 {
				t.Fatalf("a frame of connection %d, want %d; without a Trace: %d", f.Conn, a.ID(), b.ID())
			}
		}
	})
}

// All ways to send, and every framing, tell the same sizes, which are those of the counters.
func TestTraceSizes(t *testing.T) {
	for _, framing := range []qsocket.Framing{qsocket.Uint32, qsocket.Uint16, qsocket.Uint8, qsocket.Uint32LE, qsocket.Uvarint, qsocket.Netstring} {
		synctest.Test(t, func(t *testing.T) {
			p := qsocket.Protocol[string]{Codec: testkit.TextCodec, Framing: framing}
			var ra, rb traced
			na, nb := qsockettest.NetPipe()
			a, b := testkit.WrapPair(t, na, nb, p, &qsocket.Options{Trace: ra.trace, SendBuffer: 100}, &qsocket.Options{Trace: rb.trace})
			b.Messages()
			m, err := p.Prepare(strings.Repeat("p", 30))
			if err != nil {
				t.Fatal(err)
			}
			g := qsocket.NewGroup(p, qsocket.Block)
			g.Add(a)
			want := 0
			for n := range 50 { // some of them wait, staged
				if err := a.Send(t.Context(), strings.Repeat("s", n)); err != nil {
					t.Fatal(err)
				}
				if err := a.SendPrepared(t.Context(), m); err != nil {
					t.Fatal(err)
				}
				if _, err := g.Broadcast(t.Context(), strings.Repeat("g", n)); err != nil {
					t.Fatal(err)
				}
				want += n + 30 + n
				for range 3 {
					if _, err := b.Recv(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
			for name, frames := range map[string][]qsocket.Frame{"sent": ra.frames, "received": rb.frames} {
				got := 0
				for _, f := range frames {
					got += f.Size
				}
				if got != want || len(frames) != 150 {
					t.Errorf("%v: %s %d bytes in %d frames, want %d in 150", framing, name, got, len(frames), want)
				}
			}
		})
	}
}

// A Trace that panics costs nothing but itself, and is called no more.
func TestTracePanics(t *testing.T) {
	log := new(logged)
	calls := 0
	a, b := testkit.Pair(t, "tcp", testkit.Named, &qsocket.Options{Logger: slog.New(log), Trace: func(qsocket.Frame) { calls++; panic("oh no") }}, nil)
	for range 3 {
		testkit.Exchange(t, a, b, "m")
		testkit.Exchange(t, b, a, "m")
	}
	if got := strings.Count(log.String(), "ERROR qsocket: Options.Trace panicked"); got != 1 || calls != 1 {
		t.Errorf("logged %d times, called %d times, want once:\n%s", got, calls, log)
	}
}
