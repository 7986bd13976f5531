package socket

import (
	"crypto/tls"
	"net"
	"syscall"
)

// below is the kernel's socket that TLS runs over. A Write of package tls cannot be tried without
// waiting, but the kernel can be asked whether it would wait.
type below struct {
	raw syscall.RawConn
	ask func(fd uintptr) // bound once
	yes bool             // what ask has found; for one goroutine at a time
}

// SmallWrite is how many bytes a kernel takes at once that says that it can take some, whatever its
// buffers are. (TLS adds some tens.)
const SmallWrite = 1 << 10

// belowOf returns the kernel's socket that nc, one of package tls after its handshake, runs over, and
// nil for any other: a type that embeds one may do anything in its Write. Before TLS 1.3 a Write may
// wait for the peer in another way, because it renegotiates.
func belowOf(nc net.Conn) *below {
	t, ok := nc.(*tls.Conn)
	for range maxLayers {
		if !ok || t.ConnectionState().Version < tls.VersionTLS13 {
			break
		}
		nc = t.NetConn()
		if t, ok = nc.(*tls.Conn); !ok {
			if raw := rawConn(nc); raw != nil {
				b := &below{raw: raw}
				b.ask = func(fd uintptr) { b.yes = writable(fd) }
				return b
			}
		}
	}
	return nil
}

// MayTakeAtOnce reports whether TakesAtOnce may ever return true.
func (s *Socket) MayTakeAtOnce() bool { return s.below != nil }

// TakesAtOnce reports whether a Write of SmallWrite bytes would return without having waited. It
// is for the only writer.
func (s *Socket) TakesAtOnce() bool {
	b := s.below
	b.yes = false
	_ = b.raw.Control(b.ask) // fails only if the socket is closed
	return b.yes
}
