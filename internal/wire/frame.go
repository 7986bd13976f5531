// Package wire is docs/wire.md as code: headers of frames, control frames, the hello,
// and what other protocols begin with. It is pure: bytes in, values out. It knows
// neither sockets nor clocks, and what follows from what it reads is decided elsewhere.
package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Framing says how payloads are delimited. The header announces the payload's length
// in bytes, itself not included. The values are those of the root package's type of
// the same name, which documents them.
type Framing uint8

const (
	Uint32 Framing = iota
	Uint16
	Uint8
	Uint32LE
	Uvarint
	Netstring

	NumFramings // how many there are
)

// framings describes each Framing: its name, the most bytes that its header
// takes, and the longest payload that it can announce.
var framings = [NumFramings]struct {
	name      string
	maxHeader int
	maxSize   uint64
}{
	Uint32:    {"Uint32", 4, math.MaxUint32},
	Uint16:    {"Uint16", 2, math.MaxUint16},
	Uint8:     {"Uint8", 1, math.MaxUint8},
	Uint32LE:  {"Uint32LE", 4, math.MaxUint32},
	Uvarint:   {"Uvarint", binary.MaxVarintLen64, math.MaxInt64},
	Netstring: {"Netstring", netstringDigits + 1, 9_999_999_999},
}

// MaxHeader is the length of the longest header of all framings, bytes.
const MaxHeader = netstringDigits + 1

// netstringDigits is the longest decimal length that is accepted.
const netstringDigits = 10

// String returns the name of the constant, such as "Uint32".
func (f Framing) String() string {
	if f >= NumFramings {
		return "Framing(" + strconv.Itoa(int(f)) + ")"
	}
	return framings[f].name
}

// HeaderSize returns how many bytes the header of f takes at most.
func (f Framing) HeaderSize() int { return framings[f].maxHeader }

// TrailerSize returns how many bytes follow the payload.
func (f Framing) TrailerSize() int {
	if f == Netstring {
		return 1
	}
	return 0
}

// MaxPayload returns the longest payload that f can announce, and limit if that is less.
func (f Framing) MaxPayload(limit int) int {
	return int(min(uint64(limit), framings[f].maxSize))
}

// CheckSize returns a *SizeError for a payload of more than limit bytes, the limit
// that is called limitName, or of more than f can announce.
func (f Framing) CheckSize(size, limit int, limitName string) error {
	switch {
	case size > limit:
		return &SizeError{Size: uint64(size), Limit: uint64(limit), LimitName: limitName}
	case uint64(size) > framings[f].maxSize:
		return &SizeError{Size: uint64(size), Limit: framings[f].maxSize, LimitName: "what a " + f.String() + " header can announce,"}
	}
	return nil
}

// AppendHeader appends the header of a payload of size bytes, which f can announce.
func (f Framing) AppendHeader(dst []byte, size int) []byte {
	switch f {
	case Uint16:
		return binary.BigEndian.AppendUint16(dst, uint16(size))
	case Uint8:
		return append(dst, uint8(size))
	case Uint32LE:
		return binary.LittleEndian.AppendUint32(dst, uint32(size))
	case Uvarint:
		return binary.AppendUvarint(dst, uint64(size))
	case Netstring:
		return append(strconv.AppendUint(dst, uint64(size), 10), ':')
	default:
		return binary.BigEndian.AppendUint32(dst, uint32(size))
	}
}

// OpenFrame appends space for a header to b. The payload is then appended, and
// SealFrame makes a frame of the two.
func (f Framing) OpenFrame(b []byte) []byte {
	n := len(b) + framings[f].maxHeader
	if n > cap(b) {
		b = slices.Grow(b, MaxHeader)
	}
	return b[:n]
}

// PayloadSize returns the size of the payload that was appended to what OpenFrame
// returned for b[:start].
func (f Framing) PayloadSize(b []byte, start int) int {
	return len(b) - start - framings[f].maxHeader
}

// SealFrame writes the header of the frame that OpenFrame began at b[start] and
// whose payload reaches to the end of b, and appends the trailer. A header that comes
// out shorter than the space left for it pulls the payload forward.
func (f Framing) SealFrame(b []byte, start int) []byte {
	if f == Uint32 {
		binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
		return b
	}
	payload := start + framings[f].maxHeader
	size := len(b) - payload
	header := f.AppendHeader(b[:start], size)
	if len(header) < payload {
		copy(b[len(header):], b[payload:])
		b = b[:len(header)+size]
	}
	if f == Netstring {
		b = append(b, ',')
	}
	return b
}

// ParseHeader reads the header at the start of b. A header length of 0 means
// that b ends before the header does. What can be no header is ErrProtocol.
func (f Framing) ParseHeader(b []byte) (header int, size uint64, err error) {
	switch f {
	case Uvarint:
		return ParseUvarint(b)
	case Netstring:
		return parseNetstring(b)
	}
	header = framings[f].maxHeader
	if len(b) < header {
		return 0, 0, nil
	}
	switch f {
	case Uint16:
		size = uint64(binary.BigEndian.Uint16(b))
	case Uint8:
		size = uint64(b[0])
	case Uint32LE:
		size = uint64(binary.LittleEndian.Uint32(b))
	default:
		size = uint64(binary.BigEndian.Uint32(b))
	}
	return header, size, nil
}

// ParseUvarint reads a base-128 varint at the start of b: its length and its value. A
// length of 0 means that b ends before it does. It refuses what binary.PutUvarint
// would not have written. The tags of unions have this form as well.
func ParseUvarint(b []byte) (length int, value uint64, err error) {
	for i, c := range b {
		switch {
		case i == binary.MaxVarintLen64-1 && c > 1:
			return 0, 0, fmt.Errorf("%w: Uvarint length % x exceeds 64 bits", ErrProtocol, b[:i+1])
		case c == 0 && i > 0:
			return 0, 0, fmt.Errorf("%w: Uvarint length % x is not in its shortest form", ErrProtocol, b[:i+1])
		}
		value |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			return i + 1, value, nil
		}
	}
	return 0, 0, nil
}

// parseNetstring is ParseHeader for Netstring.
func parseNetstring(b []byte) (header int, size uint64, err error) {
	for i, c := range b {
		switch {
		case c == ':' && i > 0:
			return i + 1, size, nil
		case c < '0' || c > '9':
			want := "a digit"
			if i > 0 {
				want = `a digit or ":"`
			}
			return 0, 0, fmt.Errorf("%w: Netstring length has %q at offset %d, want %s", ErrProtocol, c, i, want)
		case i > 0 && b[0] == '0':
			return 0, 0, fmt.Errorf("%w: Netstring length %q has a leading zero", ErrProtocol, b[:i+1])
		case i == netstringDigits:
			return 0, 0, fmt.Errorf("%w: Netstring length %q has more than %d digits", ErrProtocol, b[:i+1], netstringDigits)
		}
		size = size*10 + uint64(c-'0')
	}
	return 0, 0, nil
}

// CheckTrailer checks the bytes that follow a payload.
func (f Framing) CheckTrailer(b []byte) error {
	if f == Netstring && b[0] != ',' {
		return fmt.Errorf("%w: Netstring ends in %q, want %q", ErrProtocol, b[0], ',')
	}
	return nil
}
