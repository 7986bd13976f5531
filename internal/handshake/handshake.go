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
	"time"

	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/socket"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// The order of events, for one end:
//
//	TLS ──► send hello, read hello ──► check ──┬─ types equal, or not told ──► Peer
//	                                           └─ send description, read description,
//	                                              compare ──► Peer, or a Mismatch
//
// Neither end waits for the other before it sends, so the hello costs one round trip at
// most, and both come to the same verdict because they compare the same two maps. The
// caller bounds all of it with ctx, and calls Reject with the error: that tells the
// peer why.

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
	err, ok := within(ctx, nc, func() error { return secure.HandshakeContext(ctx) })
	if !ok {
		err = ctx.Err()
	}
	if err != nil {
		return tlsError(err)
	}
	return nil
}

// Hello exchanges hellos and, where that is needed, descriptions of the message types,
// of which types is ours, nil if we tell none. It returns what the peer told, or a *wire.Mismatch if the
// ends cannot talk. It reads no byte beyond the handshake. When ctx ends, the error
// wraps ctx's, and nc is of no use afterwards.
func Hello(ctx context.Context, nc net.Conn, ours *wire.Hello, types *schema.Own) (*Peer, error) {
	theirs, err := exchangeHello(ctx, nc, ours)
	if err != nil {
		return nil, err
	}
	if err := ours.Check(theirs); err != nil {
		return nil, err
	}
	peer := newPeer(theirs)
	if types != nil && ours.TypesDiffer(theirs) {
		if peer.Differences, err = compareTypes(ctx, nc, types, theirs); err != nil {
			return nil, err
		}
	}
	return peer, nil
}

// newPeer returns what a hello says. Its numbers are the peer's choice, so they are cut
// to what an int and a Duration can hold.
func newPeer(h *wire.Hello) *Peer {
	const longest = uint64(1<<63-1) / uint64(time.Millisecond)
	return &Peer{
		MaxFrame:  int(min(*h.Max, wire.MaxNamedFrame)),
		Heartbeat: time.Duration(min(h.Beat, longest)) * time.Millisecond,
		Types:     h.Types,
	}
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
// Without a half-close there is no waiting for the peer, and nothing is told: it has our
// hello. What is no fault of the peer's is not told either. The caller closes nc.
func Reject(ctx context.Context, nc net.Conn, why error) {
	var farewell []byte
	var notTLS tls.RecordHeaderError
	var mismatch *wire.Mismatch
	switch {
	case errors.As(why, &notTLS) && notTLS.Conn != nil:
		nc, farewell = notTLS.Conn, notTLSAlert
	case !errors.As(why, &mismatch) || !isRefusal(why):
		return
	case mismatch.Field != "magic": // else it would not understand
		farewell = wire.Goodbye{Full: true, Reason: mismatch.Error()}.Frame()
	}
	h := socket.Half(nc)
	if h == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, rejectLinger)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = nc.SetDeadline(socket.Past) })()
	_ = nc.SetDeadline(time.Now().Add(rejectLinger)) // takes back what exchange has set
	within(ctx, nc, func() struct{} {
		_, _ = nc.Write(farewell)
		_ = h.CloseWrite()
		_, _ = io.CopyN(io.Discard, socket.NewReader(nc), maxLinger)
		return struct{}{}
	})
}
