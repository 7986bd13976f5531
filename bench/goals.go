package main

import (
	"fmt"
	"math"
)

// A goal is one line of the table of goals.
type goal struct {
	Name     string
	Mode     string  // "channel" or "pull"
	Want     string  // "≥ 0.55"
	Measured float64 // 0 if Missing
	Met      bool
	Missing  string `json:",omitempty"` // what was not measured
}

// limits are the bounds of a goal, by how messages are received.
type limits struct{ channel, pull float64 }

// A race compares the medians of qsocket with one codec to those of the best of
// others.
type race struct {
	workload string
	codec    string // of qsocket
	against  []string
	name     string // of those
	limits   limits
	time     bool // compares times, of which less is better; otherwise throughputs
}

const (
	byHandMsgpack = "by hand, batched/msgpack"
	byHandGob     = "by hand, batched/gob"
	grpcStream    = "grpc-go stream/msgpack"
	gorilla       = "gorilla/websocket/msgpack"
	natsBroker    = "nats/msgpack"
	rawBatched    = "raw batched/none"
	rawSingle     = "raw/none"
)

var websockets = []string{gorilla, "coder/websocket/msgpack"}

var races = []race{
	{workload: "W1", codec: "none", against: []string{rawBatched}, limits: limits{0.55, 0.90}},
	{workload: "W1", codec: "msgpack", against: []string{grpcStream}, limits: limits{4.5, 6.5}},
	{workload: "W1", codec: "msgpack", against: []string{natsBroker}, limits: limits{3.3, 4.7}},
	{workload: "W1", codec: "msgpack", against: websockets, name: "best websocket", limits: limits{9, 13}},
	{workload: "W1", codec: "msgpack", against: []string{byHandMsgpack}, limits: limits{2, 3}},
	{workload: "W2", codec: "msgpack", against: []string{grpcStream}, limits: limits{5, 7}},
	{workload: "W3", codec: "none", against: []string{rawSingle}, limits: limits{1.6, 1.08}, time: true},
	{workload: "W3", codec: "msgpack", against: []string{grpcStream}, limits: limits{1.5, 2.3}},
	{workload: "W3", codec: "msgpack", against: []string{gorilla}, limits: limits{0.9, 1.3}},
	{workload: "W4", codec: "msgpack", against: []string{grpcStream}, limits: limits{6, 6}},
	{workload: "W4", codec: "msgpack", against: []string{byHandGob}, limits: limits{2.5, 2.7}},
	{workload: "W5", codec: "msgpack", against: []string{grpcStream}, limits: limits{6, 6}},
	{workload: "W5", codec: "msgpack", against: []string{natsBroker}, limits: limits{2.5, 2.5}},
	{workload: "W5", codec: "msgpack", against: websockets, name: "best websocket", limits: limits{14, 14}},
	{workload: "W6", codec: "none", against: []string{rawSingle}, limits: limits{1.3, 1.15}, time: true},
	{workload: "64K", codec: "none", against: []string{rawBatched}, limits: limits{0.45, 0.45}},
	{workload: "1M", codec: "none", against: []string{rawBatched}, limits: limits{0.40, 0.40}},
	{workload: "W1", codec: "gob", against: []string{byHandGob}, limits: limits{0.8, 1.0}},
}

// evaluate computes the goals from the medians.
func (res *results) evaluate() []goal {
	var goals []goal
	for _, mode := range []string{"channel", "pull"} {
		own := func(codec string) string { return "qsocket " + mode + "/" + codec }
		for _, r := range races {
			goals = append(goals, res.race(r, mode, own(r.codec)))
		}
		most := func(l limits) float64 {
			if mode == "channel" {
				return l.channel
			}
			return l.pull
		}
		for _, codec := range []string{"none", "msgpack"} {
			goals = append(goals, res.atMost("idle, bytes per end, "+codecTitle(codec), mode, most(limits{8 << 10, 5 << 10}), func() (float64, string) {
				v, ok := res.median(own(codec), "idle")
				return v, missing(ok, own(codec), "idle")
			}))
		}
		goals = append(goals, res.atMost("allocations per message, both ends, W1 to W5, no codec", mode, 0, func() (float64, string) {
			return res.allocations(own("none"))
		}))
		for _, codec := range []string{"none", "msgpack"} {
			goals = append(goals, res.atMost("cost with 10 to 1000 connections, × that with one, "+codecTitle(codec), mode, 1.25, func() (float64, string) {
				return res.flatness(own(codec))
			}))
		}
	}
	return goals
}

func (res *results) race(r race, mode, own string) goal {
	limit, sign, what := r.limits.pull, "≥", "throughput ÷ that of "
	if mode == "channel" {
		limit = r.limits.channel
	}
	if r.time {
		sign, what = "≤", "time ÷ that of "
	}
	name := r.name
	if name == "" {
		name = r.against[0]
	}
	g := goal{
		Name: fmt.Sprintf("%s, %s: %s%s", r.workload, codecTitle(r.codec), what, name),
		Mode: mode, Want: fmt.Sprintf("%s %v", sign, limit),
	}
	mine, ok := res.median(own, r.workload)
	if !ok {
		g.Missing = missing(false, own, r.workload)
		return g
	}
	best := math.Inf(1)
	for _, other := range r.against {
		v, ok := res.median(other, r.workload)
		if !ok {
			g.Missing = missing(false, other, r.workload)
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
	return g
}

func (res *results) atMost(name, mode string, limit float64, measure func() (v float64, missing string)) goal {
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

// flatness returns how much more a message costs on 10 to 1000 connections than on one.
func (res *results) flatness(contestant string) (most float64, lacks string) {
	one, ok := res.median(contestant, "conns=1")
	if !ok {
		return 0, missing(false, contestant, "conns=1")
	}
	for _, n := range []int{10, 100, 1000} {
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

// goalTable returns the goals as a table.
func goalTable(goals []goal) string {
	if len(goals) == 0 {
		return ""
	}
	t := table{head: []string{"goal", "received by", "want", "measured", "met"}}
	for _, g := range goals {
		measured, met := fmt.Sprintf("%.2f", g.Measured), "no"
		switch {
		case g.Missing != "":
			measured, met = "–", "not measured"
		case g.Measured >= 100:
			measured = thousands(int(g.Measured + 0.5))
		}
		if g.Met {
			met = "yes"
		}
		t.add(g.Name, g.Mode, g.Want, measured, met)
	}
	return t.String()
}
