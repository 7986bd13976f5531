package model

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// history is what happened in a run.
type history struct {
	program *program
	timed   bool // virtual time: a moment is a moment
	start   time.Time
	order   atomic.Int64 // of marks
	sides   [2]*side
	hang    []string // what was still under way when the run was given up
}

// side is what happened at one end.
type side struct {
	history *history
	index   int

	dialed mark // when NewConn returned
	dial   error

	mu    sync.Mutex // guards following
	calls []*call    // in the order in which they began

	idle []*call // Sends that were under way with nothing buffered, when all else stood still

	// After the end.
	done      mark // when Done was seen to be closed
	open      bool // ... and Messages was not
	err       error
	stats     qsocket.Stats
	attempted map[id]*call // every Send
}

// mark is a moment: what has a lower order happened before.
type mark struct {
	order int64
	at    time.Duration // since the start
}

func (m mark) happened() bool         { return m.order > 0 }
func (m mark) before(other mark) bool { return m.order < other.order }

// call is one call of a method, or one message from All or Messages.
type call struct {
	op           op
	actor        int // finaleActor for the finale's
	bound        time.Duration
	due          time.Duration // when its ctx ends, if that is bounded
	began, ended mark          // ended.order is 0 while it is under way

	id     id            // of send
	size   int           // of send: padding
	got    *message      // of the receiving ops: what was received
	stats  qsocket.Stats // of flush: right after it
	looked mark          // ... and when that was
	err    error
}

const finaleActor = -1

// What the channel and All say at the end is no error.
var (
	errChannelClosed = errors.New("the channel was closed")
	errSilentEnd     = errors.New("All ended without an error")
)

func (h *history) mark() mark {
	return mark{h.order.Add(1), time.Since(h.start)}
}

// begin notes the begin of a call.
func (s *side) begin(actor int, o op, bound time.Duration) *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{op: o, actor: actor, bound: bound, began: s.history.mark()}
	if bound != unbounded {
		c.due = c.began.at + bound
	}
	s.calls = append(s.calls, c)
	return c
}

// end notes its end.
func (s *side) end(c *call, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.err = err
	c.ended = s.history.mark()
	return err
}

// receive notes the end of a call that delivers.
func (s *side) receive(c *call, m message, err error) error {
	if err == nil {
		c.got = &m
	}
	return s.end(c, err)
}

// name is a or b.
func (s *side) name() string { return endNames[s.index] }

func (s *side) peer() *side { return s.history.sides[1-s.index] }

func (s *side) options() *qsocket.Options { return &s.history.program.Ends[s.index].Options }

// each calls f for the calls for which want holds.
func (s *side) each(want func(op) bool, f func(*call)) {
	for _, c := range s.calls {
		if want(c.op) {
			f(c)
		}
	}
}

// first returns the first call for which want holds, or nil.
func (s *side) first(want func(op) bool) *call {
	for _, c := range s.calls {
		if want(c.op) {
			return c
		}
	}
	return nil
}

// is makes a predicate of an op.
func is(o op) func(op) bool { return func(other op) bool { return o == other } }

// received returns the calls that have delivered a message.
func (s *side) received() (calls []*call) {
	s.each(op.receives, func(c *call) {
		if c.got != nil {
			calls = append(calls, c)
		}
	})
	return calls
}

// accepted returns the Sends that returned nil.
func (s *side) accepted() (calls []*call) {
	s.each(is(send), func(c *call) {
		if c.err == nil {
			calls = append(calls, c)
		}
	})
	return calls
}

func (c *call) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v", c.op)
	switch {
	case c.op == send:
		fmt.Fprintf(&b, " of %v, %d bytes", c.id, c.size)
	case c.got != nil:
		fmt.Fprintf(&b, " of %v", c.got.id())
	}
	fmt.Fprintf(&b, " by actor %d at %v", c.actor, c.began.at)
	if c.bound != unbounded {
		fmt.Fprintf(&b, " within %v", c.bound)
	}
	if !c.ended.happened() {
		return b.String() + ": under way"
	}
	fmt.Fprintf(&b, ", returned at %v: %v", c.ended.at, c.err)
	return b.String()
}

// String lists everything.
func (h *history) String() string {
	var b strings.Builder
	for _, s := range h.sides {
		fmt.Fprintf(&b, "%s: NewConn returned at %v: %v\n", s.name(), s.dialed.at, s.dial)
		for _, c := range s.calls {
			fmt.Fprintf(&b, "  %v\n", c)
		}
		fmt.Fprintf(&b, "  done at %v, Err: %v, %+v\n", s.done.at, s.err, s.stats)
	}
	return b.String()
}
