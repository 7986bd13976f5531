package model

import (
	"slices"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/qsockettest"
	"pgregory.net/rapid"
)

const ms = time.Millisecond

// programs draws programs. What comes first in a list is what shrinking prefers.
var programs = rapid.Custom(func(t *rapid.T) program {
	p := program{
		Named: rapid.Bool().Draw(t, "named"),
		Codec: rapid.SampledFrom([]string{"text", "msgpack", "gob"}).Draw(t, "codec"),
	}
	if !p.Named {
		p.Framing = rapid.SampledFrom([]qsocket.Framing{qsocket.Uint32, qsocket.Uint32, qsocket.Uvarint, qsocket.Netstring}).Draw(t, "framing")
	}
	p.Weather = drawWeather(t)
	fine := p.Weather.faults(func(f *qsockettest.Faults) bool { return f.Split > 0 && f.Split < 100 })
	maxFrame := drawMaxFrame(t, fine)
	beats := drawHeartbeats(t)
	for i := range p.Ends {
		p.Ends[i].Options = drawOptions(t)
		p.Ends[i].Options.Heartbeat = beats[i]
		p.Ends[i].Options.MaxFrame = maxFrame // in raw mode the ends have to agree
		if p.Named {
			maxFrame = drawMaxFrame(t, fine)
		}
	}
	for i := range p.Ends {
		drawEnd(t, &p, i)
	}
	return p
})

// drawMaxFrame keeps programs small whose bytes travel one by one.
func drawMaxFrame(t *rapid.T, fine bool) int {
	if fine {
		return rapid.SampledFrom([]int{1000, 300}).Draw(t, "MaxFrame")
	}
	return rapid.SampledFrom([]int{1000, 300, 100_000, 5000}).Draw(t, "MaxFrame")
}

func drawOptions(t *rapid.T) qsocket.Options {
	return qsocket.Options{
		RecvQueue:        rapid.SampledFrom([]int{0, 1, 3}).Draw(t, "RecvQueue"),
		SendBuffer:       rapid.SampledFrom([]int{0, 1, 100, 2000, 20_000}).Draw(t, "SendBuffer"),
		WriteTimeout:     rapid.SampledFrom([]time.Duration{0, 0, 0, 30 * ms}).Draw(t, "WriteTimeout"),
		FrameTimeout:     rapid.SampledFrom([]time.Duration{0, -1, 40 * ms}).Draw(t, "FrameTimeout"),
		HandshakeTimeout: 60 * ms,
		CloseTimeout:     rapid.SampledFrom([]time.Duration{100 * ms, 40 * ms, 300 * ms}).Draw(t, "CloseTimeout"),
	}
}

// drawHeartbeats draws intervals with which the ends do not refuse each other: below 100 ms
// they have to be the same.
func drawHeartbeats(t *rapid.T) (beats [2]time.Duration) {
	beats[0] = rapid.SampledFrom([]time.Duration{-1, 0, 20 * ms, 60 * ms, 100 * ms}).Draw(t, "Heartbeat")
	beats[1] = beats[0]
	if beats[0] <= 0 || beats[0] >= 100*ms {
		beats[1] = rapid.SampledFrom([]time.Duration{-1, 0, 100 * ms}).Draw(t, "the other Heartbeat")
	}
	return beats
}

// drawWeather draws fair weather in most cases: it is there that the contract
// promises most.
func drawWeather(t *rapid.T) weather {
	w := weather{Seed: uint64(rapid.IntRange(0, 1000).Draw(t, "seed"))}
	fair := rapid.Int().Draw(t, "clear")%2 == 0
	if !fair {
		w.Up, w.Down = drawFair(t), drawFair(t)
	}
	switch rapid.SampledFrom([]string{"nothing", "nothing", "stall", "cut", "cut after", "flips"}).Draw(t, "fault") {
	case "stall":
		at := drawTime(t, "at", 60)
		stalled := event{At: at, Up: w.Up, Down: w.Down}
		which := rapid.IntRange(1, 3).Draw(t, "which")
		stalled.Up.Stall, stalled.Down.Stall = which&1 != 0, which&2 != 0
		w.Events = append(w.Events, stalled)
		if rapid.Bool().Draw(t, "resumes") {
			w.Events = append(w.Events, event{At: at + drawTime(t, "for", 100), Up: w.Up, Down: w.Down})
		}
	case "cut":
		w.Events = append(w.Events, event{At: drawTime(t, "at", 80), Up: w.Up, Down: w.Down, Cut: drawCut(t)})
	case "cut after":
		f := rapid.SampledFrom([]*qsockettest.Faults{&w.Up, &w.Down}).Draw(t, "direction")
		f.Cut = drawCut(t)
		f.CutAfter = int64(rapid.OneOf(rapid.IntRange(0, 300), rapid.IntRange(0, 20_000)).Draw(t, "after"))
	case "flips":
		f := rapid.SampledFrom([]*qsockettest.Faults{&w.Up, &w.Down}).Draw(t, "direction")
		f.FlipRate = rapid.SampledFrom([]float64{1e-4, 1e-2, 1e-3}).Draw(t, "rate")
	}
	return w
}

