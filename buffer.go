package qsocket

import (
	"math/bits"
	"sync"
)

// Frame buffers are shared by all connections of the process, so that a
// connection on which nothing happens holds none. They come in powers of two and
// three sizes between each two of these, so that a quarter more than was asked
// for is the most; larger ones are left to the garbage collector.
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
	bufferPools [4*(maxBufferBits-minBufferBits) + 1]sync.Pool // of *bufferBox, by sizeClass
	emptyBoxes  = sync.Pool{New: func() any { return new(bufferBox) }}
)

// getBuffer returns an empty slice with a capacity of at least size bytes.
func getBuffer(size int) []byte {
	if size > maxBuffer {
		return make([]byte, 0, size)
	}
	class, room := sizeClass(max(size, minBuffer))
	box, _ := bufferPools[class].Get().(*bufferBox)
	if box == nil {
		return make([]byte, 0, room)
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
	class, room := sizeClass(cap(b))
	if room > cap(b) {
		class--
	}
	box := emptyBoxes.Get().(*bufferBox)
	box.b = b[:0]
	bufferPools[class].Put(box)
}

// sizeClass returns the smallest class whose buffers have room for size bytes,
// and that room. size is between minBuffer and maxBuffer.
func sizeClass(size int) (class, room int) {
	top := uint(size - 1)
	shift := bits.Len(top) - 3 // of top's first three bits: 100 to 111
	class = 4*(shift+2-minBufferBits) + int(top>>shift&3) + 1
	return class, int(top>>shift+1) << shift
}
