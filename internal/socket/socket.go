// Package socket finds out what a net.Conn can do besides Read and Write: non-blocking
// reads and writes of a file descriptor, a half-close, a reset, reads that can be
// interrupted. It makes up for what can be made up for: deadlines of reads, and a Close that
// takes its time. Errors look the same whichever way the bytes went.
package socket

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
)

// Past is a deadline that interrupts what waits for the connection, whatever the
// clock says.
var Past = time.Unix(1, 0)

// Socket is a net.Conn together with what is known to be possible with it.
type Socket struct {
	net.Conn

	// Raw reads and writes the file descriptor: a read needs no buffer while it waits, and
	// a write can be tried without waiting. It is nil unless Conn is the kernel's socket
	// itself: with TLS, net.Pipe and wrappers only the methods of Conn will do.
	Raw syscall.RawConn

	// Interruptible: a read deadline in the past wakes a Read, with an error that wraps
	// os.ErrDeadlineExceeded, and harms nothing else. See the function of that name.
	Interruptible bool

	below *below // nil unless Conn is TLS over the kernel's socket
}

// HalfCloser is a connection with a half-close.
type HalfCloser interface{ CloseWrite() error }

// New finds out what is possible with nc, which Adopt has returned.
func New(nc net.Conn) Socket {
	return Socket{Conn: nc, Raw: rawConn(nc), Interruptible: Interruptible(nc), below: belowOf(nc)}
}

// Half returns nc as a HalfCloser, or nil if it has no half-close.
func Half(nc net.Conn) HalfCloser {
	h, _ := Given(nc).(HalfCloser)
	return h
}

// Unread reports whether the kernel has bytes of the peer's that nobody has read, below
// TLS if there is. It also returns true where that cannot be seen, with net.Pipe and
// wrappers.
func (s *Socket) Unread() bool {
	below, _ := belowTLS(s.Conn)
	return unread(below)
}

// RawError makes the errors of raw calls look like those of Read and Write.
func (s *Socket) RawError(op string, err error) error {
	if oe := (*net.OpError)(nil); errors.As(err, &oe) { // from package net, which says "raw-read"
		err = oe.Err
	} else {
		err = os.NewSyscallError(op, err)
	}
	local, network := s.LocalAddr(), ""
	if local != nil { // a connection that was reset early has none on some systems
		network = local.Network()
	}
	return &net.OpError{Op: op, Net: network, Source: local, Addr: s.RemoteAddr(), Err: err}
}

// NetworkError gives err the library's prefix and, where package net has not
// done so, the name of the operation.
func NetworkError(op string, err error) error {
	if oe := (*net.OpError)(nil); errors.As(err, &oe) {
		return excerpt.Wrap("qsocket: ", err)
	}
	return excerpt.Wrap("qsocket: "+op+": ", err)
}

// AddrString returns the text of an address that a net.Conn may not have.
func AddrString(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}
