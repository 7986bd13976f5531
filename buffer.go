package qsocket

import (
	"math/bits"
	"sync"
)

// Frame buffers are shared by all connections of the process, so that a
// connection on which nothing happens holds none. They come in powers of two;
// larger ones are left to the garbage collector.
const (
	minBuffer = 1 << minBufferBits
	maxBuffer = 1 << maxBufferBits

	minBufferBits = 9  // 512 B
	maxBufferBits = 22 // 4 MiB
)

// A bufferBox carries a slice through a sync.Pool, which would otherwise
// allocate for each slice header. Empty boxes are pooled as well.
type bufferBox struct{ b []byte }

var (
	bufferPools [maxBufferBits - minBufferBits + 1]sync.Pool // of *bufferBox with a buffer of that power of two
	emptyBoxes  = sync.Pool{New: func() any { return new(bufferBox) }}
)

// getBuffer returns an empty slice with a capacity of at least size bytes.
func getBuffer(size int) []byte {
	if size > maxBuffer {
		return make([]byte, 0, size)
	}
	class := bits.Len(uint(max(size, minBuffer)-1)) - minBufferBits
	box, _ := bufferPools[class].Get().(*bufferBox)
	if box == nil {
		return make([]byte, 0, minBuffer<<class)
	}
	b := box.b
	box.b = nil
	emptyBoxes.Put(box)
	return b
}

// putBuffer takes back a buffer that nobody uses any more. Slices that append
// has moved elsewhere are welcome too: they serve the class they fill.
func putBuffer(b []byte) {
	if cap(b) < minBuffer || cap(b) > maxBuffer {
		return
	}
	box := emptyBoxes.Get().(*bufferBox)
	box.b = b[:0]
	bufferPools[bits.Len(uint(cap(b)))-1-minBufferBits].Put(box)
}
