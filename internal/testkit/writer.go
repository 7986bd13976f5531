package testkit

import (
	"errors"
	"net"
	"sync/atomic"
)

// FailingWriter fails a write after some bytes, and counts what is written.
type FailingWriter struct {
	net.Conn
	Left    atomic.Int64
	Written atomic.Int64
}

// ErrBroken is the error of a FailingWriter.
var ErrBroken = errors.New("broken")

// Write writes what is Left, at most.
func (w *FailingWriter) Write(b []byte) (int, error) {
	n := min(int64(len(b)), w.Left.Load())
	w.Left.Add(-n)
	w.Written.Add(n)
	if n == 0 {
		return 0, ErrBroken // net.Pipe would wait for a reader even of nothing
	}
	m, err := w.Conn.Write(b[:n])
	if err == nil && m < len(b) {
		err = ErrBroken
	}
	return m, err
}
