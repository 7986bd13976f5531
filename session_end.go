package qsocket

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/link"
)

// ErrSessionLost: a session has ended, and the ends could not agree on what was taken. errors.As
// finds a [*SessionError].
var ErrSessionLost = errors.New("qsocket: session lost")

// SessionError says what is known of a session that was lost. It wraps [ErrSessionLost].
type SessionError struct {
	Why   string // for people; may have words of the peer
	Taken uint64 // messages of this end that the peer's program has taken for sure, since the session began
	Sent  uint64 // those and the ones that it may have taken: all that were given to a connection
}

// Error shows an excerpt of Why if that is long or not printable.
func (e *SessionError) Error() string {
	return fmt.Sprintf("%v: %s; of our messages %d were taken, and %d more may have arrived", ErrSessionLost, excerpt.Text(e.Why, maxReasonShown), e.Taken, e.Sent-e.Taken)
}

func (e *SessionError) Unwrap() error { return ErrSessionLost }

// isFinal reports whether a Conn's error is one that would come again with the next Conn, or is the
// peer's word that it is over.
func isFinal(err error) bool {
	var remote *RemoteError
	if errors.As(err, &remote) {
		return !isRemoteTimeout(err)
	}
	var codec *CodecError
	return errors.As(err, &codec) || errors.Is(err, ErrFrameTooLarge) || errors.Is(err, ErrProtocol) || errors.Is(err, ErrSlowConsumer)
}

// isRemoteTimeout reports whether the peer's end of a Conn has failed by a timeout: to the peer that is the loss of
// a connection.
func isRemoteTimeout(err error) bool {
	var remote *RemoteError
	return errors.As(err, &remote) && remote.Code == CodeTimeout
}

// end ends s with err, which is nil if that is a clean end. Only the first call does anything.
func (s *sessionCore) end(err error) {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return
	}
	cause, late := err, errors.Is(err, ErrSessionLost)
	timed := s.giveUp != nil          // by CloseTimeout, which is over then
	if s.peerEnded && !isFinal(err) { // whatever has become of our answer to that
		err = nil
	}
	wantsMore := s.sending == sendsMore || s.sending == sentLast && !s.recvOver
	if !wantsMore && (s.confirmed || s.ring.Taken() == s.ring.Last()) && errors.Is(err, ErrSessionLost) {
		err, s.confirmed = nil, true // both have everything
	}
	s.over, s.err = true, err
	s.sending = closing
	s.closes.Store(true)
	a := s.detachLocked()
	said := sendsMore
	if a != nil {
		said = a.said
	}
	left := s.letGoLocked()
	for _, t := range []*time.Timer{s.lookTime, s.ackTime, s.giveUp} {
		if t != nil {
			t.Stop()
		}
	}
	s.wakeLocked()
	s.mu.Unlock()
	switch {
	case a == nil:
	case err != nil && said < closing:
		a.c.link.Fail(err)
	case late && said == closing && (err != nil || timed): // the time for its end is over
		a.c.link.Abandon(cause)
	default: // what has been written may still be read
		a.c.link.StartClose(link.Reason{})
		a.c.link.CloseWithin()
	}
	<-left
	s.mu.Lock()
	s.closeMessagesLocked()
	hooks := s.hooks
	s.hooks = nil
	s.mu.Unlock()
	for f := range hooks {
		(*f)()
	}
	s.home.ended(s)
	s.logEnd(err)
	s.events.add(SessionEvent{Kind: SessionEnded, Err: err})
	s.mu.Lock()
	s.done.FireLocked()
	s.mu.Unlock()
}

// endIn is end in a goroutine of its own, for callers that must not wait for the pump.
func (s *sessionCore) endIn(err error) { go s.end(err) }

func (s *sessionCore) closeMessagesLocked() {
	if !s.recvOver {
		s.recvOver = true
		s.typed.closeMessages()
	}
}

// lostLocked returns the error of a session that is lost.
func (s *sessionCore) lostLocked(why string) error {
	return &SessionError{Why: why, Taken: s.ring.Taken(), Sent: s.ring.Sent()}
}

// lose ends s as lost.
func (s *sessionCore) lose(why string) {
	s.mu.Lock()
	err := s.lostLocked(why)
	s.mu.Unlock()
	s.end(err)
}

// onEnd arranges for f to be called at the end of s, as link.OnEnd does.
func (s *Session[T]) onEnd(f func()) (cancel func(), ok bool) {
	if s.plain != nil {
		return s.plain.link.OnEnd(f)
	}
	return s.core.atEnd(f)
}

func (s *sessionCore) atEnd(f func()) (cancel func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil, false
	}
	if s.hooks == nil {
		s.hooks = make(map[*func()]struct{})
	}
	s.hooks[&f] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.hooks, &f)
	}, true
}

func (s *sessionCore) logEnd(err error) {
	s.mu.Lock()
	c := s.counts
	sent, taken, received := s.ring.Last(), s.ring.Taken(), s.in.Had()
	s.mu.Unlock()
	args := []any{"protocol", s.set.protocol, "sent", sent, "taken", taken, "received", received, "resumes", c.resumes, "replayed", c.replayed, "down", c.down}
	level := slog.LevelDebug
	if err != nil {
		level = slog.LevelInfo
		args = append(args, "err", err)
	}
	if errors.Is(err, ErrSessionLost) && sent > taken { // messages may be lost
		level = slog.LevelWarn
	}
	s.set.Logger.Log(context.Background(), level, "qsocket: session ended", args...)
}

// Unacknowledged returns an iterator over the messages that Send has accepted and that the peer's
// program has not taken for sure, in order: after Done, for a program that wants to send them again
// in another session, or to say that they are lost. mayHaveArrived is false for those that were
// never given to a connection. Before Done, after a Close or Shutdown that the peer has confirmed,
// and for a peer without sessions, there are none.
//
// What the peer's program had taken and not yet processed when its process died is not among them.
// A program for which that matters has the peer answer what it has processed, and keeps its
// messages until then.
func (s *Session[T]) Unacknowledged() iter.Seq2[T, bool] {
	return func(yield func(v T, mayHaveArrived bool) bool) {
		if s.plain != nil {
			return
		}
		s.core.mu.Lock()
		if !s.core.over || s.core.confirmed && s.core.err == nil {
			s.core.mu.Unlock()
			return
		}
		ring := s.core.ring // nothing changes it after the end
		s.core.mu.Unlock()
		dec := s.p.codec().NewDecoder()
		ring.Unacknowledged(func(payload []byte, sent bool) bool {
			v, err := dec.Decode(payload)
			return err == nil && yield(v, sent) // what was encoded here can be decoded here
		})
	}
}
