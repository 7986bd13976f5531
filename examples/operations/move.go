package operations

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// untilMove returns a ctx that ends when it is time to dial another server: at a moment by
// chance within spread after the server of conn has said that it goes away. It does not end with
// conn: watch Done beside it.
func untilMove[T any](ctx context.Context, conn *qsocket.Conn[T], spread time.Duration) (context.Context, context.CancelFunc) {
	moving, cancel := context.WithCancel(ctx)
	go func() { // ends with moving
		defer cancel()
		select {
		case <-conn.GoingAway():
		case <-moving.Done():
		}
		select {
		case <-time.After(rand.N(spread)):
		case <-moving.Done():
		}
	}()
	return moving, cancel
}
