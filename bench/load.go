package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/fb9bb4ed/qsocket/bench/peers"
)

// Role load is an open loop: messages are due at times that are fixed beforehand, whether
// the echoes of others have come or not, as are those of clients that know nothing of each other.
// How long a message takes counts from when it was due: a sender that is held up
// makes those behind it late, and their waiting is what a client would notice.

const (
	loadConns   = 50
	loadSenders = 5  // goroutines, each for a share of the connections
	loadRuns    = 10 // how many times longer it takes than other runs: 1 of 1,000 is looked for
	kept        = 0.95
)

// loadRates are offered, messages a second over all connections.
var loadRates = []int{20_000, 100_000}

// loaded are the contestants that are measured under load.
var loaded = []string{
	rawSingle, "qsocket channel/none", "qsocket channel/msgpack", "qsocket pull/none", "qsocket pull/msgpack",
	grpcStream, gorilla, natsBroker,
}

// A latency is the outcome of a run under load: percentiles, in ns, and how many messages were
// answered in a second.
type latency struct {
	P50, P99, P999, Rate float64
}

// A schedule says when each message is due.
type schedule struct {
	begin time.Time
	n     int // messages in all
	rate  int // a second
	conns int // message i is number i / conns of connection i % conns
}

// due returns when message i is due, after begin.
func (s schedule) due(i int) time.Duration {
	return time.Duration(i) * time.Second / time.Duration(s.rate)
}

// runLoad sends n messages at that rate, in turn over all connections, and receives their echoes.
func runLoad(ends []peers.End, n, rate int) (latency, error) {
	histograms := make([]*hdrhistogram.Histogram, len(ends))
	for i := range histograms {
		histograms[i] = hdrhistogram.New(100, int64(time.Minute), 3)
	}
	var (
		wg    sync.WaitGroup
		once  sync.Once
		first error
	)
	fail := func(err error) {
		if err != nil {
			once.Do(func() {
				first = err
				closeAll(ends) // so that the others do not wait
			})
		}
	}
	s := schedule{begin: time.Now().Add(time.Millisecond), n: n, rate: rate, conns: len(ends)}
	for c, end := range ends {
		wg.Go(func() { fail(s.receive(c, end, histograms[c])) }) // ends with the last echo or an error
	}
	senders := min(loadSenders, len(ends))
	for first := range senders {
		wg.Go(func() { fail(s.send(ends, first, senders)) }) // ends with the last message or an error
	}
	wg.Wait()
	elapsed := time.Since(s.begin)
	if first != nil {
		return latency{}, first
	}
	all := histograms[0]
	for _, h := range histograms[1:] {
		all.Merge(h)
	}
	at := func(percentile float64) float64 { return float64(all.ValueAtPercentile(percentile)) }
	return latency{at(50), at(99), at(99.9), float64(n) / elapsed.Seconds()}, nil
}

// send sends every message of which first is the remainder by senders. It waits for none of those that are
// due, and so catches up after it was late.
func (s schedule) send(ends []peers.End, first, senders int) error {
	for i := first; i < s.n; i += senders {
		due := s.due(i)
		sleepUntil(s.begin.Add(due))
		if err := post(ends[i%s.conns], firstStamp+int64(due)); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	return nil
}

// receive receives the echoes on connection c, which come in the order of the messages.
func (s schedule) receive(c int, end peers.End, h *hdrhistogram.Histogram) error {
	for i := c; i < s.n; i += s.conns {
		stamp, err := recvEcho(end, i/s.conns, s.n/s.conns)
		if err != nil {
			return err
		}
		due := s.due(i)
		if got := time.Duration(stamp - firstStamp); got != due {
			return fmt.Errorf("echo %d on connection %d is of the message due after %v, want %v", i/s.conns+1, c+1, got, due)
		}
		if err := h.RecordValue(int64(time.Since(s.begin) - due)); err != nil {
			return fmt.Errorf("latency: %w", err)
		}
	}
	return nil
}

// medianOf returns the medians of what the rounds have found, each by itself.
func medianOf(rounds []latency) latency {
	of := func(field func(latency) float64) float64 {
		var values []float64
		for _, l := range rounds {
			values = append(values, field(l))
		}
		return median(values)
	}
	return latency{
		P50:  of(func(l latency) float64 { return l.P50 }),
		P99:  of(func(l latency) float64 { return l.P99 }),
		P999: of(func(l latency) float64 { return l.P999 }),
		Rate: of(func(l latency) float64 { return l.Rate }),
	}
}

// loadTables returns a table for each rate.
func (res *results) loadTables() string {
	text := ""
	for _, d := range res.some(isSeries("load=")) {
		t := table{head: []string{"contestant", "p50 µs", "p99 µs", "p99.9 µs", "p99, smallest … largest", "answered a second"}}
		for _, e := range res.Contestants {
			c := res.cell(e.Name, d.Name)
			switch {
			case c == nil:
			case len(c.Latencies) == 0:
				t.add(e.Name, "error", "error", "error", "error", "error")
			default:
				l := medianOf(c.Latencies)
				answered := number(l.Rate)
				if l.Rate < kept*float64(d.Rate) {
					answered += ": less than offered"
				}
				t.add(e.Name, number(micros(l.P50)), number(micros(l.P99)), number(micros(l.P999)),
					number(micros(c.Min))+" … "+number(micros(c.Max)), answered)
			}
		}
		if len(t.rows) > 0 {
			text += fmt.Sprintf("%s messages a second over %d connections:\n\n%s\n", thousands(d.Rate), d.Conns, &t)
		}
	}
	if text == "" {
		return ""
	}
	return "From when a message was due, whether those before it were answered or not, to its echo.\n\n" + strings.TrimSuffix(text, "\n")
}
