package mpplan

import (
	"encoding/binary"
	"math"
)

func (d *Decoder) bool(i int, p *bool) int {
	if i < len(d.b) {
		switch d.b[i] {
		case 0xc2, nilByte:
			*p = false
			return i + 1
		case 0xc3:
			*p = true
			return i + 1
		}
	}
	return d.unexpected(i, "a bool")
}

// integer reads the integer at i, whatever its format. A negative one is v in
// two's complement.
func (d *Decoder) integer(i int) (v uint64, negative bool, end int) {
	b := d.b
	if i >= len(b) {
		return 0, false, d.end(i)
	}
	c := b[i]
	if c <= 0x7f {
		return uint64(c), false, i + 1
	}
	if c >= 0xe0 {
		return uint64(int64(int8(c))), true, i + 1
	}
	b = b[i+1:]
	switch c {
	case 0xcf:
		if len(b) >= 8 {
			return binary.BigEndian.Uint64(b), false, i + 9
		}
		return 0, false, d.lacking(i, 8)
	case 0xce:
		if len(b) >= 4 {
			return uint64(binary.BigEndian.Uint32(b)), false, i + 5
		}
		return 0, false, d.lacking(i, 4)
	case 0xcd:
		if len(b) >= 2 {
			return uint64(binary.BigEndian.Uint16(b)), false, i + 3
		}
		return 0, false, d.lacking(i, 2)
	case 0xcc:
		if len(b) >= 1 {
			return uint64(b[0]), false, i + 2
		}
		return 0, false, d.lacking(i, 1)
	case nilByte:
		return 0, false, i + 1
	}
	var s int64
	switch c {
	case 0xd3:
		if len(b) < 8 {
			return 0, false, d.lacking(i, 8)
		}
		s, end = int64(binary.BigEndian.Uint64(b)), i+9
	case 0xd2:
		if len(b) < 4 {
			return 0, false, d.lacking(i, 4)
		}
		s, end = int64(int32(binary.BigEndian.Uint32(b))), i+5
	case 0xd1:
		if len(b) < 2 {
			return 0, false, d.lacking(i, 2)
		}
		s, end = int64(int16(binary.BigEndian.Uint16(b))), i+3
	case 0xd0:
		if len(b) < 1 {
			return 0, false, d.lacking(i, 1)
		}
		s, end = int64(int8(b[0])), i+2
	default:
		return 0, false, d.unexpected(i, "an integer")
	}
	return uint64(s), s < 0, end
}

// signed reads an integer from low to high.
func (d *Decoder) signed(i int, low, high int64, n *node) (int64, int) {
	v, negative, end := d.integer(i)
	if s := int64(v); (negative || s >= 0) && s >= low && s <= high {
		return s, end
	}
	return 0, d.overflows(v, negative, n)
}

// unsigned reads an integer up to high.
func (d *Decoder) unsigned(i int, high uint64, n *node) (uint64, int) {
	v, negative, end := d.integer(i)
	if !negative && v <= high {
		return v, end
	}
	return 0, d.overflows(v, negative, n)
}

func (d *Decoder) overflows(v uint64, negative bool, n *node) int {
	if negative {
		d.fail("%d overflows %v", int64(v), n.typ)
	} else {
		d.fail("%d overflows %v", v, n.typ)
	}
	return failed
}

func (d *Decoder) float64(i int, p *float64) int {
	if b := d.b; i < len(b) {
		switch b[i] {
		case 0xcb:
			if len(b)-i < 9 {
				return d.lacking(i, 8)
			}
			*p = math.Float64frombits(binary.BigEndian.Uint64(b[i+1:]))
			return i + 9
		case 0xca:
			if len(b)-i < 5 {
				return d.lacking(i, 4)
			}
			*p = float64(math.Float32frombits(binary.BigEndian.Uint32(b[i+1:])))
			return i + 5
		}
	}
	v, negative, end := d.integer(i)
	f := float64(v)
	if negative {
		f = float64(int64(v))
	}
	if end >= 0 && !exact(f, v, negative) {
		return d.inexact(v, negative, "float64")
	}
	*p = f
	return end
}

func (d *Decoder) float32(i int, p *float32) int {
	if b := d.b; i < len(b) && b[i] == 0xca {
		if len(b)-i < 5 {
			return d.lacking(i, 4)
		}
		*p = math.Float32frombits(binary.BigEndian.Uint32(b[i+1:]))
		return i + 5
	}
	v, negative, end := d.integer(i)
	f := float32(v)
	if negative {
		f = float32(int64(v))
	}
	if end >= 0 && !exact(float64(f), v, negative) {
		return d.inexact(v, negative, "float32")
	}
	*p = f
	return end
}

// exact reports whether f, to which the integer v was rounded, is equal to it.
func exact(f float64, v uint64, negative bool) bool {
	if negative {
		return int64(f) == int64(v) // not below -1<<63
	}
	return f < 1<<64 && uint64(f) == v
}

func (d *Decoder) inexact(v uint64, negative bool, typ string) int {
	if negative {
		d.fail("%d is no %s", int64(v), typ)
	} else {
		d.fail("%d is no %s", v, typ)
	}
	return failed
}
