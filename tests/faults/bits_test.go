package faults

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

type flipMessage struct {
	N     int
	Text  string
	Items []string
	More  map[string]int
}

// Whatever bit of a conversation is flipped, hello and goodbye included: nothing
// panics, and both ends come to an end in the time that their timeouts allow.
func TestFault21EveryBitFlipped(t *testing.T) {
	testkit.CheckGoroutines(t)
	for _, test := range []struct {
		name string
		p    qsocket.Protocol[flipMessage]
	}{
		{"msgpack, raw", qsocket.Protocol[flipMessage]{}},
		{"msgpack, named", qsocket.Protocol[flipMessage]{Name: "flip/1"}},
		{"gob, raw", qsocket.Protocol[flipMessage]{Codec: qsocket.Gob[flipMessage]()}},
		{"gob, named", qsocket.Protocol[flipMessage]{Name: "flip/1", Codec: qsocket.Gob[flipMessage]()}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bits := 8 * converse(t, test.p, -1, new(time.Duration))
			var slowest time.Duration
			step := int64(1)
			if testkit.RaceEnabled && !*faultFull {
				step = 5
			}
			for bit := int64(0); bit < bits; bit += step {
				converse(t, test.p, bit, &slowest)
			}
			t.Logf("%d bits, one by one: no panic, both ends over after %v at most (virtual time)", (bits+step-1)/step, slowest)
		})
	}
}

// converse lets two ends talk, with a bit of what the client sends flipped if it
// is not negative. It returns how many bytes the client sends.
func converse(t *testing.T, p qsocket.Protocol[flipMessage], bit int64, slowest *time.Duration) (sent int64) {
	t.Helper()
	// FrameTimeout is 30 s, HandshakeTimeout 10 s, CloseTimeout 5 s, and without a
	// byte for 30 s a named end gives the other up.
	const bound = 2 * time.Minute
	synctest.Test(t, func(t *testing.T) {
		var faults qsockettest.Faults
		if bit >= 0 {
			faults.FlipBits = []int64{bit}
		}
		proxy := qsockettest.NewProxy(1, faults, qsockettest.Faults{})
		defer proxy.Close()
		na, nb := proxy.Pipe()
		count := &counted{StreamConn: na}
		start := time.Now()
		served := testkit.Async(func() error {
			c, err := qsocket.NewConn(context.Background(), nb, p, nil)
			if err != nil {
				return err
			}
			for m := range c.Messages() {
				if err := c.Send(context.Background(), m); err != nil {
					break
				}
			}
			_ = c.Close()
			<-c.Done()
			return c.Err()
		})
		c, err := qsocket.NewConn(context.Background(), count, p, nil)
		if err == nil {
			for i := range 3 {
				m := flipMessage{i, "text", []string{"a", "b"}, map[string]int{"c": 1}}
				if err = c.Send(context.Background(), m); err != nil {
					break
				}
			}
			for i := 0; i < 3 && err == nil; i++ {
				// A frame that was swallowed by another is never answered.
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				_, err = c.Recv(ctx)
				cancel()
			}
			_ = c.Close()
			<-c.Done()
			err = c.Err()
		}
		serveErr := <-served
		took := time.Since(start)
		*slowest = max(*slowest, took)
		if took > bound {
			t.Errorf("bit %d: over after %v, want at most %v; the ends: %v and %v", bit, took, bound, err, serveErr)
		}
		if bit < 0 && (err != nil || serveErr != nil) {
			t.Fatalf("without a flip: %v and %v", err, serveErr)
		}
		sent = count.n.Load()
	})
	return sent
}

// A frame may come in any number of pieces, and many in one, at any time.
func TestFault22SplitAndMerge(t *testing.T) {
	testkit.CheckGoroutines(t)
	const latency = 20 * time.Millisecond
	var tests []qsocket.Protocol[[]byte]
	for _, f := range testkit.Framings {
		p := testkit.Raw
		p.Framing = f
		tests = append(tests, p)
	}
	tests = append(tests, rawNamed, qsocket.Protocol[[]byte]{Name: "gob/1", Codec: qsocket.Gob[[]byte]()})
	for _, p := range tests {
		t.Run(fmt.Sprint(p.Framing, p.Name), func(t *testing.T) {
			for seed, f := range []qsockettest.Faults{
				{Split: 3},
				{Split: 100, Jitter: latency},
				{Merge: 10 * time.Millisecond},
				{Split: 7, Merge: 5 * time.Millisecond, Jitter: latency},
			} {
				synctest.Test(t, func(t *testing.T) { splitAndMerge(t, p, uint64(seed), f) })
			}
			t.Logf("4 × %d messages each way came identical and in order, in pieces and merged, 0–20 ms late (%v, name %q)", fullCount(100, 500), p.Framing, p.Name)
		})
	}
}

// splitAndMerge sends messages each way.
func splitAndMerge(t *testing.T, p qsocket.Protocol[[]byte], seed uint64, faults qsockettest.Faults) {
	proxy := qsockettest.NewProxy(seed, faults, faults)
	defer proxy.Close()
	na, nb := proxy.Pipe()
	a, b := testkit.WrapPair(t, na, nb, p, nil, nil)
	message := func(way, i int) []byte {
		r := rand.New(rand.NewPCG(seed, uint64(i<<1|way)))
		m := make([]byte, r.IntN(250))
		for j := range m {
			m[j] = byte(r.Uint32())
		}
		return m
	}
	var ends []<-chan error
	n := fullCount(100, 500)
	for way, c := range []*qsocket.Conn[[]byte]{a, b} {
		ends = append(ends, testkit.Async(func() error {
			for i := range n {
				if err := c.Send(t.Context(), message(way, i)); err != nil {
					return err
				}
				if i%50 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
			return c.CloseWrite()
		}), testkit.Async(func() error {
			for i := range n {
				m, err := c.Recv(t.Context())
				if err != nil {
					return err
				}
				if want := message(1-way, i); !bytes.Equal(m, want) {
					return fmt.Errorf("message %d is % x, want % x", i, m, want)
				}
			}
			if _, err := c.Recv(t.Context()); err != io.EOF {
				return fmt.Errorf("got %w, want io.EOF", err)
			}
			return nil
		}))
	}
	for _, ended := range ends {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
