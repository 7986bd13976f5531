package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// counting counts how often it encodes.
type counting struct {
	testkit.AppendCodec
	encoded *atomic.Int64
}

func (c counting) NewEncoder() qsocket.Encoder[[]byte] { return c }
func (c counting) NewDecoder() qsocket.Decoder[[]byte] { return testkit.RawCodec.NewDecoder() }
func (c counting) Append(dst, v []byte) ([]byte, error) {
	c.encoded.Add(1)
	return append(dst, v...), nil
}

// group makes a Group with n members and returns their peers.
func group[T any](t *testing.T, p qsocket.Protocol[T], policy qsocket.Overflow, n int, opts *qsocket.Options) (g *qsocket.Group[T], members, peers []*qsocket.Conn[T]) {
	t.Helper()
	g = qsocket.NewGroup(p, policy)
	for range n {
		a, b := testkit.Pair(t, "pipe", p, opts, nil)
		g.Add(a)
		members, peers = append(members, a), append(peers, b)
	}
	return g, members, peers
}

func TestBroadcast(t *testing.T) {
	t.Run("encoded once", func(t *testing.T) {
		var encoded atomic.Int64
		p := qsocket.Protocol[[]byte]{Codec: counting{encoded: &encoded}}
		testBroadcast(t, p, func(i int) []byte { return fmt.Append(nil, i) })
		if got := encoded.Load(); got != 100 {
			t.Errorf("encoded %d times, want once for each of 100 messages", got)
		}
	})
	t.Run("encoded for each", func(t *testing.T) {
		testBroadcast(t, qsocket.Protocol[[]byte]{Codec: qsocket.Gob[[]byte]()}, func(i int) []byte { return fmt.Append(nil, i) })
	})
}

func testBroadcast(t *testing.T, p qsocket.Protocol[[]byte], message func(int) []byte) {
	ctx := testkit.Context(t)
	g, _, peers := group(t, p, qsocket.Block, 5, nil)
	if got := g.Len(); got != 5 {
		t.Errorf("Len: got %d, want 5", got)
	}
	for i := range 100 {
		if sent, err := g.Broadcast(ctx, message(i)); sent != 5 || err != nil {
			t.Fatalf("Broadcast: got %d, %v, want 5", sent, err)
		}
	}
	for _, peer := range peers {
		for i := range 100 {
			if got, err := peer.Recv(ctx); err != nil || string(got) != string(message(i)) {
				t.Fatalf("got %q, %v, want %q", got, err, message(i))
			}
		}
	}
}

// stall fills the outgoing buffer of c, whose peer does not read.
func stall(t *testing.T, c *qsocket.Conn[string]) (accepted int) {
	t.Helper()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
		err := c.Send(ctx, strings.Repeat("x", 100))
		cancel()
		if err != nil {
			return accepted
		}
		accepted++
	}
}

// Under Block a slow member is waited for, after all others have got theirs.
func TestBroadcastBlock(t *testing.T) {
	g, members, peers := group(t, testkit.Text, qsocket.Block, 3, &qsocket.Options{SendBuffer: 300})
	filled := stall(t, members[1])
	ctx, cancel := context.WithCancel(testkit.Context(t))
	type outcome struct {
		sent int
		err  error
	}
	broadcast := testkit.Async(func() outcome {
		sent, err := g.Broadcast(ctx, strings.Repeat("y", 100))
		return outcome{sent, err}
	})
	for _, i := range []int{0, 2} {
		if m, err := peers[i].Recv(ctx); err != nil || m[0] != 'y' {
			t.Fatalf("member %d: got %.1q, %v", i, m, err)
		}
	}
	cancel()
	if got := testkit.Result(t, "Broadcast", broadcast); got.sent != 2 || got.err != context.Canceled {
		t.Errorf("got %+v, want 2 and context.Canceled", got)
	}
	ctx = testkit.Context(t)
	broadcast = testkit.Async(func() outcome {
		sent, err := g.Broadcast(ctx, "z")
		return outcome{sent, err}
	})
	for range filled {
		if m, err := peers[1].Recv(ctx); err != nil || m[0] != 'x' {
			t.Fatalf("got %.1q, %v", m, err)
		}
	}
	for i := range peers {
		if m, err := peers[i].Recv(ctx); err != nil || m != "z" {
			t.Errorf("member %d: got %.1q, %v, want z, and nothing of what was refused", i, m, err)
		}
	}
	if got := testkit.Result(t, "Broadcast", broadcast); got.sent != 3 || got.err != nil {
		t.Errorf("got %+v, want 3", got)
	}
}

