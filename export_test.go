package qsocket

import (
	"testing"

	force "github.com/fb9bb4ed/qsocket/internal/outbox"
)

// ForceSendPath makes every Send of the process take one path, direct, by the
// flusher, or taking over from a flusher that has not started, until the test
// has ended.
func ForceSendPath(t testing.TB, path string) {
	t.Cleanup(force.ForcePath(map[string]force.Path{"direct": force.Direct, "flusher": force.Flusher, "takeover": force.TakeOver}[path]))
}

var (
	GetBuffer = getBuffer
	PutBuffer = putBuffer
)
