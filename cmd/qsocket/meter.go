package main

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// meter has what a load has measured so far.
type meter struct {
	begin   time.Time
	sent    atomic.Int64
	blocked atomic.Int64 // how often a connection had no room

	shards  []*shard
	seconds []second // owned by sample, until end
	quit    chan struct{}
	done    chan struct{}
}

// shard is a part of the latencies: with one for all, the receivers would wait for each other.
type shard struct {
	mu       sync.Mutex // guards following
	all      *hdrhistogram.Histogram
	lately   *hdrhistogram.Histogram // since the last sample
	answered int64
}

// second is what has happened in a part of the run, a second or less.
type second struct {
	At       float64 `json:"at"` // seconds since the beginning, at its end
	Sent     float64 `json:"sent"`
	Answered float64 `json:"answered"` // both a second
	P50      float64 `json:"p50"`
	P99      float64 `json:"p99"`
	Max      float64 `json:"max"` // ms
}

const (
	numShards  = 8
	mostRecord = int64(10 * time.Minute) // the longest latency that is told from a longer one
	resolution = 3                       // decimal digits of latencies
)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, mostRecord, resolution) }

func newMeter() *meter {
	m := &meter{quit: make(chan struct{}), done: make(chan struct{})}
	for range numShards {
		m.shards = append(m.shards, &shard{all: newHistogram(), lately: newHistogram()})
	}
	return m
}

// start begins the measurement, which takes that long. It starts a goroutine that takes samples and ends with end.
func (m *meter) start(span time.Duration) {
	m.begin = time.Now()
	go m.sample(max(span/100, 100*time.Millisecond))
}

// end ends the samples.
func (m *meter) end() {
	close(m.quit)
	<-m.done
}

// sample notes what happens in each interval.
func (m *meter) sample(interval time.Duration) {
	defer close(m.done)
	ticks := time.NewTicker(interval)
	defer ticks.Stop()
	var before time.Duration
	var sent, answered int64
	for quit := false; !quit; {
		select {
		case <-ticks.C:
		case <-m.quit:
			quit = true
		}
		now := time.Since(m.begin)
		passed := (now - before).Seconds()
		if quit && passed < interval.Seconds()/2 {
			break // too short for a rate
		}
		lately := newHistogram()
		var count int64
		for _, s := range m.shards {
			s.mu.Lock()
			lately.Merge(s.lately)
			s.lately.Reset()
			count += s.answered
			s.mu.Unlock()
		}
		total := m.sent.Load()
		m.seconds = append(m.seconds, second{
			At: now.Seconds(), Sent: float64(total-sent) / passed, Answered: float64(count-answered) / passed,
			P50: inMS(time.Duration(lately.ValueAtQuantile(50))), P99: inMS(time.Duration(lately.ValueAtQuantile(99))), Max: inMS(time.Duration(lately.Max())),
		})
		before, sent, answered = now, total, count
	}
}

// answered returns how many latencies there are.
func (m *meter) answered() (n int64) {
	for _, s := range m.shards {
		s.mu.Lock()
		n += s.answered
		s.mu.Unlock()
	}
	return n
}

// latencies returns all of them.
func (m *meter) latencies() *hdrhistogram.Histogram {
	all := newHistogram()
	for _, s := range m.shards {
		s.mu.Lock()
		all.Merge(s.all)
		s.mu.Unlock()
	}
	return all
}

// record takes a latency of connection number.
func (m *meter) record(latency time.Duration, number int) {
	s := m.shards[number%numShards]
	v := min(max(int64(latency), 1), mostRecord)
	s.mu.Lock()
	s.answered++
	_ = s.all.RecordValue(v) // it is within the bounds
	_ = s.lately.RecordValue(v)
	s.mu.Unlock()
}
