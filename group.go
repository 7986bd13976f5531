package qsocket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"

	"github.com/fb9bb4ed/qsocket/internal/link"
	"github.com/fb9bb4ed/qsocket/internal/oversize"
)

// Overflow says what a [Group] does with a member that has no room for a
// message in its outgoing buffer. That is how far a member may be behind: to one that reads all
// the time the same happens if more than Options.SendBuffer comes at once, so hold up those who send much.
type Overflow uint8

const (
	Block      Overflow = iota // wait for the slow member, as long as ctx allows
	Drop                       // skip it; counted in its Stats.Dropped
	Disconnect                 // end it, in the background, without what it has not taken; its Err is ErrSlowConsumer, and its peer learns CodeSlowConsumer if it still reads
)

// String returns the name of the constant.
func (o Overflow) String() string {
	switch o {
	case Block:
		return "Block"
	case Drop:
		return "Drop"
	case Disconnect:
		return "Disconnect"
	}
	return fmt.Sprintf("Overflow(%d)", uint8(o))
}

// Group sends messages to many connections. In a chat, what one says goes to all others:
//
//	room := qsocket.NewGroup(chat.Protocol, qsocket.Drop)
//	err := ln.Serve(ctx, func(ctx context.Context, conn *qsocket.Conn[chat.Line]) {
//		room.Add(conn) // leaves by itself when it ends
//		for line, err := range conn.All(ctx) {
//			if err != nil {
//				return
//			}
//			room.BroadcastExcept(ctx, line, conn)
//		}
//	})
//
// A message is encoded once for all of them, or once for each if the codec keeps state
// between messages (as Gob does). A Conn leaves by itself when it ends, and may be in
// several groups. All methods are safe for concurrent use.
//
// A Group has goroutines only while a Broadcast waits for several members, and need not be
// closed. It does not own its members: the program still has to close every Conn.
//
// In examples/chat members learn who is there, who joins and who leaves, all in the same order, and one that does
// not keep up is disconnected.
type Group[T any] struct {
	// Immutable.
	p      Protocol[T]
	policy Overflow
	codec  Codec[T]
	shared bool // one encoding serves all members

	broadcasts sync.Pool // of *broadcast[T]

	mu      sync.Mutex               // guards following
	members map[Member[T]]*member[T] // by what self returns
	ring    member[T]                // the members in order of joining, between its next and its prev; no member itself
	joined  uint64                   // members ever
	list    []*member[T]             // members in that order, for Broadcasts to walk; nil after a change; never changed itself
	most    int                      // the largest payload that one of list may be sent, bytes
}

// member is a Conn or a Session in a Group.
type member[T any] struct {
	// Immutable.
	c      Member[T]
	conn   *Conn[T]      // the same, if it is one
	number uint64        // the first one to join is 1
	gone   chan struct{} // closed when it is no longer a member
	cancel func()        // undoes the call of OnEnd

	// Guarded by the Group's mu.
	prev, next *member[T] // nil when it is no longer a member
}

// broadcast is what one Broadcast needs for itself.
type broadcast[T any] struct {
	enc  Encoder[T]
	m    Prepared[T]
	skip []uint64 // the numbers of members that do not get it, in order
	slow []*member[T]
}

// NewGroup makes an empty Group for connections of the protocol p. It panics if
// p is not valid or policy unknown.
func NewGroup[T any](p Protocol[T], policy Overflow) *Group[T] {
	if err := p.check(); err != nil {
		panic(err)
	}
	if policy > Disconnect {
		panic(fmt.Sprintf("qsocket: unknown policy %v, want Block, Drop or Disconnect", policy))
	}
	g := &Group[T]{p: p, policy: policy, codec: p.codec(), members: make(map[Member[T]]*member[T])}
	g.ring.prev, g.ring.next = &g.ring, &g.ring
	g.shared = isStateless(g.codec)
	g.broadcasts.New = func() any { return &broadcast[T]{enc: g.codec.NewEncoder()} }
	return g
}

// Add makes c a member. It has no effect if c is one already or has ended. Add
// panics if c is nil, or uses a codec of another name or another framing than the
// Group: use the Protocol with which the Conns were made.
func (g *Group[T]) Add(c *Conn[T]) {
	g.add(c, c.settings)
}

