package qsocket_test

import (
	"context"
	"encoding/binary"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// heapPer returns by how many bytes the live heap has grown for each of n
// things since before.
func heapPer(n int, before uint64) int64 {
	return (int64(liveHeap()) - int64(before)) / int64(n)
}

func liveHeap() uint64 {
	runtime.GC()
	runtime.GC() // twice, so that pools are empty as well
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A connection on which nothing happens holds no buffer, whatever has gone
// through it before.
func TestIdleConnHoldsNoBuffer(t *testing.T) {
	const pairs, limit = 50, 12 << 10
	ctx := testContext(t)
	before := liveHeap()
	for range pairs {
		a, b := pair(t, "tcp", raw, nil, nil)
		for range 3 {
			if err := a.Send(ctx, make([]byte, 1<<20)); err != nil {
				t.Fatal(err)
			}
			if _, ok := <-b.Messages(); !ok {
				t.Fatal(b.Err())
			}
		}
	}
	got := heapPer(2*pairs, before)
	for start := time.Now(); got > limit && time.Since(start) < testTimeout; { // until all readers wait
		got = heapPer(2*pairs, before)
	}
	t.Logf("%d bytes for each end", got)
	if got > limit {
		t.Errorf("%d bytes for each end, want at most %d", got, limit)
	}
}

// The library itself allocates nothing for a message, on either end.
func TestNoAllocationsPerMessage(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates; run without -race")
	}
	shared := make([]byte, 100)
	p := qsocket.Protocol[[]byte]{Codec: appendCodec{shared}}
	for _, mode := range []string{"pull", "channel"} {
		t.Run(mode, func(t *testing.T) {
			defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection empties the buffer pools
			ctx := context.Background()
			a, b := pair(t, "tcp", p, nil, nil)
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

// appendCodec costs nothing: payloads are copied in, and one value comes out.
type appendCodec struct{ shared []byte }

func (c appendCodec) Name() string                                { return "append" }
func (c appendCodec) Stateless() bool                             { return true }
func (c appendCodec) NewEncoder() qsocket.Encoder[[]byte]         { return c }
func (c appendCodec) NewDecoder() qsocket.Decoder[[]byte]         { return c }
func (c appendCodec) Append(dst, v []byte) ([]byte, error)        { return append(dst, v...), nil }
func (c appendCodec) Decode(payload []byte) (v []byte, err error) { return c.shared, nil }

// What the check of a hostile payload needs is not kept while nothing happens.
func TestHostilePayloadLeavesNothingBehind(t *testing.T) {
	const limit = 64 << 10
	ctx := testContext(t)
	type known struct{ A int }
	p := qsocket.Protocol[known]{}
	nc, peer := netPair(t, "tcp")
	before := liveHeap()
	c, err := qsocket.NewConn(ctx, nc, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer end(c)
	// An unknown field with an array of 300,000 extensions that look like maps.
	payload := []byte("\x81\xa1Z\xdd\x00\x04\x93\xe0")
	for range 300_000 {
		payload = append(payload, 0xd4, 0x05, 0x80)
	}
	frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
	sent := async(func() error { _, err := peer.Write(frame); return err })
	if _, err := c.Recv(ctx); err != nil {
		t.Fatal(err)
	}
	if err := result(t, "Write", sent); err != nil {
		t.Fatal(err)
	}
	frame, payload = nil, nil
	got := heapPer(1, before)
	for start := time.Now(); got > limit && time.Since(start) < testTimeout; {
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		_, _ = c.Recv(short) // waits, which gives the buffer back
		cancel()
		got = heapPer(1, before)
	}
	t.Logf("%d bytes are kept", got)
	if got > limit {
		t.Errorf("%d bytes are kept, want at most %d", got, limit)
	}
	runtime.KeepAlive(c)
}
