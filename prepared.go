package qsocket

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/oversize"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// Prepared is a message that has been encoded once and can be sent over any
// number of connections of its protocol. It is immutable and safe for
// concurrent use.
type Prepared[T any] struct {
	prepared
}

type prepared struct {
	frame   []byte
	size    int // of the payload, bytes
	codec   string
	framing Framing
}

// Prepare encodes v for [Conn.SendPrepared]. It returns a [*CodecError] if v
// cannot be encoded, [ErrFrameTooLarge] if the payload has more than 256 MiB or more than
// the framing can announce, and another error if the codec keeps state between messages (as
// Gob does): then each connection needs an encoding of its own. Options.MaxFrame is
// checked when the message is sent; [Conn.Send] is for messages beyond 256 MiB.
func (p Protocol[T]) Prepare(v T) (*Prepared[T], error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	codec := p.codec()
	if !isStateless(codec) {
		return nil, fmt.Errorf("qsocket: prepare: codec %s is not stateless, want one whose payloads do not depend on each other", excerpt.Quote(codec.Name(), excerpt.MaxName))
	}
	m := new(Prepared[T])
	err := m.encode(p.Framing, codec.Name(), codec.NewEncoder(), v, maxPrepared)
	least := m.size
	if over, ok := err.(*oversize.Error); ok {
		err, least = nil, over.Least
	}
	if err == nil {
		err = wire.Framing(p.Framing).CheckSize(least, maxPrepared, "the limit of Prepare,")
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// maxPrepared bounds a Prepared, which knows no connection and its MaxFrame: a value whose parts
// have others in common can be small, and have an encoding without an end in practice.
const maxPrepared = 256 << 20

// encode makes m the message v, in the memory that m has. It may give up with an
// *oversize.Error if the payload has more than most bytes.
func (m *Prepared[T]) encode(f Framing, codec string, enc Encoder[T], v T, most int) error {
	framing := wire.Framing(f)
	limit(enc, framing.MaxPayload(most))
	b, _, err := safeEncode(codec, enc, framing.OpenFrame(m.frame[:0]), &v)
	return m.seal(f, codec, b, err)
}

// seal makes m the message whose frame is b without its length, or returns the error of encoding it.
func (m *prepared) seal(f Framing, codec string, b []byte, err error) error {
	framing := wire.Framing(f)
	if over, ok := err.(*oversize.Error); ok {
		return cmp.Or(framing.CheckSize(over.Least, maxMaxFrame, "MaxFrame"), err)
	}
	if err != nil {
		return err
	}
	size := framing.PayloadSize(b, 0)
	if err := framing.CheckSize(size, maxMaxFrame, "MaxFrame"); err != nil {
		return err
	}
	m.frame, m.size, m.codec, m.framing = framing.SealFrame(b, 0), size, codec, f
	return nil
}

// SendPrepared is [Conn.Send] of a message that [Protocol.Prepare] has encoded.
// It is an error, which leaves the Conn unharmed, if the Conn has a codec of another
// name or another framing than the Protocol, or if m is nil.
func (c *Conn[T]) SendPrepared(ctx context.Context, m *Prepared[T]) error {
	if err := c.takes(m); err != nil {
		return err
	}
	return c.send(ctx, nil, m, nil, nil)
}

// TrySendPrepared is [Conn.TrySend] of a message that [Protocol.Prepare] has encoded, with the
// errors of SendPrepared.
func (c *Conn[T]) TrySendPrepared(m *Prepared[T]) (sent bool, err error) {
	if err := c.takes(m); err != nil {
		return false, err
	}
	return c.trySend(nil, m)
}

// takes returns an error if m was not made for connections like c.
func (c *Conn[T]) takes(m *Prepared[T]) error {
	if m == nil {
		return errNilPrepared
	}
	return c.settings.takes(&m.prepared)
}

var errNilPrepared = errors.New("qsocket: the Prepared is nil")

// takes returns an error if m was not made for connections with these settings.
func (set *settings) takes(m *prepared) error {
	if m.codec != set.codec || m.framing != set.framing {
		return fmt.Errorf("qsocket: message prepared with codec %s and framing %v, but the connection uses %s and %v",
			excerpt.Quote(m.codec, excerpt.MaxName), m.framing, excerpt.Quote(set.codec, excerpt.MaxName), set.framing)
	}
	return nil
}
