package qsocket_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// A connection on which nothing happens holds no buffer, whatever has gone
// through it before.
func TestIdleConnHoldsNoBuffer(t *testing.T) {
	const pairs, limit = 50, 12 << 10
	ctx := testkit.Context(t)
	before := testkit.LiveHeap()
	for range pairs {
		a, b := testkit.Pair(t, "tcp", testkit.Raw, nil, nil)
		for range 3 {
			if err := a.Send(ctx, make([]byte, 1<<20)); err != nil {
				t.Fatal(err)
			}
			if _, ok := <-b.Messages(); !ok {
				t.Fatal(b.Err())
			}
		}
	}
	got := testkit.HeapPer(2*pairs, before)
	for start := time.Now(); got > limit && time.Since(start) < testkit.Timeout; { // until all readers wait
		got = testkit.HeapPer(2*pairs, before)
	}
	t.Logf("%d bytes for each end", got)
	if got > limit {
		t.Errorf("%d bytes for each end, want at most %d", got, limit)
	}
}

// busyPair is a sender and the end whose handler is busy.
type busyPair struct{ a, b *qsocket.Conn[[]byte] }

// receive sends n messages, and takes them.
func (p busyPair) receive(ctx context.Context, t *testing.T, mode string, n int) {
	sent := testkit.Async(func() error {
		for range n {
			if err := p.a.Send(ctx, make([]byte, 100)); err != nil {
				return err
			}
		}
		return nil
	})
	for range n {
		if mode == "channel" {
			if _, ok := <-p.b.Messages(); !ok {
				t.Fatal(p.b.Err())
			}
		} else if _, err := p.b.Recv(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := testkit.Result(t, "Send", sent); err != nil {
		t.Fatal(err)
	}
}

// What a connection holds while its handler works is what has arrived and not been
// received, and little more, whatever has gone through it before.
func TestBusyHandlerHoldsLittle(t *testing.T) {
	const pairs, size = 20, 100
	for _, load := range []struct {
		name           string
		received, left int // messages of 100 bytes
	}{
		{"one message", 1, 0},
		{"40 messages", 1, 39},
		{"150 messages", 1, 149},
		{"a burst", 5000, 0},
		{"40 messages behind a burst", 5000, 40},
	} {
		testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
			for _, mode := range []string{"pull", "channel"} {
				t.Run(load.name+"/"+mode, func(t *testing.T) {
					ctx := testkit.Context(t)
					open := make([]busyPair, pairs)
					for i := range open {
						open[i].a, open[i].b = testkit.Pair(t, transport, testkit.Raw, nil, nil)
						open[i].receive(ctx, t, mode, 1)
					}
					before := testkit.LiveHeap()
					for _, e := range open {
						e.receive(ctx, t, mode, load.received)
						for range load.left {
							if err := e.a.Send(ctx, make([]byte, size)); err != nil {
								t.Fatal(err)
							}
						}
					}
					limit := int64(2048 + 5*size*load.left)
					if transport == "tls" && load.received > 1 {
						limit += 64 << 10 // buffers of package tls, at both ends, and one of 16 KiB that a Read waits with
					}
					got := testkit.HeapPer(pairs, before)
					for start := time.Now(); got > limit && time.Since(start) < testkit.Timeout; { // until what is under way has arrived
						got = testkit.HeapPer(pairs, before)
					}
					t.Logf("%d bytes for each pair", got)
					if got > limit {
						t.Errorf("%d bytes for each pair, want at most %d", got, limit)
					}
					runtime.KeepAlive(open)
				})
			}
		})
	}
}

// The library itself allocates nothing for a message, on either end.
func TestNoAllocationsPerMessage(t *testing.T) {
	if testkit.RaceEnabled {
		t.Skip("the race detector allocates; run without -race")
	}
	shared := make([]byte, 100)
	p := qsocket.Protocol[[]byte]{Codec: testkit.AppendCodec{Shared: shared}}
	for _, mode := range []string{"pull", "channel"} {
		t.Run(mode, func(t *testing.T) {
			defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection empties the buffer pools
			ctx := context.Background()
			a, b := testkit.Pair(t, "tcp", p, nil, nil)
			if mode == "channel" {
				b.Messages()
			}
			got := testing.AllocsPerRun(2000, func() {
				if err := a.Send(ctx, shared); err != nil {
					t.Fatal(err)
				}
				if _, err := b.Recv(ctx); err != nil {
					t.Fatal(err)
				}
			})
			if got != 0 {
				t.Errorf("%v allocations for each message, want 0", got)
			}
		})
	}
}