// AddSession is Add for a session. While it has no connection it takes what fits into its
// SessionBuffer. What does not fit is waited for under Block, skipped under Drop, and ends the session
// under Disconnect, as with a slow Conn. One with Options.SendFailsWhileDown does not get what is
// broadcast while it has no connection, and is not counted.
func (g *Group[T]) AddSession(s *Session[T]) { g.add(s, s.core.set) }

func (g *Group[T]) add(c Member[T], set *settings) {
	if set.codec != g.codec.Name() || set.framing != g.p.Framing {
		panic(fmt.Sprintf("qsocket: Group.Add of a connection with codec %q and framing %v, but the Group uses %q and %v", set.codec, set.framing, g.codec.Name(), g.p.Framing))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.members[c]; ok {
		return
	}
	// Remove waits for mu, so it finds the member even if c ends right now.
	if cancel, ok := c.onEnd(func() { g.remove(c) }); ok {
		g.joined++
		last := g.ring.prev
		conn, _ := c.(*Conn[T])
		m := &member[T]{c: c, conn: conn, number: g.joined, gone: make(chan struct{}), cancel: cancel, prev: last, next: &g.ring}
		last.next, g.ring.prev = m, m
		g.members[c] = m
		g.list = nil
	}
}

// Remove takes c out of the Group, if it is a member. A Broadcast that waits for c
// goes on without it.
func (g *Group[T]) Remove(c *Conn[T]) { g.remove(c) }

// RemoveSession is Remove for a session.
func (g *Group[T]) RemoveSession(s *Session[T]) { g.remove(s) }

func (g *Group[T]) remove(c Member[T]) {
	g.mu.Lock()
	m, ok := g.members[c]
	if ok {
		delete(g.members, c)
		m.prev.next, m.next.prev = m.next, m.prev
		m.prev, m.next = nil, nil
		g.list = nil
	}
	g.mu.Unlock()
	if ok {
		close(m.gone)
		m.cancel()
	}
}

// Len returns the number of members.
func (g *Group[T]) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.members)
}

// Broadcast sends v to all members, and returns to how many: those whose Send
// would have returned nil. It first hands v to every member that has room. Then,
// under Block, it waits for all others at the same time, as long as ctx allows: one that
// takes nothing keeps v from no other. Under Drop and Disconnect it never waits. Members that have ended are removed.
//
// The error is a [*CodecError] if v cannot be encoded, [ErrFrameTooLarge] if the
// framing cannot announce so large a payload, or ctx's error. After an error v may have
// reached some members. A member for whose
// MaxFrame, or that of its peer, v is too large does not get it, and is not counted.
//
// Each member gets the messages of one goroutine in order. What several
// goroutines broadcast at the same time may reach members in different orders, unless a mutex
// is held for each Broadcast.
func (g *Group[T]) Broadcast(ctx context.Context, v T) (sent int, err error) {
	return g.broadcast(ctx, v, nil)
}

// BroadcastExcept is Broadcast to all members but those in except: the one from which v has
// come, for example. They need not be members, and may be nil. They are not counted, waited
// for or disconnected either.
func (g *Group[T]) BroadcastExcept(ctx context.Context, v T, except ...Member[T]) (sent int, err error) {
	return g.broadcast(ctx, v, except)
}

func (g *Group[T]) broadcast(ctx context.Context, v T, except []Member[T]) (sent int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	b := g.broadcasts.Get().(*broadcast[T])
	defer func() {
		clear(b.slow)
		b.slow = b.slow[:0]
		g.broadcasts.Put(b)
	}()
	list, most := g.recipients(b, except)
	skip := b.skip
	var m *Prepared[T] // nil: encoded for each member
	if g.shared {
		err := b.m.encode(g.p.Framing, g.codec.Name(), b.enc, v, most)
		if _, ok := err.(*oversize.Error); ok {
			return 0, nil // it is too large for all of them
		}
		if err != nil {
			return 0, err
		}
		m = &b.m
	}

	for _, mb := range list {
		if len(skip) > 0 && skip[0] == mb.number {
			skip = skip[1:]
			continue
		}
		var ok bool
		if m != nil {
			ok, err = mb.trySendPrepared(m)
		} else {
			ok, err = mb.trySend(v)
		}
		switch {
		case ok:
			sent++
		case err != nil:
			if err := g.refused(mb.c, err); err != nil {
				return sent, err
			}
		case g.policy == Block:
			b.slow = append(b.slow, mb)
		case g.policy == Drop:
			mb.c.countSkipped()
		case g.policy == Disconnect:
			g.remove(mb.c)
			go mb.c.disconnect() // ends when the socket is closed
		}
	}
	if len(b.slow) == 0 { // await needs memory for v
		return sent, nil
	}
	later, err := g.await(ctx, b.slow, v, m)
	return sent + later, err
}

