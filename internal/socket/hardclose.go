package socket

import (
	"crypto/tls"
	"net"
	"reflect"
	"time"
)

// CloseGrace is how long HardClose waits for the Close of a net.Conn that is none of the
// kernel's, and others for what a deadline in the past should have woken. Some wait for
// their peer, or are never woken.
const CloseGrace = 100 * time.Millisecond

// HardClose ends the connection without telling the peer. A TLS connection is closed
// below TLS, because tls.Conn.Close waits up to 5 s for its alert to be taken. It waits
// for callbacks of Raw to return, so it must not be called from one. What
// waits in a Read or a Write is woken, if the net.Conn can do that; its Close is given
// CloseGrace, and may go on after that.
//
// Close alone wakes no Read of yamux and no Write of QUIC: they need a deadline in the past. It
// comes after the Close, or after CloseGrace, because for a WebSocket it is the end of the
// connection, before it could be closed in the way in which its peer sees a clean end.
//
// reset makes the kernel send a reset, so that the peer does not mistake the
// end of a connection that has failed for a clean one.
func HardClose(nc net.Conn, reset bool) {
	given := Given(nc)
	if l := lingerer(given); l != nil && reset {
		_ = l.SetLinger(0) // fails only if the connection has ended anyway
	}
	below, isOver := belowTLS(given)
	_, isTLS := given.(*tls.Conn)
	_, isPatient := nc.(*patient)
	if known[reflect.TypeOf(below)] && (isTLS || !isOver) && !isPatient {
		_ = below.Close() // an error changes nothing: the connection is given up
		return
	}
	closed := make(chan struct{})
	go func() { // ends with the Close, whenever that is; closes closed
		defer close(closed)
		late := time.AfterFunc(CloseGrace, func() { _ = below.SetDeadline(Past) }) // a goroutine that ends with that call
		defer late.Stop()
		if isOver {
			_ = below.Close() // before a type that embeds a *tls.Conn, which would wait as well
		}
		switch p, ok := nc.(*patient); {
		case ok && !isTLS:
			_ = p.Close()
		case ok:
			p.wake()
		case !isTLS:
			_ = nc.Close()
		}
		_ = below.SetDeadline(Past)
	}()
	timer := time.NewTimer(CloseGrace)
	defer timer.Stop()
	select {
	case <-closed:
	case <-timer.C:
	}
}

// lingerer returns what can make the kernel reset the connection that nc runs over, or nil.
func lingerer(nc net.Conn) (l interface{ SetLinger(sec int) error }) {
	for range maxLayers {
		if l, ok := nc.(interface{ SetLinger(sec int) error }); ok {
			return l
		}
		over, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		if nc = over.NetConn(); nc == nil {
			return nil
		}
	}
	return nil
}
