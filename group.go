package qsocket

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
)

// Overflow says what a [Group] does with a member that has no room for a
// message in its outgoing buffer (Options.SendBuffer).
type Overflow uint8

const (
	Block      Overflow = iota // wait for the slow member, as long as ctx allows
	Drop                       // skip it; counted in its Stats.Dropped
	Disconnect                 // close it hard, in the background; its Err is ErrSlowConsumer
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

// Group sends messages to many connections. A message is encoded once for all
// of them, or once for each if the codec keeps state between messages (as Gob
// does). A Conn leaves by itself when it ends, and may be in several groups.
// All methods are safe for concurrent use.
//
// A Group has no goroutines and need not be closed. It does not own its
// members: whoever made a Conn still has to close it.
type Group[T any] struct {
	// Immutable.
	p      Protocol[T]
	policy Overflow
	codec  Codec[T]
	shared bool // one encoding serves all members

	encoders sync.Pool // of *groupEncoder[T]

	mu      sync.Mutex          // guards following
	members map[*Conn[T]]func() // what undoes the member's call of atEnd
	list    []*Conn[T]          // members, for Broadcasts to walk; nil after a change; never changed itself
}

// groupEncoder is what one Broadcast needs to encode.
type groupEncoder[T any] struct {
	enc Encoder[T]
	m   Prepared[T]
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
	g := &Group[T]{p: p, policy: policy, codec: p.codec(), members: make(map[*Conn[T]]func())}
	g.shared = isStateless(g.codec)
	g.encoders.New = func() any { return &groupEncoder[T]{enc: g.codec.NewEncoder()} }
	return g
}

// Add makes c a member. It has no effect if c is one already or has ended. Add
// panics if c uses another codec or framing than the Group.
func (g *Group[T]) Add(c *Conn[T]) {
	if c.codecName != g.codec.Name() || c.framing != g.p.Framing {
		panic(fmt.Sprintf("qsocket: Group.Add of a connection with codec %q and framing %v, but the Group uses %q and %v", c.codecName, c.framing, g.codec.Name(), g.p.Framing))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.members[c]; ok {
		return
	}
	// Remove waits for mu, so it finds the member even if c ends right now.
	if cancel, ok := c.atEnd(func() { g.Remove(c) }); ok {
		g.members[c] = cancel
		g.list = nil
	}
}

// Remove ends the membership of c, if there is one.
func (g *Group[T]) Remove(c *Conn[T]) {
	g.mu.Lock()
	cancel, ok := g.members[c]
	if ok {
		delete(g.members, c)
		g.list = nil
	}
	g.mu.Unlock()
	if ok {
		cancel()
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
// under Block, it waits for the others, as long as ctx allows; under Drop and
// Disconnect it never waits. Members that have ended are removed.
//
// The error is a [*CodecError] if v cannot be encoded, [ErrFrameTooLarge] if the
// framing cannot announce so large a payload, or ctx's error. A member for whose
// Options.MaxFrame v is too large does not get it, and is not counted.
//
// Each member gets the messages of one goroutine in order. What several
// goroutines broadcast at the same time may reach members in different orders.
func (g *Group[T]) Broadcast(ctx context.Context, v T) (sent int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	var m *Prepared[T] // nil: encoded for each member
	if g.shared {
		e := g.encoders.Get().(*groupEncoder[T])
		defer g.encoders.Put(e)
		if err := e.m.encode(g.p.Framing, g.codec.Name(), e.enc, v); err != nil {
			return 0, err
		}
		m = &e.m
	}

	var slow []*Conn[T]
	for _, c := range g.all() {
		ok, err := c.trySend(v, m)
		switch {
		case ok:
			sent++
		case err != nil:
			if err := g.refused(c, err); err != nil {
				return sent, err
			}
		case g.policy == Block:
			slow = append(slow, c)
		case g.policy == Drop:
			c.dropped.Add(1)
		case g.policy == Disconnect:
			g.Remove(c)
			go c.fail(ErrSlowConsumer) // ends when the socket is closed
		}
	}
	for _, c := range slow {
		err := c.send(ctx, v, m)
		if err == nil {
			sent++
			continue
		}
		if ctx.Err() != nil && err == ctx.Err() {
			return sent, err
		}
		if err := g.refused(c, err); err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// refused deals with the error of a member's Send. It returns the error if no
// other member could be sent the message either.
func (g *Group[T]) refused(c *Conn[T], err error) error {
	switch {
	case errors.Is(err, net.ErrClosed):
		g.Remove(c)
	case errors.Is(err, ErrFrameTooLarge): // for this member
	default:
		return err
	}
	return nil
}

// all returns the members.
func (g *Group[T]) all() []*Conn[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.list == nil {
		g.list = slices.Collect(maps.Keys(g.members))
	}
	return g.list
}
