package faults

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// Shutdown returns nil only when the peer has ended after all was flushed, or has
// confirmed, and then all has arrived, however late the peer reads, and although
// messages of the peer lie unread in our socket.
func TestFault15Shutdown(t *testing.T) {
	testkit.CheckGoroutines(t)
	const messages = 2000
	rounds, arrived := fullCount(5, 1000), 0
	forModes(t, testkit.KernelTransports, func(t *testing.T, transport string, p qsocket.Protocol[[]byte]) {
		for range rounds {
			ctx := testkit.Context(t)
			a, b := testkit.Pair(t, transport, p, &qsocket.Options{SendBuffer: 4 << 20}, nil)
			for range 100 {
				if err := b.Send(ctx, make([]byte, 1000)); err != nil {
					t.Fatal(err)
				}
			}
			for i := range messages {
				if err := a.Send(ctx, testkit.Numbered(0, i, 1000)); err != nil {
					t.Fatal(err)
				}
			}
			shut := testkit.Async(func() error { return a.Shutdown(ctx) })
			for i := range messages {
				m, err := b.Recv(ctx)
				if err != nil {
					t.Fatalf("message %d: %v", i, err)
				}
				if _, got := testkit.ParseNumbered(m); got != i {
					t.Fatalf("got message %d, want %d", got, i)
				}
				arrived++
				select {
				case err := <-shut:
					t.Fatalf("Shutdown returned %v before the peer took message %d", err, i+1)
				default:
				}
			}
			if _, err := b.Recv(ctx); err != io.EOF {
				t.Fatalf("got %v, want io.EOF", err)
			}
			if p.Name == "" { // only the peer's end tells that it took everything
				if err := b.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if err := testkit.Result(t, "Shutdown", shut); err != nil {
				t.Errorf("Shutdown: got %v, want nil", err)
			}
			testkit.End(a)
			testkit.End(b)
		}
	})
	t.Logf("%d rounds each over %v, raw and named: %d of %d messages arrived", rounds, testkit.KernelTransports, arrived, 6*rounds*messages)
}

// Close while both ends flood: what arrives is a prefix for each sender.
func TestFault16CloseWhileFlooding(t *testing.T) {
	testkit.CheckGoroutines(t)
	const senders = 4
	// The end that closes later floods on, and is read, until this is over.
	opts := &qsocket.Options{CloseTimeout: 50 * time.Millisecond}
	var slowest longest
	rounds := fullCount(5, 100)
	forModes(t, testkit.Transports, func(t *testing.T, transport string, p qsocket.Protocol[[]byte]) {
		for range rounds {
			ctx := testkit.Context(t)
			a, b := testkit.Pair(t, transport, p, opts, opts)
			var wg sync.WaitGroup
			for _, c := range []*qsocket.Conn[[]byte]{a, b} {
				for s := range senders {
					wg.Go(func() {
						for i := 0; c.Send(ctx, testkit.Numbered(s, i, 100)) == nil; i++ {
						}
					})
				}
			}
			for _, c := range []*qsocket.Conn[[]byte]{a, b} {
				wg.Go(func() {
					var next [senders]int
					total := 0
					for m := range c.Messages() {
						s, i := testkit.ParseNumbered(m)
						if i != next[s] {
							t.Errorf("sender %d: got message %d, want %d", s, i, next[s])
						}
						next[s]++
						if total++; total == 1000 {
							wg.Go(func() {
								start := time.Now()
								_ = c.Close() // it may be too late for what was accepted
								slowest.add(time.Since(start))
							})
						}
					}
				})
			}
			wg.Wait()
		}
	})
	t.Logf("%d rounds each over %v, raw and named: the longest Close took %v with a CloseTimeout of %v", rounds, testkit.Transports, &slowest, opts.CloseTimeout)
	// A Close that waits for the flood to end never returns, and the default of CloseTimeout is 5 s.
	if time.Duration(slowest.ns.Load()) > 3*time.Second {
		t.Errorf("a Close took %v, want %v", &slowest, opts.CloseTimeout)
	}
}

// What was received before a reset is delivered, and then the reset.
func TestFault17Reset(t *testing.T) {
	testkit.CheckGoroutines(t)
	const n = 10
	for _, mode := range []string{"raw", "named"} {
		t.Run(mode, func(t *testing.T) {
			ctx := testkit.Context(t)
			var c *qsocket.Conn[string]
			var peer net.Conn
			if mode == "named" {
				var s testkit.WirePeer
				c, s = testkit.Scripted(t, nil)
				peer = s.Conn
			} else {
				var nc net.Conn
				var err error
				nc, peer = testkit.NetPair(t, "tcp")
				if c, err = qsocket.NewConn(ctx, nc, testkit.Text, nil); err != nil {
					t.Fatal(err)
				}
				defer testkit.End(c)
			}
			var inbound string
			for i := range n {
				inbound += testkit.Frame(t, qsocket.Uint32, fmt.Sprint(i))
			}
			if _, err := peer.Write([]byte(inbound)); err != nil {
				t.Fatal(err)
			}
			messages := c.Messages()
			testkit.Eventually(t, "all messages queued", func() bool { return len(messages) == n })
			peer.(*net.TCPConn).SetLinger(0)
			peer.Close()
			testkit.WaitClosed(t, "Done", c.Done())
			got := 0
			for m := range messages {
				if m != fmt.Sprint(got) {
					t.Fatalf("got %q, want %d", m, got)
				}
				got++
			}
			if got != n {
				t.Errorf("got %d messages, want %d", got, n)
			}
			if err := c.Err(); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("Err: got %v, want ECONNRESET", err)
			}
			if _, err := c.Recv(ctx); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("Recv: got %v, want ECONNRESET", err)
			}
			if err := c.Send(ctx, "x"); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("Send: got %v, want ECONNRESET", err)
			}
			t.Logf("%d of %d queued messages delivered, then %v (%s)", got, n, errno(c.Err()), mode)
		})
	}
}

