package qsocket

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
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
//
// reset makes the kernel send a reset, so that the peer does not mistake the
// end of a connection that has failed for a clean one.
func hardClose(nc net.Conn, reset bool) {
	for {
		t, ok := nc.(*tls.Conn)
		if !ok {
			break
		}
		nc = t.NetConn()
	}
	if t, ok := nc.(interface{ SetLinger(sec int) error }); ok && reset {
		_ = t.SetLinger(0) // fails only if the connection has ended anyway
	}
	_ = nc.Close() // the end is not news, and nobody could act on it
}

// rawError dresses the errors of raw calls as those of Read and Write.
func (s *socket) rawError(op string, err error) error {
	if oe := (*net.OpError)(nil); errors.As(err, &oe) { // from package net, which says "raw-read"
		err = oe.Err
	} else {
		err = os.NewSyscallError(op, err)
	}
	return &net.OpError{
		Op: op, Net: s.LocalAddr().Network(), Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: err,
	}
}

// networkError gives err the package's prefix and, where package net has not
// done so, the name of the operation.
func networkError(op string, err error) error {
	if oe := (*net.OpError)(nil); errors.As(err, &oe) {
		return fmt.Errorf("qsocket: %w", err)
	}
	return fmt.Errorf("qsocket: %s: %w", op, err)
}

// addr returns the text of an address that a net.Conn may not have.
func addr(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}

// isNil catches a nil pointer in an interface as well as a nil interface.
func isNil(v any) bool {
	rv := reflect.ValueOf(v)
	return !rv.IsValid() || rv.Kind() == reflect.Pointer && rv.IsNil()
}
