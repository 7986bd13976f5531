package service

import (
	"context"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// keptConn is a connection that its program keeps after its end, and the socket of the peer.
type keptConn struct {
	c    *qsocket.Conn[string]
	peer net.Conn
}

func rawPeer(t *testing.T, transport string, opts *qsocket.Options) (*qsocket.Conn[string], net.Conn) {
	na, nb := testkit.NetPair(t, transport)
	p := qsocket.Protocol[string]{}
	greeted := testkit.Async(func() error { // TLS needs both ends
		_, err := na.Write([]byte{0, 0, 0, 2, 0xa1, 'x'})
		return err
	})
	c, err := qsocket.NewConn(testkit.Context(t), nb, p, opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Recv(testkit.Context(t)); err != nil {
		t.Fatal(err)
	}
	if err := testkit.Result(t, "the first message", greeted); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { testkit.End(c) })
	return c, na
}

func namedPeer(t *testing.T, transport string, opts *qsocket.Options) (*qsocket.Conn[string], net.Conn) {
	c, peer := scriptedPeer(t, transport, opts)
	return c, peer.Conn
}

// A connection that has ended holds no bytes of its peer, nor any that the peer did not take,
// however it has ended and as long as the program keeps it.
func TestEndedConnHoldsNoBuffer(t *testing.T) {
	const conns = 4
	ctx := testkit.Context(t)
	opts := &qsocket.Options{CloseTimeout: 50 * time.Millisecond}
	part := append([]byte{0, 15, 0, 0}, make([]byte, 700<<10)...)
	fillThen := func(end func(k keptConn)) func(k keptConn) {
		return func(k keptConn) {
			for k.c.Stats().SendBuffered < 128<<10 && ctx.Err() == nil { // three messages may be all that fit
				soon, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
				_ = fill(soon, k.c)
				cancel()
			}
			end(k)
		}
	}
	partThen := func(end func(k keptConn)) func(k keptConn) {
		return func(k keptConn) {
			sent := testkit.Async(func() error { _, _ = k.peer.Write(part); return nil })
			end(k)
			_ = testkit.Result(t, "part of a frame", sent)
		}
	}
	for name, end := range map[string]func(k keptConn){
		"a part of a frame, and the end": func(k keptConn) {
			sent := testkit.Async(func() error { _, _ = k.peer.Write(part); return k.peer.Close() })
			_, _ = k.c.Recv(ctx)
			_ = testkit.Result(t, "part of a frame", sent)
		},
		"a part of a frame, for Messages": func(k keptConn) {
			k.c.Messages()
			_, _ = k.peer.Write(part)
			_ = k.peer.Close()
		},
		"a part of a frame, and Close": partThen(func(k keptConn) {
			soon, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
			_, _ = k.c.Recv(soon)
			cancel()
			_ = k.c.Close()
		}),
		"a part of a frame while Close is called": partThen(func(k keptConn) {
			waiting := testkit.Async(func() error { _, err := k.c.Recv(ctx); return err })
			_ = k.c.Close()
			_ = testkit.Result(t, "Recv", waiting)
		}),
		"a frame that is too large": func(k keptConn) {
			sent := testkit.Async(func() error { _, _ = k.peer.Write(append([]byte{0x7f, 0, 0, 0}, part...)); return nil })
			_, _ = k.c.Recv(ctx)
			_ = testkit.Result(t, "the frame", sent)
		},
		"nothing taken, and Close": fillThen(func(k keptConn) { _ = k.c.Close() }),
		"nothing taken, and a reset": fillThen(func(k keptConn) {
			_ = k.peer.Close()
			_, _ = k.c.Recv(ctx)
			_ = k.c.Close() // in raw mode over TLS the end looks like that of one direction
		}),
	} {
		for mode, newPeer := range map[string]func(*testing.T, string, *qsocket.Options) (*qsocket.Conn[string], net.Conn){"named": namedPeer, "raw": rawPeer} {
			testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
				t.Run(name+", "+mode, func(t *testing.T) {
					var kept []keptConn
					for range conns {
						c, peer := newPeer(t, transport, opts)
						kept = append(kept, keptConn{c, peer})
					}
					before := testkit.LiveHeap()
					for _, k := range kept {
						end(k)
					}
					for _, k := range kept {
						testkit.WaitClosed(t, "Done", k.c.Done())
						_ = k.peer.Close()
					}
					limit := int64(16 << 10)
					if transport == "tls" {
						limit = 64 << 10 // package tls keeps some records
					}
					got := testkit.HeapPer(conns, before)
					for start := time.Now(); got > limit && time.Since(start) < testkit.Timeout; { // until the last writer leaves
						got = testkit.HeapPer(conns, before)
					}
					if got > limit {
						t.Errorf("%d bytes for each connection, want at most %d", got, limit)
					}
					runtime.KeepAlive(kept)
				})
			})
		}
	}
}
