package faults

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// concurrentEnds makes all ending calls at once, beside others.
func concurrentEnds(t *testing.T, ctx context.Context, round int, a, b *qsocket.Conn[[]byte], more ...func()) {
	var wg sync.WaitGroup
	calls := []func(c *qsocket.Conn[[]byte]){
		func(c *qsocket.Conn[[]byte]) { c.Close() },
		func(c *qsocket.Conn[[]byte]) { c.Shutdown(ctx) },
		func(c *qsocket.Conn[[]byte]) { c.CloseWrite() },
		func(c *qsocket.Conn[[]byte]) { c.CloseWithReason("") },
		func(c *qsocket.Conn[[]byte]) {
			for c.Send(ctx, []byte("x")) == nil {
			}
		},
		func(c *qsocket.Conn[[]byte]) {
			for range c.All(ctx) {
			}
		},
		func(c *qsocket.Conn[[]byte]) { c.Flush(ctx) },
		func(c *qsocket.Conn[[]byte]) {
			if round%2 == 0 {
				for range c.Messages() {
				}
			}
		},
		func(c *qsocket.Conn[[]byte]) { _, _ = c.Stats(), c.Err() },
	}
	for i := range calls {
		for _, c := range []*qsocket.Conn[[]byte]{a, b} {
			wg.Go(func() { calls[(i+round)%len(calls)](c) })
		}
	}
	for _, f := range more {
		wg.Go(f)
	}
	wg.Wait()
	for _, c := range []*qsocket.Conn[[]byte]{a, b} {
		if err := c.Close(); err != nil {
			t.Errorf("round %d: Close after Close: %v", round, err)
		}
		testkit.WaitClosed(t, "Done", c.Done())
		for range c.Messages() {
		}
	}
}

// All ending calls at once, in every order: nothing races, hangs or leaks, and
// Done comes. Beside them a Listener accepts and is shut down.
func TestFault23ConcurrentEnds(t *testing.T) {
	testkit.CheckGoroutines(t)
	rounds := fullCount(40, 1250)
	forModes(t, testkit.Transports, func(t *testing.T, transport string, p qsocket.Protocol[[]byte]) {
		for round := range rounds {
			ctx, cancel := context.WithTimeout(context.Background(), testkit.Timeout)
			if transport == "pipe" {
				// Over net.Pipe an end learns that it is not confirmed from the other's end,
				// for which two that both wait have to wait for CloseTimeout.
				opts := &qsocket.Options{CloseTimeout: 500 * time.Millisecond}
				a, b := testkit.Pair(t, transport, p, opts, opts)
				concurrentEnds(t, ctx, round, a, b)
				cancel()
				continue
			}
			ln := testkit.ListenOn(t, transport, p, nil)
			arrived := testkit.Async(func() *qsocket.Conn[[]byte] { b, _ := ln.Accept(ctx); return b })
			a := testkit.DialTo(t, transport, ln, p)
			b := testkit.Result(t, "Accept", arrived)
			if b == nil {
				t.Fatal("Accept has failed")
			}
			concurrentEnds(t, ctx, round, a, b,
				func() {
					if _, err := ln.Accept(ctx); !errors.Is(err, net.ErrClosed) {
						t.Errorf("Accept: got %v, want net.ErrClosed", err)
					}
				},
				func() {
					if err := ln.Shutdown(ctx); err != nil && !errors.Is(err, qsocket.ErrUnconfirmed) && !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("Shutdown of the Listener: %v", err)
					}
				},
				func() {
					if err := ln.Close(); err != nil {
						t.Errorf("Close of the Listener: %v", err)
					}
				})
			cancel()
		}
	})
	t.Logf("%d rounds each over %v, raw and named; the second Close returned nil in all of them", rounds, testkit.Transports)
}