// All slow members are waited for at the same time: one that takes nothing keeps the message
// from no other, and each of them is counted that has got it when ctx ends. A value is never
// encoded by two goroutines at a time.
func TestBroadcastWaitsForAllAtOnce(t *testing.T) {
	var encoding, most atomic.Int64
	encode := func(s string) ([]byte, error) {
		most.Store(max(most.Load(), encoding.Add(1)))
		runtime.Gosched()
		encoding.Add(-1)
		return []byte(s), nil
	}
	for name, codec := range map[string]qsocket.Codec[string]{
		"encoded once":     qsocket.Stateless("text", encode, func(b []byte, s *string) error { *s = string(b); return nil }),
		"encoded for each": stateful{encode},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 12
				p := qsocket.Protocol[string]{Codec: codec}
				g := qsocket.NewGroup(p, qsocket.Block)
				var peers []*qsocket.Conn[string]
				for range n {
					a, b := testkit.Pair(t, "pipe", p, &qsocket.Options{SendBuffer: 300}, nil)
					g.Add(a)
					peers = append(peers, b)
					stall(t, a)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				received := make([]time.Duration, n)
				start := time.Now()
				news := strings.Repeat("y", 100) // as long as what has filled the buffers
				for i, peer := range peers[1:] { // the first never reads
					go func() { // ends with the message
						time.Sleep(time.Duration(i%3) * 20 * time.Millisecond)
						for m := range peer.Messages() {
							if m == news {
								received[i+1] = time.Since(start)
								return
							}
						}
					}()
				}
				sent, err := g.Broadcast(ctx, news)
				if sent != n-1 || err != context.DeadlineExceeded {
					t.Errorf("got %d, %v, want %d and context.DeadlineExceeded", sent, err, n-1)
				}
				synctest.Wait()
				for i := range n - 1 {
					if want := time.Duration(i%3) * 20 * time.Millisecond; received[i+1] != want {
						t.Errorf("member %d got it after %v, want %v", i+1, received[i+1], want)
					}
				}
				if most.Load() != 1 {
					t.Errorf("got %d encodings at a time, want 1", most.Load())
				}
			})
		})
	}
}

// stateful is a codec that does not say that it is stateless.
type stateful struct {
	encode func(string) ([]byte, error)
}

func (stateful) Name() string                          { return "stateful" }
func (s stateful) NewEncoder() qsocket.Encoder[string] { return s }
func (s stateful) NewDecoder() qsocket.Decoder[string] { return s }
func (stateful) Decode(payload []byte) (string, error) { return string(payload), nil }
func (s stateful) Append(b []byte, v string) ([]byte, error) {
	text, err := s.encode(v)
	return append(b, text...), err
}

// A Broadcast that waits for a member goes on when the member is removed.
func TestRemoveReleasesBroadcast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		g := qsocket.NewGroup(testkit.Raw, qsocket.Block)
		stalled, _ := testkit.Pair(t, "pipe", testkit.Raw, &qsocket.Options{SendBuffer: 100}, nil)
		other, peer := testkit.Pair(t, "pipe", testkit.Raw, nil, nil)
		g.Add(stalled)
		g.Add(other)
		type outcome struct {
			sent int
			err  error
		}
		for _, size := range []int{90, 10, 90} { // accepted; waits with its frame staged; waits for space
			done := testkit.Async(func() outcome {
				sent, err := g.Broadcast(ctx, make([]byte, size))
				return outcome{sent, err}
			})
			if m, err := peer.Recv(ctx); err != nil || len(m) != size {
				t.Fatal(len(m), err)
			}
			synctest.Wait()
			if size == 90 && g.Len() == 2 && len(done) == 1 {
				if got := <-done; got != (outcome{2, nil}) {
					t.Errorf("got %v, want 2", got)
				}
				continue
			}
			if len(done) == 1 {
				t.Fatalf("Broadcast did not wait: %v", <-done)
			}
			g.Remove(stalled)
			if got := <-done; got != (outcome{1, nil}) {
				t.Errorf("after Remove: got %v, want 1", got)
			}
			g.Add(stalled)
		}
		// What the member did not take has left nothing behind.
		if err := stalled.Err(); err != nil {
			t.Error(err)
		}
	})
}

