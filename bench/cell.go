package main

import (
	"slices"

	"github.com/fb9bb4ed/qsocket/bench/peers"
)

// A cell is what is known of one contestant in one workload.
type cell struct {
	Contestant string
	Workload   string
	Unit       string    // of Samples, Median, Min and Max: "ns" or "B"
	Samples    []float64 // per message or per end of connection, one of each round
	Median     float64
	Min        float64
	Max        float64
	Allocs     float64   `json:",omitempty"` // per message, by both sides; median
	Goroutines float64   `json:",omitempty"` // per end of an idle connection; median
	Latencies  []latency `json:",omitempty"` // under load, one of each round; Samples are their P99
	Count      int       // messages in a round
	Conns      int       // connections
	Note       string    `json:",omitempty"`
	Error      string    `json:",omitempty"` // the last one; there may be samples nevertheless

	contestant         peers.Contestant
	workload           workload
	allocs, goroutines []float64
	failures           int
}

func newCell(c peers.Contestant, w workload) *cell {
	unit := "ns"
	if w.idle() {
		unit = "B"
	}
	return &cell{Contestant: c.String(), Workload: w.Name, Unit: unit, contestant: c, workload: w}
}

func (c *cell) add(s sample) {
	c.Samples = append(c.Samples, s.Value)
	c.allocs = append(c.allocs, s.Allocs)
	c.goroutines = append(c.goroutines, s.Goroutines)
	if s.Latency != (latency{}) {
		c.Latencies = append(c.Latencies, s.Latency)
	}
}

func (c *cell) fail(err error) {
	c.Error = err.Error()
	c.failures++
}

// sum computes what follows from the samples.
func (c *cell) sum() {
	if len(c.Samples) == 0 {
		return
	}
	c.Median = median(c.Samples)
	c.Min, c.Max = slices.Min(c.Samples), slices.Max(c.Samples)
	c.Allocs, c.Goroutines = median(c.allocs), median(c.goroutines)
}

// median returns the middle one of the values, or the mean of the middle two.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	switch n := len(s); {
	case n == 0:
		return 0
	case n%2 == 1:
		return s[n/2]
	default:
		return (s[n/2-1] + s[n/2]) / 2
	}
}
