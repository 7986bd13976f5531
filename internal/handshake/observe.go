package handshake

import (
	"context"
	"io"
	"net"

	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// An observer is a client without types of its own: a tool that wants to know what a server
// speaks. It cannot say the right name and codec before it has heard them, so it waits for the
// server's hello, which comes without its own:
//
//	read hello ──► reply ──► send hello ──┬─ types equal, or not told ──► the verdict, if there is one
//	                                      └─ send a description, read the server's ──► the verdict

// Observed is what a server has told an observer.
type Observed struct {
	Hello *wire.Hello
	Text  string // the description of its message types; "" if it was not sent
}

// Observe does the handshake of an observer over nc. reply gets the server's hello and returns
// the observer's own with the description that it has told the length and fingerprint of, or an
// error, with which Observe ends before it has sent anything. The result is not nil
// as soon as the server's hello has come, whatever the error.
func Observe(ctx context.Context, nc net.Conn, reply func(*wire.Hello) (ours *wire.Hello, text string, err error)) (*Observed, error) {
	theirs, err := exchange(ctx, nc, nil, readHello)
	if err != nil {
		return nil, err
	}
	o := &Observed{Hello: theirs}
	ours, text, err := reply(theirs)
	if err != nil {
		return o, err
	}
	greeting := ours.Append(nil)
	if !ours.TypesDiffer(theirs) {
		if _, err := exchange(ctx, nc, greeting, readNothing); err != nil {
			return o, err
		}
	} else {
		o.Text, err = exchange(ctx, nc, append(greeting, typesFrames(text)...), func(r io.Reader) (string, error) {
			text, err := readTypes(r, int(theirs.Desc))
			if got := schema.Fingerprint(text); err == nil && got != theirs.Types {
				err = wire.BadHello("the description whose fingerprint is "+theirs.Types, "one whose fingerprint is "+got)
			}
			return text, err
		})
		if err != nil {
			return o, err
		}
	}
	if theirs.Admits {
		_, err = exchange(ctx, nc, nil, readVerdict)
	}
	return o, err
}
