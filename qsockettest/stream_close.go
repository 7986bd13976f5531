package qsockettest

import (
	"net"
	"os"
)

// CloseWrite ends the direction to the peer, which reads io.EOF after
// what is there. Reading goes on.
func (c *StreamConn) CloseWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return c.opError("close", net.ErrClosed)
	case c.dead:
		return c.opError("close", os.NewSyscallError("shutdown", errNotConnected))
	}
	c.endLocked()
	c.writable.Broadcast()
	return nil
}

// Close ends both directions, see [StreamConn]. A second Close returns an error.
func (c *StreamConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.opError("close", net.ErrClosed)
	}
	if c.linger0 || c.in.n > 0 {
		c.resetLocked(false)
	} else {
		c.endLocked()
	}
	c.closeLocked()
	return nil
}

// SetLinger(0) makes Close reset the peer. A negative number undoes that, and so
// does a positive one: with a network that takes no time there is nothing for
// which Close could wait.
func (c *StreamConn) SetLinger(sec int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.opError("set", net.ErrClosed)
	}
	c.linger0 = sec == 0
	return nil
}

// resetAfter closes c and resets the peer once it has read what is there.
func (c *StreamConn) resetAfter() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.resetLocked(true)
		c.closeLocked()
	}
}

// endLocked sends the end of file.
func (c *StreamConn) endLocked() {
	if !c.ended && !c.dead {
		c.ended = true
		c.peer.eof = true
		c.peer.readable.Broadcast()
	}
}

// resetLocked resets the peer.
func (c *StreamConn) resetLocked(keep bool) {
	p := c.peer
	if c.dead || p.closed {
		return
	}
	if !keep && p.in.n > 0 { // an end of file behind it is lost as well
		p.in.clear()
		p.edges = nil
		p.eof = false
	}
	p.dead = true
	if !p.eof {
		p.err = errReset
	}
	p.readable.Broadcast()
	p.writable.Broadcast()
}

func (c *StreamConn) closeLocked() {
	c.closed = true
	c.in.clear()
	c.edges = nil
	c.readDeadline.stopLocked()
	c.writeDeadline.stopLocked()
	c.readable.Broadcast()
	c.writable.Broadcast()
	c.peer.writable.Broadcast() // its Writes that wait for room
}
