package qsockettest

import (
	"context"
	"sync"
	"testing"

	"github.com/fb9bb4ed/qsocket"
)

// Pipe returns two Conns that are connected by a [NetPipe]. Both have the
// Options opts, which may be nil. If they cannot be made, the test fails.
//
// When the test ends, both are closed the hard way if they are still open. In a
// bubble of testing/synctest, call Pipe with the bubble's t: then that happens
// in the bubble, which ends only when the goroutines of both have ended.
func Pipe[T any](t testing.TB, p qsocket.Protocol[T], opts *qsocket.Options) (a, b *qsocket.Conn[T]) {
	t.Helper()
	na, nb := NetPipe()
	var errB error
	var wg sync.WaitGroup
	wg.Go(func() { b, errB = qsocket.NewConn(t.Context(), nb, p, opts) }) // a handshake needs both; its timeout ends it
	a, errA := qsocket.NewConn(t.Context(), na, p, opts)
	wg.Wait()
	if errA == nil {
		t.Cleanup(func() { end(a) })
	}
	if errB == nil {
		t.Cleanup(func() { end(b) })
	}
	if errA != nil || errB != nil {
		t.Fatalf("qsockettest: connecting a: %v; b: %v", errA, errB)
	}
	return a, b
}

// end closes c the hard way, whatever state it is in.
func end[T any](c *qsocket.Conn[T]) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = c.Shutdown(ctx) // the error says that it was the hard way
}
