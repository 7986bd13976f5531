package greet

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/handshake"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// Frame is one frame of the server's.
type Frame struct {
	Control bool
	Kind    byte   // of a control frame
	Body    []byte // of a control frame; valid until the next call
	Size    int    // of a message, which has been skipped
}

// Next reads the next frame. It is an error if none comes before ctx ends.
func (p *Peer) Next(ctx context.Context) (f Frame, err error) {
	defer p.until(ctx)(&err)
	var header [4]byte
	if _, err := io.ReadFull(p.in, header[:]); err != nil {
		return f, err
	}
	_, size, err := wire.Uint32.ParseHeader(header[:])
	if err != nil {
		return f, err
	}
	if size&wire.ControlBit == 0 {
		f.Size = int(size)
		_, err := io.CopyN(io.Discard, p.in, int64(size))
		return f, err
	}
	n := int(size &^ wire.ControlBit)
	if n < 1 || n > wire.MaxControl {
		return f, fmt.Errorf("control frame of %d bytes, want 1 to %d", n, wire.MaxControl)
	}
	body := make([]byte, n)
	_, err = io.ReadFull(p.in, body)
	f = Frame{Control: true, Kind: body[0], Body: body[1:]}
	if f.Kind == wire.KindGoingAway && err == nil {
		g, _ := wire.ParseGoingAway(f.Body)
		p.GoingAway = cmp.Or(g.Reason, "it gives no reason")
	}
	return f, err
}

// until makes reads and writes end with ctx. What it returns is deferred, and makes the error that
// of ctx if that was the reason.
func (p *Peer) until(ctx context.Context) func(*error) {
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
	begin := time.Now()
	if err := p.say(ctx, wire.Goodbye{}); err != nil {
		return 0, err
	}
	for {
		f, err := p.Next(ctx)
		if err != nil {
			return 0, err
		}
		switch {
		case f.Control && f.Kind == wire.KindConfirm:
			return time.Since(begin), nil
		case f.Control && f.Kind == wire.KindGoodbye:
			g, err := wire.ParseGoodbye(f.Body)
			if err != nil {
				return 0, err
			}
			if g.Reason != "" || g.Code != 0 {
				return 0, &handshake.Refused{Reason: g.Reason, Code: g.Code}
			}
			if err := p.write(ctx, wire.ConfirmFrame); err != nil {
				return 0, err
			}
		}
	}
}

// Leave says a full goodbye, answers the server's, and closes the connection. It waits for the
// server's end until ctx ends.
func (p *Peer) Leave(ctx context.Context) error {
	defer p.nc.Close()
	if err := p.say(ctx, wire.Goodbye{Full: true}); err != nil {
		return err
	}
	for {
		f, err := p.Next(ctx)
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case f.Control && f.Kind == wire.KindGoodbye:
			_ = p.write(ctx, wire.ConfirmFrame)
			if half, ok := p.nc.(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
		}
	}
}

// Close closes the connection without a goodbye, where one is of no use.
func (p *Peer) Close() error { return p.nc.Close() }

func (p *Peer) say(ctx context.Context, g wire.Goodbye) error {
	if g.Kind() <= p.said {
		return nil
	}
	p.said = g.Kind()
	return p.write(ctx, g.Frame())
}

func (p *Peer) write(ctx context.Context, frame []byte) (err error) {
	defer p.until(ctx)(&err)
	_, err = p.nc.Write(frame)
	return err
}
