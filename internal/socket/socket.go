// Package socket finds out what a net.Conn can do besides Read and Write: non-blocking
// reads and writes of a file descriptor, a half-close, a reset. Errors look the same
// whichever way the bytes went.
package socket

import (
	"crypto/tls"
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

	Half interface{ CloseWrite() error } // nil: no half-close
}

// New finds out what is possible with nc.
func New(nc net.Conn) Socket {
	s := Socket{Conn: nc, Raw: rawConn(nc)}
	s.Half, _ = nc.(interface{ CloseWrite() error })
	return s
}

// HardClose ends the connection without telling the peer. A TLS connection is closed
// below TLS, because tls.Conn.Close waits up to 5 s for its alert to be taken. It waits
// for callbacks of Raw to return, so it must not be called from one.
//
// reset makes the kernel send a reset, so that the peer does not mistake the
// end of a connection that has failed for a clean one.
func HardClose(nc net.Conn, reset bool) {
	nc = belowTLS(nc)
	if t, ok := nc.(interface{ SetLinger(sec int) error }); ok && reset {
		_ = t.SetLinger(0) // fails only if the connection has ended anyway
	}
	_ = nc.Close() // an error changes nothing: the connection is given up
}

// belowTLS returns the connection that TLS runs over, or nc if that is not TLS.
func belowTLS(nc net.Conn) net.Conn {
	for {
		t, ok := nc.(*tls.Conn)
		if !ok {
			return nc
		}
		nc = t.NetConn()
	}
}

// Unread reports whether the kernel has bytes of the peer's that nobody has read, below
// TLS if there is. It also returns true where that cannot be seen, with net.Pipe and
// wrappers.
func (s *Socket) Unread() bool { return unread(belowTLS(s.Conn)) }

// RawError makes the errors of raw calls look like those of Read and Write.
func (s *Socket) RawError(op string, err error) error {
	if oe := (*net.OpError)(nil); errors.As(err, &oe) { // from package net, which says "raw-read"
		err = oe.Err
	} else {
		err = os.NewSyscallError(op, err)
	}
	return &net.OpError{
		Op: op, Net: s.LocalAddr().Network(), Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: err,
	}
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
