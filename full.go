package qsocket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/handshake"
	"github.com/fb9bb4ed/qsocket/internal/socket"
)

// A Listener with MaxConns reserves, before it accepts, what the next connection will need:
//
//	a slot is free                  ──► accept ──► handshake, Conn; release when it has ended
//	no slot, but a place (named)    ──► accept ──┬─ a slot is free by now ──► as above
//	                                             └─ turn away: hello ──┬─ of a session that is there ──► Conn, see seats
//	                                                                   └─ of any other ──► goodbye with CodeFull
//	neither                         ──► wait for one of them; clients wait in the kernel
//
// Raw mode has no places, as it cannot say anything.

const (
	maxTurnedAway = 16          // connections at a time
	turnAwayTime  = time.Second // for each, TLS included
)

// place is what a connection takes while it lasts.
type place uint8

const (
	inSlot place = iota // one of MaxConns, or there is no limit
	beyond              // one of maxTurnedAway
)

// reserve waits until one more connection is allowed. ok is false when the
// Listener closes.
func (l *listenerCore) reserve() (p place, ok bool) {
	if l.slots == nil || l.stopping.Err() != nil {
		return inSlot, l.stopping.Err() == nil
	}
	select {
	case l.slots <- struct{}{}:
		l.crowd.gone()
		return inSlot, true
	default:
	}
	if l.places == nil {
		l.crowdCame("accepting waits")
	}
	select {
	case l.slots <- struct{}{}:
		l.crowd.gone()
		return inSlot, true
	case l.places <- struct{}{}:
		return beyond, true
	case <-l.stopping.Done():
		return inSlot, false
	}
}

// release gives a slot back, when a connection has ended.
func (l *listenerCore) release() {
	if l.slots != nil {
		<-l.slots
	}
}

// giveBack undoes reserve.
func (l *listenerCore) giveBack(p place) {
	if p == beyond {
		<-l.places
	} else {
		l.release()
	}
}

// promote changes a place for a slot, if there is one.
func (l *listenerCore) promote() bool {
	select {
	case l.slots <- struct{}{}:
		<-l.places
		l.crowd.gone()
		return true
	default:
		l.crowdCame("new connections are told so and refused")
		return false
	}
}

// turnAway tells a client that the Listener is full, unless it comes back to a session, which has a slot. It ends
// within turnAwayTime, or for such a client as admit does.
func (l *listenerCore) turnAway(nc net.Conn) {
	defer l.giveBack(beyond)
	l.handshaking.Add(1)
	a := &admission{nc: nc, place: -1}
	a.ctx, a.cancel = context.WithCancelCause(l.closing)
	timer := time.AfterFunc(turnAwayTime, func() { a.cancel(errFull) })
	defer timer.Stop()
	a.deny = func(s handshake.Session) *handshake.Denied {
		if l.sessions.expect(s, a, timer.Stop) {
			a.letIn = true
			return nil
		}
		return &handshake.Denied{
			Field: "full",
			Local: fmt.Sprintf("MaxConns %d are in use", l.opts.MaxConns),
			Code:  uint16(CodeFull),
			Words: CodeFull.String(),
		}
	}
	l.admit(a)
	l.sessions.arrived(a)
}

// errFull is why a handshake that has lasted for turnAwayTime is given up.
var errFull = errors.New("qsocket: handshake given up: MaxConns are in use")

// crowd logs when a Listener becomes full, and when it no longer is: not at every client
// that leaves and is followed by another, but when there has been room for crowdGone.
type crowd struct {
	mu    sync.Mutex  // guards following
	since time.Time   // zero: there is none
	timer *time.Timer // says that it is gone; nil: it is there
	ended bool
	left  func(lasted time.Duration) // logs it
}

const crowdGone = time.Second

// crowdCame is called when there is no slot for a connection.
func (l *listenerCore) crowdCame(what string) {
	c := &l.crowd
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	if !c.since.IsZero() {
		return
	}
	c.since = time.Now()
	addr, refused := socket.AddrString(l.addr()), l.refused.Load()
	c.left = func(lasted time.Duration) {
		l.log.Info("qsocket: no longer full", "addr", addr, "after", lasted, "refused", l.refused.Load()-refused)
	}
	l.log.Warn("qsocket: full: "+what, "addr", addr, "MaxConns", l.opts.MaxConns)
}

// gone is called when there is a slot.
func (c *crowd) gone() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.since.IsZero() || c.timer != nil || c.ended {
		return
	}
	var timer *time.Timer
	lasted := time.Since(c.since)
	timer = time.AfterFunc(crowdGone, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.timer != timer {
			return // it has come back
		}
		c.since, c.timer = time.Time{}, nil
		c.left(lasted)
	})
	c.timer = timer
}

// stop is called when the Listener no longer accepts.
func (c *crowd) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}
