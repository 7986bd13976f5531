package qsocket

import (
	"context"
	"errors"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/outbox"
	"github.com/fb9bb4ed/qsocket/internal/session"
	"github.com/fb9bb4ed/qsocket/internal/socket"
	"github.com/fb9bb4ed/qsocket/internal/wire"
	"github.com/fb9bb4ed/qsocket/internal/xsync"
)

// attachment is a Conn of a session.
type attachment struct {
	s      *sessionCore
	c      *connCore
	conn   any // the *Conn[T] of c
	since  time.Time
	resume bool // it is not the first one

	// Owned by the pump.
	busy     bool  // as s.busy
	wanted   bool  // the message that was just received
	had      int   // messages that were received and are not yet noted
	put      []int // those of them that are in the queue, by the size of their frame
	putBytes int

	pulling bool // guarded by the inbox's lock, see pull

	noteBytes int // immutable: noteAfter, in bytes

	// Guarded by the session's mu.
	cursor  session.Cursor // the next message to be sent
	feeding bool
	said    sending      // the end that this Conn has been told
	from    uint64       // the first message for this Conn
	replay  uint64       // messages up to this one were sent before
	asked   uint64       // an ack is asked for: it will tell of all up to that message
	letGo   xsync.Signal // the pump is to stop waiting for the consumer
	dropped bool         // letGo has fired
	left    xsync.Signal // fired by the pump, its last act
	refuses bool         // the Conn has refused a frame: nothing more is given to it, least of all the end, which the peer would confirm
}

// attachLocked makes c, that of conn, whose peer has had that many of our messages and keeps so many bytes of its
// own, the connection of s. The pump of the one before has left. resumed says that c is not the
// first one.
func (s *sessionCore) attachLocked(conn any, c *connCore, got uint64, keep int, resumed bool) {
	a := &attachment{s: s, c: c, conn: conn, since: time.Now(), resume: resumed}
	a.cursor = s.ring.From(got + 1)
	a.from, a.replay = got+1, s.ring.Sent()
	s.in.SetKeep(keep)
	a.noteBytes = keep / 16 // an ack is due at a quarter
	s.at, s.last = a, a
	c.session.Store(a)
	c.link.EndFully()
	if !s.counts.since.IsZero() {
		s.counts.down += time.Since(s.counts.since)
		s.counts.since = time.Time{}
	}
	if resumed {
		s.counts.resumes++
		s.counts.replayed += s.ring.Sent() - got
		s.set.Logger.Info("qsocket: session resumed", "peer", socket.AddrString(c.link.Socket().RemoteAddr()), "protocol", s.set.protocol, "replayed", s.ring.Sent()-got, "resumes", s.counts.resumes, "down", s.counts.down)
	}
	if s.dropped {
		c.link.In.Drop()
	}
	if s.recvOver && s.sending < closing { // the peer has said goodbye on another connection, and messages is closed
		c.link.In.MessagesOver()
	}
	s.in.Look(s.typed.queued())
	if s.in.Taken() > 0 { // the last ack may have been lost
		c.link.Out.SendAck(s.in.Ack())
	}
	go s.typed.pump(a) // ends with its Conn, or when letGo has fired
	if _, ok := c.link.OnEnd(func() { go s.connEnded(a) }); !ok {
		go s.connEnded(a)
	}
	s.feedLocked(a)
	s.wakeLocked()
}

// feedLocked starts a feeder if a has something to be told.
func (s *sessionCore) feedLocked(a *attachment) {
	if !a.feeding && !a.refuses && (a.cursor.Next() <= s.ring.Last() || a.said < s.sending) {
		a.feeding = true
		s.feeders++
		go s.feed(a) // ends when there is nothing more to be told, or with a
	}
}

// feedBytes is about how much a feeder takes from the ring at a time, bytes.
const feedBytes = 16 << 10

