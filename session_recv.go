package qsocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/backlog"
	"github.com/fb9bb4ed/qsocket/internal/link"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// pump is the goroutine that receives from the Conn of a. It ends with that, or when it would
// have to wait for the consumer and letGo is closed; on exit left is closed. After the peer's end
// it closes messages.
func (s *Session[T]) pump(a *attachment[T]) {
	defer close(a.left)
	s.mu.Lock()
	v, size, holding := s.held, s.hand, s.holding
	s.mu.Unlock()
	if holding {
		if !s.deliver(a, v, size) {
			return // it is held as before
		}
		var zero T
		s.mu.Lock()
		s.held, s.holding = zero, false
		s.mu.Unlock()
	}
	for {
		v, err := a.c.Recv(context.Background())
		if err != nil {
			s.received(a, err)
			return
		}
		memory := s.measure(a, &v)
		s.mu.Lock()
		s.hand.memory = memory
		wanted, size := s.inHand, s.hand
		s.mu.Unlock()
		if !wanted || s.deliver(a, v, size) {
			continue
		}
		s.mu.Lock()
		s.held, s.holding, s.inHand = v, true, false
		leave := s.over || s.sending < closing
		s.mu.Unlock()
		if leave {
			return
		}
	}
}

// measure returns the memory that v takes, the message that a's Conn has just decoded.
func (s *Session[T]) measure(a *attachment[T], v *T) int {
	size := s.hand.bytes // which only this goroutine writes, in onMessage
	if size <= s.backlog.Small {
		return s.backlog.Share()
	}
	return decodedSize(a.c.dec, v, size, s.set.DecodedBuffer)
}

// onMessage is told of a message that the Conn has read, before anybody can read on. It is had, and in
// the pump's hands, unless this end has closed: then it is dropped, and the Conn is not to confirm that all
// were read.
func (a *attachment[T]) onMessage(size int) {
	s := a.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inHand = s.sending < closing; !s.inHand {
		s.dropLocked()
		return
	}
	s.in.Have()
	s.hand.bytes = size
}

// dropLocked notes that a message of the peer's is dropped.
func (s *Session[T]) dropLocked() {
	s.dropped = true
	if s.last != nil {
		s.last.c.link.In.Drop()
	}
}

// received notes that a Conn has no more messages, because of err.
func (s *Session[T]) received(a *attachment[T], err error) {
	if err != io.EOF {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.holding {
		s.closeMessagesLocked()
	}
}

// deliver puts v into the queue, and reports false if letGo was closed before there was space, and memory
// for it.
func (s *Session[T]) deliver(a *attachment[T], v T, size hand) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.recvOver {
		return false
	}
	for start := time.Now(); ; {
		waiting := len(s.messages)
		if s.hasMemory(size.memory, waiting) {
			select {
			case s.messages <- v:
				s.putLocked(size, waiting)
				return true
			default:
			}
		}
		s.delivering = true // so messages is not closed
		s.mu.Unlock()
		sent := s.awaitConsumer(a, v, size.memory, start)
		s.mu.Lock()
		s.delivering = false
		if s.sending == closing {
			s.closeMessagesLocked()
		}
		if sent {
			s.putLocked(size, waiting)
			return true
		}
		if a.dropped || s.recvOver {
			return false
		}
	}
}

// awaitConsumer waits until v has been put into the queue, which it reports, or there may be memory for
// it, or letGo is closed.
func (s *Session[T]) awaitConsumer(a *attachment[T], v T, memory int, start time.Time) (sent bool) {
	if s.hasMemory(memory, len(s.messages)) {
		select {
		case s.messages <- v:
			return true
		case <-a.letGo:
			return false
		}
	}
	timer := time.NewTimer(backlog.Pause(time.Since(start)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-a.letGo:
	}
	return false
}

// hasMemory reports whether a message of that size may wait beside those that do. Only the pump calls it.
func (s *Session[T]) hasMemory(memory, waiting int) bool {
	b := s.backlog
	return !b.On() && memory <= b.Share() || b.Fits(memory, waiting)
}

// putLocked notes that a message was put into the queue, in which others were waiting.
func (s *Session[T]) putLocked(size hand, waiting int) {
	if b := s.backlog; b.On() || size.memory > b.Share() {
		b.Put(size.memory, waiting)
	}
	s.inHand = false
	s.in.Put(size.bytes)
	s.lookLocked()
}

// lookLocked looks at what was taken from the queue, acks it if that is due, and makes sure that
// it is looked at again while something is owed.
func (s *Session[T]) lookLocked() {
	s.in.Look(len(s.messages))
	if s.in.Due() && s.at != nil && s.sending < closing {
		s.at.c.link.Out.SendAck(s.in.Ack())
	}
	if s.over {
		return
	}
	if s.in.Owes() && !s.looking {
		s.looking, s.lookFrom = true, time.Now()
		s.lookAfterLocked(backlog.Pause(0))
	}
	if !s.acking && s.in.Pending() {
		s.acking = true
		if s.ackTime == nil {
			s.ackTime = time.AfterFunc(s.ackInterval(), s.ackNow)
		} else {
			s.ackTime.Reset(s.ackInterval())
		}
	}
}

func (s *Session[T]) lookAfterLocked(d time.Duration) {
	if s.lookTime == nil {
		s.lookTime = time.AfterFunc(d, s.lookAgain)
	} else {
		s.lookTime.Reset(d)
	}
}

// lookAgain is run by a timer.
func (s *Session[T]) lookAgain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looking = false
	if s.over {
		return
	}
	from := s.lookFrom
	s.in.Look(len(s.messages))
	if s.in.Due() && s.at != nil {
		s.at.c.link.Out.SendAck(s.in.Ack())
	}
	if s.in.Owes() {
		s.looking, s.lookFrom = true, from
		s.lookAfterLocked(backlog.Pause(time.Since(from)))
	}
}

