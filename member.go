package qsocket

import (
	"context"
	"iter"
	"net"
	"sync"
)

// Member is what a [Group] holds: a *Conn[T] or a *Session[T]. A type that embeds one is a Member as well, and
// stands for it; other types cannot be.
//
// Its methods are what is done with one of many: send it something of its own, find out who it is
// and whether it keeps up, and end it. There is no Done among them, because a member
// leaves by itself when it ends. For all else there is the Conn, m.(*Conn[T]), or the Session.
type Member[T any] interface {
	Send(ctx context.Context, v T) error
	SendPrepared(ctx context.Context, m *Prepared[T]) error
	TrySend(v T) (sent bool, err error)
	TrySendPrepared(m *Prepared[T]) (sent bool, err error)
	Close() error
	CloseWithReason(reason string) error
	Err() error
	Stats() Stats
	RemoteAddr() net.Addr

	// What a Group does with it.
	trySend(v *T, m *Prepared[T]) (sent bool, err error)
	send(ctx context.Context, v *T, m *Prepared[T], gone <-chan struct{}, encoding *sync.Mutex) error
	countSkipped()
	disconnect()
	onEnd(f func()) (cancel func(), ok bool)
	maxPayload() int

	self() Member[T] // the one that a Group knows, also if it is embedded in another type
}

func (c *Conn[T]) self() Member[T]                          { return c }
func (c *connCore) countSkipped()                           { c.link.CountSkipped() }
func (c *connCore) disconnect()                             { c.link.Fail(ErrSlowConsumer) }
func (c *connCore) onEnd(f func()) (cancel func(), ok bool) { return c.link.OnEnd(f) }
func (c *connCore) maxPayload() int                         { return c.link.Out.MaxPayload() }

func (s *Session[T]) self() Member[T] { return s }

func (s *Session[T]) countSkipped() {
	if s.plain != nil {
		s.plain.countSkipped()
		return
	}
	s.core.mu.Lock()
	s.core.counts.skipped++
	first := s.core.counts.skipped == 1
	s.core.mu.Unlock()
	if first {
		s.core.set.Logger.Warn("qsocket: slow consumer, dropping messages of a session", "protocol", s.core.set.protocol)
	}
}

func (s *Session[T]) disconnect() {
	if s.plain != nil {
		s.plain.disconnect()
		return
	}
	s.core.end(ErrSlowConsumer)
}

func (s *Session[T]) maxPayload() int {
	if s.plain != nil {
		return s.plain.maxPayload()
	}
	s.core.mu.Lock()
	defer s.core.mu.Unlock()
	most, _ := s.core.maxPayloadLocked()
	return most
}

// Members returns an iterator over the members in the order in which they joined. It yields those
// that there were when the loop began, also if they have left since, and not those that have
// joined since. The body of the loop may do what it likes with the Group.
//
//	for m := range room.Members() {
//		if m.Stats().Dropped > 1000 {
//			m.CloseWithReason("too slow")
//		}
//	}
func (g *Group[T]) Members() iter.Seq[Member[T]] {
	return func(yield func(Member[T]) bool) {
		g.mu.Lock()
		list := g.listLocked()
		g.mu.Unlock()
		for _, mb := range list {
			if !yield(mb.c) {
				return
			}
		}
	}
}
