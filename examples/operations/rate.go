package operations

import (
	"context"
	"iter"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// atMost is conn.All with no more than rate messages a second, after a burst of so many.
func atMost[T any](ctx context.Context, conn *qsocket.Conn[T], rate, burst float64) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		tokens, last := burst, time.Now()
		for m, err := range conn.All(ctx) {
			now := time.Now()
			tokens, last = min(burst, tokens+rate*now.Sub(last).Seconds())-1, now
			if tokens < 0 && err == nil {
				select {
				case <-time.After(time.Duration(-tokens / rate * float64(time.Second))):
				case <-ctx.Done():
				}
			}
			if !yield(m, err) {
				return
			}
		}
	}
}
