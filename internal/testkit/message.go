package testkit

import (
	"encoding/binary"
)

// Numbered makes a payload that names its sender and its place in the order.
func Numbered(sender, number, size int) []byte {
	b := make([]byte, max(size, 8))
	binary.BigEndian.PutUint32(b, uint32(sender))
	binary.BigEndian.PutUint32(b[4:], uint32(number))
	return b
}

// ParseNumbered reads a payload made by Numbered.
func ParseNumbered(b []byte) (sender, number int) {
	return int(binary.BigEndian.Uint32(b)), int(binary.BigEndian.Uint32(b[4:]))
}
