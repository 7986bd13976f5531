package qsocket

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/link"
	"github.com/fb9bb4ed/qsocket/internal/oversize"
	"github.com/fb9bb4ed/qsocket/internal/session"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// Send encodes v and queues it, as [Conn.Send]. Nil means that v is accepted: the peer's
// program gets it exactly once and in order, on this connection or a later one, unless the session
// ends before; then Unacknowledged has it. After an error v is not accepted, and never arrives.
//
// While there is no connection messages are queued, up to Options.SessionBuffer; beyond that Send
// waits, as long as ctx allows. Options.SendFailsWhileDown makes it fail at once instead, buffer or
// not. Messages that are written and not yet acknowledged count as well, so a session sends at most
// three quarters of SessionBuffer for each round trip.
func (s *Session[T]) Send(ctx context.Context, v T) error {
	return s.send(ctx, &v, nil, nil, nil)
}

// SendPrepared is Send of a message that [Protocol.Prepare] has encoded, as [Conn.SendPrepared].
func (s *Session[T]) SendPrepared(ctx context.Context, m *Prepared[T]) error {
	if err := s.takes(m); err != nil {
		return err
	}
	return s.send(ctx, nil, m, nil, nil)
}

// TrySend is Send without waiting, as [Conn.TrySend]. False without an error means that SessionBuffer is
// full.
func (s *Session[T]) TrySend(v T) (sent bool, err error) {
	return s.trySend(&v, nil)
}

// TrySendPrepared is TrySend of a message that [Protocol.Prepare] has encoded.
func (s *Session[T]) TrySendPrepared(m *Prepared[T]) (sent bool, err error) {
	if err := s.takes(m); err != nil {
		return false, err
	}
	return s.trySend(nil, m)
}

func (s *Session[T]) takes(m *Prepared[T]) error {
	if m == nil {
		return errNilPrepared
	}
	return s.core.set.takes(&m.prepared)
}

// errDown is what Send returns with Options.SendFailsWhileDown while there is no connection.
var errDown = errors.New("qsocket: the session has no connection now, and Options.SendFailsWhileDown is set")

// refusalLocked returns why nothing more is accepted; nil if it is.
func (s *sessionCore) refusalLocked() error {
	switch {
	case s.over && s.err != nil:
		return &sessionEnded{s.err}
	case s.over || s.sending == closing:
		return link.ErrClosed
	case s.sending == sentLast:
		return link.ErrSendEnded
	case s.set.SendFailsWhileDown && s.at == nil:
		return errDown
	}
	return nil
}

// sessionEnded is what Send returns after a failure.
type sessionEnded struct{ cause error }

func (e *sessionEnded) Error() string {
	return excerpt.Wrap("qsocket: the session has ended: ", e.cause).Error()
}
func (e *sessionEnded) Unwrap() []error { return []error{link.ErrClosed, e.cause} }

// maxPayloadLocked returns what a message may have, bytes, and whose limit that is.
func (s *sessionCore) maxPayloadLocked() (most int, name string) {
	if s.last != nil && s.last.c.told.MaxFrame < s.set.MaxFrame {
		return s.last.c.told.MaxFrame, "the peer's MaxFrame"
	}
	return s.set.MaxFrame, "MaxFrame"
}

// checkSizeLocked returns an error for a payload that is larger.
func (s *sessionCore) checkSizeLocked(size int) error {
	most, name := s.maxPayloadLocked()
	return wire.Framing(s.set.framing).CheckSize(size, most, name)
}

