package operations

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// A burst is taken at once, and the rest at the rate; the client's Send waits meanwhile, and nothing is
// lost.
func TestAtMost(t *testing.T) {
	const messages, rate, burst = 500, 10, 20
	synctest.Test(t, func(t *testing.T) {
		a, b := qsockettest.Pipe(t, Protocol, nil)
		sent := testkit.Async(func() error {
			for i := range messages {
				if err := a.Send(t.Context(), Call{ID: uint64(i)}); err != nil {
					return err
				}
			}
			return a.CloseWrite()
		})
		start := time.Now()
		n := 0
		for m, err := range atMost(t.Context(), b, rate, burst) {
			if err != nil || m.(Call).ID != uint64(n) {
				t.Fatalf("got %v, %v, want the call %d", m, err, n)
			}
			n++
			if want := max(0, time.Duration(n-burst)*time.Second/rate); time.Since(start).Round(time.Microsecond) != want {
				t.Fatalf("the message %d came after %v, want %v", n, time.Since(start), want)
			}
		}
		if err := <-sent; err != nil || n != messages {
			t.Errorf("got %d messages, and %v", n, err)
		}
		if a.Err() != nil || b.Err() != nil {
			t.Errorf("got %v and %v", a.Err(), b.Err())
		}
	})
}

// The end of ctx is not waited for.
func TestAtMostEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := qsockettest.Pipe(t, Protocol, nil)
		for range 3 {
			if err := a.Send(t.Context(), Call{}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		var last error
		for _, last = range atMost(ctx, b, 0.001, 1) {
		}
		if time.Since(start) != time.Second || last != context.DeadlineExceeded {
			t.Errorf("got %v after %v", last, time.Since(start))
		}
	})
}
