package qsocket

import (
	"context"
	"net"
)

// Pipe returns the two ends of a connection in memory (net.Pipe), for tests. It
// works in bubbles of testing/synctest. net.Pipe has no half-close: CloseWrite
// is not supported, and Close closes at once after the flush.
func Pipe[T any](p Protocol[T], opts *Options) (a, b *Conn[T], err error) {
	na, nb := net.Pipe()
	if a, err = NewConn(context.Background(), na, p, opts); err != nil {
		_ = nb.Close()
		return nil, nil, err
	}
	if b, err = NewConn(context.Background(), nb, p, opts); err != nil {
		_ = a.Close()
		return nil, nil, err
	}
	return a, b, nil
}
