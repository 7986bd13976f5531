package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// trying are the two ways to send without waiting.
var trying = map[string]func(c *qsocket.Conn[[]byte], m []byte) (sent bool, err error){
	"TrySend": (*qsocket.Conn[[]byte]).TrySend,
	"TrySendPrepared": func(c *qsocket.Conn[[]byte], m []byte) (sent bool, err error) {
		p, err := testkit.Raw.Prepare(m)
		if err != nil {
			return false, err
		}
		return c.TrySendPrepared(p)
	},
}

// Against a peer that does not read, TrySend takes what SendBuffer and the network have room
// for and refuses the rest, which leaves no trace.
func TestTrySend(t *testing.T) {
	for name, try := range trying {
		t.Run(name, func(t *testing.T) {
			testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
				ctx := testkit.Context(t)
				a, b := testkit.Pair(t, transport, testkit.Raw, &qsocket.Options{SendBuffer: 10_000}, nil)
				var accepted, refused int
				for refused < 1000 { // meanwhile the kernel may take more
					switch sent, err := try(a, testkit.Numbered(0, accepted, 1000)); {
					case err != nil:
						t.Fatal(err)
					case sent:
						accepted++
					default:
						refused++
					}
				}
				if got := a.Stats(); got.MessagesSent != uint64(accepted) || got.Dropped != 0 || got.SendBuffered > 10_000 {
					t.Errorf("got %+v, want %d messages sent, and none dropped", got, accepted)
				}
				closed := testkit.Async(a.Close)
				n := 0
				for m, err := range b.All(ctx) {
					if err != nil {
						t.Fatal(err)
					}
					if _, i := testkit.ParseNumbered(m); i != n || len(m) != 1000 {
						t.Fatalf("got message %d of %d bytes, want message %d", i, len(m), n)
					}
					n++
				}
				if n != accepted {
					t.Errorf("%d messages came, want %d", n, accepted)
				}
				if err := testkit.Result(t, "Close", closed); err != nil {
					t.Error(err)
				}
				if sent, err := try(a, []byte("x")); sent || !errors.Is(err, net.ErrClosed) {
					t.Errorf("after Close: got %v, %v, want net.ErrClosed", sent, err)
				}
			})
		})
	}
}

// TrySend waits for nothing: neither for a Write that does not return, nor behind Sends that
// wait, one with its frame staged and others in the queue. When there is room again, it sends.
func TestTrySendDoesNotWait(t *testing.T) {
	for name, try := range trying {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := testkit.Pair(t, "pipe", testkit.Raw, &qsocket.Options{SendBuffer: 100}, nil)
				start := time.Now()
				want := func(sent bool, size int) {
					t.Helper()
					if got, err := try(a, make([]byte, size)); got != sent || err != nil {
						t.Errorf("%d bytes: got %v, %v, want %v", size, got, err, sent)
					}
				}
				want(true, 200) // the buffer is empty
				synctest.Wait() // the flusher waits in Write
				want(false, 1)
				if m, err := b.Recv(t.Context()); len(m) != 200 || err != nil {
					t.Fatal(len(m), err)
				}

				want(true, 76) // 80 with the header
				synctest.Wait()
				want(false, 17) // 21
				want(true, 6)   // 10
				sends := make(chan error, 3)
				for range cap(sends) {
					go func() { sends <- a.Send(t.Context(), make([]byte, 50)) }()
					synctest.Wait()
				}
				want(false, 1) // there are 10 bytes, but others come first
				for _, size := range []int{76, 6, 50, 50, 50} {
					if m, err := b.Recv(t.Context()); len(m) != size || err != nil {
						t.Fatalf("got %d bytes, %v, want %d", len(m), err, size)
					}
				}
				for range cap(sends) {
					if err := <-sends; err != nil {
						t.Error(err)
					}
				}
				synctest.Wait()
				want(true, 1)
				if elapsed := time.Since(start); elapsed != 0 {
					t.Errorf("it took %v, want no time", elapsed)
				}
			})
		})
	}
}

