package qsockettest_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// trace returns what arrives, at either end of two connections, of a traffic
// that is always the same.
func trace(t *testing.T, seed uint64, f faults) (got [4][]arrival) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := qsockettest.NewProxy(seed, f, f)
		var sent []arrival
		for i := range 50 {
			sent = append(sent, arrival{time.Duration(i) * 3 * ms, fmt.Sprintf("message %d;", i)})
		}
		start := time.Now()
		var ends []<-chan []arrival
		for range 2 {
			a, b := p.Pipe()
			for _, nc := range []*qsockettest.StreamConn{a, b} {
				go func() { // ends when all is sent
					for _, m := range sent {
						time.Sleep(m.At - time.Since(start))
						write(t, nc, m.Bytes)
					}
					closeWrite(t, nc)
				}()
				ends = append(ends, async(func() []arrival { got, _ := arrivals(nc, start); return got }))
				defer nc.Close()
			}
		}
		for i, end := range ends {
			got[i] = <-end
		}
		p.Close()
	})
	return got
}

func TestSeed(t *testing.T) {
	for _, f := range []faults{
		{Split: 20, Jitter: 10 * ms},
		{Jitter: 10 * ms, Latency: 5 * ms},
		{FlipRate: 0.01},
		{Split: 7, Merge: 10 * ms},
		{Split: 7, Jitter: 20 * ms, Merge: 5 * ms, FlipRate: 0.001, Bandwidth: 10_000, DribbleBytes: 5, DribbleEvery: ms},
	} {
		t.Run(fmt.Sprintf("%+v", f), func(t *testing.T) {
			first := trace(t, 1, f)
			for range 5 {
				if diff := cmp.Diff(first, trace(t, 1, f)); diff != "" {
					t.Fatalf("the same seed (-first +again):\n%s", diff)
				}
			}
			if cmp.Equal(first, trace(t, 2, f)) {
				t.Error("another seed did the same")
			}
			for i := range first {
				for k := range i {
					if cmp.Equal(first[i], first[k]) {
						t.Errorf("directions %d and %d have the same faults", i, k)
					}
				}
			}
		})
	}
}

// What is drawn depends on the offset alone, not on how the bytes come.
func TestSeedAndWrites(t *testing.T) {
	var texts [2]string
	for i, sizes := range [][]int{{10_000}, {1, 999, 4000, 5000}} {
		inBubble(t, faults{FlipRate: 0.01, Split: 100}, faults{}, func(t *testing.T, _ *qsockettest.Proxy, a, b *qsockettest.StreamConn) {
			go func() { // ends when all is sent
				for _, size := range sizes {
					write(t, a, string(make([]byte, size)))
					time.Sleep(ms)
				}
				a.Close()
			}()
			got, _ := arrivals(b, time.Now())
			texts[i] = bytesOf(got)
		})
	}
	if texts[0] != texts[1] {
		t.Error("other bits are flipped if the bytes come in other pieces")
	}
}
