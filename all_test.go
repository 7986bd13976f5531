package qsocket_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// A loop over All ends with its ctx, and leaves the Conn as it was; one over Messages ends
// with the Conn alone.
func TestLoopsAndContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := testkit.Pair(t, "pipe", testkit.Named, nil, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		testkit.Exchange(t, a, b, "both work")
		n := 0
		for m, err := range b.All(ctx) {
			if n++; m != "" || err != context.DeadlineExceeded {
				t.Errorf("got %q, %v, want context.DeadlineExceeded", m, err)
			}
		}
		if n != 1 {
			t.Errorf("the error was yielded %d times, want once", n)
		}
		testkit.Exchange(t, a, b, "and go on")

		ended := testkit.Async(func() bool {
			for range b.Messages() {
			}
			return true
		})
		time.Sleep(time.Hour)
		if len(ended) == 1 {
			t.Error("the loop over Messages has ended before the Conn")
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		<-ended
		n = 0
		for m, err := range b.All(ctx) { // ctx comes first
			if n++; err != context.DeadlineExceeded {
				t.Errorf("got %q, %v, want context.DeadlineExceeded", m, err)
			}
		}
		for m, err := range b.All(t.Context()) {
			t.Errorf("got %q, %v after a clean end", m, err)
		}
		if n != 1 {
			t.Errorf("the error was yielded %d times, want once", n)
		}
	})
}
