package backlog_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/backlog"
)

// What waits never exceeds the limit unless it is one message, and a message that fits
// is never held back for long: whatever is put and taken, Fits says the same as a queue of
// which all sizes are known, or less where small messages count as their share.
func TestBacklog(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		limit, space := 1+r.IntN(5000), 1+r.IntN(60)
		b := backlog.New(limit, space)
		var queue []int // the sizes that wait
		sum := func(least int) (n int) {
			for _, size := range queue {
				n += max(size, least)
			}
			return n
		}
		for range 2000 {
			if len(queue) > 0 && r.IntN(3) == 0 {
				queue = queue[1+r.IntN(len(queue)):]
			}
			if len(queue) == space {
				continue
			}
			size := r.IntN(b.Share() + 1)
			switch r.IntN(20) {
			case 0:
				size = r.IntN(limit)
			case 1:
				size = r.IntN(3 * limit)
			}
			fits := b.Fits(size, len(queue))
			if fits && len(queue) > 0 && sum(0)+size > limit {
				t.Fatalf("seed %d: %d bytes fit behind %v, want at most %d", seed, size, queue, limit)
			}
			if !fits && (len(queue) == 0 || sum(b.Share())+size <= limit) {
				t.Fatalf("seed %d: %d bytes do not fit behind %v, want up to %d", seed, size, queue, limit)
			}
			if fits {
				b.Put(size, len(queue))
				queue = append(queue, size)
				if full := b.Full(len(queue)); full && sum(b.Share())+size <= limit {
					t.Fatalf("seed %d: full behind %v, want up to %d", seed, queue, limit)
				}
			}
		}
	}
}

// While all messages take their share or less, they are not accounted for, and fit.
func TestSmallMessagesFit(t *testing.T) {
	b := backlog.New(4<<20, 16)
	for n := range 16 {
		if b.On() || !b.Fits(b.Share(), n) || b.Full(n) {
			t.Errorf("behind %d messages %d bytes do not fit", n, b.Share())
		}
		b.Put(b.Share(), n)
	}
	if allocs := testing.AllocsPerRun(100, func() { b.Put(b.Share(), 3) }); allocs != 0 {
		t.Errorf("%v allocations for a small message, want none", allocs)
	}
}

func TestPause(t *testing.T) {
	for waited, want := range map[time.Duration]time.Duration{
		0:                time.Millisecond,
		time.Second:      20 * time.Millisecond,
		time.Hour:        250 * time.Millisecond,
		90 * time.Second: 250 * time.Millisecond,
	} {
		if got := backlog.Pause(waited); got != want {
			t.Errorf("after %v: got %v, want %v", waited, got, want)
		}
	}
}
