package qsocket

import "testing"

// ForceSendPath makes every Send of the process take one path, direct or by the
// flusher, until the test has ended.
func ForceSendPath(t testing.TB, path string) {
	sendPath.Store(map[string]int32{"direct": pathDirect, "flusher": pathFlusher}[path])
	t.Cleanup(func() { sendPath.Store(pathChosen) })
}
