package operations

import (
	"net"
	"net/netip"
	"sync"
)

// perAddress is a net.Listener with at most so many open connections for each address: an IPv4
// address, or a /64 of IPv6, which is what one customer has. More are closed at once.
type perAddress struct {
	net.Listener
	most int

	mu   sync.Mutex
	open map[netip.Prefix]int
}

func limitPerAddress(ln net.Listener, most int) *perAddress {
	return &perAddress{Listener: ln, most: most, open: make(map[netip.Prefix]int)}
}

func (l *perAddress) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err // as it is: the Listener tries again after those that pass
		}
		from := prefix(nc.RemoteAddr())
		if l.count(from, 1) {
			return &counted{Conn: nc, leave: sync.OnceFunc(func() { l.count(from, -1) })}, nil
		}
		_ = nc.Close()
	}
}

// count notes that there is one more, or one less, and reports whether it may be.
func (l *perAddress) count(from netip.Prefix, change int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if change > 0 && l.open[from] >= l.most {
		return false
	}
	if l.open[from] += change; l.open[from] == 0 {
		delete(l.open, from)
	}
	return true
}

func prefix(addr net.Addr) netip.Prefix {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{} // all Unix sockets are one address
	}
	ip, bits := tcp.AddrPort().Addr().Unmap(), 64
	if ip.Is4() {
		bits = 32
	}
	from, _ := ip.Prefix(bits)
	return from
}

// counted is a connection that counts until it is closed.
type counted struct {
	net.Conn
	leave func()
}

func (c *counted) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

func (c *counted) CloseWrite() error { return c.Conn.(interface{ CloseWrite() error }).CloseWrite() }
func (c *counted) NetConn() net.Conn { return c.Conn }
