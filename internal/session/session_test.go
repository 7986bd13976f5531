package session

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/wire"
)

func frame(n uint64, size int) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(size))
	return append(b, bytes.Repeat([]byte{byte(n)}, size)...)
}

// The Ring does what a list of frames would.
func TestRingIsAList(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		limit := 1 << r.IntN(18)
		ring := NewRing(limit)
		var list [][]byte // all frames ever
		held := func() (n int) {
			for _, f := range list[ring.Taken():] {
				n += len(f)
			}
			return n
		}
		c := ring.From(1)
		for range 500 {
			switch r.IntN(6) {
			case 0, 1:
				f := frame(uint64(len(list)+1), r.IntN(1<<r.IntN(16)))
				if fits := held() == 0 || held() < limit/4 || held()+len(f) <= limit; ring.Fits(len(f)) != fits {
					t.Fatalf("seed %d: Fits: got %v with %d bytes", seed, !fits, held())
				} else if !fits {
					continue
				}
				var got []byte
				if r.IntN(2) == 0 {
					b := ring.Buffer()
					start := len(b)
					if b = append(b, f...); r.IntN(4) == 0 {
						b = slices.Clip(b) // as an Encoder may
					}
					got = ring.Accept(b, start)
				} else {
					got = ring.Accept(ring.Add(f))
				}
				if !bytes.Equal(got, f) { // under the race detector what is back in the pool has changed
					t.Fatalf("seed %d: Accept: the frame that it returns has changed", seed)
				}
				list = append(list, f)
				if c.Next() == ring.Last() && r.IntN(2) == 0 {
					ring.Sends(&c, len(f))
				}
			case 5:
				got := ring.Frames(&c, 1+r.IntN(1<<15))
				if (got == nil) != (c.Next() > ring.Last()) {
					t.Fatalf("seed %d: at message %d of %d: %d bytes", seed, c.Next(), ring.Last(), len(got))
				}
				for n, most := 0, r.IntN(5); len(got) > 0 && n < most; n++ { // as many as were taken
					f := list[c.Next()-1]
					if !bytes.HasPrefix(got, f) {
						t.Fatalf("seed %d: message %d: got %d bytes that are not it", seed, c.Next(), len(got))
					}
					c.Pass(1, len(f))
					got = got[len(f):]
				}
			case 2:
				for range r.IntN(5) {
					n := c.Next()
					got, ok := ring.Frame(&c)
					if ok != (n <= uint64(len(list))) || ok && !bytes.Equal(got, list[n-1]) {
						t.Fatalf("seed %d: message %d: got %d bytes, %v", seed, n, len(got), ok)
					}
				}
			case 3:
				n := ring.Taken() + uint64(r.IntN(int(ring.Sent()-ring.Taken())+1))
				if err := ring.Ack(n, r.IntN(2) == 0); err != nil {
					t.Fatal(err)
				}
			case 4:
				c = ring.From(ring.Taken() + 1 + uint64(r.IntN(int(ring.Sent()-ring.Taken())+1)))
			}
			if c.Next() <= ring.Taken() {
				c = ring.From(ring.Taken() + 1)
			}
			if ring.Bytes() != held() || ring.Last() != uint64(len(list)) {
				t.Fatalf("seed %d: %d bytes, %d messages, want %d and %d", seed, ring.Bytes(), ring.Last(), held(), len(list))
			}
		}
		sent, next := ring.Sent(), ring.Taken()
		ring.Unacknowledged(func(payload []byte, wasSent bool) bool {
			next++
			if !bytes.Equal(payload, list[next-1][4:]) || wasSent != (next <= sent) {
				t.Fatalf("seed %d: unacknowledged %d: %v", seed, next, wasSent)
			}
			return true
		})
		if next != ring.Last() || ring.Sent() != sent {
			t.Errorf("seed %d: unacknowledged up to %d of %d", seed, next, ring.Last())
		}
	}
}

// A small frame behind a large one does not take as much memory as that, and a ring that holds no frame holds nothing.
func TestSmallBehindLarge(t *testing.T) {
	ring := NewRing(1 << 22)
	add := func(n uint64, size int) {
		b := ring.Buffer()
		ring.Accept(append(b, frame(n, size)...), len(b))
		c := ring.From(n)
		ring.Frame(&c)
	}
	add(1, 1<<20)
	if err := ring.Ack(1, true); err != nil {
		t.Fatal(err)
	}
	add(2, 100)
	if got := cap(ring.blocks[0].buf); got > 2*Large {
		t.Errorf("a frame of 100 bytes takes %d, want at most %d", got, 2*Large)
	}
	if err := ring.Ack(2, true); err != nil {
		t.Fatal(err)
	}
	ring.Buffer()
	ring.Unused()
	if ring.next != nil || ring.blocks != nil {
		t.Errorf("a ring without frames holds %d bytes and %d blocks", cap(ring.next), len(ring.blocks))
	}
}

func TestRingRefusesCounts(t *testing.T) {
	ring := NewRing(1000)
	for n := range uint64(5) {
		ring.Accept(ring.Add(frame(n, 10)))
	}
	c := ring.From(1)
	for range 3 {
		ring.Frame(&c)
	}
	if err := ring.Ack(2, true); err != nil {
		t.Fatal(err)
	}
	for _, n := range []uint64{0, 1, 4, 5, 6, 1 << 63} {
		if err := ring.Ack(n, true); !errors.Is(err, wire.ErrProtocol) {
			t.Errorf("Ack(%d): got %v", n, err)
		}
		if err := ring.CheckGot(n); !errors.Is(err, wire.ErrProtocol) {
			t.Errorf("CheckGot(%d): got %v", n, err)
		}
	}
	for _, n := range []uint64{2, 3} {
		if err := ring.CheckGot(n); err != nil {
			t.Error(err)
		}
	}
}

// Receipts follow what is in a queue that does not tell.
func TestReceipts(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		var in Receipts
		in.SetKeep(1 << r.IntN(12))
		var queue []uint64 // the messages that are in it
		var had, acked uint64
		hand := false
		for range 500 {
			switch r.IntN(5) {
			case 0:
				if !hand {
					had++
					in.Have(1)
					hand = true
				}
			case 1:
				if hand {
					queue = append(queue, had)
					in.Put(r.IntN(100))
					hand = false
				}
			case 2:
				if n := r.IntN(len(queue) + 1); n > 0 {
					queue = queue[n:]
				}
				in.Look(len(queue))
			case 3:
				if !hand {
					had++
					in.Skip(r.IntN(100), len(queue))
				}
			case 4:
				if r.IntN(4) == 0 {
					in.Ask()
				}
				in.Look(len(queue))
				if in.Due() {
					n := in.Ack()
					if n <= acked {
						t.Fatalf("seed %d: ack of %d after %d", seed, n, acked)
					}
					acked = n
				}
			}
			in.Look(len(queue))
			want := had
			if hand {
				want--
			}
			if len(queue) > 0 {
				want = queue[0] - 1
			}
			if in.Had() != had || in.Taken() > want {
				t.Fatalf("seed %d: had %d, taken %d, want %d, at most %d", seed, in.Had(), in.Taken(), had, want)
			}
			if len(queue) == 0 && in.Taken() != want {
				t.Fatalf("seed %d: taken %d of %d, and the queue is empty", seed, in.Taken(), want)
			}
		}
	}
}