// encodeLocked appends the frame of v, or of m if that is not nil, to b.
func (s *Session[T]) encodeLocked(b []byte, v *T, m *Prepared[T], encoding *sync.Mutex) ([]byte, error) {
	if m != nil {
		if err := s.core.checkSizeLocked(m.size); err != nil {
			return nil, err
		}
		return append(b, m.frame...), nil
	}
	framing := wire.Framing(s.core.set.framing)
	start := len(b)
	if encoding != nil {
		encoding.Lock()
		defer encoding.Unlock()
	}
	b, _, err := safeEncode(s.core.set.codec, s.enc, framing.OpenFrame(b), v)
	if over, ok := err.(*oversize.Error); ok {
		if size := s.core.checkSizeLocked(over.Least); size != nil {
			return nil, size
		}
	}
	if err != nil {
		return nil, err
	}
	if err := s.core.checkSizeLocked(framing.PayloadSize(b, start)); err != nil {
		return nil, err
	}
	return framing.SealFrame(b, start), nil
}

// acceptLocked makes b[start:], a frame in what ring.Buffer has returned, the last message, and gives
// it to the connection if that has been told all before it and has room. A large frame is left to the feeder, which
// has it written from the ring.
func (s *sessionCore) acceptLocked(b []byte, start int) {
	frame := s.ring.Accept(b, start)
	a := s.at
	if a == nil || a.feeding {
		return
	}
	if a.cursor.Next() == s.ring.Last() && len(frame) <= session.Large {
		if sent, err := a.c.link.Out.TrySendFrame(frame, len(frame)-4); sent && err == nil {
			s.ring.Sends(&a.cursor, len(frame))
			return
		}
	}
	s.feedLocked(a)
}

// send is Send, or SendPrepared if m is not nil. It gives up once gone is closed, and encodes with
// the mutex encoding held; both may be nil.
func (s *Session[T]) send(ctx context.Context, v *T, m *Prepared[T], gone <-chan struct{}, encoding *sync.Mutex) error {
	if s.plain != nil {
		return s.plain.send(ctx, v, m, gone, encoding)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.core.mu.Lock()
	if err := s.core.refusalLocked(); err != nil {
		s.core.mu.Unlock()
		return err
	}
	buf := s.core.ring.Buffer()
	b, err := s.encodeLocked(buf, v, m, encoding)
	if err != nil {
		s.core.ring.Unused()
		s.core.mu.Unlock()
		return err
	}
	return s.core.commit(ctx, buf, b, gone)
}

// commit accepts the frame that was appended to buf, and is in b now, when there is room. It is called with mu held, and unlocks it.
func (s *sessionCore) commit(ctx context.Context, buf, b []byte, gone <-chan struct{}) error {
	if s.starving == 0 && s.ring.Fits(len(b)-len(buf)) {
		s.acceptLocked(b, len(buf))
		s.mu.Unlock()
		return nil
	}
	frame := b[len(buf):]
	if session.Same(b, buf) && !s.ring.GiveUp(b) { // in the ring's memory, which is the next sender's
		frame = append([]byte(nil), frame...)
	}
	s.waiting++
	if s.turn == nil {
		s.turn = make(chan struct{}, 1)
	}
	turn := s.turn
	s.mu.Unlock()
	err := s.sendInTurn(ctx, turn, frame, gone)
	s.mu.Lock()
	s.waiting--
	s.mu.Unlock()
	return err
}

// maxLostRaces is how often a sender that waits finds the room taken by others that have not waited, as in package
// outbox: in strict order, once the ring has been full each Send would wait for the one before it.
const maxLostRaces = 2

// sendInTurn accepts frame when those that have waited longer are through, and there is room.
func (s *sessionCore) sendInTurn(ctx context.Context, turn chan struct{}, frame []byte, gone <-chan struct{}) error {
	done := s.ended()
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return ctx.Err()
	case <-gone:
		return link.ErrGone
	case <-done:
	}
	for lost := 0; ; lost++ {
		s.mu.Lock()
		if lost == maxLostRaces {
			s.starving++ // others wait from now on
			defer func() {
				s.mu.Lock()
				s.starving--
				s.mu.Unlock()
			}()
		}
		if err := s.refusalLocked(); err != nil {
			s.mu.Unlock()
			return err
		}
		if s.ring.Fits(len(frame)) {
			s.acceptLocked(s.ring.Add(frame))
			s.mu.Unlock()
			return nil
		}
		if s.at != nil && !s.at.feeding {
			s.askLocked(s.at)
		}
		changed := s.waitLocked()
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-gone:
			return link.ErrGone
		}
	}
}

