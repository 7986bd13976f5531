package codecbench

import (
	"runtime"
	"testing"
	"time"
)

// A clock counts operations, times them, and counts their allocations. Under
// go test it is a *testing.B; without, a stopwatch.
type clock interface {
	// Loop is that of testing.B: it starts the clock when it is first called,
	// reports whether to do one more operation, and stops the clock after the last.
	Loop() bool

	// ResetTimer, StopTimer and n are for an operation that must know
	// beforehand how many of it there will be. It does not call Loop.
	ResetTimer()
	StopTimer()
	n() int

	// StopTimer and StartTimer, called one after the other while Loop is under
	// way, keep what is between them outside of the clock.
	StartTimer()
}

// benchmark is the clock of go test.
type benchmark struct{ *testing.B }

func (b benchmark) n() int { return b.N }

// stopwatch is the clock of programs. It runs a given number of operations,
// which makes the time that they take predictable.
type stopwatch struct {
	total, done int // operations

	running bool
	since   time.Time     // of the last start
	elapsed time.Duration // before that

	mallocsAtStart uint64
	mallocs        uint64
}

func (s *stopwatch) n() int { return s.total }

func (s *stopwatch) Loop() bool {
	if s.done == s.total {
		s.StopTimer()
		return false
	}
	if s.done == 0 {
		s.ResetTimer()
	}
	s.done++
	return true
}

func (s *stopwatch) ResetTimer() {
	runtime.GC() // what came before must not be collected at the cost of what comes now
	s.elapsed, s.mallocs, s.running = 0, 0, false
	s.StartTimer()
}

func (s *stopwatch) StartTimer() {
	if s.running {
		return
	}
	s.mallocsAtStart = mallocs()
	s.running, s.since = true, time.Now()
}

func (s *stopwatch) StopTimer() {
	if !s.running {
		return
	}
	s.elapsed += time.Since(s.since)
	s.mallocs += mallocs() - s.mallocsAtStart
	s.running = false
}

// nanos returns the time of one operation.
func (s *stopwatch) nanos() float64 { return float64(s.elapsed.Nanoseconds()) / float64(s.total) }

// allocs returns the allocations of one operation, which other goroutines of
// the process may have added to.
func (s *stopwatch) allocs() float64 { return float64(s.mallocs) / float64(s.total) }

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}
