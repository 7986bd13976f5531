package operations

import (
	"context"
	"sync"

	"github.com/fb9bb4ed/qsocket"
)

// recorder keeps the last frames of all connections of a process. Its note is an Options.Trace.
type recorder struct {
	mu     sync.Mutex
	frames [4096]qsocket.Frame // a ring
	count  int
}

func (r *recorder) note(f qsocket.Frame) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frames[r.count%len(r.frames)] = f
	r.count++
}

// of returns the frames of one connection that are still there, the oldest first.
func (r *recorder) of(conn uint64) (list []qsocket.Frame) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := max(0, r.count-len(r.frames)); i < r.count; i++ {
		if f := r.frames[i%len(r.frames)]; f.Conn == conn {
			list = append(list, f)
		}
	}
	return list
}

// traceKey is for the context of a trace in a context.Context. Your tracer has its own.
type traceKey struct{}

func traceOf(ctx context.Context) string {
	trace, _ := ctx.Value(traceKey{}).(string)
	return trace
}

// attributes tells the trace in whose course the connection is made. It is an Options.Attributes.
func attributes(ctx context.Context) (map[string]string, error) { // of Dial
	return map[string]string{"traceparent": traceOf(ctx)}, nil
}
