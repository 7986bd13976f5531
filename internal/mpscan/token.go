package mpscan

import "math"

// token is the first part of a value that has been checked: its header, and
// what belongs to it alone. The values in a container are tokens of their own.
type token struct {
	kind   kind
	start  int
	header int // up to here v5 reads byte by byte
	end    int // where the next token begins
	count  int // elements or entries of a container, bytes of a str, bin or ext
}

// tokenAt reads the token at b[i], which must be there in full.
func tokenAt(b []byte, i int) token {
	c := b[i]
	if c <= 0x7f || c >= 0xe0 {
		return token{fixed, i, i + 1, i + 1, 0}
	}
	f := &formats[c]
	at := i + 1 + int(f.width)
	n := int(f.size)
	for _, d := range b[i+1 : at] {
		n = n<<8 | int(d)
	}
	header := i + 1
	if f.width == 1 || f.kind == fixed && n == 1 {
		header++
	}
	switch f.kind {
	case array, object:
		return token{f.kind, i, header, at, n}
	case ext: // v5 can skip a header in single bytes, the type included
		return token{ext, i, at + 1, at + 1 + n, n}
	}
	return token{f.kind, i, header, at + n, n}
}

// Cost returns how many bytes it can take to decode b, a value that has been
// checked, into an any: what a decoder of unknown purpose is expected to need.
func Cost(b []byte) int {
	total := 0
	for i := 0; i < len(b); {
		switch c := b[i]; { // the frequent ones without a token
		case c <= 0x7f || c >= 0xe0:
			total += BytesCost(1)
			i++
			continue
		case c&0xf0 == 0x90:
			total += SliceCost(int(c&0xf), anySize) + anySize
			i++
			continue
		case c&0xe0 == 0xa0:
			n := 1 + int(c&0x1f)
			total += BytesCost(n)
			i += n
			continue
		}
		t := tokenAt(b, i)
		switch t.kind {
		case array:
			total += SliceCost(t.count, anySize) + anySize
		case object:
			total += MapCost(t.count, 2*anySize)
		default:
			total += BytesCost(t.end - t.start)
		}
		i = t.end
	}
	return total
}

// anySize is the size of an any, of a string, and a bound on that of a slice.
const anySize = 24

// The following bound what the Go runtime sets aside, its rounding included.

// BytesCost is for a string or []byte of n bytes.
func BytesCost(n int) int { return n + n/4 + 8 }

// SliceCost is for n elements of the given size.
func SliceCost(n, size int) int {
	if size > 0 && n > math.MaxInt/4/size {
		return math.MaxInt / 2
	}
	return BytesCost(n * size)
}

// MapCost is for a map made for n entries, slot being the size of a key and its
// element. Such a map has groups of 8 slots and is at most 7/8 full. From about
// a thousand entries on it consists of parts, which can overflow one by one and
// are then made anew at twice the size.
func MapCost(n, slot int) int {
	const header = 64
	switch slot++; { // a byte of each slot's hash
	case n == 0:
		return header
	case n <= 8:
		return header + SliceCost(8, slot) + 16
	case n <= 896:
		slots := 16
		for slots*7/8 < n {
			slots *= 2
		}
		return header + SliceCost(slots, slot) + 128
	default:
		return header + SliceCost(n, 3*slot)
	}
}
