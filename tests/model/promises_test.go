package model

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// promise is one sentence of the contract and how to tell from a history
// whether it was kept.
type promise struct {
	name     string
	sentence string
	check    func(s *side) error // for one end; its peer's is checked as well
	always   bool                // it also holds if the network has changed bytes
}

// promises are what the package's documentation says.
var promises = []promise{
	{"termination", "every call returns, and Done comes", terminates, true},
	{"handshake", "a handshake takes HandshakeTimeout at most, and succeeds in fair weather", handshakes, true},
	{"bounds", "a ctx, Close and CloseTimeout bound each call", keepsBounds, true},
	{"done", "Messages is closed by the time Done is", doneComesLast, true},

	{"no invention", "what arrives was sent, and is as it was sent", inventsNothing, false},
	{"refused", "of a Send that returned an error nothing reaches the peer", deliversNoRefused, false},
	{"once", "a message arrives once", deliversOnce, false},
	{"order", "messages arrive in the order in which Send accepted them", keepsOrder, false},
	{"no gaps", "what arrives is a prefix of what was accepted", leavesNoGaps, false},
	{"clean end", "a clean end by the peer comes after everything it sent", endsAfterAll, false},
	{"confirmed", "Shutdown returns nil, in named mode, only if the peer's receivers got everything", confirmsAll, false},

	{"send", "Send returns its ctx's error, what is wrong with the message, or that the Conn has ended", sendsOrSaysWhy, false},
	{"room", "Send waits for nothing but room in the buffer", waitsForRoomOnly, false},
	{"send after end", "a Send after the end fails, with an error that wraps net.ErrClosed", refusesAfterEnd, false},
	{"send after goodbye", "a Send after the peer's full goodbye fails", refusesAfterGoodbye, false},
	{"receive", "receiving ends with io.EOF, net.ErrClosed or Err, as the case is", receivesOrSaysWhy, false},
	{"close", "Close returns nil, or what Err says; and nil the second time", closesOrSaysWhy, false},
	{"shutdown", "Shutdown returns nil, its ctx's error or ErrUnconfirmed", shutsDownOrSaysWhy, false},
	{"flush", "after Flush nothing is buffered", flushes, false},
	{"err", "Err is of a kind that has a cause", namesACause, false},
	{"quiet", "where nothing was disturbed, nothing fails", staysQuiet, false},
	{"lost", "if accepted messages were not written, Err is not nil", tellsOfLoss, false},
	{"stats", "Stats count what was accepted and received", countsRight, false},
}

// broken is a promise that was not kept.
type broken struct {
	promise promise
	end     string
	err     error
}

func (b broken) Error() string {
	return fmt.Sprintf("%s: %q was not kept: %v", b.end, b.promise.sentence, b.err)
}

// judge returns the promises that were not kept.
func (h *history) judge() (failures []broken) {
	flips := h.program.Weather.flips()
	for _, p := range promises {
		for _, s := range h.sides {
			if flips && !p.always {
				continue
			}
			if err := p.check(s); err != nil {
				failures = append(failures, broken{p, s.name(), err})
			}
		}
		if len(h.hang) > 0 { // the rest would be about the way in which it was broken off
			break
		}
	}
	return failures
}

func terminates(s *side) error {
	if hang := s.history.hang; len(hang) > 0 {
		return fmt.Errorf("under way for ever: %q", hang)
	}
	return nil
}

func handshakes(s *side) error {
	if s.history.timed && s.dialed.at > s.options().HandshakeTimeout {
		return fmt.Errorf("NewConn returned at %v", s.dialed.at)
	}
	if s.dial != nil && (!s.history.program.Named || s.history.timed && s.history.program.Weather.fair()) {
		return s.dial
	}
	return nil
}

func keepsBounds(s *side) error {
	if !s.history.timed {
		return nil
	}
	closeTimeout := s.options().CloseTimeout
	ending, closed := s.first(op.endsBoth), s.first(op.closes)
	for _, c := range s.calls {
		latest := time.Duration(-1)
		bound := func(t time.Duration) {
			if latest < 0 || t < latest {
				latest = t
			}
		}
		if c.bound != unbounded {
			bound(c.due)
		}
		switch {
		case c.op.closes() || c.op == closeWrite:
			bound(c.began.at + closeTimeout)
		case (c.op == send || c.op.receives()) && ending != nil:
			bound(max(c.began.at, ending.began.at))
		case (c.op == flush || c.op == shutdown) && closed != nil:
			bound(max(c.began.at, closed.began.at+closeTimeout))
		}
		if latest >= 0 && c.ended.at > latest {
			return fmt.Errorf("%v: want it to return by %v", c, latest)
		}
	}
	if closed == nil {
		return nil
	}
	last := s.calls[len(s.calls)-1]
	if latest := max(closed.began.at+closeTimeout, last.ended.at); s.done.at > latest {
		return fmt.Errorf("%v: Done was closed at %v, want it by %v", closed, s.done.at, latest)
	}
	return nil
}

