// Package greet is the handshake of an observer: a client that has no Go types, and learns from the
// server's hello what it speaks. The server sees a client of its own protocol that connects, and
// leaves with a goodbye.
package greet

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/handshake"
	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// Ask is whether an observer wants the description of the message types. A server sends it to a
// client whose types have another fingerprint, so the observer has to tell types of its own. The
// server compares the two and may log, once, that they differ.
type Ask uint8

const (
	Nothing Ask = iota // tell no types: the server compares nothing
	Quietly            // ask only in a way in which the server has nothing to log; see quiet
	Loudly             // ask; the server may log a line at level Info, the first time
)

// Options are what an observer brings to its handshake.
type Options struct {
	Name, Codec string            // of the protocol; empty: what the server's hello says
	Attributes  map[string]string // to tell the server
	Ask         Ask
}

// Peer is a server that has been greeted. Its methods must not be called at the same time.
type Peer struct {
	Hello    *wire.Hello
	Text     string        // the description of its message types; "" if there is none, or it was not asked for
	Heard    time.Duration // until its hello had come
	Finished time.Duration // until the handshake was over

	nc   net.Conn
	in   *bufio.Reader
	said wire.GoodbyeKind
}

// speech is the one-line text that an observer tells as its types. It is no description, so the
// server does not understand it, which is no reason to refuse (docs/wire.md).
const speech = "an observer, which has no types\n"

// Hello does the handshake over nc, which it owns. If the server's hello has come, the Peer is not
// nil, even if there is an error: then nc is closed, and only the fields are of use.
func Hello(ctx context.Context, nc net.Conn, o *Options) (*Peer, error) {
	begin := time.Now()
	p := &Peer{nc: nc}
	observed, err := handshake.Observe(ctx, nc, func(theirs *wire.Hello) (*wire.Hello, string, error) {
		p.Heard = time.Since(begin)
		return o.reply(p, theirs)
	})
	if err == nil {
		err = ctx.Err()
	}
	p.Finished = time.Since(begin)
	if observed == nil {
		nc.Close()
		return nil, explain(ctx, err)
	}
	p.Hello = observed.Hello
	if observed.Text != "" {
		p.Text = observed.Text
	}
	if err != nil {
		nc.Close()
		return p, err
	}
	p.in = bufio.NewReaderSize(nc, 32<<10)
	return p, nil
}

// reply is the hello of the observer to the server's.
func (o *Options) reply(p *Peer, theirs *wire.Hello) (*wire.Hello, string, error) {
	most := uint64(wire.MaxNamedFrame)
	ours := &wire.Hello{Proto: theirs.Proto, Codec: theirs.Codec, Max: &most, Lines: wire.HelloLines, Attr: o.Attributes}
	if o.Name != "" {
		ours.Proto = o.Name
	}
	if o.Codec != "" {
		ours.Codec = o.Codec
	}
	if err := wire.CheckAttributes(o.Attributes); err != nil {
		return nil, "", err
	}
	if err := ours.Check(theirs); err != nil { // the server would refuse it as well, and log that
		var m *wire.Mismatch
		if !errors.As(err, &m) || m.Field != "heartbeat" { // that is for those who stay
			return nil, "", err
		}
	}
	if theirs.Types == "" || theirs.Desc == 0 || o.Ask == Nothing {
		return ours, "", nil
	}
	text, known := quiet(theirs)
	switch {
	case known:
		p.Text = text
	case text == "" && o.Ask == Loudly:
		text = speech
	}
	if text != "" {
		ours.Types, ours.Desc = schema.Fingerprint(text), uint64(len(text))
	}
	return ours, text, nil
}

// quiet returns a text to tell as types that makes the server log nothing, or "". known is whether it is
// the server's own: some messages are so simple that the fingerprint tells them.
//
// Otherwise, if the message is a union, that is a text that has no difference from any union of those
// codecs: a struct without fields. In the comparison both are types with a name, and neither has fields
// to compare.
func quiet(theirs *wire.Hello) (text string, known bool) {
	for _, typ := range strings.Fields("string bytes any bool int int8 int16 int32 int64 uint uint8 uint16 uint32 uint64 float32 float64 time map[string]any map[string]string []any []string") {
		for _, flags := range []string{"", " invalid-utf8", " strict", " invalid-utf8 strict"} {
			if text := theirs.Codec + flags + "\nmessage " + typ + "\n"; uint64(len(text)) == theirs.Desc && schema.Fingerprint(text) == theirs.Types {
				return text, true
			}
		}
	}
	if strings.HasPrefix(theirs.Codec, "union(") {
		text := theirs.Codec + "\nmessage Observer\nstruct Observer\n"
		if _, err := schema.Parse(text); err == nil {
			return text, false
		}
	}
	return "", false
}

// explain makes the error of a server whose hello has not come one that says what to do.
func explain(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return errSilent
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return err
}

// errSilent is the error for a server that has said nothing.
var errSilent = fmt.Errorf("no hello: the server is at its MaxConns, or stuck, or speaks raw mode (--codec), TLS (tls://) or another protocol: %w", os.ErrDeadlineExceeded)

// IsSilent reports whether a server has said nothing in the time that there was.
func IsSilent(err error) bool { return errors.Is(err, errSilent) }

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
	return Frame{Control: true, Kind: body[0], Body: body[1:]}, err
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