// trySend is that of the member. Through an interface v would have to be in memory of its own, also for
// a Conn.
func (mb *member[T]) trySend(v T) (sent bool, err error) {
	if mb.conn != nil {
		return mb.conn.trySend(&v, nil)
	}
	w := v
	return mb.c.trySend(&w, nil)
}

func (mb *member[T]) trySendPrepared(m *Prepared[T]) (sent bool, err error) {
	if mb.conn != nil {
		return mb.conn.trySend(nil, m)
	}
	return mb.c.trySend(nil, m)
}

// await sends v, which m is if it is not nil, to members that had no room, and returns when
// each of them has taken it or failed, or ctx has ended.
func (g *Group[T]) await(ctx context.Context, slow []*member[T], v T, m *Prepared[T]) (sent int, err error) {
	var encoding sync.Mutex // v is encoded for one member at a time: a method of its type may not be made for more
	results := make(chan error, len(slow))
	for _, mb := range slow[1:] {
		go func() { results <- g.awaitMember(ctx, mb, &v, m, &encoding) }() // ends when mb has room, leaves or fails, or ctx ends; is waited for
	}
	results <- g.awaitMember(ctx, slow[0], &v, m, &encoding)
	for range slow {
		switch got := <-results; {
		case got == nil:
			sent++
		case got != link.ErrGone && err == nil:
			err = got
		}
	}
	return sent, err
}

// awaitMember sends v to mb when that has room. It returns ErrGone where v does not reach mb,
// but may reach others.
func (g *Group[T]) awaitMember(ctx context.Context, mb *member[T], v *T, m *Prepared[T], encoding *sync.Mutex) error {
	err := mb.c.send(ctx, v, m, mb.gone, encoding)
	if err == nil || err == link.ErrGone || ctx.Err() != nil && err == ctx.Err() {
		return err
	}
	if err := g.refused(mb.c, err); err != nil {
		return err
	}
	return link.ErrGone
}

// refused handles the error of a member's Send. It returns the error if the message could
// be sent to no other member either.
func (g *Group[T]) refused(c Member[T], err error) error {
	switch {
	case errors.Is(err, net.ErrClosed):
		g.remove(c)
	case errors.Is(err, ErrFrameTooLarge), err == errDown: // for this member
	default:
		return err
	}
	return nil
}

// recipients returns the members, and the largest payload that one of them may be sent. It notes
// in b which of them are in except; by the same look at the Group, so that one that leaves and
// joins at this moment is not taken for another.
func (g *Group[T]) recipients(b *broadcast[T], except []Member[T]) (list []*member[T], most int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	list = g.listLocked()
	b.skip = b.skip[:0]
	for _, e := range except {
		if e == nil {
			continue
		}
		if m, ok := g.members[e.self()]; ok {
			b.skip = append(b.skip, m.number)
		}
	}
	slices.Sort(b.skip)
	b.skip = slices.Compact(b.skip)
	return list, g.most
}

// listLocked returns the members in order of joining, and sets most.
func (g *Group[T]) listLocked() []*member[T] {
	if g.list == nil {
		g.list = make([]*member[T], 0, len(g.members))
		g.most = 0
		for mb := g.ring.next; mb != &g.ring; mb = mb.next {
			g.list = append(g.list, mb)
			g.most = max(g.most, mb.c.maxPayload())
		}
		if len(g.list) == 0 {
			g.most = 1 << 20 // only whether it can be encoded is of interest
		}
	}
	return g.list
}
