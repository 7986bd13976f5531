package main

import (
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/bench/peers"
)

// loopEnd receives what it has sent.
type loopEnd struct {
	stamps chan int64
	stall  time.Duration // of the first Send
	twist  int64         // added to what is received
}

func newLoopEnd(stall time.Duration, twist int64) *loopEnd {
	return &loopEnd{make(chan int64, 1000), stall, twist}
}

func (e *loopEnd) Send(stamp int64) error {
	time.Sleep(e.stall)
	e.stall = 0
	e.stamps <- stamp
	return nil
}
func (e *loopEnd) Flush() error         { return nil }
func (e *loopEnd) Recv() (int64, error) { return <-e.stamps + e.twist, nil }
func (e *loopEnd) Pending() bool        { return false }
func (e *loopEnd) Close() error         { return nil }

// A message that holds up its sender makes those behind it late, though each of them is answered at once
// when it is sent. Without the stall they would take microseconds.
func TestLoadCountsFromWhenDue(t *testing.T) {
	const n, rate, stall = 20, 1000, 50 * time.Millisecond
	l, err := runLoad([]peers.End{newLoopEnd(stall, 0)}, n, rate)
	if err != nil {
		t.Fatal(err)
	}
	// The last one is due 19 ms after the first, and comes after it.
	if least := float64(stall - 19*time.Millisecond); l.P50 < least || l.P999 < l.P50 {
		t.Errorf("got %+v, want percentiles of at least %v ns", l, least)
	}
	if most := n / stall.Seconds(); l.Rate > most {
		t.Errorf("%v messages a second, want at most %v", l.Rate, most)
	}
}

func TestLoadFindsAWrongEcho(t *testing.T) {
	ends := []peers.End{newLoopEnd(0, 0), newLoopEnd(0, 1)}
	_, err := runLoad(ends, 10, 100_000)
	if err == nil || err.Error() != "echo 1 on connection 2 is of the message due after 10.001µs, want 10µs" {
		t.Errorf("got error %v", err)
	}
}

func TestSchedule(t *testing.T) {
	s := schedule{rate: 20_000, conns: 50}
	for i, want := range map[int]time.Duration{0: 0, 1: 50 * time.Microsecond, 20_000: time.Second, 1 << 30: 53687091200 * time.Microsecond} {
		if got := s.due(i); got != want {
			t.Errorf("message %d is due after %v, want %v", i, got, want)
		}
	}
}

func TestLoadTables(t *testing.T) {
	res := fixed(map[string]map[string]float64{rawSingle: {}, gorilla: {}})
	add := func(contestant string, rounds ...latency) {
		c := &cell{Contestant: contestant, Workload: "load=20000"}
		for _, l := range rounds {
			c.add(sample{Value: l.P99, Latency: l})
		}
		c.sum()
		res.Cells = append(res.Cells, c)
	}
	add(rawSingle, latency{20_000, 900_000, 3e6, 19_990}, latency{30_000, 800_000, 2e6, 19_980}, latency{10_000, 700_000, 1e6, 10})
	add(gorilla, latency{1e6, 2e6, 3e6, 18_000})
	res.Cells = append(res.Cells, &cell{Contestant: gorilla, Workload: "load=100000", Error: "torn"})
	want := `From when a message was due, whether those before it were answered or not, to its echo.

20,000 messages a second over 50 connections:

| contestant                | p50 µs | p99 µs | p99.9 µs | p99, smallest … largest |         answered a second |
|---------------------------|-------:|-------:|---------:|------------------------:|--------------------------:|
| raw/none                  |   20.0 |    800 |     2000 |               700 … 900 |                    19,980 |
| gorilla/websocket/msgpack |   1000 |   2000 |     3000 |             2000 … 2000 | 18,000: less than offered |

100,000 messages a second over 50 connections:

| contestant                | p50 µs | p99 µs | p99.9 µs | p99, smallest … largest | answered a second |
|---------------------------|-------:|-------:|---------:|------------------------:|------------------:|
| gorilla/websocket/msgpack |  error |  error |    error |                   error |             error |
`
	if got := res.loadTables(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if text := res.mainTable(); strings.Contains(text, "load") {
		t.Errorf("the main table has columns of load:\n%s", text)
	}
}
