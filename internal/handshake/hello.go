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

// exchangeHello sends ours over nc and returns the hello of the peer.
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
// that has no deadlines.
func exchange(ctx context.Context, nc net.Conn, greeting []byte, read func(io.Reader) error) error {
	stop := context.AfterFunc(ctx, func() {
		if nc.SetDeadline(socket.Past) != nil { // it has none, or is closed
			_ = nc.Close()
		}
	})
	sent := make(chan error, 1)
	go func() { // ends when the peer has taken the greeting, at a deadline, or when nc is closed
		_, err := nc.Write(greeting)
		sent <- err
	}()
	err := read(nc)
	switch {
	case err == nil:
	case isRefusal(err): // the peer may be about to read ours
		_ = nc.SetWriteDeadline(time.Now().Add(rejectLinger))
	default:
		_ = nc.SetWriteDeadline(socket.Past)
	}
	sendErr := <-sent
	if !stop() {
		return fmt.Errorf("qsocket: handshake: %w before the peer's hello had come", ctx.Err())
	}
	if err == nil && sendErr != nil {
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
