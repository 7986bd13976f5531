package testkit

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// StalledPair returns a Conn whose peer does not read, filled up to the point
// where Send has to wait, and the messages accepted until then.
func StalledPair(t testing.TB, transport string, opts *qsocket.Options, size int) (a, b *qsocket.Conn[[]byte], accepted int) {
	t.Helper()
	a, b = Pair(t, transport, Raw, opts, nil)
	for refused := 0; refused < 2; { // the kernel may find room once more
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		err := a.Send(ctx, Numbered(0, accepted, size))
		cancel()
		switch {
		case err == nil:
			accepted++
			refused = 0
		case errors.Is(err, context.DeadlineExceeded):
			refused++
		default:
			t.Fatal(err)
		}
	}
	return a, b, accepted
}
