package model

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/fb9bb4ed/qsocket"
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

// expired reports whether the call's ctx may have ended.
func (s *side) expired(c *call) bool {
	return c.bound == 0 || c.bound != unbounded && (!s.history.timed || c.ended.at >= c.due)
}

func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// byThen returns whether a call of that kind had begun at the end of c.
func (s *side) byThen(kind func(op) bool, c *call) bool {
	first := s.first(kind)
	return first != nil && first.began.before(c.ended)
}

func sendsOrSaysWhy(s *side) error {
	p := s.history.program
	limit := p.limit(s.index)
	var codec *qsocket.CodecError
	for _, c := range s.calls {
		if c.op != send {
			continue
		}
		text, textErr := marshalText(newMessage(c.id.sender, c.id.seq, c.size))
		mayFit := c.size <= limit
		mayNotFit := c.size+overhead > limit
		if p.Codec == "text" {
			mayFit = textErr == nil && len(text) <= limit
			mayNotFit = !mayFit
		}
		ok := false
		switch err := c.err; {
		case c.bound == 0:
			ok = err == context.Canceled
		case err == nil:
			ok = mayFit && (c.size >= 0 || p.Codec == "gob")
		case errors.Is(err, net.ErrClosed):
			ok = s.err != nil || s.byThen(op.ends, c) || p.Named && s.peer().byThen(op.endsBoth, c)
		case errors.As(err, &codec):
			ok = c.size < 0 && p.Codec != "gob"
		case errors.Is(err, qsocket.ErrFrameTooLarge):
			ok = mayNotFit && c.size >= 0
		case isContext(err):
			ok = s.expired(c)
		}
		if !ok {
			return fmt.Errorf("%v: with the limit %d, and Err %v", c, limit, s.err)
		}
	}
	return nil
}

func waitsForRoomOnly(s *side) error {
	if len(s.idle) > 0 {
		return fmt.Errorf("nothing was buffered %v after the start, and yet it waited: %v", patience, s.idle[0])
	}
	return nil
}

// refusesAfterEnd: also after this end's own end of file, whichever call has
// brought it about.
func refusesAfterEnd(s *side) error {
	var ended *call
	for _, c := range s.calls {
		if c.op.ends() && (ended == nil || c.ended.before(ended.ended)) {
			ended = c
		}
	}
	return s.refusesAfter(ended)
}

func (s *side) refusesAfter(end *call) error {
	if end == nil {
		return nil
	}
	for _, c := range s.calls {
		early := c.bound == 0 || !s.history.timed && c.bound != unbounded // its ctx may end first
		if c.op == send && end.ended.before(c.began) && !errors.Is(c.err, net.ErrClosed) && !(early && isContext(c.err)) {
			return fmt.Errorf("%v: after %v", c, end)
		}
	}
	return nil
}

// refusesAfterGoodbye: unless the peer has said half a goodbye, which ends
// receiving but not sending.
func refusesAfterGoodbye(s *side) error {
	if !s.history.program.Named || s.peer().first(is(closeWrite)) != nil {
		return nil
	}
	return s.refusesAfter(s.cleanEnd())
}

func receivesOrSaysWhy(s *side) error {
	p := s.history.program
	for _, c := range s.calls {
		if !c.op.receives() || c.err == nil {
			continue
		}
		byPeer := s.peer().byThen(op.ends, c) || !p.Named && p.Weather.endsFiles()
		byUs := s.byThen(op.endsBoth, c)
		ok := false
		switch err := c.err; {
		case isContext(err) && s.expired(c):
			ok = true
		case c.bound == 0 && c.op != channel: // a ctx that has ended comes first
		case err == io.EOF:
			ok = byPeer
		case err == errSilentEnd:
			ok = byPeer || byUs
		case err == errChannelClosed:
			ok = byPeer || byUs || s.err != nil
		case s.err != nil && errors.Is(err, s.err):
			ok = true
		case errors.Is(err, net.ErrClosed):
			ok = byUs
		}
		if !ok {
			return fmt.Errorf("%v: with Err %v", c, s.err)
		}
	}
	return nil
}

func closesOrSaysWhy(s *side) error {
	var first *call // that has returned
	for _, c := range s.calls {
		if c.op.closes() && (first == nil || c.ended.before(first.ended)) {
			first = c
		}
	}
	for _, c := range s.calls {
		switch {
		case !c.op.closes() && c.op != closeWrite || c.err == nil:
		case c.op.closes() && first.ended.before(c.began):
			return fmt.Errorf("%v: want nil after %v", c, first)
		case c.op.closes() && !(s.err != nil && errors.Is(c.err, s.err)):
			return fmt.Errorf("%v: with Err %v", c, s.err)
		}
	}
	return nil
}

func shutsDownOrSaysWhy(s *side) error {
	p := s.history.program
	for _, c := range s.calls {
		if c.op != shutdown {
			continue
		}
		ok := false
		switch {
		case c.err == nil && p.Named:
			ok = true // see confirmsAll
		case c.err == nil:
			ok = s.stats.SendBuffered == 0
		case errors.Is(c.err, qsocket.ErrUnconfirmed):
			// In quiet it means that the peer has discarded something, and so has ended.
			ok = !s.history.quiet() || p.Named && s.peer().byThen(op.endsBoth, c)
		case isContext(c.err):
			ok = s.expired(c)
		}
		if !ok {
			return fmt.Errorf("%v: with %d bytes that were not written", c, s.stats.SendBuffered)
		}
	}
	return nil
}

