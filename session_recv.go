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
// have to wait for the consumer and letGo has fired; on exit left fires. After the peer's end
// it closes messages.
func (s *Session[T]) pump(a *attachment) {
	defer s.core.leave(a)
	s.core.mu.Lock()
	v, size, holding := s.held, s.core.hand, s.core.holding
	s.core.mu.Unlock()
	var zero T
	if holding {
		if !s.deliver(a, v, size) {
			return // it is held as before
		}
		v = zero
		s.core.mu.Lock()
		s.held, s.core.holding = zero, false
		s.core.mu.Unlock()
	}
	c := a.conn.(*Conn[T])
	c.enc = nil   // nobody sends by c: the session has an encoder of its own
	full := false // there was no space for v
	offer := func(next *T) {
		if a.wanted {
			s.core.hand.memory = s.measure(c, next)
			if full = !s.put(a, *next); full {
				v = *next
			}
		}
		*next = zero
	}
	take := func() bool {
		offer(&c.next)
		return !full
	}
	session, next := c.session.Load(), new(T)
	for {
		err := error(nil)
		if !c.queued.Load() && c.link.In.TryLock() {
			err = c.pullEach(session, take)
		} else { // somebody looks at the counters, or the reader goroutine of a Conn that was closed drops what comes
			a.onWait()
			a.wanted = false
			if *next, err = c.Recv(context.Background()); err == nil {
				offer(next)
			}
		}
		if err != nil {
			s.core.received(a, err)
			return
		}
		if !full {
			continue
		}
		full = false
		if s.deliver(a, v, s.core.hand) {
			v = zero
			continue
		}
		s.core.mu.Lock()
		s.held, s.core.holding = v, true
		leave := s.core.over || s.core.sending < closing
		s.core.mu.Unlock()
		if leave {
			return
		}
	}
}

// leave is the last act of the pump of a.
func (s *sessionCore) leave(a *attachment) {
	s.mu.Lock()
	a.left.FireLocked()
	s.mu.Unlock()
}

// measure returns the memory that v takes, the message that c has just decoded.
func (s *Session[T]) measure(c *Conn[T], v *T) int {
	size := s.core.hand.bytes
	if size <= s.core.backlog.Small {
		return s.core.backlog.Share()
	}
	return decodedSize(c.dec, v, size, s.core.set.DecodedBuffer)
}

