package qsocket

import (
	"context"
	"iter"
	"net"
)

// Member is what a [Group] holds: a *Conn[T]. A type that embeds one is a Member as well, and
// stands for that Conn; other types cannot be.
//
// Its methods are what is done with one of many: send it something of its own, find out who it is
// and whether it keeps up, and end it. There is no Done among them, because a member
// leaves by itself when it ends. For all else there is the Conn: m.(*Conn[T]).
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

	self() Member[T] // the one that a Group knows, also if it is embedded in another type
}

func (c *Conn[T]) self() Member[T] { return c }

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