// Close does not wait for the consumer of Messages, and what is queued can
// still be received.
func TestFault24ConsumerGone(t *testing.T) {
	testkit.CheckGoroutines(t)
	var slowest longest
	consumerGone := func(t *testing.T, a, b *qsocket.Conn[[]byte]) {
		ctx := t.Context()
		messages := a.Messages()
		for i := range 10 {
			if err := b.Send(ctx, testkit.Numbered(0, i, 8)); err != nil {
				t.Fatal(err)
			}
		}
		testkit.Eventually(t, "the queue to be full", func() bool { return len(messages) == cap(messages) })
		start := time.Now()
		if err := testkit.Result(t, "Close", testkit.Async(a.Close)); err != nil {
			t.Error(err)
		}
		slowest.add(time.Since(start))
		n := 0
		for m := range messages {
			if _, i := testkit.ParseNumbered(m); i != n {
				t.Errorf("got message %d, want %d", i, n)
			}
			n++
		}
		if n < cap(messages) {
			t.Errorf("%d messages after Close, want the %d that were queued", n, cap(messages))
		}
		if _, err := a.Recv(ctx); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Recv: got %v, want net.ErrClosed", err)
		}
		if err := a.Err(); err != nil {
			t.Errorf("Err: got %v, want nil after our own Close", err)
		}
	}
	// A Close that waited for the consumer would take CloseTimeout, and fail the test.
	opts := &qsocket.Options{RecvQueue: 4, CloseTimeout: 10 * testkit.Timeout}
	forModes(t, testkit.Transports, func(t *testing.T, transport string, p qsocket.Protocol[[]byte]) {
		a, b := testkit.Pair(t, transport, p, opts, nil)
		consumerGone(t, a, b)
	})
	t.Logf("the longest Close of a full queue over %v took %v", testkit.Transports, &slowest)
	// In named mode over a net.Pipe it waits for 90 ms if the peer does not take the goodbye.
	for _, p := range []qsocket.Protocol[[]byte]{testkit.Raw, rawNamed} {
		synctest.Test(t, func(t *testing.T) {
			slowest = longest{}
			a, b := qsockettest.Pipe(t, p, opts)
			consumerGone(t, a, b)
			if slowest.ns.Load() != 0 {
				t.Errorf("Close took %v in a bubble, want no time at all", &slowest)
			}
		})
	}
}