// onMessage is told of a message that the Conn has read, before anybody can read on. It is had, and in
// the pump's hands, unless this end has closed: then it is dropped, and the Conn is not to confirm that all
// were read.
func (a *attachment) onMessage(size int) {
	s := a.s
	if !a.busy {
		a.busy = true
		s.busy.Store(true) // before closes is looked at, see startCloseLocked
	}
	a.wanted = !s.closes.Load()
	if a.wanted {
		a.had++
		s.hand.bytes = size
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropLocked()
	s.noteLocked(a)
}

// pull is told that the pump begins, or ends, to receive with the inbox's lock: what comes otherwise, by the reader
// goroutine of a Conn that was closed, is none of what the pump owns.
func (a *attachment) pull(on bool) { a.pulling = on }

// onWait is told that the Conn has no whole message, and waits for one.
func (a *attachment) onWait() {
	if !a.busy {
		return
	}
	s := a.s
	s.mu.Lock()
	s.noteLocked(a)
	s.mu.Unlock()
	if s.owes.Load() {
		s.yield()
	}
}

// yield lets the consumer run, for an ack that is due when it has taken what is in the queue: the peer may send nothing
// before that, and a timer is slow.
func (s *sessionCore) yield() {
	queued := s.typed.queued()
	s.backlog.Yield(func() bool {
		n := s.typed.queued()
		if n == queued {
			return false
		}
		queued = n
		s.mu.Lock()
		defer s.mu.Unlock()
		s.lookLocked()
		return !s.owes.Load()
	})
}

// dropLocked notes that a message of the peer's is dropped.
func (s *sessionCore) dropLocked() {
	s.dropped = true
	if s.last != nil {
		s.last.c.link.In.Drop()
	}
}

// received notes that a Conn has no more messages, because of err.
func (s *sessionCore) received(a *attachment, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noteLocked(a)
	if err == io.EOF && !s.holding {
		s.closeMessagesLocked()
	}
}

// put puts v, the message in hand, into the queue without waiting, and reports false if there is no space.
// It takes no lock, nor does it write what others look at: either costs as much as to decode a small message. So
// what was put is noted later, for many at once: before the pump waits, or when an ack may be due.
func (s *Session[T]) put(a *attachment, v T) bool {
	size := s.core.hand
	waiting, ok := s.core.hasMemory(size.memory)
	if !ok {
		return false
	}
	select { // nobody closes it while the pump is busy
	case s.messages <- v:
	default:
		return false
	}
	if s.core.accounts(size.memory) {
		s.core.backlog.Put(size.memory, waiting)
	}
	a.put = append(a.put, size.frame())
	a.putBytes += size.frame()
	if len(a.put) >= noteAfter || a.putBytes >= a.noteBytes || s.core.owes.Load() || s.core.urgent.Load() || s.core.closes.Load() {
		s.core.note(a)
		if size.bytes >= a.noteBytes && s.core.owes.Load() {
			s.core.yield() // now: the peer may not be able to send the next message before it has the ack
		}
	}
	return true
}

// noteAfter is how many messages are put into the queue before they are noted.
const noteAfter = 64

func (s *sessionCore) note(a *attachment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noteLocked(a)
}

// noteLocked notes what a's pump, which calls it, has received and put into the queue, and acks what was taken if
// that is due. The pump is not busy after that, so it closes messages if it was for the pump to do, and a feeder that
// waits for it goes on.
func (s *sessionCore) noteLocked(a *attachment) {
	s.in.Have(a.had)
	a.had = 0
	for _, n := range a.put {
		s.in.Put(n)
	}
	a.put, a.putBytes = a.put[:0], 0
	s.lookLocked()
	a.busy = false
	s.busy.Store(false)
	if s.sending == closing && !s.delivering {
		s.closeMessagesLocked()
	}
	if s.urgent.Load() {
		s.urgent.Store(false)
		if s.at == a {
			s.feedLocked(a)
		}
	}
}

// deliver puts v into the queue, and reports false if letGo has fired before there was space, and memory
// for it, or this end has closed: then v is dropped.
func (s *Session[T]) deliver(a *attachment, v T, size hand) bool {
	s.core.mu.Lock()
	defer s.core.mu.Unlock()
	s.core.delivering = true // so messages is not closed
	s.core.noteLocked(a)
	defer func() {
		s.core.delivering = false
		if s.core.sending == closing {
			s.core.closeMessagesLocked()
		}
	}()
	for start := time.Now(); !s.core.recvOver; {
		waiting, ok := s.core.hasMemory(size.memory)
		if ok {
			select {
			case s.messages <- v:
				s.core.putLocked(size, waiting)
				return true
			default:
			}
		}
		if s.core.sending == closing {
			s.core.dropLocked()
			break
		}
		letGo := a.letGo.WaitLocked()
		s.core.mu.Unlock()
		sent := s.awaitConsumer(letGo, v, size.memory, start)
		s.core.mu.Lock()
		if sent {
			s.core.putLocked(size, waiting)
			return true
		}
		if a.dropped {
			break
		}
	}
	return false
}

// awaitConsumer waits until v has been put into the queue, which it reports, or there may be memory for
// it, or letGo is closed.
func (s *Session[T]) awaitConsumer(letGo <-chan struct{}, v T, memory int, start time.Time) (sent bool) {
	if _, ok := s.core.hasMemory(memory); ok {
		select {
		case s.messages <- v:
			return true
		case <-letGo:
			return false
		}
	}
	if s.core.backlog.Yield(func() bool { _, ok := s.core.hasMemory(memory); return ok }) {
		return false
	}
	timer := time.NewTimer(backlog.Pause(time.Since(start)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-letGo:
	}
	return false
}

// hasMemory reports whether a message of that size may wait beside those that do. If it is one to be accounted
// for, waiting is their number. Only the pump calls it.
func (s *sessionCore) hasMemory(memory int) (waiting int, ok bool) {
	if !s.accounts(memory) {
		return 0, true
	}
	waiting = s.typed.queued()
	return waiting, s.backlog.Fits(memory, waiting)
}

// accounts reports whether a message of that size is accounted for in the backlog.
func (s *sessionCore) accounts(memory int) bool { return s.backlog.On() || memory > s.backlog.Share() }

// putLocked notes that a message was put into the queue, in which others were waiting.
func (s *sessionCore) putLocked(size hand, waiting int) {
	if s.accounts(size.memory) {
		s.backlog.Put(size.memory, waiting)
	}
	s.in.Put(size.frame())
	s.lookLocked()
}

// onControl handles a control frame of the session, see link.Owner.
func (a *attachment) onControl(kind byte, body []byte) error {
	s := a.s
	if kind == wire.KindAsk {
		if len(body) > 0 {
			return fmt.Errorf("%w: ask with a body of %d bytes, want none", wire.ErrProtocol, len(body))
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if a.pulling {
			s.noteLocked(a)
		}
		if s.at == a && s.sending < closing {
			s.in.Look(s.typed.queued())
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
	others := s.feeders
	if a.feeding {
		others--
	} else if taken >= a.cursor.Next() && !a.refuses { // of a frame whose Write has failed the peer may have all
		return a.ackTooEarly(taken)
	}
	// The feeders of Conns before a may have any frame in hand, that of a only those from its cursor on: the peer can have
	// them while the Write has not returned.
	inHand := others > 0 || a.feeding && taken >= a.cursor.Next()
	if err := s.ring.Ack(taken, !inHand); err != nil {
		return err
	}
	s.wakeLocked()
	return nil
}

// ackTooEarly is for an ack of messages that a has not been given, which were sent before it.
func (a *attachment) ackTooEarly(taken uint64) error {
	return fmt.Errorf("%w: ack of %d messages, but %d were sent on this connection and those before it", wire.ErrProtocol, taken, a.cursor.Next()-1)
}

// onSkip notes that the Conn has dropped a message of an unknown case.
func (a *attachment) onSkip(size int) {
	s := a.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.pulling {
		s.noteLocked(a)
	}
	if s.closes.Load() { // as all that come after this end has closed
		s.dropLocked()
		return
	}
	s.in.Skip(hand{bytes: size}.frame(), s.typed.queued())
	s.lookLocked()
}

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
	if ok && !s.core.owes.Load() { // nothing is due, whatever is taken
		return v, nil
	}
	return v, s.core.taken(ok)
}

// taken looks at what is due after a message was taken from the queue, or returns, if ok is false, why there are no more.
func (s *sessionCore) taken(ok bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case ok:
		s.lookLocked()
		return nil
	case s.err != nil:
		return s.err
	case s.closedFirst:
		return link.ErrClosed
	}
	return io.EOF
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
			case err == io.EOF, errors.Is(err, link.ErrClosed) && s.core.failure() == nil:
				return
			default:
				yield(v, err)
				return
			}
		}
	}
}
