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
	err = exchange(ctx, nc, ours.Append(nil), func(r io.Reader) (err error) {
		theirs, err = readHello(r)
		return err
	})
	return theirs, err
}

// exchange sends greeting and reads what the peer sends at the same time: neither
// end waits for the other. When ctx ends it returns an error that wraps ctx's,
// and nc is of no use afterwards.
//
// It owns nc's deadlines while it runs. The goroutine that writes is over before it
// returns: at the latest a deadline in the past ends its Write, or the closing of an nc
// that has no deadlines. A success leaves no deadline behind; after an error nc is only good
// for Reject, which sets its own.
//
// If stop reports false, ctx has ended and its function may still run, and set a deadline
// at any time: so that is an error even if both hellos have been exchanged.
func exchange(ctx context.Context, nc net.Conn, greeting []byte, read func(io.Reader) error) error {
	stop := context.AfterFunc(ctx, func() {
		if nc.SetDeadline(socket.Past) != nil { // it has none, or is closed
			_ = nc.Close()
		}
	})
	sent := make(chan error, 1)
	go func() { // ends when the peer has taken the greeting, at a deadline, or when nc is closed; its result is in sent
		_, err := nc.Write(greeting)
		sent <- err
	}()
	err := read(nc)
	// The Write is waited for in any case, but for how long depends on what was read.
	switch {
	case err == nil: // for as long as ctx allows
	case isRefusal(err): // the peer may be about to read ours, and should: it learns why from it
		_ = nc.SetWriteDeadline(time.Now().Add(rejectLinger))
	default: // the connection is of no use: break the Write
		_ = nc.SetWriteDeadline(socket.Past)
	}
	sendErr := <-sent
	if !stop() {
		return fmt.Errorf("qsocket: handshake: %w before the peer's hello had come", ctx.Err())
	}
	if err == nil && sendErr != nil { // what was read says more about a peer than a failed write
		err = silentPeer(sendErr)
	}
	return err
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
		if err != nil && n < len(header) {
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
