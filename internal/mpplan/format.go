package mpplan

import (
	"encoding/binary"
	"math"
	"time"
)

// What follows appends values in the shortest form.

func appendUint(b []byte, v uint64) []byte {
	switch {
	case v <= math.MaxInt8:
		return append(b, byte(v))
	case v <= math.MaxUint8:
		return append(b, 0xcc, byte(v))
	case v <= math.MaxUint16:
		return append(b, 0xcd, byte(v>>8), byte(v))
	case v <= math.MaxUint32:
		return append(b, 0xce, byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
	default:
		return appendUint64(b, 0xcf, v)
	}
}

func appendInt(b []byte, v int64) []byte {
	switch {
	case v >= 0:
		return appendUint(b, uint64(v))
	case v >= -32:
		return append(b, byte(v))
	case v >= math.MinInt8:
		return append(b, 0xd0, byte(v))
	case v >= math.MinInt16:
		return append(b, 0xd1, byte(v>>8), byte(v))
	case v >= math.MinInt32:
		return append(b, 0xd2, byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
	default:
		return appendUint64(b, 0xd3, uint64(v))
	}
}

func appendUint64(b []byte, c byte, v uint64) []byte {
	return append(b, c, byte(v>>56), byte(v>>48), byte(v>>40), byte(v>>32), byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 0xc3)
	}
	return append(b, 0xc2)
}

func appendFloat32(b []byte, v float32) []byte {
	n := math.Float32bits(v)
	if v != v {
		n |= 1 << 22 // quiet, as v5 makes it on the way through a float64
	}
	return append(b, 0xca, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// appendString does not look at what s consists of.
func appendString(b []byte, s string) []byte {
	if n := len(s); n < 32 {
		b = append(b, 0xa0|byte(n))
	} else {
		b = appendLen(b, 0xd9, n)
	}
	return append(b, s...)
}

func appendBytes(b, v []byte) []byte {
	if v == nil {
		return append(b, nilByte)
	}
	return append(appendLen(b, 0xc4, len(v)), v...)
}

// appendLen appends a length in 8, 16 or 32 bits, behind c or one of the two
// bytes after it.
func appendLen(b []byte, c byte, n int) []byte {
	if n <= math.MaxUint8 {
		return append(b, c, byte(n))
	}
	return appendCount(b, c+1, n)
}

// appendCount appends a count in 16 or 32 bits, behind c or the byte after it.
func appendCount(b []byte, c byte, n int) []byte {
	if n <= math.MaxUint16 {
		return append(b, c, byte(n>>8), byte(n))
	}
	return append(b, c+1, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
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

// appendTime appends a timestamp: seconds in 32 bits, nanoseconds and seconds in
// 30 and 34, or in 32 and 64.
func appendTime(b []byte, t time.Time) []byte {
	sec, nsec := uint64(t.Unix()), uint64(t.Nanosecond())
	switch {
	case sec>>34 != 0:
		b = append(b, 0xc7, 12, 0xff)
		b = binary.BigEndian.AppendUint32(b, uint32(nsec))
		return binary.BigEndian.AppendUint64(b, sec)
	case nsec == 0 && sec>>32 == 0:
		return binary.BigEndian.AppendUint32(append(b, 0xd6, 0xff), uint32(sec))
	default:
		return binary.BigEndian.AppendUint64(append(b, 0xd7, 0xff), nsec<<34|sec)
	}
}
