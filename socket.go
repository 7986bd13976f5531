package qsocket

import (
	"crypto/tls"
	"net"
	"os"
	"syscall"
	"time"
)

// past is a deadline that interrupts whoever waits, whatever the clock says.
var past = time.Unix(1, 0)

// socket is a net.Conn together with what is known to be possible with it.
type socket struct {
	net.Conn

	// raw reads and writes without the buffer or the whole payload at hand
	// while it waits. It is nil unless Conn is the kernel's socket itself:
	// under TLS, net.Pipe and wrappers the methods of Conn are the only truth.
	raw syscall.RawConn

	half interface{ CloseWrite() error } // nil: no half-close
}

func newSocket(nc net.Conn) socket {
	s := socket{Conn: nc, raw: rawConn(nc)}
	s.half, _ = nc.(interface{ CloseWrite() error })
	return s
}

// hardClose ends the connection without a word. A TLS connection is closed
// below TLS, because tls.Conn.Close waits up to 5 s for its alert to be taken.
func (s *socket) hardClose() {
	nc := s.Conn
	for {
		t, ok := nc.(*tls.Conn)
		if !ok {
			break
		}
		nc = t.NetConn()
	}
	_ = nc.Close() // the end is not news, and nobody could act on it
}

// opError dresses the errors of raw calls as those of package net.
func (s *socket) opError(op string, err error) error {
	return &net.OpError{
		Op: op, Net: s.LocalAddr().Network(), Source: s.LocalAddr(), Addr: s.RemoteAddr(),
		Err: os.NewSyscallError(op, err),
	}
}
