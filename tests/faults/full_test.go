package faults

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// While the peer reads nothing, Send is refused when its ctx ends, exactly then,
// and what waits costs no more memory than SendBuffer and a frame.
func TestFault12PeerNeverReads(t *testing.T) {
	testkit.CheckGoroutines(t)
	for _, p := range []qsocket.Protocol[[]byte]{testkit.Raw, rawNamed} {
		synctest.Test(t, func(t *testing.T) {
			a, _ := qsockettest.Pipe(t, p, nil)
			refused := 0
			for refused < 10 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				start := time.Now()
				err := a.Send(ctx, make([]byte, 1000))
				took := time.Since(start)
				cancel()
				if err == nil {
					continue
				}
				if refused++; err != context.DeadlineExceeded || took != time.Second {
					t.Errorf("got %v after %v, want context.DeadlineExceeded after 1s", err, took)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Minute, cancel)
			start := time.Now()
			if err := a.Send(ctx, make([]byte, 1000)); err != context.Canceled || time.Since(start) != time.Minute {
				t.Errorf("got %v after %v, want context.Canceled after 1m", err, time.Since(start))
			}
		})
	}
	t.Log("Send failed at exactly the time of its ctx (virtual time)")

	const conns, buffer, frame = 20, 64 << 10, 10 << 10
	forModes(t, []string{"tcp", "tls"}, func(t *testing.T, transport string, p qsocket.Protocol[[]byte]) {
		opts := &qsocket.Options{SendBuffer: buffer}
		var all []*qsocket.Conn[[]byte]
		for range conns {
			a, _ := testkit.Pair(t, transport, p, opts, nil)
			all = append(all, a)
		}
		before, buffered := testkit.LiveHeap(), 0
		message := make([]byte, frame)
		for _, a := range all {
			for refused := false; !refused; {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				refused = a.Send(ctx, message) != nil
				cancel()
			}
			s := a.Stats()
			if s.SendBuffered > buffer+frame {
				t.Errorf("%d bytes buffered, want at most %d", s.SendBuffered, buffer+frame)
			}
			buffered = max(buffered, s.SendBuffered)
		}
		got := testkit.HeapPer(conns, before)
		t.Logf("SendBuffer %d, frames of %d: at most %d bytes buffered, %d of heap for each Conn", buffer, frame, buffered, got)
		// Without a bound all that the program sends would be there. What is being
		// written and what waits are two buffers, of sizes that pools have.
		if limit := int64(5 * (buffer + frame) / 2); got > limit {
			t.Errorf("%d bytes for each Conn, want at most %d", got, limit)
		}
	})
}

// Both ends send and none receives: each Send that finds no room returns the
// error of its ctx, and Close works all the same.
func TestFault28NobodyReceives(t *testing.T) {
	testkit.CheckGoroutines(t)
	each := fullCount(20_000, 100_000)
	for _, p := range []qsocket.Protocol[[]byte]{testkit.Raw, rawNamed} {
		synctest.Test(t, func(t *testing.T) {
			a, b := qsockettest.Pipe(t, p, nil)
			var wg sync.WaitGroup
			var accepted [2]int
			for end, c := range []*qsocket.Conn[[]byte]{a, b} {
				wg.Go(func() {
					for i := range each {
						ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
						start := time.Now()
						err := c.Send(ctx, testkit.Numbered(0, i, 100))
						took := time.Since(start)
						cancel()
						switch {
						case err == nil:
							accepted[end]++
						case err != context.DeadlineExceeded || took != time.Millisecond:
							t.Errorf("got %v after %v, want context.DeadlineExceeded after 1ms", err, took)
							return
						}
					}
				})
			}
			wg.Wait()
			start := time.Now()
			for _, closed := range []<-chan error{testkit.Async(a.Close), testkit.Async(b.Close)} {
				if err := <-closed; err != nil {
					t.Error(err)
				}
			}
			if accepted[0] == 0 || accepted[0] == each {
				t.Errorf("%d of %d accepted, want some", accepted[0], each)
			}
			<-a.Done()
			<-b.Done()
			if err := errors.Join(a.Err(), b.Err()); err != nil {
				t.Error(err)
			}
			t.Logf("%q: %d and %d of %d messages accepted, the others refused after exactly the 1 ms of their ctx; Close took %v (virtual time)",
				p.Name, accepted[0], accepted[1], each, time.Since(start))
		})
	}
}
