// Package mpscan checks MessagePack values before a decoder sees them.
//
// The decoder of github.com/vmihailenco/msgpack/v5 believes what a payload
// announces: five bytes make it allocate a slice of four billion elements, and
// nesting is followed on the stack until the process dies of it. [Scanner.Scan]
// walks a value without recursion, and accepts it only if every count and length
// is covered by bytes that are there. A [Reader] then hands it to v5,
// and keeps v5 on what Scan has looked at.
//
// The format is that of https://github.com/msgpack/msgpack/blob/master/spec.md.
package mpscan

import (
	"encoding/binary"
	"unicode/utf8"
)

// MaxDepth is how many arrays and maps may be open inside each other.
const MaxDepth = 100

// internedString is the type of the extension in which v5 refers to a string
// that it has sent before. What it refers to is state that a payload of its own
// must not depend on.
const internedString = -128

// A Scanner checks payloads, one at a time. The zero value is ready for use.
type Scanner struct {
	// AllowInvalidUTF8 accepts str values that are not UTF-8.
	AllowInvalidUTF8 bool

	open []int // values still to come in the containers around the innermost one; grows to MaxDepth at most
}

// Scan accepts b if it is exactly one MessagePack value, nested at most
// MaxDepth deep. Errors say what stands where. One that means that b ends too
// early, or that it announces more than it has, wraps io.ErrUnexpectedEOF.
func (s *Scanner) Scan(b []byte) error {
	end, err := s.Skip(b, 0, 0)
	if err == nil && end != len(b) {
		return trailing(end, len(b))
	}
	return err
}

// Sequence accepts b if it is any number of values, one after the other.
func (s *Scanner) Sequence(b []byte) error {
	for i := 0; i < len(b); {
		var err error
		if i, err = s.Skip(b, i, 0); err != nil {
			return err
		}
	}
	return nil
}

// Skip checks the value that begins at b[i] inside of base containers, and
// returns where it ends.
func (s *Scanner) Skip(b []byte, i, base int) (end int, err error) {
	left := 1 // values still to come in the innermost container
	depth := base
	for {
		for left == 0 {
			if depth == base {
				return i, nil
			}
			depth--
			left = s.open[depth-base]
		}
		left--
		if i == len(b) {
			return i, short{what: "value", at: i}
		}
		c := b[i]
		if c <= 0x7f || c >= 0xe0 { // positive and negative fixint
			i++
			continue
		}

		if c&0xe0 == 0xa0 { // fixstr, the other frequent one
			n := int(c & 0x1f)
			rest := b[i+1:]
			if len(rest) < n {
				return i, short{what: "str", unit: "bytes", count: uint32(n), at: i, left: len(rest)}
			}
			// The shortest ones, keys above all, are looked at in one piece.
			if n > 8 || len(rest) < 8 || binary.LittleEndian.Uint64(rest)<<(64-8*uint(n))&highBits != 0 {
				if !s.AllowInvalidUTF8 && !ascii(rest, n) && !utf8.Valid(rest[:n]) {
					return i, notUTF8(rest[:n], i)
				}
			}
			i += 1 + n
			continue
		}

		// The length of a str, bin or ext, or the count of a container, is in
		// the first byte itself or in the width bytes after it.
		f := &formats[c]
		start := i
		width := int(f.width)
		i++
		if len(b)-i < width {
			return i, short{what: f.name, at: start, need: width, left: len(b) - i}
		}
		size := int(f.size)
		for _, d := range b[i : i+width] {
			size = size<<8 | int(d)
		}
		i += width

		switch f.kind {
		case fixed:
			if len(b)-i < size {
				return i, short{what: f.name, at: start, need: size, left: len(b) - i}
			}
			i += size

		case str:
			if uint(size) > uint(len(b)-i) {
				return i, short{what: "str", unit: "bytes", count: uint32(size), at: start, left: len(b) - i}
			}
			if !s.AllowInvalidUTF8 && !utf8.Valid(b[i:i+size]) {
				return i, notUTF8(b[i:i+size], start)
			}
			i += size

		case bin:
			if uint(size) > uint(len(b)-i) {
				return i, short{what: "bin", unit: "bytes", count: uint32(size), at: start, left: len(b) - i}
			}
			i += size

		case ext:
			// The type byte is not part of the announced length.
			if uint(size) >= uint(len(b)-i) {
				return i, short{what: "extension", unit: "bytes", count: uint32(size), at: start, left: max(len(b)-i-1, 0)}
			}
			if int8(b[i]) == internedString {
				return i, interned(start)
			}
			i++
			i += size

		case array, object:
			room := len(b) - i
			what, unit := "array", "elements"
			if f.kind == object {
				room /= 2
				what, unit = "map", "entries"
			}
			if uint(size) > uint(room) {
				return i, short{what: what, unit: unit, count: uint32(size), at: start, left: len(b) - i}
			}
			if depth == MaxDepth {
				return i, tooDeep(what, start)
			}
			s.open = append(s.open[:depth-base], left)
			depth++
			left = size
			if f.kind == object {
				left *= 2
			}

		default:
			return i, reserved(c, start)
		}
	}
}

// ascii reports whether the first n bytes of b are ASCII, n being at most
// len(b). It reads eight bytes at a time, beyond n where b goes on.
func ascii(b []byte, n int) bool {
	for n > 8 && len(b) >= 8 {
		if binary.LittleEndian.Uint64(b)&highBits != 0 {
			return false
		}
		b, n = b[8:], n-8
	}
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b)<<(64-8*uint(n))&highBits == 0
	}
	var all byte
	for _, c := range b[:n] {
		all |= c
	}
	return all < utf8.RuneSelf
}

// highBits has the bit of each byte that no ASCII character sets.
const highBits = 0x8080808080808080

// mapLike reports whether v5 takes a value that begins with c for a map.
func mapLike(c byte) bool {
	return c>>4 == 0x8 || c == 0xc0 || c == 0xde || c == 0xdf
}