// longestAck is how long the peer waits at most for an ack of what was taken.
const longestAck = 5 * time.Second

func (s *Session[T]) ackInterval() time.Duration {
	if h := s.set.Heartbeat; h > 0 && h < longestAck {
		return h
	}
	return longestAck
}

// ackNow is run by a timer: it acks what was taken, however little it is.
func (s *Session[T]) ackNow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acking = false
	if s.over {
		return
	}
	s.in.Look(len(s.messages))
	if s.in.Unacked() && s.at != nil && s.sending < closing {
		s.at.c.link.Out.SendAck(s.in.Ack())
	}
	s.lookLocked()
}

// sessionEnd is an attachment as its Conn sees it.
type sessionEnd interface {
	onControl(kind byte, body []byte) error
	onMessage(size int)
	onSkip(size int)
	onGoingAway()
}

// onControl handles a control frame of the session, see link.Owner.
func (a *attachment[T]) onControl(kind byte, body []byte) error {
	s := a.s
	if kind == wire.KindAsk {
		if len(body) > 0 {
			return fmt.Errorf("%w: ask with a body of %d bytes, want none", wire.ErrProtocol, len(body))
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.at == a && s.sending < closing {
			s.in.Look(len(s.messages))
			s.in.Ask()
			a.c.link.Out.SendAck(s.in.Ack())
			s.lookLocked()
		}
		return nil
	}
	taken, err := wire.ParseAck(body)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at != a {
		return nil
	}
	if err := s.ring.Ack(taken, s.feeders == 0); err != nil {
		return err
	}
	s.wakeLocked()
	return nil
}

// onSkip notes that the Conn has dropped a message of an unknown case.
func (a *attachment[T]) onSkip(size int) {
	s := a.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.in.Skip(size, len(s.messages))
	s.lookLocked()
}

func (a *attachment[T]) onGoingAway() { a.s.goAway() }

// Messages returns the channel on which messages arrive, as [Conn.Messages]. It goes on over lost
// connections.
func (s *Session[T]) Messages() <-chan T {
	if s.plain != nil {
		return s.plain.Messages()
	}
	return s.messages
}

// Recv returns the next message, as [Conn.Recv]. While there is no connection it waits.
func (s *Session[T]) Recv(ctx context.Context) (v T, err error) {
	if s.plain != nil {
		return s.plain.Recv(ctx)
	}
	if err := ctx.Err(); err != nil {
		return v, err
	}
	var ok bool
	select {
	case v, ok = <-s.messages:
	case <-ctx.Done():
		return v, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if ok {
		s.lookLocked()
		return v, nil
	}
	switch {
	case s.err != nil:
		return v, s.err
	case s.closedFirst:
		return v, link.ErrClosed
	}
	return v, io.EOF
}

// All returns an iterator over the messages, as [Conn.All].
func (s *Session[T]) All(ctx context.Context) iter.Seq2[T, error] {
	if s.plain != nil {
		return s.plain.All(ctx)
	}
	return func(yield func(T, error) bool) {
		for {
			v, err := s.Recv(ctx)
			switch {
			case err == nil:
				if !yield(v, nil) {
					return
				}
			case err == io.EOF, errors.Is(err, link.ErrClosed) && s.Err() == nil:
				return
			default:
				yield(v, err)
				return
			}
		}
	}
}
