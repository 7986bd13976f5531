package socket

import (
	"context"
	"crypto/tls"
	"net"
	"reflect"
)

// What happens to a Read that is to be interrupted depends on the net.Conn:
//
//	TCP, Unix, net.Pipe, TLS over them   wakes, with os.ErrDeadlineExceeded; later Reads go on
//	yamux, smux                          the same, with an error of their own
//	WebSockets                           wakes, and the connection is dead from then on
//	SSH channels                         there are no deadlines: it does not wake
//
// Only the first kind is Interruptible. It is known by its types, since to try it may be the
// end of the connection. A type that embeds one of them may have changed what its methods do.

// known are the types that are Interruptible.
var known = func() map[reflect.Type]bool {
	a, _ := net.Pipe() // its type has no name outside of package net
	return map[reflect.Type]bool{
		reflect.TypeFor[*net.TCPConn]():  true,
		reflect.TypeFor[*net.UnixConn](): true,
		reflect.TypeOf(a):                true,
		reflect.TypeFor[*patient]():      true,
	}
}()

// Know adds a type that is Interruptible. It is for initializing a package.
func Know(t reflect.Type) { known[t] = true }

// Interruptible reports whether a read deadline in the past wakes a Read of nc and harms
// nothing else.
func Interruptible(nc net.Conn) bool {
	for range maxLayers {
		t, ok := nc.(*tls.Conn)
		if !ok {
			return known[reflect.TypeOf(nc)]
		}
		nc = t.NetConn()
	}
	return false
}

// Secure is a TLS connection, or a type that embeds one.
type Secure interface {
	net.Conn
	HandshakeContext(context.Context) error
	ConnectionState() tls.ConnectionState
	NetConn() net.Conn
}

// maxLayers bounds how many connections run over each other: a NetConn may return itself, or
// lead in a circle. (They are not compared: a net.Conn need not be of a comparable type.)
const maxLayers = 16

// belowTLS returns the connection that TLS runs over, or nc if that is not TLS. isOver reports
// that it is another one.
func belowTLS(nc net.Conn) (below net.Conn, isOver bool) {
	for range maxLayers {
		t, ok := nc.(Secure)
		if !ok {
			return nc, isOver
		}
		below := t.NetConn()
		if below == nil {
			return nc, isOver
		}
		nc, isOver = below, true
	}
	return nc, isOver
}
