package model

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/fb9bb4ed/qsocket"
)

// What the results of calls must say; promises_test.go has the list.

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
