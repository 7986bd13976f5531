package qsocket

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// open makes a Conn of nc, or closes nc. opts have been checked and have their
// defaults.
func open[T any](ctx context.Context, nc net.Conn, p Protocol[T], opts Options) (*Conn[T], error) {
	err := handshake(ctx, nc, opts.HandshakeTimeout)
	if err == nil {
		var c *Conn[T]
		if c, err = wrap(nc, p, opts); err == nil {
			return c, nil
		}
	}
	// What is no TLS is answered with a reset, which no client takes for a clean
	// end. Other failures have been told in an alert, which a reset might destroy.
	var notTLS tls.RecordHeaderError
	hardClose(nc, errors.As(err, &notTLS))
	return nil, err
}

// handshake does what two ends do before the first message.
func handshake(ctx context.Context, nc net.Conn, timeout time.Duration) error {
	t, ok := nc.(*tls.Conn)
	if !ok {
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("qsocket: TLS handshake: %w", err)
	}
	return nil
}