// feed gives frames of the ring to a, and then the end of them, until there is nothing more, or
// a has ended.
func (s *sessionCore) feed(a *attachment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() {
		a.feeding = false
		s.feeders--
	}()
	for s.at == a {
		if taken := s.ring.Taken(); taken >= a.cursor.Next() { // in onControl it may have had that in hand
			a.refuses = true
			err := a.ackTooEarly(taken)
			s.mu.Unlock()
			a.c.link.Fail(err)
			s.mu.Lock()
			return
		}
		if frames := s.ring.Frames(&a.cursor, feedBytes); frames != nil {
			s.mu.Unlock()
			n, bytes, err := a.give(frames)
			if errors.Is(err, ErrFrameTooLarge) { // the peer's MaxFrame is less than it was
				s.end(err)
			}
			s.mu.Lock()
			if err != nil {
				a.refuses = true
				return
			}
			a.cursor.Pass(n, bytes)
			if s.flushes > 0 {
				s.wakeLocked()
			}
			continue
		}
		end := s.sending
		if a.said == end {
			break
		}
		if s.busy.Load() { // the ack before the end tells of all that was taken: the pump calls feedLocked
			s.urgent.Store(true)
			break
		}
		a.said = end
		reason := s.reason
		s.in.Look(s.typed.queued())
		if s.in.Unacked() {
			a.c.link.Out.SendAck(s.in.Ack())
		}
		s.mu.Unlock()
		if end == closing {
			a.c.link.StartClose(reason)
		} else {
			a.c.link.StartCloseWrite()
		}
		s.mu.Lock()
	}
	s.askLocked(a)
}

// give gives one or more of the whole frames in frames to a, and returns how many that were, and their bytes.
func (a *attachment) give(frames []byte) (n, size int, err error) {
	if size = outbox.FirstFrameSize(frames); size > session.Large {
		return 1, size, a.c.link.Out.WriteFrame(frames[:size])
	}
	return a.c.link.Out.SendFrames(context.Background(), nil, frames)
}

// askLocked asks the peer for an ack if a sender or a Sync waits for one, unless it has been asked for
// all that a has sent.
func (s *sessionCore) askLocked(a *attachment) {
	if s.at != a || s.syncs == 0 && s.waiting == 0 || s.ring.Taken() == s.ring.Sent() {
		return
	}
	if sent := a.cursor.Next() - 1; sent > a.asked {
		a.asked = sent
		a.c.link.Out.SendControl(wire.AskFrame)
	}
}

// connEnded is called in a goroutine of its own when the Conn of a has ended.
func (s *sessionCore) connEnded(a *attachment) {
	e := a.c.link.Ending()
	err := a.c.link.Err()
	s.mu.Lock()
	if s.at != a {
		s.mu.Unlock()
		return
	}
	told := e.Confirmed && a.said > sendsMore // the peer has everything
	s.confirmed = s.confirmed || told
	s.peerEnded = s.peerEnded || e.Goodbye == wire.GoodbyeFull && !isRemoteTimeout(err)
	switch {
	case isFinal(err):
		s.mu.Unlock()
		s.end(err)
		return
	case s.home.mayEnd(s, e, told):
		s.mu.Unlock()
		s.end(nil) // how the connection has ended after that does not matter
		return
	}
	if s.peerEnded && s.giveUp == nil { // it may wait for our answer, so that is said once more: nothing depends on it here
		s.sending = closing
		s.closes.Store(true)
		s.giveUp = time.AfterFunc(s.set.CloseTimeout, func() { s.lose("the peer has ended") })
	}
	s.detachLocked()
	s.counts.since = time.Now()
	s.events.add(SessionEvent{Kind: SessionDown, Err: err})
	s.home.lost(s)
	s.wakeLocked()
	s.mu.Unlock()
}

// detachLocked takes its connection from s, and returns it; nil if there is none.
func (s *sessionCore) detachLocked() *attachment {
	a := s.at
	if a != nil {
		s.at = nil
		s.counts.past.add(a.c.stats())
		s.counts.past.SendBuffered = 0
	}
	return a
}

// isCurrent reports whether a is the connection that its session has.
func (a *attachment) isCurrent() bool {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	return a.s.at == a
}

// letGoLocked makes the pump of the latest Conn let go of what it holds, and returns a channel that is closed when it has left.
func (s *sessionCore) letGoLocked() <-chan struct{} {
	if s.last == nil {
		return alreadyLeft
	}
	s.last.dropLocked()
	return s.last.left.WaitLocked()
}

// alreadyLeft is closed.
var alreadyLeft = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// dropLocked makes the pump of a let go of what it holds.
func (a *attachment) dropLocked() {
	a.dropped = true
	a.letGo.FireLocked()
}
