package mpplan

import (
	"encoding/binary"
	"unicode/utf8"
	"unsafe"
)

// highBits has the bit of each byte that no ASCII character sets, and lowBits the lowest of each.
const (
	highBits = 0x8080808080808080
	lowBits  = 0x0101010101010101
)

// copyASCII copies s, of less than 32 bytes, to dst, and reports whether it is
// ASCII. It copies in words, the last two of which may overlap.
func copyASCII(dst []byte, s string) bool {
	src := unsafe.Slice(unsafe.StringData(s), len(s))
	n := len(src)
	dst = dst[:n]
	var all uint64
	switch {
	case n >= 8:
		for i := 0; i < n-8; i += 8 {
			w := binary.LittleEndian.Uint64(src[i:])
			binary.LittleEndian.PutUint64(dst[i:], w)
			all |= w
		}
		w := binary.LittleEndian.Uint64(src[n-8:])
		binary.LittleEndian.PutUint64(dst[n-8:], w)
		all |= w
	case n >= 4:
		v, w := binary.LittleEndian.Uint32(src), binary.LittleEndian.Uint32(src[n-4:])
		binary.LittleEndian.PutUint32(dst, v)
		binary.LittleEndian.PutUint32(dst[n-4:], w)
		all = uint64(v | w)
	default:
		for i, c := range src {
			dst[i] = c
			all |= uint64(c)
		}
	}
	return all&highBits == 0
}

// validUTF8 reports whether b is UTF-8. Most strings are short and ASCII.
func validUTF8(b []byte) bool {
	if len(b) > 4*part {
		return validLong(b)
	}
	rest := b[asciiLines(b):]
	for len(rest) >= 8 {
		if binary.LittleEndian.Uint64(rest)&highBits != 0 {
			return validText(rest)
		}
		rest = rest[8:]
	}
	return lastWord(b, len(rest))&highBits == 0 || validText(rest)
}

// validLong is validUTF8 for a long text, of which some parts may be ASCII, some of letters of two bytes, and some of others.
//
//go:noinline
func validLong(b []byte) bool {
	b = b[asciiLines(b):]
	for some := part; len(b) > 4*part; b = b[asciiLines(b):] {
		n := twos(b)
		if b = b[n:]; n >= part {
			some = part
		} else { // it is text of another kind
			some = min(16*some, 1<<20)
		}
		n = min(len(b), some)
		for n < len(b) && n > some-utf8.UTFMax && !utf8.RuneStart(b[n]) {
			n--
		}
		if !validText(b[:n]) {
			return false
		}
		b = b[n:]
	}
	return validUTF8(b)
}

// line is what is looked at in one piece, bytes, and part what a long text has at least of one kind, or twos is tried more seldom.
const (
	line = 64
	part = 256
)

// asciiLines returns how many bytes of b are ASCII, in whole lines.
func asciiLines(b []byte) (n int) {
	for ; len(b)-n >= line; n += line {
		p := (*[line]byte)(b[n:])
		w := binary.LittleEndian.Uint64(p[0:8]) | binary.LittleEndian.Uint64(p[8:16]) |
			binary.LittleEndian.Uint64(p[16:24]) | binary.LittleEndian.Uint64(p[24:32]) |
			binary.LittleEndian.Uint64(p[32:40]) | binary.LittleEndian.Uint64(p[40:48]) |
			binary.LittleEndian.Uint64(p[48:56]) | binary.LittleEndian.Uint64(p[56:64])
		if w&highBits != 0 {
			break
		}
	}
	return n
}

// lastWord returns the last n bytes of b, less than 8, with zeros behind them.
func lastWord(b []byte, n int) uint64 {
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b[len(b)-8:]) >> (8 * uint(8-n))
	}
	b = b[len(b)-n:]
	switch {
	case n >= 4:
		return uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint32(b[n-4:]))<<(8*uint(n-4))
	case n > 0:
		return uint64(b[0]) | uint64(b[n/2])<<(8*uint(n/2)) | uint64(b[n-1])<<(8*uint(n-1))
	}
	return 0
}

