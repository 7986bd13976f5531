package qsocket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// sendAll sends the numbers below n and closes.
func sendAll(t *testing.T, c *qsocket.Conn[string], n int) {
	t.Helper()
	ctx := testkit.Context(t)
	for i := range n {
		if err := c.Send(ctx, fmt.Sprint(i)); err != nil {
			t.Error(err)
			return
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestMessages(t *testing.T) {
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		a, b := testkit.Pair(t, transport, testkit.Text, nil, &qsocket.Options{RecvQueue: 1})
		if first, second := b.Messages(), b.Messages(); first != second {
			t.Error("Messages returned two channels")
		}
		go sendAll(t, a, 1000)
		i := 0
		for m := range b.Messages() {
			if m != fmt.Sprint(i) {
				t.Fatalf("got %q, want %d", m, i)
			}
			i++
		}
		if i != 1000 || b.Err() != nil {
			t.Errorf("got %d messages and Err %v, want 1000 and nil", i, b.Err())
		}
		if _, err := b.Recv(testkit.Context(t)); err != io.EOF {
			t.Errorf("Recv after the end: got %v, want io.EOF", err)
		}
	})
}

func TestRecvQueueIsTheCapacity(t *testing.T) {
	for queue, want := range map[int]int{0: 16, 5: 5} {
		a, _ := testkit.Pair(t, "pipe", testkit.Text, &qsocket.Options{RecvQueue: queue}, nil)
		if got := cap(a.Messages()); got != want {
			t.Errorf("RecvQueue %d: got capacity %d, want %d", queue, got, want)
		}
	}
}

func TestAll(t *testing.T) {
	ctx := testkit.Context(t)
	a, b := testkit.Pair(t, "tcp", testkit.Text, nil, nil)
	go sendAll(t, a, 100)
	i := 0
	for m, err := range b.All(ctx) {
		if err != nil || m != fmt.Sprint(i) {
			t.Fatalf("got %q, %v, want %d", m, err, i)
		}
		if i++; i == 50 {
			break
		}
	}
	for m, err := range b.All(ctx) { // goes on where the first loop stopped
		if err != nil || m != fmt.Sprint(i) {
			t.Fatalf("got %q, %v, want %d", m, err, i)
		}
		i++
	}
	if i != 100 {
		t.Errorf("got %d messages, want 100", i)
	}
	for range b.All(ctx) {
		t.Error("a message after the clean end")
	}
}

func TestAllYieldsTheError(t *testing.T) {
	t.Run("of the Conn", func(t *testing.T) {
		ctx := testkit.Context(t)
		nc, peer := testkit.NetPair(t, "tcp")
		c, err := qsocket.NewConn(ctx, nc, testkit.Text, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.End(c)
		peer.Write([]byte("\x00\x00\x00\x02ok\x00\x00"))
		peer.Close()
		var got []string
		for m, err := range c.All(ctx) {
			got = append(got, fmt.Sprint(m, " ", errors.Is(err, io.ErrUnexpectedEOF)))
		}
		if fmt.Sprint(got) != "[ok false  true]" {
			t.Errorf("got %q, want the message and then io.ErrUnexpectedEOF", got)
		}
	})
	t.Run("of the context", func(t *testing.T) {
		a, _ := testkit.Pair(t, "tcp", testkit.Text, nil, nil)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		n := 0
		for _, err := range a.All(ctx) {
			if n++; err != context.Canceled {
				t.Errorf("got %v, want context.Canceled", err)
			}
		}
		if n != 1 {
			t.Errorf("%d pairs, want 1", n)
		}
	})
	t.Run("not of our own Close", func(t *testing.T) {
		a, _ := testkit.Pair(t, "tcp", testkit.Text, nil, nil)
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		for _, err := range a.All(testkit.Context(t)) {
			t.Errorf("got %v, want a silent end", err)
		}
	})
}

// A Recv that gives up, at whatever point of a frame, loses nothing.
func TestRecvContextCostsNothing(t *testing.T) {
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		for _, mode := range []string{"pull", "channel"} {
			if mode == "pull" && transport == "pipe" {
				continue // a net.Pipe has no buffer: nothing can arrive while the other end does not read
			}
			t.Run(mode, func(t *testing.T) {
				ctx := testkit.Context(t)
				nc, peer := testkit.NetPair(t, transport)
				if transport == "tls" {
					go func() { _, _ = peer.Write(nil) }() // does the handshake
				}
				c, err := qsocket.NewConn(ctx, nc, testkit.Text, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer testkit.End(c)
				if mode == "channel" {
					c.Messages()
				}
				giveUp := func() {
					t.Helper()
					short, cancel := context.WithTimeout(ctx, time.Millisecond)
					defer cancel()
					if _, err := c.Recv(short); err != context.DeadlineExceeded {
						t.Fatalf("got %v, want context.DeadlineExceeded", err)
					}
				}
				stream := testkit.Frame(t, qsocket.Uint32, "first") + testkit.Frame(t, qsocket.Uint32, "second")
				for i := range stream {
					if i != len("1234first") {
						giveUp()
					}
					if _, err := peer.Write([]byte{stream[i]}); err != nil {
						t.Fatal(err)
					}
					if i == len("1234first")-1 {
						if got, err := c.Recv(ctx); err != nil || got != "first" {
							t.Fatalf("got %q, %v, want the first message", got, err)
						}
					}
				}
				if got, err := c.Recv(ctx); err != nil || got != "second" {
					t.Fatalf("got %q, %v, want the second message", got, err)
				}
				if err := c.Err(); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// Receivers of all kinds at once, one of which starts the reader goroutine in
// the middle: every message arrives exactly once, and each receiver sees its
// own in order.
func TestMixedReceivers(t *testing.T) {
	const n = 20000
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		ctx := testkit.Context(t)
		a, b := testkit.Pair(t, transport, testkit.Raw, nil, nil)
		go func() {
			for i := range n {
				if err := a.Send(ctx, testkit.Numbered(0, i, 8)); err != nil {
					t.Error(err)
				}
			}
			a.Close()
		}()
		var mu sync.Mutex
		seen := make(map[int]bool)
		started := make(chan struct{})
		take := func(last *int, m []byte) {
			_, i := testkit.ParseNumbered(m)
			if i <= *last {
				t.Errorf("message %d after %d", i, *last)
			}
			*last = i
			mu.Lock()
			defer mu.Unlock()
			if seen[i] {
				t.Errorf("message %d came twice", i)
			}
			seen[i] = true
			if len(seen) == n/10 {
				close(started)
			}
		}
		var wg sync.WaitGroup
		for r := range 4 {
			wg.Go(func() {
				last := -1
				for {
					short, cancel := ctx, context.CancelFunc(func() {})
					if r == 1 {
						short, cancel = context.WithTimeout(ctx, 50*time.Microsecond)
					}
					m, err := b.Recv(short)
					cancel()
					switch {
					case err == io.EOF:
						return
					case err == nil:
						take(&last, m)
					case r != 1 || err != context.DeadlineExceeded:
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Go(func() {
			last := -1
			<-started
			for m := range b.Messages() {
				take(&last, m)
			}
		})
		wg.Wait()
		if len(seen) != n {
			t.Errorf("got %d messages, want %d", len(seen), n)
		}
	})
}

// The clock of FrameTimeout stands still while this end does not read: a slow consumer
// is not the peer's fault.
func TestFrameTimeoutSparesSlowConsumers(t *testing.T) {
	for _, mode := range []string{"pull", "channel"} {
		t.Run(mode, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				na, nb := net.Pipe()
				c, err := qsocket.NewConn(t.Context(), na, testkit.Text, &qsocket.Options{FrameTimeout: time.Second, RecvQueue: 1})
				if err != nil {
					t.Fatal(err)
				}
				defer testkit.End(c)
				if mode == "channel" {
					c.Messages()
				}
				go func() {
					frame := testkit.Frame(t, qsocket.Uint32, "hello")
					nb.Write([]byte(frame + frame + frame + frame[:5]))
					nb.Write([]byte(frame[5:]))
				}()
				for i := range 4 {
					time.Sleep(time.Minute)
					if got, err := c.Recv(t.Context()); got != "hello" || err != nil {
						t.Fatalf("message %d: got %q, %v", i, got, err)
					}
				}
			})
		})
	}
}

func TestFrameTimeoutOverSockets(t *testing.T) {
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		ctx := testkit.Context(t)
		nc, peer := testkit.NetPair(t, transport)
		if transport == "tls" {
			go func() { _, _ = peer.Write([]byte{0, 0}) }()
		} else if _, err := peer.Write([]byte{0, 0}); err != nil {
			t.Fatal(err)
		}
		c, err := qsocket.NewConn(ctx, nc, testkit.Text, &qsocket.Options{FrameTimeout: 20 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.End(c)
		_, err = c.Recv(ctx)
		if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.Is(c.Err(), os.ErrDeadlineExceeded) {
			t.Errorf("Recv: %v, Err: %v, want os.ErrDeadlineExceeded", err, c.Err())
		}
		testkit.WaitClosed(t, "Done", c.Done())
	})
}

// A deadline that an earlier frame has left behind does not end the Conn.
func TestFrameTimeoutLeavesNothingBehind(t *testing.T) {
	// inside returns when Recv waits inside the frame; pass makes the deadline of that wait pass.
	test := func(t *testing.T, nc, peer net.Conn, inside func(watched), pass func()) {
		c, err := qsocket.NewConn(testkit.Context(t), nc, testkit.Text, &qsocket.Options{FrameTimeout: testkit.Timeout})
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.End(c)
		frame := []byte(testkit.Frame(t, qsocket.Uint32, "hello"))
		for range 3 {
			if _, err := peer.Write(frame[:6]); err != nil {
				t.Fatal(err)
			}
			ctx := newWatched(t.Context())
			received := testkit.Async(func() error { defer ctx.tell(); _, err := c.Recv(ctx); return err })
			inside(ctx)
			if _, err := peer.Write(frame[6:]); err != nil {
				t.Fatal(err)
			}
			if err := testkit.Result(t, "Recv", received); err != nil {
				t.Fatal(err)
			}
			pass()
		}
	}
	testkit.ForTransports(t, testkit.KernelTransports[:2], func(t *testing.T, transport string) {
		nc, peer := testkit.NetPair(t, transport)
		test(t, nc, peer, func(ctx watched) {
			testkit.Result(t, "Recv to wait", ctx.waits) // the half frame was there before
		}, func() {
			if err := nc.SetReadDeadline(time.Unix(1, 0)); err != nil { // leaves the socket as the deadline does that passes
				t.Fatal(err)
			}
		})
	})
	t.Run("bubble", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			na, nb := qsockettest.NetPipe()
			defer nb.Close()
			test(t, na, nb, func(watched) { synctest.Wait() }, func() { time.Sleep(time.Hour) })
		})
	})
}

// The peer's end right behind its last bytes, in the same read or the next, is
// seen by a receiver that has just taken the bytes.
func TestEndRightBehindData(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 50
	}
	testkit.ForTransports(t, []string{"tcp", "unix"}, func(t *testing.T, transport string) {
		for _, mode := range []string{"pull", "channel"} {
			t.Run(mode, func(t *testing.T) {
				ctx := testkit.Context(t)
				for round := range rounds {
					nc, peer := testkit.NetPair(t, transport)
					c, err := qsocket.NewConn(ctx, nc, testkit.Text, nil)
					if err != nil {
						t.Fatal(err)
					}
					if mode == "channel" {
						c.Messages()
					}
					messages := round % 3
					go func() {
						if round%2 == 0 {
							runtime.Gosched()
						}
						for range messages {
							_, _ = peer.Write([]byte(testkit.Frame(t, qsocket.Uint32, "hello")))
						}
						_ = peer.Close()
					}()
					for range messages {
						if got, err := c.Recv(ctx); err != nil || got != "hello" {
							t.Fatalf("got %q, %v", got, err)
						}
					}
					if got, err := c.Recv(ctx); err != io.EOF {
						t.Fatalf("got %q, %v, want io.EOF", got, err)
					}
					testkit.End(c)
				}
			})
		}
	})
}

// The reader goroutine waits without asking the socket once more: whatever
// arrives while it is busy with what it has must wake it all the same.
func TestNoLostWakeUps(t *testing.T) {
	bursts := 5000
	if testing.Short() {
		bursts = 500
	}
	testkit.ForTransports(t, []string{"tcp", "unix"}, func(t *testing.T, transport string) {
		ctx := testkit.Context(t)
		a, b := testkit.Pair(t, transport, testkit.Raw, nil, nil)
		answers := a.Messages()
		go func() { // ends with the connection
			for m := range b.Messages() {
				if err := b.Send(ctx, m); err != nil {
					return
				}
			}
		}()
		rnd := rand.New(rand.NewPCG(1, 2))
		for i := range bursts {
			n := 1 + rnd.IntN(4)
			for range n {
				if err := a.Send(ctx, testkit.Numbered(0, i, 8+rnd.IntN(200))); err != nil {
					t.Fatal(err)
				}
				for range rnd.IntN(3) {
					runtime.Gosched()
				}
			}
			for range n {
				select {
				case m, ok := <-answers:
					if _, got := testkit.ParseNumbered(m); !ok || got != i {
						t.Fatalf("got burst %d, want %d", got, i)
					}
				case <-ctx.Done():
					t.Fatalf("burst %d of %d: no answer", i, bursts)
				}
			}
		}
	})
}

func TestCodecErrorIsNeverEOF(t *testing.T) {
	ctx := testkit.Context(t)
	a, b := testkit.Pair(t, "tcp", testkit.Panicking, nil, nil)
	if err := a.Send(ctx, "io.EOF while decoding"); err != nil {
		t.Error(err)
	}
	for _, err := range b.All(ctx) {
		if errors.Is(err, io.EOF) || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %v, want io.ErrUnexpectedEOF", err)
		}
	}
	if b.Err() == nil {
		t.Error("Err: got nil: a failure looks like a clean end")
	}
}
