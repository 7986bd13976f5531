package qsocket

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// open makes a Conn of nc, or closes nc. opts have been checked and have their
// defaults.
func open[T any](ctx context.Context, nc net.Conn, p Protocol[T], opts *Options) (*Conn[T], error) {
	if err := ctx.Err(); err != nil {
		hardClose(nc, false)
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, opts.HandshakeTimeout)
	defer cancel()
	peer, err := handshake(bounded, nc, p, opts)
	if err == nil {
		var c *Conn[T]
		if c, err = wrap(nc, p, opts, peer); err == nil {
			return c, nil
		}
	}
	if bounded.Err() == nil {
		refuse(bounded, nc, err)
	}
	hardClose(nc, false)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil { // ours
		err = late(err, opts.HandshakeTimeout)
	}
	return nil, err
}

// handshake does what two ends do before the first message. In raw mode that is
// TLS at most, and there is no Peer.
func handshake[T any](ctx context.Context, nc net.Conn, p Protocol[T], opts *Options) (*Peer, error) {
	if t, ok := nc.(*tls.Conn); ok {
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, tlsError(err)
		}
	}
	if p.Name == "" {
		return nil, nil
	}
	ours, types := newHello(p, opts)
	theirs, err := ours.exchange(ctx, nc)
	if err != nil {
		return nil, err
	}
	if err := ours.check(theirs); err != nil {
		return nil, err
	}
	peer := theirs.peer()
	if ours.differ(theirs) {
		if peer.Differences, err = compareTypes(ctx, nc, types, theirs.Desc); err != nil {
			return nil, err
		}
	}
	return peer, nil
}

const tlsPrefix = "qsocket: TLS handshake: "

// tlsError says what was found where TLS was expected.
func tlsError(err error) error {
	var notTLS tls.RecordHeaderError
	if errors.As(err, &notTLS) {
		if found := sniff(notTLS.RecordHeader[:]); found != "" {
			return fmt.Errorf(tlsPrefix+"%s: %w", found, err)
		}
	}
	if err == io.EOF { // between two records, but not between two messages
		err = fmt.Errorf("the peer ended it: %w", io.ErrUnexpectedEOF)
	}
	return fmt.Errorf(tlsPrefix+"%w", err)
}

// refusalLinger bounds the wait for a peer that has been refused to end too.
const refusalLinger = time.Second

// notTLSAlert is what a client without TLS gets from a server with it: a fatal
// alert, unexpected_message (RFC 8446, sections 5.1 and 6.2).
var notTLSAlert = []byte{21, 3, 3, 0, 2, 2, 10}

// refuse tells the peer that it is refused, and gives it the time to read that:
// if the connection were closed while something from the peer is unread, the
// kernel would destroy what the peer has not read yet, our hello included.
// Without a half-close there is no waiting for the peer, and nothing is told: it
// has our hello.
func refuse(ctx context.Context, nc net.Conn, why error) {
	var words []byte
	var notTLS tls.RecordHeaderError
	var refusal *HandshakeError
	switch {
	case errors.As(why, &notTLS) && notTLS.Conn != nil:
		nc, words = notTLS.Conn, notTLSAlert
	case !errors.As(why, &refusal) || !isRefusal(why):
		return
	case refusal.Field != "magic": // else it would not understand
		words = goodbyeFrame(full, refusal.Error())
	}
	h, ok := nc.(interface{ CloseWrite() error })
	if !ok {
		return
	}
	_ = nc.SetDeadline(time.Now().Add(refusalLinger))
	defer context.AfterFunc(ctx, func() { _ = nc.SetDeadline(past) })()
	_, _ = nc.Write(words)
	_ = h.CloseWrite()
	_, _ = io.CopyN(io.Discard, nc, maxLinger)
}

// maxLinger is how much a peer may send after it was refused, bytes.
const maxLinger = 1 << 20