// validText is validUTF8 for what is not all ASCII. It looks at eight bytes at a time: each byte
// has a bit in the words below, its highest, and a shift to the left moves a bit to the next
// byte. Sequences of four bytes, which are rare, and what is wrong, are left to package utf8.
func validText(b []byte) bool {
	var (
		rest   = b
		expect uint64 // bytes of the next word that have to continue a sequence
		e0, ed uint64 // the last byte before it is one of those, after which not all is allowed
	)
	for {
		var w uint64
		if len(rest) >= 8 {
			w = binary.LittleEndian.Uint64(rest)
			if high := w & highBits; expect == 0 && high == 0 {
				rest = rest[8:]
				continue
			} else if expect == 0 && high == highBits {
				if n := threes(rest); n > 0 {
					rest = rest[n:]
					continue
				}
			}
		} else {
			w = lastWord(b, len(rest))
		}
		high := w & highBits
		lead := high & (w << 1) // 11……
		lead3 := lead & (w << 2)
		if lead3|e0|ed == 0 { // no more than two bytes each
			if (lead<<8|expect)^(high^lead)|lead&^(w<<3|w<<4|w<<5|w<<6) != 0 {
				return utf8.Valid(b)
			}
			if len(rest) < 8 {
				return true // the zeros behind it have continued nothing
			}
			expect = lead >> 56
			rest = rest[8:]
			continue
		}
		lead4 := lead3 & (w << 3)
		long := lead &^ (w<<3 | w<<4 | w<<5 | w<<6) // c0, c1, e0 or e1
		wrong := (lead<<8 | lead3<<16 | expect) ^ (high ^ lead)
		wrong |= lead4 | long&^(w<<2)
		afterE0 := long &^ (w << 7)
		afterED := lead3 & (w << 4) & (w << 5) & (w << 7) &^ (w << 6)
		wrong |= (afterE0<<8|e0)&^(w<<2) | (afterED<<8|ed)&(w<<2)
		if wrong != 0 {
			return utf8.Valid(b)
		}
		if len(rest) < 8 {
			return true
		}
		expect = lead>>56 | lead3>>48
		e0, ed = afterE0>>56, afterED>>56
		rest = rest[8:]
	}
}

// twos returns how many bytes b begins with that are ASCII or sequences of two, as Russian text has them. It looks at four
// words at a time, and stops before some that are right.
func twos(b []byte) (n int) {
	var expect uint64 // bytes of the next word that have to continue a sequence
	const (
		some = 0x1e * lowBits // of these bits a first byte has one, but for c0 and c1
		most = 0x7e * lowBits // makes the highest of them
	)
	for ; len(b)-n >= 32; n += 32 {
		p := (*[32]byte)(b[n:])
		w0, w1, w2, w3 := binary.LittleEndian.Uint64(p[0:8]), binary.LittleEndian.Uint64(p[8:16]), binary.LittleEndian.Uint64(p[16:24]), binary.LittleEndian.Uint64(p[24:32])
		lead0, lead1, lead2, lead3 := w0&(w0<<1)&highBits, w1&(w1<<1)&highBits, w2&(w2<<1)&highBits, w3&(w3<<1)&highBits
		wrong := (lead0<<8 | expect) ^ (w0&highBits ^ lead0)
		wrong |= (lead1<<8 | lead0>>56) ^ (w1&highBits ^ lead1)
		wrong |= (lead2<<8 | lead1>>56) ^ (w2&highBits ^ lead2)
		wrong |= (lead3<<8 | lead2>>56) ^ (w3&highBits ^ lead3)
		wrong |= lead0&(w0<<2) | lead1&(w1<<2) | lead2&(w2<<2) | lead3&(w3<<2)
		wrong |= lead0&^(w0&some+most) | lead1&^(w1&some+most) | lead2&^(w2&some+most) | lead3&^(w3&some+most)
		if wrong != 0 {
			break
		}
		expect = lead3 >> 56
	}
	if expect != 0 {
		n--
	}
	return n
}

// threes returns how many bytes b begins with that are sequences of three, as Chinese and Japanese
// text has them. It looks at eight sequences at a time, and stops before some that are right.
func threes(b []byte) (n int) {
	const (
		first0, first1, first2 = 0x00ff0000ff0000ff, 0xff0000ff0000ff00, 0x0000ff0000ff0000 // where the first bytes are
		top2                   = 0xc0c0c0c0c0c0c0c0
		e0, ed                 = 0xe0 * lowBits, 0xed * lowBits
	)
	for ; len(b)-n >= 24; n += 24 {
		p := (*[24]byte)(b[n:])
		w0, w1, w2 := binary.LittleEndian.Uint64(p[0:8]), binary.LittleEndian.Uint64(p[8:16]), binary.LittleEndian.Uint64(p[16:24])
		first := w0&first0 | w1&first1 | w2&first2
		wrong := (w0&top2^highBits)&^first0 | (w1&top2^highBits)&^first1 | (w2&top2^highBits)&^first2
		wrong |= (first ^ e0) & 0xf0f0f0f0f0f0f0f0
		// Of e0 to ef, whose low halves do not borrow, neither of the two.
		wrong |= ^((first ^ e0 | highBits) - lowBits) & highBits
		wrong |= ^((first ^ ed | highBits) - lowBits) & highBits
		if wrong != 0 {
			break
		}
	}
	return n
}
