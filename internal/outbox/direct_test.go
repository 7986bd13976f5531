package outbox_test

import (
	"runtime"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// A Send writes what waits for a flusher that has not started: 96 KiB, or 32 KiB if
// another connection has done so meanwhile or SendBuffer has no room for more.
func TestTakeOver(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // the flusher does not start while this goroutine runs
	const frame, attempts = 1 << 10, 50
	ctx := testkit.Context(t)
	message := make([]byte, frame-4)
	// gathered returns how much had been gathered when a Send of c wrote it. A frame
	// alone does not count: on a quiet connection it is written at once.
	gathered := func(c *qsocket.Conn[[]byte]) int {
		if err := c.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		for before := c.Stats(); ; {
			if err := c.Send(ctx, message); err != nil {
				t.Fatal(err)
			}
			s := c.Stats()
			n := int(s.BytesSent - before.BytesSent)
			switch {
			case s.Flushes == before.Flushes:
			case n > frame:
				return n
			default:
				before = s
			}
		}
	}
	sender := func(buffer int) *qsocket.Conn[[]byte] {
		a, b := testkit.Pair(t, "tcp", testkit.Raw, &qsocket.Options{SendBuffer: buffer}, nil)
		go func() { // ends with the connection
			for range b.Messages() {
			}
		}()
		return a
	}
	alone, other, small := sender(0), sender(0), sender(64<<10)
	for _, test := range []struct {
		name string
		run  func() int
		want int
	}{
		{"alone", func() int { return gathered(alone) }, 96 << 10},
		{"with another", func() int { gathered(other); return gathered(alone) }, 32 << 10},
		{"with a small SendBuffer", func() int { return gathered(small) }, 32 << 10},
	} {
		var got []int
		for range attempts { // the scheduler may start the flusher at any time
			n := test.run()
			got = append(got, n)
			if n == test.want {
				break
			}
		}
		if got[len(got)-1] != test.want {
			t.Errorf("%s: wrote after %v bytes, want once %d", test.name, got, test.want)
		}
	}
}
