package handshake

import (
	"context"
	"net"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/socket"
)

// within returns what f does, which waits for nc, or ok as false if f is not over though ctx
// is, and a grace: somebody interrupts f when ctx ends. Where that is known to work, f is
// simply called. Elsewhere f may be deaf to deadlines, and only wake when nc is closed, or
// when the peer ends; so it runs in a goroutine that is left behind then, and what it returns
// is dropped.
func within[R any](ctx context.Context, nc net.Conn, f func() R) (r R, ok bool) {
	if socket.Interruptible(nc) && !socket.IsAdopted(nc) { // an adopted one has read deadlines, and perhaps no others
		return f(), true
	}
	result := make(chan R, 1)
	go func() { result <- f() }() // ends with f, whenever that is; leaves its result
	return await(ctx, result)
}

// await returns what comes from result, which somebody's interruption hastens when ctx ends,
// or false if that does not help in time.
func await[R any](ctx context.Context, result <-chan R) (r R, ok bool) {
	select {
	case r = <-result:
		return r, true
	case <-ctx.Done():
	}
	timer := time.NewTimer(socket.CloseGrace)
	defer timer.Stop()
	select {
	case r = <-result:
		return r, true
	case <-timer.C:
		return r, false
	}
}
