package qsocket

import (
	"context"
	"errors"
	"maps"
	"net"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/handshake"
	"github.com/fb9bb4ed/qsocket/internal/socket"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// Refuse returns an error for Options.Admit to refuse the peer with. Its reason is told to the
// peer, cut to 1,024 bytes: "refused" if it is empty. It may be wrapped, for what only this
// end is to know:
//
//	return fmt.Errorf("token of %s has expired: %w", name, qsocket.Refuse("not welcome"))
func Refuse(reason string) error {
	if reason == "" {
		reason = CodeRefused.String()
	}
	return &refusal{reason}
}

// refusal is an error whose words the peer is told.
type refusal struct{ reason string }

func (e *refusal) Error() string { return excerpt.Text(e.reason, excerpt.MaxText) }

// PeerAttributes returns what the peer has told of itself, see Options.Attributes, as
// Options.Admit has left it; nil if that is nothing, and in raw mode. Without Admit nothing
// vouches for it: it is the peer's own word. The map is a copy.
func (c *Conn[T]) PeerAttributes() map[string]string { return c.peerAttributes() }

func (c *connCore) peerAttributes() map[string]string {
	if c.told == nil || len(c.told.Attributes) == 0 {
		return nil
	}
	return maps.Clone(c.told.Attributes)
}

// attributes returns what this end tells of itself.
func (s *settings) attributes(ctx context.Context) (map[string]string, error) {
	if s.Attributes == nil {
		return nil, nil
	}
	const name = "Options.Attributes"
	attr, err := handshake.Call(ctx, name, func() (map[string]string, error) {
		attr, err := s.Attributes(ctx)
		if err == nil {
			err = wire.CheckAttributes(attr)
		}
		return attr, err
	})
	if err != nil && ctx.Err() == nil {
		err = failed(name, err, 0)
	}
	return attr, err
}

// admitter returns what the handshake over nc asks about the peer, or nil if all may come.
func (s *settings) admitter(nc net.Conn) func(context.Context, *handshake.Told) error {
	if s.Admit == nil {
		return nil
	}
	const name = "Options.Admit"
	return func(ctx context.Context, told *handshake.Told) error {
		denied, err := handshake.Call(ctx, name, func() (*handshake.Denied, error) {
			err := s.Admit(ctx, Peer(told.Peer), told.Attributes, socket.Given(nc))
			var r *refusal
			if errors.As(err, &r) {
				return &handshake.Denied{Field: "refused", Local: excerpt.Words(err), Code: uint16(CodeRefused), Words: r.reason, Cause: err}, err
			}
			return nil, err
		})
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return err
		case denied != nil:
			return denied
		}
		return failed(name, err, CodeInternal)
	}
}

// failed is the refusal for a failure of this end's: the callback of that name has returned err, or
// panicked. The peer is told code and none of its text, and if code is 0 nothing at all.
func failed(name string, err error, code Code) *handshake.Denied {
	return &handshake.Denied{Field: "internal", Local: name + ": " + excerpt.Words(err), Code: uint16(code), Words: CodeInternal.String(), Cause: err}
}

// deniedError is a HandshakeError of an end that could talk to the other but does not want to.
type deniedError struct {
	HandshakeError
	cause  error // nil: none
	remote bool  // it is the peer that does not want to; then cause is a *RemoteError
}

func (e *deniedError) Unwrap() []error {
	if e.cause == nil {
		return []error{&e.HandshakeError}
	}
	return []error{&e.HandshakeError, e.cause}
}

func newDeniedError(d *handshake.Denied) error {
	return &deniedError{HandshakeError{Field: d.Field, Local: d.Local}, d.Cause, false}
}

// refusedError returns the error for a goodbye of the peer's in the handshake.
func refusedError(r *handshake.Refused) error {
	remote := newRemoteError(r.Code, r.Reason)
	field := ""
	switch remote.Code {
	case CodeRefused:
		field = "refused"
	case CodeFull:
		field = "full"
	case CodeInternal:
		field = "internal"
	default:
		return remote
	}
	return &deniedError{HandshakeError{Field: field, Peer: remote.Reason}, remote, true}
}