func flushes(s *side) error {
	for _, c := range s.calls {
		if c.op != flush {
			continue
		}
		switch {
		case c.err == nil && c.stats.SendBuffered > 0 && !s.sendsDuring(c):
			return fmt.Errorf("%v: then %d bytes were buffered", c, c.stats.SendBuffered)
		case c.err == nil, isContext(c.err) && s.expired(c):
		case s.err != nil && errors.Is(c.err, s.err), errors.Is(c.err, net.ErrClosed):
		default:
			return fmt.Errorf("%v: with Err %v", c, s.err)
		}
	}
	return nil
}

// sendsDuring reports whether a Send was under way between the begin of the
// flush and the look at the Stats.
func (s *side) sendsDuring(flush *call) bool {
	for _, c := range s.calls {
		if c.op == send && c.began.before(flush.looked) && flush.began.before(c.ended) {
			return true
		}
	}
	return false
}

func namesACause(s *side) error {
	p := s.history.program
	var codec *qsocket.CodecError
	var remote *qsocket.RemoteError
	ok := true
	switch err := s.err; {
	case err == nil:
	case errors.Is(err, qsocket.ErrProtocol), errors.Is(err, qsocket.ErrFrameTooLarge), errors.As(err, &codec):
		ok = false // no program has sent such things
	case errors.Is(err, qsocket.ErrUnconfirmed), errors.Is(err, qsocket.ErrSlowConsumer), err == io.EOF:
		ok = false
	case errors.As(err, &remote):
		ok = false
		s.peer().each(is(closeWhy), func(c *call) {
			a := actor{side: s.peer(), index: c.actor}
			ok = ok || p.Named && remote.Reason == a.reason()
		})
	case errors.Is(err, qsocket.ErrPeerDead):
		ok = p.Named && s.options().Heartbeat >= 0 && !(s.history.timed && p.Weather.fair())
	case isContext(err):
		ok = false
		s.each(is(shutdown), func(c *call) { ok = ok || isContext(c.err) })
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, io.ErrUnexpectedEOF):
		ok = !s.history.quiet()
	}
	if !ok {
		return fmt.Errorf("Err is %w", s.err)
	}
	return nil
}

// quiet reports whether nothing has happened that could make anything fail: the
// weather was fair, neither end closed the hard way, and CloseTimeout did not pass.
func (h *history) quiet() bool {
	if !h.timed || !h.program.Weather.fair() {
		return false
	}
	var first, last mark
	closeTimeout := min(h.sides[0].options().CloseTimeout, h.sides[1].options().CloseTimeout)
	for _, s := range h.sides {
		if s.options().WriteTimeout != 0 {
			return false
		}
		for _, c := range s.calls {
			if c.op == shutdown && isContext(c.err) || c.op == closeWrite && c.ended.at-c.began.at >= closeTimeout {
				return false
			}
			if c.op.endsBoth() && (!first.happened() || c.began.before(first)) {
				first = c.began
			}
		}
		if last.before(s.done) {
			last = s.done
		}
	}
	return last.at-first.at < closeTimeout
}

func staysQuiet(s *side) error {
	if !s.history.quiet() {
		return nil
	}
	var remote *qsocket.RemoteError
	if s.err != nil && !errors.As(s.err, &remote) {
		return fmt.Errorf("Err is %w", s.err)
	}
	for _, c := range s.calls {
		if (c.op.closes() || c.op == closeWrite) && c.err != nil && !errors.As(c.err, &remote) {
			return fmt.Errorf("%v", c)
		}
	}
	return nil
}

// tellsOfLoss: a peer that has said that it reads no more is the exception, for
// that is a clean end.
func tellsOfLoss(s *side) error {
	byPeer := s.history.program.Named && s.peer().first(op.endsBoth) != nil
	if s.stats.SendBuffered > 0 && s.err == nil && !byPeer {
		return fmt.Errorf("%d bytes were not written, and Err is nil", s.stats.SendBuffered)
	}
	return nil
}

func countsRight(s *side) error {
	got, peer := s.stats, s.peer().stats
	switch {
	case s.dial != nil || s.peer().dial != nil:
		return nil
	case got.MessagesSent != uint64(len(s.accepted())):
		return fmt.Errorf("%d messages sent, want %d", got.MessagesSent, len(s.accepted()))
	case got.MessagesReceived < uint64(len(s.received())):
		return fmt.Errorf("%d messages received, want at least %d", got.MessagesReceived, len(s.received()))
	case got.MessagesReceived > peer.MessagesSent:
		return fmt.Errorf("%d messages received, the peer has sent %d", got.MessagesReceived, peer.MessagesSent)
	case got.BytesReceived > peer.BytesSent:
		return fmt.Errorf("%d bytes received, the peer has sent %d", got.BytesReceived, peer.BytesSent)
	}
	return nil
}
