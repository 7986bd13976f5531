package model

import (
	"fmt"
	"strings"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// program is what one run does: it is drawn before the run, and nothing is
// drawn later. Times are virtual in a bubble.
type program struct {
	Named   bool
	Codec   string // text, gob or msgpack
	Framing qsocket.Framing
	Ends    [2]end
	Weather weather
}

// end is one of the two sides of the connection.
type end struct {
	Options qsocket.Options
	Actors  [][]step // each is a goroutine
	Finale  finale   // when all actors are through, or after patience
}

// step is one thing that an actor does.
type step struct {
	Op    op
	Count int           // of messages, where the op is about messages
	Size  int           // bytes of padding of a message; below 0: a message that cannot be encoded
	Bound time.Duration // of the ctx; unbounded, or 0 for one that has ended
	Pause time.Duration
}

const unbounded time.Duration = -1

type op string

const (
	send       op = "Send"
	recv       op = "Recv"
	channel    op = "Messages"
	all        op = "All"
	flush      op = "Flush"
	closeWrite op = "CloseWrite"
	closing    op = "Close"
	closeWhy   op = "CloseWithReason"
	shutdown   op = "Shutdown"
	watch      op = "Done" // starts the reader goroutine
	pause      op = "pause"
)

// ends reports whether the op ends a direction or more.
func (o op) ends() bool { return o == closeWrite || o.endsBoth() }

func (o op) endsBoth() bool { return o == shutdown || o.closes() }

// closes reports whether the op is bounded by CloseTimeout in all it does.
func (o op) closes() bool { return o == closing || o == closeWhy }

// receives reports whether the op delivers messages.
func (o op) receives() bool { return o == recv || o == channel || o == all }

// finale is how an end ends. Close comes last in any case, and then whatever is
// left is received.
type finale struct {
	Op    op            // recv: receive first, for Bound at most; shutdown, with Bound; closing
	Bound time.Duration // never unbounded
}

// patience is how long the actors may take before the finale; some wait for
// what never comes.
const patience = 200 * time.Millisecond

// weather is what happens to the network.
type weather struct {
	Seed     uint64
	Up, Down qsockettest.Faults // from the start
	Events   []event            // in the order of their times
}

type event struct {
	At       time.Duration
	Up, Down qsockettest.Faults // from then on
	Cut      qsockettest.Cut
}

// faults calls f for all Faults there are.
func (w *weather) faults(f func(*qsockettest.Faults) bool) bool {
	if f(&w.Up) || f(&w.Down) {
		return true
	}
	for i := range w.Events {
		if f(&w.Events[i].Up) || f(&w.Events[i].Down) {
			return true
		}
	}
	return false
}

// flips reports whether bytes change on the way.
func (w *weather) flips() bool {
	return w.faults(func(f *qsockettest.Faults) bool { return f.FlipRate > 0 })
}

// cuts reports whether the connection may be cut in that way.
func (w *weather) cuts(how qsockettest.Cut) bool {
	for _, e := range w.Events {
		if e.Cut == how {
			return true
		}
	}
	return w.faults(func(f *qsockettest.Faults) bool { return f.Cut == how })
}

// endsFiles reports whether an end may read an end of file that the other end
// has not sent: from a FIN, and from a black hole when both ends have ended.
func (w *weather) endsFiles() bool {
	return w.cuts(qsockettest.FIN) || w.cuts(qsockettest.BlackHole)
}

// fair reports whether every byte arrives, unchanged and within milliseconds.
func (w *weather) fair() bool {
	return !w.flips() && !w.cuts(qsockettest.FIN) && !w.cuts(qsockettest.RST) && !w.cuts(qsockettest.BlackHole) &&
		!w.faults(func(f *qsockettest.Faults) bool { return f.Stall })
}

// protocol returns the Protocol that the program uses.
func (p *program) protocol() qsocket.Protocol[message] {
	q := qsocket.Protocol[message]{Codec: codecs[p.Codec], Framing: p.Framing}
	if p.Named {
		q.Name = "model/1"
	}
	return q
}

// limit returns the largest payload that the end may send.
func (p *program) limit(from int) int {
	limit := p.Ends[from].Options.MaxFrame
	if p.Named {
		limit = min(limit, p.Ends[1-from].Options.MaxFrame)
	}
	return limit
}

var endNames = [2]string{"a", "b"}

// GoString is what rapid prints.
func (p program) GoString() string { return p.String() }

func (p program) String() string {
	var b strings.Builder
	mode := "raw"
	if p.Named {
		mode = "named"
	}
	fmt.Fprintf(&b, "%s, %s, %v\n", mode, p.Codec, p.Framing)
	fmt.Fprintf(&b, "network: seed %d, up%v, down%v\n", p.Weather.Seed, describe(p.Weather.Up), describe(p.Weather.Down))
	for _, e := range p.Weather.Events {
		fmt.Fprintf(&b, "  at %v: up%v, down%v, cut %v\n", e.At, describe(e.Up), describe(e.Down), cutNames[e.Cut])
	}
	for i, e := range p.Ends {
		o := e.Options
		fmt.Fprintf(&b, "%s: MaxFrame %d, RecvQueue %d, SendBuffer %d, WriteTimeout %v, FrameTimeout %v, HandshakeTimeout %v, CloseTimeout %v, Heartbeat %v\n",
			endNames[i], o.MaxFrame, o.RecvQueue, o.SendBuffer, o.WriteTimeout, o.FrameTimeout, o.HandshakeTimeout, o.CloseTimeout, o.Heartbeat)
		for j, steps := range e.Actors {
			fmt.Fprintf(&b, "  %s%d:", endNames[i], j)
			for _, s := range steps {
				fmt.Fprintf(&b, " %v;", s)
			}
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "  finale: %s within %v\n", e.Finale.Op, e.Finale.Bound)
	}
	return b.String()
}

func (s step) String() string {
	var b strings.Builder
	b.WriteString(string(s.Op))
	switch {
	case s.Op == send:
		fmt.Fprintf(&b, " %d×%dB", s.Count, s.Size)
	case s.Op.receives():
		fmt.Fprintf(&b, " %d", s.Count)
	case s.Op == pause:
		fmt.Fprintf(&b, " %v", s.Pause)
	}
	if s.bounded() && s.Bound != unbounded {
		fmt.Fprintf(&b, " within %v", s.Bound)
	}
	return b.String()
}

// bounded reports whether the op has a ctx.
func (s step) bounded() bool {
	return s.Op == send || s.Op == flush || s.Op == shutdown || s.Op.receives()
}

var cutNames = map[qsockettest.Cut]string{
	qsockettest.NoCut: "nothing", qsockettest.FIN: "FIN", qsockettest.RST: "RST", qsockettest.BlackHole: "BlackHole",
}

func describe(f qsockettest.Faults) string {
	var b strings.Builder
	for _, field := range []struct {
		name  string
		value any
		set   bool
	}{
		{"Latency", f.Latency, f.Latency > 0},
		{"Jitter", f.Jitter, f.Jitter > 0},
		{"Merge", f.Merge, f.Merge > 0},
		{"Split", f.Split, f.Split > 0},
		{"Stall", f.Stall, f.Stall},
		{"FlipRate", f.FlipRate, f.FlipRate > 0},
		{"Cut", cutNames[f.Cut], f.Cut != qsockettest.NoCut},
		{"CutAfter", f.CutAfter, f.Cut != qsockettest.NoCut},
	} {
		if field.set {
			fmt.Fprintf(&b, " %s %v", field.name, field.value)
		}
	}
	if b.Len() == 0 {
		return " clear"
	}
	return b.String()
}
