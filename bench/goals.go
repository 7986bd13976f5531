package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/fb9bb4ed/qsocket/bench/peers"
)

// A goal is one line of the table of goals.
type goal struct {
	Name     string
	Mode     string  // "channel" or "pull"
	Want     string  // "≥ 0.55"
	Measured float64 // 0 if Missing
	Met      bool
	Raw      float64 // what plain sockets without a codec reach in the same run; 0 if that is not known, or what is compared with
	Missing  string  `json:",omitempty"` // what was not measured
}

// evaluate computes the goals from the medians.
func (res *results) evaluate() []goal {
	var goals []goal
	for _, mode := range []string{"channel", "pull"} {
		own := func(codec string) string { return "qsocket " + mode + "/" + codec }
		for _, r := range races {
			goals = append(goals, res.race(r, mode))
		}
		atMost := func(name, codec string, limit float64, measure func(contestant string) (v float64, missing string)) {
			goals = append(goals, atMost(name+", "+codecTitle(codec), mode, limit, func() (float64, string) { return measure(own(codec)) }))
		}
		atMost("idle, bytes per end", "none", limits{8 << 10, 5 << 10}.by(mode), res.idleBytes)
		atMost("idle, bytes per end", "msgpack", limits{8 << 10, 5.5 * 1024}.by(mode), res.idleBytes)
		atMost("idle, bytes per end", "gob", limits{12 << 10, 9 << 10}.by(mode), res.idleBytes)
		atMost("allocations per message, both ends, W1 to W5", "none", 0, res.allocations)
		for _, codec := range []string{"none", "msgpack"} {
			atMost("cost with 10 to 1000 connections, × that with one", codec, 1.25, func(contestant string) (float64, string) {
				return res.flatness(contestant, 10, 100, 1_000)
			})
			atMost("cost with 10,000 connections, × that with one", codec, 2.6, func(contestant string) (float64, string) {
				return res.flatness(contestant, 10_000)
			})
			if raw, lacks := res.flatness(rawBatched, 10_000); lacks == "" {
				goals[len(goals)-1].Raw = raw
			}
		}
	}
	return goals
}

func (res *results) race(r race, mode string) goal {
	on := func(contestant string) string { return peers.Over(contestant, r.over) }
	own, limit, sign, what := on("qsocket "+mode+"/"+r.codec), r.limits.by(mode), "≥", "throughput ÷ that of "
	switch {
	case strings.HasPrefix(r.workload, "load="):
		sign, what = "≤", "p99 ÷ that of "
	case r.time:
		sign, what = "≤", "time ÷ that of "
	}
	name := r.name
	if name == "" {
		name = r.against[0]
	}
	g := goal{
		Name: fmt.Sprintf("%s, %s: %s%s", r.workload, peers.Over(codecTitle(r.codec), r.over), what, name),
		Mode: mode, Want: fmt.Sprintf("%s %v", sign, limit),
	}
	mine, ok := res.median(own, r.workload)
	if !ok {
		g.Missing = missing(false, own, r.workload)
		return g
	}
	best := math.Inf(1)
	for _, other := range r.against {
		v, ok := res.median(on(other), r.workload)
		if !ok {
			g.Missing = missing(false, on(other), r.workload)
			return g
		}
		best = min(best, v)
	}
	if r.time {
		g.Measured = mine / best
		g.Met = g.Measured <= limit
	} else {
		g.Measured = best / mine
		g.Met = g.Measured >= limit
	}
	if r.codec != "none" {
		g.Raw = res.rawBound(r, best)
	}
	return g
}

// rawBound returns what is measured in r if plain sockets take part, without a codec, instead of qsocket: no library above
// them can be much better. best is the median of the best of the others.
func (res *results) rawBound(r race, best float64) float64 {
	raw := math.Inf(1)
	for _, contestant := range []string{rawBatched, rawSingle} {
		if v, ok := res.median(peers.Over(contestant, r.over), r.workload); ok {
			raw = min(raw, v)
		}
	}
	switch {
	case math.IsInf(raw, 1):
		return 0
	case r.time:
		return raw / best
	}
	return best / raw
}

func atMost(name, mode string, limit float64, measure func() (v float64, missing string)) goal {
	g := goal{Name: name, Mode: mode, Want: fmt.Sprintf("≤ %v", limit)}
	if g.Measured, g.Missing = measure(); g.Missing == "" {
		// A handful of allocations in a whole run, of the runtime and of what
		// runs the workload, are none per message.
		g.Met = g.Measured <= limit || limit == 0 && g.Measured < 0.05
	}
	return g
}

// allocations returns the most that a contestant needs for a message in W1 to W5.
func (res *results) allocations(contestant string) (most float64, lacks string) {
	for _, w := range []string{"W1", "W2", "W3", "W4", "W5"} {
		if _, ok := res.median(contestant, w); !ok {
			return 0, missing(false, contestant, w)
		}
		most = max(most, res.cell(contestant, w).Allocs)
	}
	return most, ""
}

// idleBytes returns what an end of an idle connection holds.
func (res *results) idleBytes(contestant string) (bytes float64, lacks string) {
	v, ok := res.median(contestant, "idle")
	return v, missing(ok, contestant, "idle")
}

// flatness returns how much more a message costs on those numbers of connections than on one.
func (res *results) flatness(contestant string, conns ...int) (most float64, lacks string) {
	one, ok := res.median(contestant, "conns=1")
	if !ok {
		return 0, missing(false, contestant, "conns=1")
	}
	for _, n := range conns {
		w := fmt.Sprintf("conns=%d", n)
		v, ok := res.median(contestant, w)
		if !ok && n == 10 && res.Quick { // -quick leaves it out
			continue
		}
		if !ok {
			return 0, missing(false, contestant, w)
		}
		most = max(most, v/one)
	}
	return most, ""
}

func missing(ok bool, contestant, workload string) string {
	if ok {
		return ""
	}
	return contestant + " in " + workload
}

func codecTitle(codec string) string {
	if codec == "none" {
		return "no codec"
	}
	return codec
}

// printGoals writes those goals to w of which everything was measured.
func (res *results) printGoals(w io.Writer) error {
	text := goalTable(slices.DeleteFunc(res.evaluate(), func(g goal) bool { return g.Missing != "" }))
	if text == "" {
		text = "What was measured has no goals.\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

// goalTable returns the goals as a table.
func goalTable(goals []goal) string {
	if len(goals) == 0 {
		return ""
	}
	t := table{head: []string{"goal", "received by", "want", "measured", "met", "raw sockets"}}
	for _, g := range goals {
		measured, met := fmt.Sprintf("%.2f", g.Measured), "no"
		if g.Measured >= 100 {
			measured = thousands(int(g.Measured + 0.5))
		}
		if g.Met {
			met = "yes"
		}
		raw := "–"
		if g.Raw > 0 {
			raw = fmt.Sprintf("%.2f", g.Raw)
		}
		t.add(g.Name, g.Mode, g.Want, measured, met, raw)
	}
	return t.String()
}
