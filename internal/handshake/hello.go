package handshake

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/socket"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// What the exchange of hellos goes through, for one end. The two lines run at the same
// time, since neither end waits for the other:
//
//	sending   Write under way ──► taken by the peer, or failed
//	reading   magic ──► version ──► length ──► map ──► known, or refused
//
// Over net.Pipe a Write ends only when the peer has read it. If each end wrote its hello
// before it read, the two would wait for each other for ever. Nothing is buffered on the way
// in: bytes behind the hello belong to the inbox, which reads from the same socket next.

// exchangeHello sends ours over nc and returns the hello of the peer. What is wrong with the
// peer's bytes is a *wire.Mismatch, a connection that ends before they have come a *Broken.
func exchangeHello(ctx context.Context, nc net.Conn, ours *wire.Hello) (theirs *wire.Hello, err error) {
	return exchange(ctx, nc, ours.Append(nil), readHello)
}

// received is what has been read.
type received[R any] struct {
	it  R
	err error
}

// exchange sends greeting, if there is one, and reads what the peer sends at the same time: neither
// end waits for the other. When ctx ends it returns an error that wraps ctx's,
// and nc is of no use afterwards.
//
// It owns nc's deadlines while it runs. A deadline in the past ends both the Read and the
// Write; a net.Conn which they do not wake is left with them, and is of no use but to be
// closed. A success leaves no deadline behind; after an error nc is only good
// for Reject, which sets its own.
//
// If stop reports false, ctx has ended and its function may still run, and set a deadline
// at any time: so that is an error even if both hellos have been exchanged.
func exchange[R any](ctx context.Context, nc net.Conn, greeting []byte, read func(io.Reader) (R, error)) (it R, err error) {
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(socket.Past) })
	sent := make(chan error, 1)
	if len(greeting) == 0 {
		sent <- nil
	} else {
		go send(nc, greeting, sent)
	}
	r, ok := within(ctx, nc, func() (r received[R]) {
		r.it, r.err = read(socket.NewReader(nc))
		return r
	})
	if !ok {
		return it, ended(ctx)
	}
	sendErr, ok := awaitSent(ctx, nc, sent, r.err)
	if !stop() || !ok && r.err == nil {
		return it, ended(ctx)
	}
	if r.err == nil && sendErr != nil { // what was read says more about a peer than a failed write
		r.err = silentPeer(sendErr)
	}
	return r.it, r.err
}

// send is a goroutine that sends greeting. It ends when the peer has taken it, at a deadline, or
// when nc is closed; its result is in sent.
func send(nc net.Conn, greeting []byte, sent chan<- error) {
	n, err := nc.Write(greeting)
	err = socket.Sane(err)
	if err == nil && n != len(greeting) {
		err = io.ErrShortWrite
	}
	sent <- err
}

// awaitSent returns what comes from sent, or false if that takes too long. How long is too
// long depends on the error of what was read.
func awaitSent(ctx context.Context, nc net.Conn, sent <-chan error, readErr error) (err error, ok bool) {
	switch {
	case readErr == nil: // as long as ctx allows
		return await(ctx, sent)
	case isRefusal(readErr): // the peer may be about to read ours, and should: it learns why from it
		_ = nc.SetWriteDeadline(time.Now().Add(rejectLinger))
		ctx, cancel := context.WithTimeout(ctx, rejectLinger)
		defer cancel()
		return await(ctx, sent)
	case nc.SetWriteDeadline(socket.Past) != nil: // the connection is of no use, but the Write cannot be broken
		return nil, false
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return await(ctx, sent)
}

// ended is the error for a handshake that ctx has ended.
func ended(ctx context.Context) error {
	return fmt.Errorf("qsocket: handshake: %w before the peer's hello had come", ctx.Err())
}

// readHello reads the hello of the peer, and no byte beyond it. The header is checked
// with each byte that comes, since a peer of another protocol may send fewer than a
// hello has and then wait.
func readHello(r io.Reader) (*wire.Hello, error) {
	var header [wire.HelloHeaderSize]byte
	n := 0
	for n < len(header) {
		k, err := r.Read(header[n:])
		if k > 0 || n > 0 {
			n += k
			if mismatch := wire.CheckMagic(header[:n]); mismatch != nil {
				return nil, mismatch
			}
		}
		switch {
		case err != nil && n == 0:
			return nil, gonePeer(err)
		case err != nil && n < len(header):
			return nil, silentPeer(err)
		}
	}
	size, err := wire.HelloSize(header)
	if err != nil {
		return nil, err
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, silentPeer(err)
	}
	return wire.ParseHello(body)
}
