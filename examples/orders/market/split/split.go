// Package split serves several protocols on one port: clients of orders/1 and of orders/2 dial
// the same address while they are updated one by one.
//
// A named protocol begins with a hello that has its name (docs/wire.md of qsocket). The
// package reads that much of each connection, and hands it on to the Listener of that
// name, which sees it from its first byte on.
package split

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

const (
	header    = 8               // of a hello, bytes: magic, version, length
	maxHello  = 4096            // bytes of its map
	patience  = 5 * time.Second // with a client that has not said its name
	maxSilent = 100             // such clients at a time; more wait in the kernel's queue
)

// Split returns a net.Listener for each of names, in their order. Connections with
// another name, and those that begin otherwise, go to the first: its handshake tells them
// what is wrong. ln, and all that wait in them, are closed when the last of them is closed.
func Split(ln net.Listener, names ...string) []net.Listener {
	s := &splitter{ln: ln, names: names, open: len(names), places: make(chan struct{}, maxSilent)}
	var listeners []net.Listener
	for range names {
		l := &listener{splitter: s, conns: make(chan net.Conn), closed: make(chan struct{})}
		s.listeners = append(s.listeners, l)
		listeners = append(listeners, l)
	}
	go s.accept() // ends when ln fails, or is closed with the last listener
	return listeners
}

type splitter struct {
	ln        net.Listener
	names     []string
	listeners []*listener
	places    chan struct{} // an entry for each connection whose name is not known yet

	mu   sync.Mutex // guards open
	open int        // listeners that are not closed
}

func (s *splitter) accept() {
	for {
		nc, err := s.ln.Accept()
		if err != nil {
			for _, l := range s.listeners {
				l.end(err)
			}
			return
		}
		s.places <- struct{}{}
		go s.route(nc) // ends when the listener of its name has taken it, or is closed
	}
}

// route reads the hello of nc and hands nc on.
func (s *splitter) route(nc net.Conn) {
	_ = nc.SetReadDeadline(time.Now().Add(patience))
	name, read := readName(nc)
	_ = nc.SetReadDeadline(time.Time{})
	<-s.places
	l := s.listeners[max(slices.Index(s.names, name), 0)]
	select {
	case l.conns <- &replay{Conn: nc, read: bytes.NewReader(read)}:
	case <-l.closed:
		_ = nc.Close()
	}
}

// readName returns the name in a hello, or "" if it is none, and all that it has read.
func readName(r io.Reader) (name string, read []byte) {
	hello := make([]byte, header, 512)
	n, err := io.ReadFull(r, hello)
	if err != nil || !bytes.HasPrefix(hello, []byte("QSK")) {
		return "", hello[:n]
	}
	size := binary.BigEndian.Uint32(hello[4:])
	if size > maxHello {
		return "", hello
	}
	hello = append(hello, make([]byte, size)...)
	n, err = io.ReadFull(r, hello[header:])
	var body struct {
		Proto string `msgpack:"proto"`
	}
	if err != nil || msgpack.Unmarshal(hello[header:], &body) != nil {
		return "", hello[:header+n]
	}
	return body.Proto, hello
}

// replay is a connection of which a part has been read already.
type replay struct {
	net.Conn
	read *bytes.Reader
}

func (c *replay) Read(b []byte) (int, error) {
	if c.read.Len() > 0 {
		return c.read.Read(b)
	}
	return c.Conn.Read(b)
}

// NetConn returns the connection below, and CloseWrite is its own: without them a failure
// would look like a clean end, and there were no half-close (docs/transports.md of qsocket).
func (c *replay) NetConn() net.Conn { return c.Conn }

func (c *replay) CloseWrite() error {
	if h, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return errors.ErrUnsupported
}

// listener is the net.Listener of one name.
type listener struct {
	splitter *splitter
	conns    chan net.Conn
	once     sync.Once
	closed   chan struct{}
	err      error // why, once closed is
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case nc := <-l.conns:
		return nc, nil
	case <-l.closed:
		return nil, l.err
	}
}

func (l *listener) Addr() net.Addr { return l.splitter.ln.Addr() }

func (l *listener) Close() error {
	if !l.end(net.ErrClosed) {
		return nil
	}
	s := l.splitter
	s.mu.Lock()
	s.open--
	last := s.open == 0
	s.mu.Unlock()
	if last {
		return s.ln.Close()
	}
	return nil
}

// end closes l with the error that Accept is to return. It reports false if l was closed before.
func (l *listener) end(err error) (first bool) {
	l.once.Do(func() {
		first = true
		l.err = err
		close(l.closed)
	})
	return first
}