// trySend is TrySend, or TrySendPrepared if m is not nil.
func (s *Session[T]) trySend(v *T, m *Prepared[T]) (sent bool, err error) {
	if s.plain != nil {
		return s.plain.trySend(v, m)
	}
	s.core.mu.Lock()
	defer s.core.mu.Unlock()
	if err := s.core.refusalLocked(); err != nil {
		return false, err
	}
	if s.core.starving > 0 {
		return false, nil
	}
	buf := s.core.ring.Buffer()
	b, err := s.encodeLocked(buf, v, m, nil)
	if err != nil || !s.core.ring.Fits(len(b)-len(buf)) {
		s.core.ring.Unused()
		return false, err
	}
	s.core.acceptLocked(b, len(buf))
	return true, nil
}

// Flush waits until everything that Send accepted before the call has been written to a
// connection, as long as ctx allows. It says nothing of the peer: that is Sync.
func (s *Session[T]) Flush(ctx context.Context) error {
	if s.plain != nil {
		return s.plain.Flush(ctx)
	}
	return s.core.flush(ctx)
}

func (s *sessionCore) flush(ctx context.Context) error {
	s.mu.Lock()
	target := s.ring.Last()
	s.flushes++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.flushes--
		s.mu.Unlock()
	}()
	return s.await(ctx, func() (bool, error) {
		a := s.at
		if s.ring.Taken() >= target {
			return true, nil
		}
		if a == nil || a.cursor.Next() <= target {
			return false, nil
		}
		s.mu.Unlock()
		err := a.c.flush(ctx)
		s.mu.Lock()
		return err == nil && s.at == a, ctx.Err()
	})
}

// Sync waits until the peer's program has taken everything that Send accepted before the call, over
// lost connections, too, as long as ctx allows. Nil means that it has. After an error that is not
// known: ctx's, or, when the session has ended, one that wraps net.ErrClosed, and Err if that is
// not nil. With a peer without sessions it never is: the error wraps errors.ErrUnsupported.
func (s *Session[T]) Sync(ctx context.Context) error {
	if s.plain != nil {
		return fmt.Errorf("qsocket: Sync with a peer that has no sessions: %w", errors.ErrUnsupported)
	}
	return s.core.sync(ctx)
}

func (s *sessionCore) sync(ctx context.Context) error {
	s.mu.Lock()
	target := s.ring.Last()
	s.syncs++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.syncs--
		s.mu.Unlock()
	}()
	return s.await(ctx, func() (bool, error) {
		if s.ring.Taken() >= target {
			return true, nil
		}
		if a := s.at; a != nil && !a.feeding {
			s.askLocked(a)
		}
		return false, nil
	})
}