// A member that is removed while a Broadcast waits for another does not get the
// message, even if it has room by then.
func TestRemovedMemberGetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		g := qsocket.NewGroup(testkit.Raw, qsocket.Block)
		opts := &qsocket.Options{SendBuffer: 100}
		var members, peers [2]*qsocket.Conn[[]byte]
		for i := range members {
			members[i], peers[i] = testkit.Pair(t, "pipe", testkit.Raw, opts, nil)
			if err := members[i].Send(ctx, make([]byte, 200)); err != nil { // fills the buffer
				t.Fatal(err)
			}
			g.Add(members[i])
		}
		sent := testkit.Async(func() int {
			n, _ := g.Broadcast(ctx, []byte("hello"))
			return n
		})
		synctest.Wait()
		g.Remove(members[1])
		for _, i := range []int{1, 0} { // the removed one has room first
			if _, err := peers[i].Recv(ctx); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if n := <-sent; n != 1 {
			t.Errorf("Broadcast: got %d, want 1", n)
		}
		if n := members[1].Stats().MessagesSent; n != 1 {
			t.Errorf("the removed member was sent %d messages, want 1", n)
		}
	})
}

func TestBroadcastDrop(t *testing.T) {
	ctx := testkit.Context(t)
	g, members, peers := group(t, testkit.Text, qsocket.Drop, 3, &qsocket.Options{SendBuffer: 300})
	stall(t, members[1])
	for range 10 {
		if sent, err := g.Broadcast(ctx, strings.Repeat("y", 100)); sent != 2 || err != nil {
			t.Fatalf("got %d, %v, want 2", sent, err)
		}
		for _, i := range []int{0, 2} {
			if _, err := peers[i].Recv(ctx); err != nil {
				t.Fatal(err)
			}
			if err := members[i].Flush(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, want := range []uint64{0, 10, 0} {
		if got := members[i].Stats().Dropped; got != want {
			t.Errorf("member %d: %d dropped, want %d", i, got, want)
		}
	}
	if got := g.Len(); got != 3 {
		t.Errorf("Len: got %d, want 3", got)
	}
}

func TestBroadcastDisconnect(t *testing.T) {
	ctx := testkit.Context(t)
	g, members, peers := group(t, testkit.Text, qsocket.Disconnect, 3, &qsocket.Options{SendBuffer: 300})
	stall(t, members[1])
	if sent, err := g.Broadcast(ctx, strings.Repeat("y", 100)); sent != 2 || err != nil {
		t.Fatalf("got %d, %v, want 2", sent, err)
	}
	if got := g.Len(); got != 2 {
		t.Errorf("Len: got %d, want 2", got)
	}
	testkit.WaitClosed(t, "Done", members[1].Done())
	if err := members[1].Err(); !errors.Is(err, qsocket.ErrSlowConsumer) {
		t.Errorf("Err: got %v, want ErrSlowConsumer", err)
	}
	if err := members[1].Send(ctx, "x"); !errors.Is(err, qsocket.ErrSlowConsumer) {
		t.Errorf("Send: got %v, want ErrSlowConsumer", err)
	}
	for _, i := range []int{0, 2} {
		if _, err := peers[i].Recv(ctx); err != nil {
			t.Error(err)
		}
	}
}

// Members leave by themselves when they end, and when they are removed.
func TestGroupMembership(t *testing.T) {
	ctx := testkit.Context(t)
	g, members, peers := group(t, testkit.Text, qsocket.Block, 4, nil)
	g.Add(members[0])
	if got := g.Len(); got != 4 {
		t.Errorf("after a second Add: got %d members, want 4", got)
	}
	g.Remove(members[0])
	g.Remove(members[0])
	testkit.End(members[1])
	testkit.WaitClosed(t, "Done", members[1].Done())
	if got := g.Len(); got != 2 {
		t.Errorf("got %d members, want 2", got)
	}
	g.Add(members[1])
	if got := g.Len(); got != 2 {
		t.Errorf("after Add of a Conn that has ended: got %d members, want 2", got)
	}
	testkit.End(peers[2])
	if sent, err := g.Broadcast(ctx, "x"); err != nil || sent > 2 {
		t.Errorf("got %d, %v", sent, err)
	}
	go func() {
		for range members[2].Messages() {
		}
	}()
	if m, err := peers[3].Recv(ctx); err != nil || m != "x" {
		t.Errorf("got %q, %v", m, err)
	}
	if err := members[2].Close(); err != nil {
		t.Log(err) // the message to the peer that has gone, if it was accepted
	}
	testkit.WaitClosed(t, "Done", members[2].Done())
	if got := g.Len(); got != 1 {
		t.Errorf("got %d members, want 1", got)
	}
}

func TestGroupMisuse(t *testing.T) {
	g := qsocket.NewGroup(testkit.Text, qsocket.Drop)
	other := testkit.Text
	other.Framing = qsocket.Netstring
	a, _ := testkit.Pair(t, "pipe", other, nil, nil)
	for name, call := range map[string]func(){
		"another framing": func() { g.Add(a) },
		"no such policy":  func() { qsocket.NewGroup(testkit.Text, 7) },
		"protocol":        func() { qsocket.NewGroup(qsocket.Protocol[string]{Framing: 99}, qsocket.Drop) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
	if got := fmt.Sprint(qsocket.Block, qsocket.Drop, qsocket.Disconnect, qsocket.Overflow(9)); got != "Block Drop Disconnect Overflow(9)" {
		t.Errorf("got %s", got)
	}
}

// What cannot be encoded is an error of Broadcast; what is too large for one
// member costs only that member.
func TestBroadcastRefuses(t *testing.T) {
	ctx := testkit.Context(t)
	g := qsocket.NewGroup(testkit.Panicking, qsocket.Block)
	if sent, err := g.Broadcast(ctx, "panic while encoding"); sent != 0 || err == nil {
		t.Errorf("got %d, %v, want an error", sent, err)
	}
	a, _ := testkit.Pair(t, "pipe", testkit.Panicking, &qsocket.Options{MaxFrame: 10}, nil)
	b, peer := testkit.Pair(t, "pipe", testkit.Panicking, nil, nil)
	g.Add(a)
	g.Add(b)
	if sent, err := g.Broadcast(ctx, "too large for a"); sent != 1 || err != nil {
		t.Errorf("got %d, %v, want 1", sent, err)
	}
	if m, err := peer.Recv(ctx); err != nil || m != "too large for a" {
		t.Errorf("got %q, %v", m, err)
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if sent, err := g.Broadcast(canceled, "x"); sent != 0 || err != context.Canceled {
		t.Errorf("got %d, %v, want context.Canceled", sent, err)
	}
}

func TestPrepare(t *testing.T) {
	ctx := testkit.Context(t)
	for _, f := range testkit.Framings {
		p := testkit.Text
		p.Framing = f
		a, b := testkit.Pair(t, "pipe", p, nil, nil)
		m, err := p.Prepare("hello")
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := a.SendPrepared(ctx, m); err != nil {
				t.Fatal(err)
			}
			if got, err := b.Recv(ctx); err != nil || got != "hello" {
				t.Errorf("%v: got %q, %v, want hello", f, got, err)
			}
		}
	}
	m, err := testkit.Text.Prepare("hello, world")
	if err != nil {
		t.Fatal(err)
	}
	small, _ := testkit.Pair(t, "pipe", testkit.Text, &qsocket.Options{MaxFrame: 5}, nil)
	if err := small.SendPrepared(ctx, m); !errors.Is(err, qsocket.ErrFrameTooLarge) {
		t.Errorf("got %v, want ErrFrameTooLarge", err)
	}
	if err := small.SendPrepared(ctx, nil); err == nil {
		t.Error("nil: no error")
	}
	other, _ := testkit.Pair(t, "pipe", testkit.Panicking, nil, nil)
	if err := other.SendPrepared(ctx, m); err == nil || !strings.Contains(err.Error(), `"text"`) {
		t.Errorf("another codec: got %v", err)
	}
	for name, c := range map[string]*qsocket.Conn[string]{"small": small, "other": other} {
		if err := c.Send(ctx, "ok"); err != nil {
			t.Errorf("%s is harmed: %v", name, err)
		}
	}
	if _, err := (qsocket.Protocol[string]{Codec: qsocket.Gob[string]()}).Prepare("x"); err == nil {
		t.Error("gob: no error")
	}
	if _, err := testkit.Panicking.Prepare("panic while encoding"); err == nil {
		t.Error("panic: no error")
	}
	tiny := testkit.Text
	tiny.Framing = qsocket.Uint8
	if _, err := tiny.Prepare(strings.Repeat("x", 256)); !errors.Is(err, qsocket.ErrFrameTooLarge) {
		t.Errorf("Uint8: got %v, want ErrFrameTooLarge", err)
	}
}

// Broadcasts, members that come, go, stall and break, all at once: who gets a
// message gets those of one goroutine in order.
func TestGroupChurn(t *testing.T) {
	for _, policy := range []qsocket.Overflow{qsocket.Block, qsocket.Drop, qsocket.Disconnect} {
		t.Run(policy.String(), func(t *testing.T) {
			ctx := testkit.Context(t)
			g := qsocket.NewGroup(testkit.Raw, policy)
			broadcasting, stop := context.WithCancel(ctx)
			var senders, others sync.WaitGroup
			for s := range 3 {
				senders.Go(func() {
					for i := 0; broadcasting.Err() == nil; i++ {
						if _, err := g.Broadcast(broadcasting, testkit.Numbered(s, i, 50)); err != nil && err != context.Canceled {
							t.Error(err)
						}
					}
				})
			}
			for i := range 60 {
				transport := testkit.Transports[i%len(testkit.Transports)]
				a, b := testkit.Pair(t, transport, testkit.Raw, &qsocket.Options{SendBuffer: 4096, CloseTimeout: 50 * time.Millisecond}, nil)
				others.Go(func() {
					last := [3]int{-1, -1, -1}
					n := 0
					for m, err := range b.All(ctx) {
						if err != nil {
							break // reset by Disconnect
						}
						s, i := testkit.ParseNumbered(m)
						if i <= last[s] {
							t.Errorf("sender %d: message %d after %d", s, i, last[s])
						}
						last[s] = i
						if n++; n == 200 {
							break
						}
					}
					switch i % 3 {
					case 0:
						testkit.End(b)
					case 1:
						a.Close()
					case 2:
						g.Remove(a)
					}
				})
				g.Add(a)
			}
			others.Wait()
			stop()
			senders.Wait()
		})
	}
}

// Neither a broadcast nor a prepared message costs an allocation.
func TestNoAllocationsPerBroadcast(t *testing.T) {
	if testkit.RaceEnabled {
		t.Skip("the race detector allocates; run without -race")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	ctx := context.Background()
	p := qsocket.Protocol[[]byte]{Codec: testkit.AppendCodec{Shared: make([]byte, 100)}}
	g := qsocket.NewGroup(p, qsocket.Block)
	for range 10 {
		a, b := testkit.Pair(t, "tcp", p, nil, nil)
		g.Add(a)
		go io.Copy(io.Discard, b.NetConn())
	}
	message := make([]byte, 100)
	if got := testing.AllocsPerRun(2000, func() {
		if sent, err := g.Broadcast(ctx, message); sent != 10 || err != nil {
			t.Fatal(sent, err)
		}
	}); got != 0 {
		t.Errorf("%v allocations for each broadcast, want 0", got)
	}
}