// What cannot be sent at all is an error, as of Send, and costs nothing but itself.
func TestTrySendErrors(t *testing.T) {
	a, b := testkit.Pair(t, "pipe", testkit.Panicking, &qsocket.Options{MaxFrame: 100}, nil)
	long := strings.Repeat("x", 101)
	prepared := func(p qsocket.Protocol[string], s string) *qsocket.Prepared[string] {
		m, err := p.Prepare(s)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	var ce *qsocket.CodecError
	if sent, err := a.TrySend("panic while encoding"); sent || !errors.As(err, &ce) {
		t.Errorf("got %v, %v, want a *CodecError", sent, err)
	}
	if sent, err := a.TrySend(long); sent || !errors.Is(err, qsocket.ErrFrameTooLarge) {
		t.Errorf("got %v, %v, want ErrFrameTooLarge", sent, err)
	}
	if sent, err := a.TrySendPrepared(prepared(testkit.Panicking, long)); sent || !errors.Is(err, qsocket.ErrFrameTooLarge) {
		t.Errorf("prepared: got %v, %v, want ErrFrameTooLarge", sent, err)
	}
	if sent, err := a.TrySendPrepared(nil); sent || err == nil {
		t.Errorf("nil: got %v, %v", sent, err)
	}
	if sent, err := a.TrySendPrepared(prepared(testkit.Text, "x")); sent || err == nil || !strings.Contains(err.Error(), `"text"`) {
		t.Errorf("another codec: got %v, %v", sent, err)
	}
	testkit.Exchange(t, a, b, "unharmed")
	testkit.Exchange(t, b, a, "unharmed")

	// After a failure they have its cause.
	na, nb := qsockettest.NetPipe()
	c, err := qsocket.NewConn(testkit.Context(t), na, testkit.Text, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer testkit.End(c)
	nb.SetLinger(0)
	nb.Close()
	testkit.WaitClosed(t, "Done", c.Done())
	for name, try := range map[string]func() (bool, error){
		"TrySend":         func() (bool, error) { return c.TrySend("x") },
		"TrySendPrepared": func() (bool, error) { return c.TrySendPrepared(prepared(testkit.Text, "x")) },
	} {
		if sent, err := try(); sent || !errors.Is(err, syscall.ECONNRESET) || !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s after a reset: got %v, %v, want ECONNRESET", name, sent, err)
		}
	}
}

// A message that was encoded by an encoder with state and does not fit can be taken back if
// the encoder can start anew, and is sent otherwise: what follows can be decoded.
func TestTrySendStateful(t *testing.T) {
	identity := func(s string) ([]byte, error) { return []byte(s), nil }
	for name, test := range map[string]struct {
		codec  qsocket.Codec[string]
		beyond bool
	}{
		"gob":           {qsocket.Gob[string](), false},
		"without Reset": {stateful{identity}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := testkit.Pair(t, "pipe", qsocket.Protocol[string]{Codec: test.codec}, &qsocket.Options{SendBuffer: 300}, nil)
				var accepted []string
				for i := range 100 {
					m := fmt.Sprintf("%d %s", i, strings.Repeat("x", 90))
					before := a.Stats().SendBuffered
					sent, err := a.TrySend(m)
					if err != nil {
						t.Fatal(err)
					}
					if sent {
						accepted = append(accepted, m)
					}
					if after := a.Stats().SendBuffered; after > 300 && !test.beyond || before > 300 && sent {
						t.Errorf("%d bytes were buffered, and then %d", before, after)
					}
					synctest.Wait()
					if i%7 == 6 { // makes room for one
						if got, err := b.Recv(t.Context()); err != nil || got != accepted[0] {
							t.Fatalf("got %q, %v, want %q", got, err, accepted[0])
						}
						accepted = accepted[1:]
						synctest.Wait()
					}
				}
				for _, want := range accepted {
					if got, err := b.Recv(t.Context()); err != nil || got != want {
						t.Fatalf("got %q, %v, want %q", got, err, want)
					}
				}
			})
		})
	}
}