func drawCut(t *rapid.T) qsockettest.Cut {
	return rapid.SampledFrom([]qsockettest.Cut{qsockettest.FIN, qsockettest.RST, qsockettest.BlackHole}).Draw(t, "cut")
}

// drawFair draws faults that neither program may notice.
func drawFair(t *rapid.T) qsockettest.Faults {
	return qsockettest.Faults{
		Latency: drawTime(t, "latency", 3),
		Jitter:  drawTime(t, "jitter", 2),
		Merge:   drawTime(t, "merge", 2),
		Split:   rapid.SampledFrom([]int{0, 3000, 100, 1, 7}).Draw(t, "split"),
	}
}

// drawTime draws up to so many milliseconds.
func drawTime(t *rapid.T, label string, upTo int) time.Duration {
	return time.Duration(rapid.IntRange(0, upTo).Draw(t, label)) * ms
}

func drawEnd(t *rapid.T, p *program, i int) {
	e := &p.Ends[i]
	for range rapid.IntRange(0, 3).Draw(t, "actors") {
		var steps []step
		for range rapid.IntRange(0, 7).Draw(t, "steps") {
			steps = append(steps, drawStep(t, p, i))
		}
		e.Actors = append(e.Actors, steps)
	}
	e.Finale = finale{
		Op:    rapid.SampledFrom([]op{closing, recv, shutdown}).Draw(t, "finale"),
		Bound: drawTime(t, "within", 100),
	}
}

// stepOps has what is done often as often.
var stepOps = slices.Concat(
	slices.Repeat([]op{send}, 10), slices.Repeat([]op{recv}, 4), slices.Repeat([]op{channel, all, pause}, 2),
	[]op{flush, closeWrite, closing, closeWhy, shutdown, watch},
)

func drawStep(t *rapid.T, p *program, i int) step {
	s := step{Op: rapid.SampledFrom(stepOps).Draw(t, "op"), Bound: unbounded}
	switch {
	case s.Op == send:
		s.Count = rapid.SampledFrom([]int{1, 2, 5, 20}).Draw(t, "count")
		s.Size = drawSize(t, p, i)
	case s.Op.receives():
		s.Count = rapid.SampledFrom([]int{1, 3, 20, 1000}).Draw(t, "count")
	case s.Op == pause:
		s.Pause = drawTime(t, "pause", 40)
	}
	if s.bounded() {
		s.Bound = rapid.SampledFrom([]time.Duration{unbounded, 10 * ms, 50 * ms, 1 * ms, 0, unbounded}).Draw(t, "bound")
	}
	return s
}

// drawSize draws the sizes at which something changes, too.
func drawSize(t *rapid.T, p *program, i int) int {
	limit, buffer := p.limit(i), p.Ends[i].Options.SendBuffer
	around := func(n int) int { return max(0, n+rapid.IntRange(-60, 10).Draw(t, "around")) }
	switch rapid.SampledFrom([]string{"small", "small", "any", "limit", "buffer", "above", "broken"}).Draw(t, "size") {
	case "any":
		return rapid.IntRange(0, limit).Draw(t, "bytes")
	case "limit":
		return around(limit)
	case "buffer":
		return min(around(buffer), limit)
	case "above":
		return limit + 1 + rapid.IntRange(0, limit).Draw(t, "bytes")
	case "broken":
		return -1
	}
	return rapid.IntRange(0, 60).Draw(t, "bytes")
}
