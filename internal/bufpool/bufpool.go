// Package bufpool lends byte slices to the connections of a process.
//
// Frame buffers are shared by all connections, so that a connection on which
// nothing happens holds none.
package bufpool

import (
	"math/bits"
	"sync"
)

// The sizes of buffers are the powers of two, and three sizes between each two of them,
// so that a buffer is at most a quarter larger than was asked for. Buffers above the
// largest class are left to the garbage collector.
const (
	// Min is the capacity of the smallest buffers, bytes.
	Min = 1 << minBits
	// Max is the capacity of the largest buffers that are kept, bytes.
	Max = 1 << maxBits

	minBits = 9  // 512 B
	maxBits = 22 // 4 MiB
)

// A box carries a slice through a sync.Pool, which would otherwise allocate for
// each slice header. Empty boxes are pooled as well.
type box struct{ b []byte }

var (
	pools [4*(maxBits-minBits) + 1]sync.Pool // of *box, by class
	empty = sync.Pool{New: func() any { return new(box) }}
)

// Get returns an empty slice with a capacity of at least size bytes.
func Get(size int) []byte {
	if size > Max {
		return make([]byte, 0, size)
	}
	class, capacity := sizeClass(max(size, Min))
	x, _ := pools[class].Get().(*box)
	if x == nil {
		return make([]byte, 0, capacity)
	}
	b := x.b
	x.b = nil
	empty.Put(x)
	return b
}

// Put takes back a buffer that is no longer in use. It need not come from Get: a
// slice that append has moved elsewhere serves the class that it fills. A nil slice,
// and one outside the classes, is dropped.
func Put(b []byte) {
	if cap(b) < Min || cap(b) > Max {
		return
	}
	if poison {
		copy(b[:cap(b)], given)
	}
	class, capacity := sizeClass(cap(b))
	if capacity > cap(b) {
		class--
	}
	x := empty.Get().(*box)
	x.b = b[:0]
	pools[class].Put(x)
}

// sizeClass returns the smallest class whose buffers hold size bytes, and their
// capacity. size is between Min and Max.
func sizeClass(size int) (class, capacity int) {
	top := uint(size - 1)
	shift := bits.Len(top) - 3 // of top's first three bits: 100 to 111
	class = 4*(shift+2-minBits) + int(top>>shift&3) + 1
	return class, int(top>>shift+1) << shift
}
