package value

import (
	"encoding/binary"
	"math"

	"github.com/fb9bb4ed/qsocket/internal/mpscan"
)

// token is the first part of a MessagePack value: its header, and what belongs to it alone.
// https://github.com/msgpack/msgpack/blob/master/spec.md
type token struct {
	kind  tokenKind
	first byte
	num   integer // of an integer
	bits  uint64  // of a float; of a bool 0 or 1
	count int     // elements or entries of a container
	data  []byte  // of a str, bin or extension
	ext   int8
}

type tokenKind uint8

const (
	nilToken tokenKind = iota
	boolToken
	intToken
	float32Token
	float64Token
	strToken
	binToken
	extToken
	arrayToken
	mapToken
)

// format names the format as the specification does.
func (t token) format() string { return mpscan.Format(t.first) }

// reader yields the tokens of a payload that mpscan has accepted: all that is announced is there.
type reader struct {
	b []byte
	i int
}

func (r *reader) uint(width int) (v uint64) {
	for _, c := range r.b[r.i : r.i+width] {
		v = v<<8 | uint64(c)
	}
	r.i += width
	return v
}

func (r *reader) take(n int) []byte {
	r.i += n
	return r.b[r.i-n : r.i]
}

// peek returns the first byte of what comes next.
func (r *reader) peek() byte { return r.b[r.i] }

func (r *reader) next() token {
	c := r.b[r.i]
	r.i++
	t := token{first: c}
	switch {
	case c <= 0x7f:
		t.kind, t.num = intToken, integer{false, uint64(c)}
	case c >= 0xe0:
		t.kind, t.num = intToken, integer{true, uint64(int64(int8(c)))}
	case c <= 0x8f:
		t.kind, t.count = mapToken, int(c&0xf)
	case c <= 0x9f:
		t.kind, t.count = arrayToken, int(c&0xf)
	case c <= 0xbf:
		t.kind, t.data = strToken, r.take(int(c&0x1f))
	case c == 0xc0:
	case c == 0xc2 || c == 0xc3:
		t.kind, t.bits = boolToken, uint64(c&1)
	case c >= 0xc4 && c <= 0xc6:
		t.kind = binToken
		t.data = r.take(int(r.uint(1 << (c - 0xc4))))
	case c >= 0xc7 && c <= 0xc9:
		n := int(r.uint(1 << (c - 0xc7)))
		t.kind, t.ext = extToken, int8(r.uint(1))
		t.data = r.take(n)
	case c == 0xca:
		t.kind, t.bits = float32Token, r.uint(4)
	case c == 0xcb:
		t.kind, t.bits = float64Token, r.uint(8)
	case c >= 0xcc && c <= 0xcf:
		t.kind, t.num = intToken, integer{false, r.uint(1 << (c - 0xcc))}
	case c >= 0xd0 && c <= 0xd3:
		width := 1 << (c - 0xd0)
		v := int64(r.uint(width)<<(64-8*width)) >> (64 - 8*width)
		t.kind, t.num = intToken, integer{v < 0, uint64(v)}
	case c >= 0xd4 && c <= 0xd8:
		t.kind, t.ext = extToken, int8(r.uint(1))
		t.data = r.take(1 << (c - 0xd4))
	case c >= 0xd9 && c <= 0xdb:
		t.kind = strToken
		t.data = r.take(int(r.uint(1 << (c - 0xd9))))
	case c == 0xdc || c == 0xdd:
		t.kind, t.count = arrayToken, int(r.uint(2<<(c-0xdc)))
	default: // map16 and map32; c1 has been refused
		t.kind, t.count = mapToken, int(r.uint(2<<(c-0xde)))
	}
	return t
}

// Timestamps are an extension.
const timeExt = -1

// timestamp returns the point in time that t is, if it is one, as seconds since 1970 and
// nanoseconds.
func (t token) timestamp() (sec int64, nsec uint32, ok bool) {
	if t.kind != extToken || t.ext != timeExt {
		return 0, 0, false
	}
	switch len(t.data) {
	case 4:
		sec = int64(binary.BigEndian.Uint32(t.data))
	case 8:
		v := binary.BigEndian.Uint64(t.data)
		sec, nsec = int64(v&(1<<34-1)), uint32(v>>34)
	case 12:
		nsec, sec = binary.BigEndian.Uint32(t.data), int64(binary.BigEndian.Uint64(t.data[4:]))
	default:
		return 0, 0, false
	}
	return sec, nsec, nsec < 1e9
}

// The following append values in the shortest form, as the library's encoder does.

func appendInteger(b []byte, n integer) []byte {
	v := n.bits
	if n.negative {
		switch i := int64(v); {
		case i >= -32:
			return append(b, byte(i))
		case i >= math.MinInt8:
			return append(b, 0xd0, byte(i))
		case i >= math.MinInt16:
			return binary.BigEndian.AppendUint16(append(b, 0xd1), uint16(i))
		case i >= math.MinInt32:
			return binary.BigEndian.AppendUint32(append(b, 0xd2), uint32(i))
		}
		return binary.BigEndian.AppendUint64(append(b, 0xd3), v)
	}
	switch {
	case v <= math.MaxInt8:
		return append(b, byte(v))
	case v <= math.MaxUint8:
		return append(b, 0xcc, byte(v))
	case v <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, 0xcd), uint16(v))
	case v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, 0xce), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xcf), v)
}

func appendString(b []byte, s string) []byte {
	if len(s) < 32 {
		return append(append(b, 0xa0|byte(len(s))), s...)
	}
	return append(appendLen(b, 0xd9, len(s)), s...)
}

func appendBin(b, data []byte) []byte { return append(appendLen(b, 0xc4, len(data)), data...) }

// appendLen appends a length in 8, 16 or 32 bits, behind c or one of the two bytes after it.
func appendLen(b []byte, c byte, n int) []byte {
	if n <= math.MaxUint8 {
		return append(b, c, byte(n))
	}
	return appendCount(b, c+1, n)
}

func appendCount(b []byte, c byte, n int) []byte {
	if n <= math.MaxUint16 {
		return binary.BigEndian.AppendUint16(append(b, c), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, c+1), uint32(n))
}

func appendArray(b []byte, n int) []byte {
	if n < 16 {
		return append(b, 0x90|byte(n))
	}
	return appendCount(b, 0xdc, n)
}

func appendMap(b []byte, n int) []byte {
	if n < 16 {
		return append(b, 0x80|byte(n))
	}
	return appendCount(b, 0xde, n)
}

func appendTime(b []byte, sec int64, nsec uint32) []byte {
	switch {
	case uint64(sec)>>34 != 0:
		b = binary.BigEndian.AppendUint32(append(b, 0xc7, 12, 0xff), nsec)
		return binary.BigEndian.AppendUint64(b, uint64(sec))
	case nsec == 0 && uint64(sec)>>32 == 0:
		return binary.BigEndian.AppendUint32(append(b, 0xd6, 0xff), uint32(sec))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xd7, 0xff), uint64(nsec)<<34|uint64(sec))
}

func appendExt(b []byte, kind int8, data []byte) []byte {
	switch len(data) {
	case 1, 2, 4, 8, 16:
		first := byte(0xd4)
		for n := 1; n < len(data); n *= 2 {
			first++
		}
		b = append(b, first)
	default:
		b = appendLen(b, 0xc7, len(data))
	}
	return append(append(b, byte(kind)), data...)
}