func doneComesLast(s *side) error {
	if s.open {
		return errors.New("Done is closed, Messages is not")
	}
	return nil
}

func inventsNothing(s *side) error {
	for _, c := range s.received() {
		sent := s.peer().attempted[c.got.id()]
		switch {
		case sent == nil || c.ended.before(sent.began):
			return fmt.Errorf("%v: it was never sent", c)
		case *c.got != newMessage(sent.id.sender, sent.id.seq, sent.size):
			return fmt.Errorf("%v: it is not what was sent", c)
		}
	}
	return nil
}

func deliversNoRefused(s *side) error {
	for _, c := range s.received() {
		if sent := s.peer().attempted[c.got.id()]; sent != nil && sent.err != nil {
			return fmt.Errorf("%v: but %v", c, sent)
		}
	}
	return nil
}

func deliversOnce(s *side) error {
	seen := map[id]*call{}
	for _, c := range s.received() {
		if first := seen[c.got.id()]; first != nil {
			return fmt.Errorf("%v: again, after %v", c, first)
		}
		seen[c.got.id()] = c
	}
	return nil
}

// keepsOrder: a message precedes another if it was accepted before the other's
// Send began. Then it is not received after the other, neither by the same
// receiver nor by one that began when the other's had it.
func keepsOrder(s *side) error {
	got := s.received()
	sent := make([]*call, len(got))
	for i, c := range got {
		if sent[i] = s.peer().attempted[c.got.id()]; sent[i] == nil {
			return nil // which is another matter
		}
	}
	for i, x := range got {
		for j, y := range got {
			if sent[i].ended.before(sent[j].began) && y.ended.before(x.began) {
				return fmt.Errorf("%v came after %v", x, y)
			}
		}
	}
	return nil
}

// leavesNoGaps: whatever precedes a message that arrived has arrived.
func leavesNoGaps(s *side) error {
	var last *call
	arrived := map[id]bool{}
	for _, c := range s.received() {
		arrived[c.got.id()] = true
		sent := s.peer().attempted[c.got.id()]
		if sent != nil && (last == nil || last.began.before(sent.began)) {
			last = sent
		}
	}
	for _, c := range s.peer().accepted() {
		if last != nil && c.ended.before(last.began) && !arrived[c.id] {
			return fmt.Errorf("%v did not arrive, but %v did", c, last)
		}
	}
	return nil
}

// endsAfterAll: in raw mode a FIN looks the same from a program and from the network, so
// there must not have been one of the network's own.
func endsAfterAll(s *side) error {
	end := s.cleanEnd()
	if end == nil || !s.history.program.Named && s.history.program.Weather.endsFiles() {
		return nil
	}
	if missing := s.missing(); missing != nil {
		return fmt.Errorf("%v: but %v did not arrive", end, missing)
	}
	return nil
}

func confirmsAll(s *side) error {
	if !s.history.program.Named {
		return nil
	}
	for _, c := range s.calls {
		if c.op == shutdown && c.err == nil {
			if missing := s.peer().missing(); missing != nil {
				return fmt.Errorf("%v: but %v did not arrive", c, missing)
			}
		}
	}
	return nil
}

// missing returns a message of the peer's that was accepted and did not arrive.
func (s *side) missing() *call {
	arrived := map[id]bool{}
	for _, c := range s.received() {
		arrived[c.got.id()] = true
	}
	for _, c := range s.peer().accepted() {
		if !arrived[c.id] {
			return c
		}
	}
	return nil
}

// cleanEnd returns the first call that has told of a clean end by the peer.
func (s *side) cleanEnd() *call {
	ending := s.first(op.endsBoth)
	for _, c := range s.calls {
		over := c.err == errChannelClosed || c.err == errSilentEnd
		open := ending == nil || c.ended.before(ending.began)
		if c.op.receives() && (c.err == io.EOF || over && open && s.err == nil) {
			return c
		}
	}
	return nil
}