// What the check of a hostile payload needs is not kept while nothing happens.
func TestHostilePayloadLeavesNothingBehind(t *testing.T) {
	const limit = 64 << 10
	ctx := testkit.Context(t)
	type known struct{ A int }
	p := qsocket.Protocol[known]{}
	nc, peer := testkit.NetPair(t, "tcp")
	before := testkit.LiveHeap()
	c, err := qsocket.NewConn(ctx, nc, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer testkit.End(c)
	// An unknown field with an array of 300,000 extensions that look like maps.
	payload := []byte("\x81\xa1Z\xdd\x00\x04\x93\xe0")
	for range 300_000 {
		payload = append(payload, 0xd4, 0x05, 0x80)
	}
	frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
	sent := testkit.Async(func() error { _, err := peer.Write(frame); return err })
	if _, err := c.Recv(ctx); err != nil {
		t.Fatal(err)
	}
	if err := testkit.Result(t, "Write", sent); err != nil {
		t.Fatal(err)
	}
	frame, payload = nil, nil
	got := testkit.HeapPer(1, before)
	for start := time.Now(); got > limit && time.Since(start) < testkit.Timeout; {
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		_, _ = c.Recv(short) // waits, which gives the buffer back
		cancel()
		got = testkit.HeapPer(1, before)
	}
	t.Logf("%d bytes are kept", got)
	if got > limit {
		t.Errorf("%d bytes are kept, want at most %d", got, limit)
	}
	runtime.KeepAlive(c)
}

// BenchmarkIdle reports the memory (heap and stacks of this process) and the
// goroutines of one end of an idle TCP connection over which one message went
// each way. In mode pull a goroutine of the program waits in Recv; in mode
// channel the Conn's own reader waits, and the program only holds the channel.
func BenchmarkIdle(b *testing.B) {
	for _, mode := range []string{"pull", "channel"} {
		b.Run("codec=none/mode="+mode, func(b *testing.B) {
			runBenchIdle(b, mode, benchNone{[]byte("hello")}, []byte("hello"))
		})
		b.Run("codec=msgpack/mode="+mode, func(b *testing.B) {
			runBenchIdle(b, mode, qsocket.Msgpack[benchOrder](), benchSample)
		})
		b.Run("codec=gob/mode="+mode, func(b *testing.B) {
			runBenchIdle(b, mode, qsocket.Gob[benchOrder](), benchSample)
		})
	}
}

func runBenchIdle[T any](b *testing.B, mode string, codec qsocket.Codec[T], v T) {
	const conns, ends = 500, 2 * 500
	p := qsocket.Protocol[T]{Codec: codec}
	ln := benchListen(b, "tcp", p)

	var bytes, goroutines, rounds float64
	for b.Loop() {
		bytesBefore, goroutinesBefore := benchUsage()
		open := make([]*qsocket.Conn[T], 0, ends)
		for range conns {
			near, far := benchDial(b, ln, p)
			open = append(open, near, far)
		}
		first := make(chan error, ends)
		for _, conn := range open {
			if err := conn.Send(b.Context(), v); err != nil {
				b.Fatal(err)
			}
		}
		for _, conn := range open {
			end := newBenchEnd(conn, mode, v)
			if mode == "channel" {
				first <- end.recv()
				continue
			}
			go func() { // ends when conn is closed
				first <- end.recv()
				end.recv()
			}()
		}
		for range open {
			if err := <-first; err != nil {
				b.Fatal(err)
			}
		}
		testkit.Eventually(b, "the connections to be idle", othersWait)

		bytesAfter, goroutinesAfter := benchUsage()
		bytes += float64(bytesAfter) - float64(bytesBefore)
		goroutines += float64(goroutinesAfter) - float64(goroutinesBefore)
		rounds++

		for _, conn := range open {
			conn.Close()
		}
		testkit.Eventually(b, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutinesBefore })
	}
	b.ReportMetric(0, "ns/op") // the time of making connections is no result
	b.ReportMetric(bytes/rounds/ends, "bytes/conn")
	b.ReportMetric(goroutines/rounds/ends, "goroutines/conn")
}

// BenchmarkBusy reports the memory (heap and stacks of this process) of the two ends of a
// TCP connection while a handler is busy with the first of some messages of 100 bytes.
func BenchmarkBusy(b *testing.B) {
	for _, mode := range []string{"pull", "channel"} {
		for _, messages := range []int{1, 2, 40} {
			b.Run(fmt.Sprintf("mode=%s/messages=%d", mode, messages), func(b *testing.B) { runBenchBusy(b, mode, messages) })
		}
	}
}

func runBenchBusy(b *testing.B, mode string, messages int) {
	const conns = 1000
	v := make([]byte, 100)
	p := qsocket.Protocol[[]byte]{Codec: benchNone{v}}
	ln := benchListen(b, "tcp", p)

	var bytes, rounds float64
	for b.Loop() {
		before, goroutinesBefore := benchUsage()
		done := make(chan struct{})
		taken := make(chan struct{}, conns)
		var open []*qsocket.Conn[[]byte]
		for range conns {
			near, far := benchDial(b, ln, p)
			open = append(open, near, far)
			for range messages {
				if err := near.Send(b.Context(), v); err != nil {
					b.Fatal(err)
				}
			}
			go func() { // the handler; ends with the round
				if mode == "channel" {
					<-far.Messages()
				} else {
					_, _ = far.Recv(b.Context())
				}
				taken <- struct{}{}
				<-done
			}()
		}
		for range conns {
			<-taken
		}
		testkit.Eventually(b, "the connections to be at rest", othersWait)
		after, _ := benchUsage()
		bytes += float64(after) - float64(before)
		rounds++
		close(done)
		for _, conn := range open {
			conn.Close()
		}
		testkit.Eventually(b, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutinesBefore })
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(bytes/rounds/conns, "bytes/pair")
}

// benchUsage returns the bytes in use by heap and stacks, and the number of goroutines.
func benchUsage() (bytes uint64, goroutines int) {
	runtime.GC()
	runtime.GC() // empties pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse, runtime.NumGoroutine()
}
