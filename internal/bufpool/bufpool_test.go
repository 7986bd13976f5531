package bufpool_test

import (
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/bufpool"
)

// Buffers of a pool have room for what was asked for, and a quarter more at
// most; what is given back serves no size that it is too small for.
func TestBuffers(t *testing.T) {
	const small, large = bufpool.Min, bufpool.Max
	for size := small; size <= large; size += 1 + size/50 {
		b := bufpool.Get(size)
		if len(b) != 0 || cap(b) < size || cap(b) > size+size/4+8192 {
			t.Fatalf("for %d bytes: a buffer of length %d and capacity %d", size, len(b), cap(b))
		}
		for _, foreign := range []int{size - 1, size, size + 1} {
			bufpool.Put(make([]byte, foreign))
			if b := bufpool.Get(size); cap(b) < size {
				t.Fatalf("for %d bytes after one of %d was given back: %d", size, foreign, cap(b))
			}
		}
	}
	for _, size := range []int{0, 1, small - 1, large + 1} {
		bufpool.Put(make([]byte, size))
		if b := bufpool.Get(size); len(b) != 0 || cap(b) < size {
			t.Errorf("for %d bytes: a buffer of length %d and capacity %d", size, len(b), cap(b))
		}
	}
}
