package gobscan

import "math"

// The ids of types that need no definition. Others below firstID describe
// definitions; no value has them.
const (
	idBool      = 1
	idInt       = 2
	idUint      = 3
	idFloat     = 4
	idBytes     = 5
	idString    = 6
	idComplex   = 7
	idInterface = 8
	firstID     = 64
)

// readUint reads the unsigned integer at b[i:] and returns the offset behind
// it, or one below 0 if there is none.
func readUint(b []byte, i int) (uint64, int) {
	if i < len(b) && b[i] <= 0x7f {
		return uint64(b[i]), i + 1
	}
	return readLongUint(b, i)
}

// readLongUint is readUint for integers that are not one byte: the number of
// bytes that follow, negated, and then those. gob accepts more bytes than needed.
//
//go:noinline
func readLongUint(b []byte, i int) (uint64, int) {
	if i >= len(b) {
		return 0, -1
	}
	n := -int(int8(b[i]))
	if n > 8 || n > len(b)-i-1 {
		return 0, -1
	}
	i++
	var x uint64
	for _, c := range b[i : i+n] {
		x = x<<8 | uint64(c)
	}
	return x, i + n
}

// skipUint returns the offset behind the unsigned integer at b[i:]. It is beyond
// the end of b if there is none.
func skipUint(b []byte, i int) int {
	if i >= len(b) {
		return len(b) + 1
	}
	c := b[i]
	if c <= 0x7f {
		return i + 1
	}
	if c < 0xf8 { // more than 8 bytes
		return len(b) + 1
	}
	return i + 257 - int(c)
}

// signed undoes the encoding of signed integers in unsigned ones.
func signed(x uint64) int64 {
	if x&1 != 0 {
		return ^int64(x >> 1)
	}
	return int64(x >> 1)
}

// typeID reads the id of a type at i in the current message: of the value that
// follows, or, negated, of the definition that follows.
func (s *Scanner) typeID(i int) (int32, int, error) {
	x, next := readUint(s.payload[:s.end], i)
	if next < 0 {
		return 0, i, s.badUint(s.payload[:s.end], i)
	}
	id := signed(x)
	// gob cuts it to 32 bits without an error.
	if id < -math.MaxInt32 || id > math.MaxInt32 {
		return 0, i, s.errorf(i, "type id %d, want one of 32 bits", id)
	}
	return int32(id), next, nil
}
