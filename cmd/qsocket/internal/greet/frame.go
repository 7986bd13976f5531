package greet

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/handshake"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// frame is a control frame, or a message, which has been skipped.
type frame struct {
	control bool
	kind    byte
	body    []byte // valid until the next call
}

// next reads the next frame.
func (p *Peer) next() (f frame, err error) {
	header, err := p.in.Peek(4)
	if err != nil {
		if len(header) > 0 && err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return f, err
	}
	size := binary.BigEndian.Uint32(header)
	_, _ = p.in.Discard(len(header))
	if size&wire.ControlBit == 0 {
		_, err := p.in.Discard(int(size))
		return f, err
	}
	n := int(size &^ wire.ControlBit)
	if n < 1 || n > wire.MaxControl {
		return f, fmt.Errorf("control frame of %d bytes, want 1 to %d", n, wire.MaxControl)
	}
	p.body = slices.Grow(p.body[:0], n)[:n]
	_, err = io.ReadFull(p.in, p.body)
	f = frame{control: true, kind: p.body[0], body: p.body[1:]}
	if f.kind == wire.KindGoingAway && err == nil {
		g, _ := wire.ParseGoingAway(f.body)
		p.GoingAway = cmp.Or(g.Reason, "it gives no reason")
	}
	return f, err
}

// until makes reads and writes end with ctx. What it returns is deferred, and makes the error that
// of ctx if that was the reason.
func (p *Peer) until(ctx context.Context) func(*error) {
	_ = p.nc.SetDeadline(time.Time{})                                                // of an earlier one
	stop := context.AfterFunc(ctx, func() { _ = p.nc.SetDeadline(time.Unix(1, 0)) }) // a goroutine that ends with the call
	return func(err *error) {
		if !stop() && *err != nil {
			*err = ctx.Err()
		}
	}
}

// HalfGoodbye says that no messages come from here, and waits for the confirm: the server's program has
// read up to there. Messages that come meanwhile are skipped. It returns a *handshake.Refused if the
// server ends the connection with a reason.
func (p *Peer) HalfGoodbye(ctx context.Context) (took time.Duration, err error) {
	defer p.until(ctx)(&err)
	begin := time.Now()
	if err := p.say(wire.Goodbye{}); err != nil {
		return 0, err
	}
	for {
		f, err := p.next()
		if err != nil {
			return 0, err
		}
		switch {
		case f.control && f.kind == wire.KindConfirm:
			return time.Since(begin), nil
		case f.control && f.kind == wire.KindGoodbye:
			if err := p.answer(f.body); err != nil {
				return 0, err
			}
		}
	}
}

// answer answers a goodbye. It returns a *handshake.Refused for one with a reason.
func (p *Peer) answer(body []byte) error {
	g, err := wire.ParseGoodbye(body)
	switch {
	case err != nil:
		return err
	case g.Reason != "" || g.Code != 0:
		return &handshake.Refused{Reason: g.Reason, Code: g.Code}
	case g.Kind() <= p.heard:
		return fmt.Errorf("%w: a goodbye after a goodbye", wire.ErrProtocol)
	}
	first := p.heard == wire.GoodbyeNone
	if p.heard = g.Kind(); first {
		return p.write(wire.ConfirmFrame)
	}
	return nil
}

// Leave says a full goodbye, answers the server's, and closes the connection. It waits for the
// server's end until ctx ends.
func (p *Peer) Leave(ctx context.Context) (err error) {
	defer p.nc.Close()
	defer p.until(ctx)(&err)
	if err := p.say(wire.Goodbye{Full: true}); err != nil {
		return err
	}
	for {
		f, err := p.next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case f.control && f.kind == wire.KindGoodbye:
			if err := p.answer(f.body); err != nil {
				return err
			}
			if half, ok := p.nc.(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
		}
	}
}

// Close closes the connection without a goodbye, where one is of no use.
func (p *Peer) Close() error { return p.nc.Close() }

func (p *Peer) say(g wire.Goodbye) error {
	if g.Kind() <= p.said {
		return nil
	}
	p.said = g.Kind()
	return p.write(g.Frame())
}

func (p *Peer) write(frame []byte) error {
	_, err := p.nc.Write(frame)
	return err
}
