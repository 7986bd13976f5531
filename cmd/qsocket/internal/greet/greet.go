// Package greet is the handshake of an observer: a client that has no Go types, and learns from the
// server's hello what it speaks. The server sees a client of its own protocol that connects, and
// leaves with a goodbye.
package greet

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/handshake"
	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// Options are what an observer brings to its handshake.
type Options struct {
	Name, Codec string            // of the protocol; empty: what the server's hello says
	Attributes  map[string]string // to tell the server
	Types       bool              // the description of the message types is wanted
}

// Peer is a server that has been greeted. Its methods must not be called at the same time.
type Peer struct {
	Hello    *wire.Hello
	Text     string        // the description of its message types; "" if there is none, or it was not asked for
	Heard    time.Duration // until its hello had come
	Finished time.Duration // until the handshake was over

	GoingAway string // why the server will end the connection before long, if it has said so

	nc   net.Conn
	in   *bufio.Reader
	body []byte // of the last control frame

	said, heard wire.GoodbyeKind
}

// Hello does the handshake over nc, which it owns. If the server's hello has come, the Peer is not
// nil, even if there is an error: then nc is closed, and only the fields are of use.
func Hello(ctx context.Context, nc net.Conn, o *Options) (*Peer, error) {
	begin := time.Now()
	p := &Peer{nc: nc}
	observed, err := handshake.Observe(ctx, nc, func(theirs *wire.Hello) (*wire.Hello, string, error) {
		p.Heard = time.Since(begin)
		return o.reply(theirs)
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
func (o *Options) reply(theirs *wire.Hello) (*wire.Hello, string, error) {
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
	if theirs.Types == "" || theirs.Desc == 0 || !o.Types {
		return ours, "", nil
	}
	// A server sends its description to a client that tells another one.
	ours.Types, ours.Desc = schema.Fingerprint(schema.Observer), uint64(len(schema.Observer))
	return ours, schema.Observer, nil
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
