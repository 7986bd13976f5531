package testkit

import (
	"testing"

	"github.com/fb9bb4ed/qsocket"
)

// Framings are all framings.
var Framings = []qsocket.Framing{
	qsocket.Uint32, qsocket.Uint16, qsocket.Uint8, qsocket.Uint32LE, qsocket.Uvarint, qsocket.Netstring,
}

// Frame returns the frame of a short message.
func Frame(t *testing.T, f qsocket.Framing, message string) string {
	t.Helper()
	n := byte(len(message))
	switch f {
	case qsocket.Uint32:
		return string([]byte{0, 0, 0, n}) + message
	case qsocket.Uint16:
		return string([]byte{0, n}) + message
	case qsocket.Uint32LE:
		return string([]byte{n, 0, 0, 0}) + message
	case qsocket.Uint8, qsocket.Uvarint:
		return string([]byte{n}) + message
	default:
		return string([]byte{'0' + n, ':'}) + message + ","
	}
}
