package qsocket

import (
	"context"
	"net"
)

// Pipe returns the two ends of a connection in memory (net.Pipe), for tests; in
// most of them qsockettest.Pipe, which has buffers and a half-close, is nearer to a
// network. It
// works in bubbles of testing/synctest. net.Pipe has no half-close and no
// buffer: in raw mode CloseWrite is not supported and Close closes at once after
// the flush; in named mode Close waits for 100 ms at most until the peer reads
// the goodbye, and the rest is done in the background.
func Pipe[T any](p Protocol[T], opts *Options) (a, b *Conn[T], err error) {
	na, nb := net.Pipe()
	type result struct {
		c   *Conn[T]
		err error
	}
	other := make(chan result, 1)
	go func() { // ends with the handshake
		c, err := NewConn(context.Background(), nb, p, opts)
		other <- result{c, err}
	}()
	a, err = NewConn(context.Background(), na, p, opts)
	r := <-other
	if err == nil && r.err == nil {
		return a, r.c, nil
	}
	for _, c := range []*Conn[T]{a, r.c} {
		if c != nil {
			_ = c.Close()
		}
	}
	if err == nil {
		err = r.err
	}
	return nil, nil, err
}
