package qsocket

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Framing says how payloads are delimited on the wire. The header announces
// the payload's length in bytes, itself not included.
type Framing uint8

const (
	Uint32    Framing = iota // 4-byte big-endian length (Python qsocket "!i", Erlang {packet,4}, Twisted Int32, tokio-util)
	Uint16                   // 2-byte big-endian length (Erlang {packet,2})
	Uint8                    // 1-byte length (Erlang {packet,1})
	Uint32LE                 // 4-byte little-endian length
	Uvarint                  // base-128 varint length (protobuf's and libp2p's delimited messages)
	Netstring                // decimal length, colon, payload, comma: "5:hello," (https://cr.yp.to/proto/netstrings.txt)

	numFramings
)

// framings describes each Framing: its name, the most bytes that its header
// takes, and the longest payload that it can announce.
var framings = [numFramings]struct {
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

// maxHeader is the longest header of all.
const maxHeader = netstringDigits + 1

// netstringDigits is the longest decimal length that is accepted.
const netstringDigits = 10

// String returns the name of the constant, such as "Uint32".
func (f Framing) String() string {
	if f >= numFramings {
		return "Framing(" + strconv.Itoa(int(f)) + ")"
	}
	return framings[f].name
}

// trailer returns how many bytes follow the payload.
func (f Framing) trailer() int {
	if f == Netstring {
		return 1
	}
	return 0
}

// checkSend returns a *frameSizeError for a payload that is above max bytes,
// the limit that is called what, or above what f can announce.
func (f Framing) checkSend(size, max int, what string) error {
	switch {
	case size > max:
		return &frameSizeError{size: uint64(size), limit: uint64(max), what: what}
	case uint64(size) > framings[f].maxSize:
		return &frameSizeError{size: uint64(size), limit: framings[f].maxSize, what: "what a " + f.String() + " header can announce,"}
	}
	return nil
}

// appendHeader appends the header of a payload of size bytes, which f can announce.
func (f Framing) appendHeader(dst []byte, size int) []byte {
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

// openFrame appends room for a header to b. The payload is then appended, and
// sealFrame makes a frame of the two.
func (f Framing) openFrame(b []byte) []byte {
	n := len(b) + framings[f].maxHeader
	if n > cap(b) {
		b = slices.Grow(b, maxHeader)
	}
	return b[:n]
}

// payloadSize returns the size of the payload that was appended to what
// openFrame returned for b[:start].
func (f Framing) payloadSize(b []byte, start int) int {
	return len(b) - start - framings[f].maxHeader
}

// sealFrame writes the header of the frame that openFrame began at b[start]
// and whose payload reaches to the end of b, and appends the trailer. A header
// that came out shorter than the room left for it pulls the payload forward.
func (f Framing) sealFrame(b []byte, start int) []byte {
	if f == Uint32 {
		binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
		return b
	}
	payload := start + framings[f].maxHeader
	size := len(b) - payload
	header := f.appendHeader(b[:start], size)
	if len(header) < payload {
		copy(b[len(header):], b[payload:])
		b = b[:len(header)+size]
	}
	if f == Netstring {
		b = append(b, ',')
	}
	return b
}

// parseHeader reads the header at the start of b. A header length of 0 means
// that b ends before the header does. What can be no header is ErrProtocol.
func (f Framing) parseHeader(b []byte) (header int, size uint64, err error) {
	switch f {
	case Uvarint:
		return parseUvarint(b)
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

// parseUvarint refuses what binary.PutUvarint would not have written.
func parseUvarint(b []byte) (header int, size uint64, err error) {
	for i, c := range b {
		switch {
		case i == binary.MaxVarintLen64-1 && c > 1:
			return 0, 0, fmt.Errorf("%w: Uvarint length % x exceeds 64 bits", ErrProtocol, b[:i+1])
		case c == 0 && i > 0:
			return 0, 0, fmt.Errorf("%w: Uvarint length % x is not in its shortest form", ErrProtocol, b[:i+1])
		}
		size |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			return i + 1, size, nil
		}
	}
	return 0, 0, nil
}

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

// checkTrailer checks the bytes that follow a payload.
func (f Framing) checkTrailer(b []byte) error {
	if f == Netstring && b[0] != ',' {
		return fmt.Errorf("%w: Netstring ends in %q, want %q", ErrProtocol, b[0], ',')
	}
	return nil
}
