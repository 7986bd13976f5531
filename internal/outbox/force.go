// Package outbox has the ways on which messages leave a connection.
package outbox

import "sync/atomic"

// Path is a way of a message to the socket.
type Path int32

const (
	Chosen   Path = iota // as the rules say
	Direct               // written by Send
	Flusher              // written by the flusher
	TakeOver             // the flusher is started, and the next Send is faster
)

// forced is the Path of every Send.
var forced atomic.Int32

// ForcePath makes every Send of the process take one path until restore is
// called. It is for tests.
func ForcePath(p Path) (restore func()) {
	old := forced.Swap(int32(p))
	return func() { forced.Store(old) }
}

// ForcedPath returns the path that is forced.
func ForcedPath() Path { return Path(forced.Load()) }
