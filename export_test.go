package qsocket

import "testing"

// ForceSendPath makes every Send of the process take one path, direct, by the
// flusher, or taking over from a flusher that has not started, until the test
// has ended.
func ForceSendPath(t testing.TB, path string) {
	sendPath.Store(map[string]int32{"direct": pathDirect, "flusher": pathFlusher, "takeover": pathTakeOver}[path])
	t.Cleanup(func() { sendPath.Store(pathChosen) })
}

var (
	GetBuffer = getBuffer
	PutBuffer = putBuffer
)
