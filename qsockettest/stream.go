package qsockettest

import (
	"io"
	"net"
	"os"
	"reflect"
	"sync"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/socket"
)

// streamBuffer is how many bytes one end may be ahead of the other's reading.
const streamBuffer = 64 << 10

// StreamConn is one end of a stream in memory, made by [NetPipe] or a [Network]. It behaves
// like the TCP connection of a Linux process whose network takes no time, and package qsocket takes it
// for one, see qsocket.NewConn. Its methods are safe for concurrent use.
//
//   - Write returns when the bytes are in the peer's buffer of 64 KiB. While
//     that is full, it waits.
//   - CloseWrite ends one direction: the peer reads what is there, then io.EOF.
//   - Close ends both. The peer can still read what is there. Its first Write
//     after that succeeds, into the void, and further ones fail with
//     syscall.EPIPE.
//   - Close with bytes that have come and were not read, or after SetLinger(0),
//     resets the peer: what it has not read is destroyed, and its next Read or
//     Write fails with syscall.ECONNRESET. As on Linux that is told once: later
//     Reads return io.EOF, and later Writes syscall.EPIPE. A peer that had read
//     everything up to our end of file is past being reset, and goes on reading
//     io.EOF.
//
// Linux lets a program read what its kernel had received before the reset. Here
// that does not exist: every byte that was not read counts as still under way.
//
// Errors are *net.OpError, and wrap os.ErrDeadlineExceeded after a deadline and
// net.ErrClosed after the end's own Close.
type StreamConn struct {
	peer *StreamConn
	addr streamAddr

	mu       *sync.Mutex // of both ends; guards following, and is never held while waiting
	readable sync.Cond   // Reads that wait
	writable sync.Cond   // Writes that wait

	in    ring    // what the peer has written and we have not read
	taken int64   // bytes ever read from in
	edges []int64 // offsets at which a Read stops, see writePiece
	eof   bool    // the peer has ended its direction

	ended   bool  // we have ended ours
	writing bool  // a Write is under way: Writes do not mix
	linger0 bool  // Close is to reset
	closed  bool  // by our Close
	dead    bool  // by a reset from the peer
	err     error // what the reset has to tell, once

	readDeadline, writeDeadline deadline
}

func init() { socket.Know(reflect.TypeFor[*StreamConn]()) } // deadlines are kept as those of TCP

type streamAddr string

func (a streamAddr) Network() string { return "pipe" }
func (a streamAddr) String() string  { return string(a) }

// NetPipe returns the two ends of a stream in memory. Unlike net.Pipe it has a
// buffer, a half-close and resets, as a TCP connection has. It works in
// bubbles of testing/synctest: all waiting there is durably blocking.
//
// Close both ends when done. There is no goroutine behind them.
func NetPipe() (a, b *StreamConn) { return newStreams("a", "b") }

// newStreams returns the two ends of a stream, with their addresses.
func newStreams(addrA, addrB streamAddr) (a, b *StreamConn) {
	mu := new(sync.Mutex)
	a = &StreamConn{addr: addrA, mu: mu}
	b = &StreamConn{addr: addrB, mu: mu}
	a.peer, b.peer = b, a
	for _, c := range []*StreamConn{a, b} {
		c.readable.L, c.writable.L = mu, mu
	}
	return a, b
}

// Read reads what is there, and waits if there is nothing.
func (c *StreamConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, c.opError("read", net.ErrClosed)
		case len(p) == 0:
			return 0, nil
		case c.readDeadline.passed:
			return 0, c.opError("read", os.ErrDeadlineExceeded)
		case c.in.n > 0:
			return c.takeLocked(p), nil
		case c.eof:
			return 0, io.EOF
		case c.err != nil:
			return 0, c.tellLocked("read")
		case c.dead:
			return 0, io.EOF
		}
		c.readable.Wait()
	}
}

func (c *StreamConn) takeLocked(p []byte) int {
	if len(c.edges) > 0 {
		p = p[:min(int64(len(p)), c.edges[0]-c.taken)]
	}
	n := c.in.pop(p)
	c.taken += int64(n)
	if len(c.edges) > 0 && c.edges[0] == c.taken {
		c.edges = c.edges[1:]
	}
	c.peer.writable.Broadcast()
	return n
}

// Write writes all of p, in one piece if others write as well. If it returns an
// error, the peer gets the first n bytes and no more.
func (c *StreamConn) Write(p []byte) (n int, err error) { return c.write(p, false) }

// writePiece is Write, and no Read of the peer returns bytes of p together with
// later ones.
func (c *StreamConn) writePiece(p []byte) (n int, err error) { return c.write(p, true) }

func (c *StreamConn) write(p []byte, edge bool) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.writing {
		if err := c.refuseLocked(len(p)); err != nil {
			return 0, err
		}
		c.writable.Wait()
	}
	c.writing = true
	defer func() {
		c.writing = false
		c.writable.Broadcast()
	}()
	for {
		if err := c.refuseLocked(len(p) - n); err != nil {
			return n, err
		}
		if n == len(p) {
			return n, nil
		}
		room := min(streamBuffer-c.peer.in.n, len(p)-n)
		switch {
		case c.peer.closed: // which answers with a reset
			c.dead = true
			c.readable.Broadcast()
			n += min(streamBuffer, len(p)-n)
		case room == 0:
			c.writable.Wait()
		default:
			c.peer.in.push(p[n : n+room])
			n += room
			if edge && n == len(p) {
				c.peer.edges = append(c.peer.edges, c.peer.taken+int64(c.peer.in.n))
			}
			c.peer.readable.Broadcast()
		}
	}
}

// refuseLocked returns why left more bytes cannot be written.
func (c *StreamConn) refuseLocked(left int) error {
	switch {
	case c.closed:
		return c.opError("write", net.ErrClosed)
	case left == 0:
		return nil
	case c.writeDeadline.passed:
		return c.opError("write", os.ErrDeadlineExceeded)
	case c.err != nil:
		return c.tellLocked("write")
	case c.dead, c.ended:
		return c.opError("write", os.NewSyscallError("write", errBrokenPipe))
	}
	return nil
}

// tellLocked returns what the reset has to tell.
func (c *StreamConn) tellLocked(op string) error {
	err := c.err
	c.err = nil
	return c.opError(op, os.NewSyscallError(op, err))
}

func (c *StreamConn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: c.addr.Network(), Source: c.addr, Addr: c.peer.addr, Err: err}
}

// SetDeadline sets both deadlines.
func (c *StreamConn) SetDeadline(t time.Time) error { return c.setDeadlines(t, true, true) }

// SetReadDeadline sets the time after which Read fails, also one that waits
// already. The zero time is for none.
func (c *StreamConn) SetReadDeadline(t time.Time) error { return c.setDeadlines(t, true, false) }

// SetWriteDeadline sets the time after which Write fails, also one that waits
// already. The zero time is for none.
func (c *StreamConn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(t, false, true) }

func (c *StreamConn) setDeadlines(t time.Time, read, write bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.opError("set", net.ErrClosed)
	}
	if read {
		c.readDeadline.setLocked(t, &c.readable)
	}
	if write {
		c.writeDeadline.setLocked(t, &c.writable)
	}
	return nil
}

// LocalAddr returns the address of this end, of the network "pipe": "a" or "b" if NetPipe has
// made it.
func (c *StreamConn) LocalAddr() net.Addr { return c.addr }

// RemoteAddr returns the address of the peer.
func (c *StreamConn) RemoteAddr() net.Addr { return c.peer.addr }
