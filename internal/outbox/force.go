package outbox

import "sync/atomic"

// Path is a way from a Send to the socket.
type Path int32

const (
	Chosen   Path = iota // as direct decides
	Direct               // each Send writes by itself, if there is no writer
	Flusher              // the flusher writes everything
	TakeOver             // the flusher is started, and the next Send is faster
)

// forcedPath is Chosen but in tests.
var forcedPath atomic.Int32

// ForcePath makes every Send of the process take one path, so that suites can run
// their tests over each of them, and returns a function that undoes it.
func ForcePath(p Path) (restore func()) {
	old := forcedPath.Swap(int32(p))
	return func() { forcedPath.Store(old) }
}
