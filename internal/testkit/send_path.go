package testkit

import (
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/outbox"
)

// ForSendPaths runs a test once for each of the paths that messages take to the
// socket: the direct write, the flusher, and the direct write in place of a flusher
// that has been started.
func ForSendPaths(t *testing.T, test func(t *testing.T)) {
	for _, path := range []struct {
		name string
		path outbox.Path
	}{
		{"direct", outbox.Direct},
		{"flusher", outbox.Flusher},
		{"takeover", outbox.TakeOver},
	} {
		t.Run(path.name, func(t *testing.T) {
			defer outbox.ForcePath(path.path)()
			test(t)
		})
	}
}