// All that is accepted arrives, in the order of each sender, whoever else sends.
func TestTrySendConcurrently(t *testing.T) {
	const senders, each = 8, 2000
	testkit.ForTransports(t, []string{"tcp", "pipe"}, func(t *testing.T, transport string) {
		ctx := testkit.Context(t)
		a, b := testkit.Pair(t, transport, testkit.Raw, &qsocket.Options{SendBuffer: 500}, nil)
		var running sync.WaitGroup
		var accepted atomic.Int64
		for s := range senders {
			running.Go(func() {
				next := 0
				for range each {
					var sent bool
					var err error
					m := testkit.Numbered(s, next, 8+next%100)
					switch s % 4 {
					case 0:
						impatient, cancel := context.WithTimeout(ctx, 10*time.Microsecond)
						sent = a.Send(impatient, m) == nil
						cancel()
					case 1:
						sent, err = trying["TrySendPrepared"](a, m)
					default:
						sent, err = a.TrySend(m)
					}
					if err != nil {
						t.Error(err)
						return
					}
					if sent {
						next++
						accepted.Add(1)
					}
				}
			})
		}
		done := testkit.Async(func() error { running.Wait(); return a.Close() })
		var next [senders]int
		var got int64
		for m, err := range b.All(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			s, i := testkit.ParseNumbered(m)
			if i != next[s] || !bytes.Equal(m, testkit.Numbered(s, i, 8+i%100)) {
				t.Fatalf("sender %d: got message %d, want %d", s, i, next[s])
			}
			next[s]++
			got++
		}
		if err := testkit.Result(t, "Close", done); err != nil {
			t.Error(err)
		}
		if got != accepted.Load() || got == 0 {
			t.Errorf("%d messages came, want %d", got, accepted.Load())
		}
	})
}

// TrySend alone does not find out that the peer is gone, a reader does.
func TestTrySendAndDeadPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		proxy := qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{})
		na, nb := proxy.Pipe()
		a, _ := testkit.WrapPair(t, na, nb, testkit.Named, &qsocket.Options{Heartbeat: time.Second}, nil)
		proxy.Set(qsockettest.Faults{Stall: true}, qsockettest.Faults{Stall: true})
		for _, size := range []int{10_000, 1} {
			for sent := true; sent; {
				var err error
				if sent, err = a.TrySend(strings.Repeat("x", size)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
			}
		}
		time.Sleep(time.Hour)
		if sent, err := a.TrySend("x"); sent || err != nil || a.Err() != nil {
			t.Errorf("got %v, %v; Err %v, want neither sent nor an error", sent, err, a.Err())
		}
		start := time.Now()
		<-a.Done()
		if got := time.Since(start); !errors.Is(a.Err(), qsocket.ErrPeerDead) || got > 2*time.Second {
			t.Errorf("after %v: %v, want ErrPeerDead within 2 s", got, a.Err())
		}
		proxy.Close()
	})
}

func TestTrySendAllocatesNothing(t *testing.T) {
	if testkit.RaceEnabled {
		t.Skip("the race detector allocates; run without -race")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection empties the buffer pools
	ctx := context.Background()
	shared := make([]byte, 100)
	p := qsocket.Protocol[[]byte]{Codec: testkit.AppendCodec{Shared: shared}}
	m, err := p.Prepare(shared)
	if err != nil {
		t.Fatal(err)
	}
	a, b := testkit.Pair(t, "tcp", p, nil, nil)
	full, _ := testkit.Pair(t, "pipe", p, &qsocket.Options{SendBuffer: 100}, nil)
	if sent, err := full.TrySend(make([]byte, 1000)); !sent {
		t.Fatal(err)
	}
	for name, f := range map[string]func() (bool, error){
		"TrySend":         func() (bool, error) { return a.TrySend(shared) },
		"TrySendPrepared": func() (bool, error) { return a.TrySendPrepared(m) },
		"refused":         func() (bool, error) { return full.TrySend(shared) },
	} {
		got := testing.AllocsPerRun(2000, func() {
			if sent, err := f(); err != nil || sent == (name == "refused") {
				t.Fatal(sent, err)
			}
			if name == "refused" {
				return
			}
			if _, err := b.Recv(ctx); err != nil {
				t.Fatal(err)
			}
		})
		if got != 0 {
			t.Errorf("%s: %v allocations for each message, want 0", name, got)
		}
	}
}
