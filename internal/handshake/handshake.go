// Package handshake is what two ends do before the first message: TLS, the hello of a
// named protocol, and the comparison of message types. It owns the connection until
// then, and knows nothing of messages.
package handshake

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime/debug"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/socket"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// The order of events, for one end:
//
//	TLS ──► send hello, read hello ──► check ──┬─ types equal, or not told ──► Admit ──► Told
//	                                           └─ send description, read description,
//	                                              compare ──► Admit, or a Mismatch
//
// Deny, if there is one, is asked behind the check. Admit is in admit.go; without it neither end waits there. Neither end waits for the other before it sends, so the hello costs one round trip at
// most, and both come to the same verdict because they compare the same two maps. The
// caller bounds all of it with ctx, and calls Reject with the error: that tells the
// peer why.

// Ours is what this end brings to the handshake of a named protocol.
type Ours struct {
	Hello *wire.Hello                        // immutable
	Types *schema.Own                        // the description of its message types; nil if it tells none
	Admit func(context.Context, *Told) error // nil: all may come. It may change the Attributes; its error is returned as it is
	Deny  func(Session) *Denied              // nil, or asked about a peer whose hello is fine, before Admit; nil from it: it may come
}

// Told is what the other end has told.
type Told struct {
	Peer
	Attributes map[string]string // nil if there are none, but not for Admit
	Session    Session
	Answer     wire.Session // of a server that was asked for a session
}

// Peer is what the handshake of a named protocol says about the other end. Its fields
// are those of the root package's type of the same name, which documents them.
type Peer struct {
	MaxFrame    int
	Heartbeat   time.Duration
	Types       string
	Differences string
}

// TLS does the handshake of TLS, if nc is a TLS connection, or a type that embeds one, and
// has one to do.
func TLS(ctx context.Context, nc net.Conn) error {
	secure, ok := socket.Given(nc).(socket.Secure)
	if !ok {
		return nil
	}
	err, ok := within(ctx, nc, func() (err error) {
		defer func() {
			if v := recover(); v != nil { // of a callback
				err = &Panic{v, debug.Stack()}
			}
		}()
		return secure.HandshakeContext(ctx)
	})
	if !ok {
		return tlsError(ctx.Err(), true)
	}
	if panicked := (*Panic)(nil); errors.As(err, &panicked) {
		return panicked
	}
	if err != nil {
		return tlsError(err, secure.ConnectionState().Version != 0)
	}
	return nil
}

// Hello exchanges hellos and, where that is needed, descriptions of the message types and
// verdicts. It returns what the peer told, a *wire.Mismatch if the
// ends cannot talk, a *Refused if the peer does not want to. It reads no byte beyond the handshake. When ctx ends, the error
// wraps ctx's, and nc is of no use afterwards.
func Hello(ctx context.Context, nc net.Conn, ours *Ours) (*Told, error) {
	theirs, err := exchangeHello(ctx, nc, ours.Hello)
	if err != nil {
		return nil, err
	}
	if err := ours.Hello.Check(theirs); err != nil {
		return nil, err
	}
	told := newTold(theirs)
	if ours.Deny != nil {
		if denied := ours.Deny(told.Session); denied != nil {
			return nil, denied
		}
	}
	if ours.Types != nil && ours.Hello.TypesDiffer(theirs) {
		if told.Differences, err = compareTypes(ctx, nc, ours.Types, theirs); err != nil {
			return nil, err
		}
	}
	if err := settle(ctx, nc, ours, theirs, told); err != nil {
		return nil, err
	}
	if ours.Hello.Session != nil {
		if err := answer(ctx, nc, told); err != nil {
			return nil, err
		}
	}
	return told, nil
}

// newTold returns what a hello says. Its numbers are the peer's choice, so they are cut
// to what an int and a Duration can hold.
func newTold(h *wire.Hello) *Told {
	const longest = uint64(1<<63-1) / uint64(time.Millisecond)
	return &Told{Peer: Peer{
		MaxFrame:  int(min(*h.Max, wire.MaxNamedFrame)),
		Heartbeat: time.Duration(min(h.Beat, longest)) * time.Millisecond,
		Types:     h.Types,
	}, Attributes: h.Attr, Session: newSession(h)}
}

// rejectLinger bounds the wait for a peer that has been rejected to end too.
const rejectLinger = time.Second

// maxLinger is how much a peer may send after it was rejected, bytes.
const maxLinger = 1 << 20

// notTLSAlert is what a client without TLS gets from a server with it: a fatal
// alert, unexpected_message (RFC 8446, sections 5.1 and 6.2).
var notTLSAlert = []byte{21, 3, 3, 0, 2, 2, 10}

// Reject tells the peer why this end does not talk to it, in a goodbye, and gives it the
// time to read that: if the connection were closed while something from the peer is
// unread, the kernel would destroy what the peer has not read yet, our hello included.
// Without a half-close nothing is told of a Mismatch, and there is no waiting for the peer: it has our
// hello. Of what is Denied the hello says nothing, so that is told, and the peer ends when it has read
// it. What is no fault of the peer's is not told either. The caller closes nc.
func Reject(ctx context.Context, nc net.Conn, why error) {
	var farewell []byte
	var notTLS tls.RecordHeaderError
	var mismatch *wire.Mismatch
	denied, isDenied := why.(*Denied)
	switch {
	case isDenied && denied.Code == 0:
		return
	case isDenied:
		farewell = wire.Goodbye{Full: true, Reason: denied.Words, Code: denied.Code}.Frame()
	case errors.As(why, &notTLS) && notTLS.Conn != nil:
		nc, farewell = notTLS.Conn, notTLSAlert
	case !errors.As(why, &mismatch) || !isRefusal(why):
		return
	case mismatch.Field != "magic": // else it would not understand
		farewell = wire.Goodbye{Full: true, Reason: mismatch.Error()}.Frame()
	}
	h := socket.Half(nc)
	if h == nil && !isDenied {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, rejectLinger)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = nc.SetDeadline(socket.Past) })()
	_ = nc.SetDeadline(time.Now().Add(rejectLinger)) // takes back what exchange has set
	within(ctx, nc, func() struct{} {
		_, _ = nc.Write(farewell)
		if h != nil {
			_ = h.CloseWrite()
		}
		_, _ = io.CopyN(io.Discard, socket.NewReader(nc), maxLinger)
		return struct{}{}
	})
}
