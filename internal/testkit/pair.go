package testkit

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/fb9bb4ed/qsocket"
)

// Pair returns two Conns that are connected to each other.
func Pair[T any](t testing.TB, transport string, p qsocket.Protocol[T], client, server *qsocket.Options) (a, b *qsocket.Conn[T]) {
	t.Helper()
	na, nb := NetPair(t, transport)
	return WrapPair(t, na, nb, p, client, server)
}

// WrapPair makes Conns of the two ends of a connection.
func WrapPair[T any](t testing.TB, na, nb net.Conn, p qsocket.Protocol[T], client, server *qsocket.Options) (a, b *qsocket.Conn[T]) {
	t.Helper()
	var wg sync.WaitGroup
	var errB error
	wg.Go(func() { b, errB = qsocket.NewConn(context.Background(), nb, p, server) })
	a, errA := qsocket.NewConn(context.Background(), na, p, client)
	wg.Wait()
	if errA != nil || errB != nil {
		t.Fatalf("NewConn: client %v, server %v", errA, errB)
	}
	t.Cleanup(func() { End(a); End(b) })
	return a, b
}

// End closes a Conn the hard way, whatever state it is in.
func End[T any](c *qsocket.Conn[T]) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = c.Shutdown(ctx)
}

// Exchange fails the test if a message does not arrive.
func Exchange(t testing.TB, from, to *qsocket.Conn[string], message string) {
	t.Helper()
	ctx := Context(t)
	if err := from.Send(ctx, message); err != nil {
		t.Fatal(err)
	}
	if got, err := to.Recv(ctx); got != message || err != nil {
		t.Fatalf("got %q, %v, want %q", got, err, message)
	}
}