// await waits until ready, which is called with mu held, says so or fails, ctx ends, or the session has.
func (s *sessionCore) await(ctx context.Context, ready func() (bool, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for {
		s.mu.Lock()
		ok, err := ready()
		over, cause := s.over, s.err
		changed := s.waitLocked()
		s.mu.Unlock()
		switch {
		case ok || err != nil:
			return err
		case over && cause != nil:
			return &sessionEnded{cause}
		case over:
			return link.ErrClosed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// CloseWrite tells the peer that no more messages come, behind all that Send has accepted, as
// [Conn.CloseWrite]. The peer's Messages ends, whatever connection it learns it on. It does not wait.
// After the end of the session it returns Err.
func (s *Session[T]) CloseWrite() error {
	if s.plain != nil {
		return s.plain.CloseWrite()
	}
	return s.core.closeWrite()
}

func (s *sessionCore) closeWrite() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return s.err
	}
	s.sending = max(s.sending, sentLast)
	s.wakeLocked()
	if s.at != nil {
		s.feedLocked(s.at)
	}
	return nil
}

// Close ends the session: what Send has accepted is written, behind it a goodbye, and what the peer sends
// is dropped. It waits until the peer has confirmed that it has everything, or has closed as well, for
// Options.CloseTimeout at most, over lost connections, too. If that is not so by then, the error is
// [ErrSessionLost], which Err has as well, and Unacknowledged has what may be missing.
// Further calls return nil, and so does the first one if the session has ended already: look at Err.
func (s *Session[T]) Close() error { return s.closeFor(link.Reason{}) }

// CloseWithReason is Close with a reason, as [Conn.CloseWithReason].
func (s *Session[T]) CloseWithReason(reason string) error {
	return s.closeFor(link.Reason{Words: reason})
}

// CloseWithCode is Close with a code and a reason, as [Conn.CloseWithCode].
func (s *Session[T]) CloseWithCode(code Code, reason string) error {
	if err := code.check(); err != nil {
		return err
	}
	return s.closeFor(newReason(code, reason))
}

func (s *Session[T]) closeFor(reason link.Reason) error {
	if s.plain != nil {
		return s.plain.closeFor(reason)
	}
	return s.core.close(reason)
}

func (s *sessionCore) close(reason link.Reason) error {
	s.mu.Lock()
	if s.sending == closing && s.giveUp != nil || s.over {
		s.mu.Unlock()
		return nil
	}
	s.giveUp = time.AfterFunc(s.set.CloseTimeout, func() {
		s.lose(fmt.Sprintf("closed, and the peer has not confirmed within CloseTimeout %v that it has everything", s.set.CloseTimeout))
	})
	s.startCloseLocked(reason)
	done := s.done.WaitLocked()
	s.mu.Unlock()
	<-done
	if err := s.failure(); errors.Is(err, ErrSessionLost) {
		return err
	}
	return nil
}

// startCloseLocked begins the end of s.
func (s *sessionCore) startCloseLocked(reason link.Reason) {
	if s.sending == closing {
		return
	}
	s.sending, s.reason = closing, reason
	s.closes.Store(true) // before busy is looked at; the pump does it the other way round, so one sees the other
	s.closedFirst = !s.recvOver
	busy := s.busy.Load()
	if s.holding || s.delivering {
		s.dropLocked()
	}
	if s.last != nil {
		s.last.dropLocked()
	}
	if !s.delivering && !busy { // or the pump does it
		s.closeMessagesLocked()
	}
	s.wakeLocked()
	if s.at != nil {
		s.feedLocked(s.at)
	}
}

// Shutdown is Close, but waits for the peer as long as ctx allows. Nil means that the peer has read
// every message, on this connection or a later one, which is not to say that its program has taken
// them: for that call Sync first. [ErrUnconfirmed] means that the session has ended otherwise; it comes
// with Err if that is not nil. When ctx ends first, its error is returned, and Err is [ErrSessionLost].
func (s *Session[T]) Shutdown(ctx context.Context) error {
	if s.plain != nil {
		return s.plain.Shutdown(ctx)
	}
	return s.core.shutdown(ctx)
}

func (s *sessionCore) shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.startCloseLocked(link.Reason{})
	done := s.done.WaitLocked()
	s.mu.Unlock()
	select {
	case <-done:
	default:
		select {
		case <-done:
		case <-ctx.Done():
			s.lose("Shutdown was given up: " + ctx.Err().Error())
			<-done
			if s.failure() != nil {
				return ctx.Err()
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.confirmed || s.ring.Taken() == s.ring.Last() && s.err == nil:
		return nil
	case s.err != nil:
		return fmt.Errorf("%w: %w", ErrUnconfirmed, s.err)
	}
	return ErrUnconfirmed
}
