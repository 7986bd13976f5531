package transports_test

import (
	"crypto/tls"
	"net"
	"time"
)

// What programs put around a net.Conn.

// embedsConn is the usual way to add something to a net.Conn, and hides all that is not in
// that interface.
type embedsConn struct{ net.Conn }

// embedsTCP and embedsTLS keep the methods of what they embed.
type (
	embedsTCP struct{ *net.TCPConn }
	embedsTLS struct{ *tls.Conn }
)

// rateLimited writes no more than a number of bytes per second. Its Write sleeps, and
// nothing wakes it.
type rateLimited struct {
	net.Conn
	rate int // bytes per second
}

func (c *rateLimited) Write(b []byte) (int, error) {
	time.Sleep(time.Duration(len(b)) * time.Second / time.Duration(c.rate))
	return c.Conn.Write(b)
}

// CloseWrite is forwarded: it is not in net.Conn, so embedding loses it.
func (c *rateLimited) CloseWrite() error {
	return c.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

// NetConn returns the connection that is limited. With it, a connection that has
// failed can be reset.
func (c *rateLimited) NetConn() net.Conn { return c.Conn }

// wrapListener wraps what a listener accepts.
type wrapListener struct {
	net.Listener
	wrap func(net.Conn) net.Conn
}

func (l wrapListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.wrap(nc), nil
}
