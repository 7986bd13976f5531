package qsockettest

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"
)

// Network is a network in memory: Listeners, and a DialContext that finds them by their
// addresses. Its connections are those of [NetPipe]. An address is any text; it is free again
// when its Listener is closed, so a server can restart. The zero Network has no Listeners
// and is ready for use. Its methods are safe for concurrent use.
//
// It works in bubbles of testing/synctest, if the Network is used in one bubble only. So a
// test of a server that restarts takes no time:
//
//	synctest.Test(t, func(t *testing.T) {
//		var network qsockettest.Network
//		serve := func(until context.Context) {
//			ln, err := network.Listen("gateway:7070")
//			if err != nil {
//				t.Error(err)
//				return
//			}
//			server, err := qsocket.NewListener(ln, orders, nil)
//			if err != nil {
//				t.Error(err)
//				return
//			}
//			server.Serve(until, count)
//		}
//		go client(t.Context(), &qsocket.Options{DialContext: network.DialContext})
//
//		for range 3 {
//			until, cancel := context.WithTimeout(t.Context(), time.Hour)
//			serve(until)
//			cancel()
//			time.Sleep(10 * time.Minute) // the client finds nothing at that address
//		}
//	})
//
// For bad networks there is [Proxy.Through].
type Network struct {
	mu        sync.Mutex // guards following; never held while waiting
	listeners map[string]*Listener
	dialed    int // connections so far
}

// Listener is a net.Listener in memory, made by [Listen] or [Network.Listen]. Like the kernel's
// it has a backlog: up to 128 connections can be dialed, and written to, before they are
// accepted; the next ones wait. Its methods are safe for concurrent use.
//
// The two ends of a connection have the addresses of the Listener and of the client:
// client-1, client-2 and so on.
type Listener struct {
	// Immutable.
	network *Network
	addr    streamAddr
	room    chan struct{}    // an entry for each connection in queue, or about to be
	queue   chan *StreamConn // has space for whoever has put an entry into room
	closed  chan struct{}    // closed by Close, under mu

	mu   sync.Mutex // guards following, and sending to queue; never held while waiting
	over bool       // Close was called: nothing more comes into queue
}

var _ net.Listener = (*Listener)(nil)

// maxBacklog is how many connections wait to be accepted.
const maxBacklog = 128

// Listen returns a Listener at address, which may be any text, on a Network of its own:
//
//	ln := qsockettest.Listen("gateway:7070")
//	server, err := qsocket.NewListener(ln, protocol, nil)
//	…
//	client, err := qsocket.Dial(ctx, "tcp", "gateway:7070", protocol, &qsocket.Options{DialContext: ln.DialContext})
//
// There is no goroutine behind it. Close it when done, unless what it was given to does. In a
// bubble of testing/synctest, make it there.
func Listen(address string) *Listener {
	ln, _ := new(Network).Listen(address) // nothing else is at that address
	return ln
}

// Listen returns a Listener at address. The error wraps syscall.EADDRINUSE if there is one
// already.
func (n *Network) Listen(address string) (*Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	addr := streamAddr(address)
	if n.listeners[address] != nil {
		return nil, &net.OpError{Op: "listen", Net: addr.Network(), Addr: addr, Err: os.NewSyscallError("bind", errInUse)}
	}
	l := &Listener{
		network: n,
		addr:    addr,
		room:    make(chan struct{}, maxBacklog),
		queue:   make(chan *StreamConn, maxBacklog),
		closed:  make(chan struct{}),
	}
	if n.listeners == nil {
		n.listeners = make(map[string]*Listener)
	}
	n.listeners[address] = l
	return l, nil
}

// DialContext connects to the Listener at address, and is meant for Options.DialContext. The
// name of the network does not matter. While the backlog of the Listener is full it waits,
// as long as ctx allows. If there is no Listener, or it is closed meanwhile, the error wraps
// syscall.ECONNREFUSED. The net.Conn is a [*StreamConn].
func (n *Network) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[address]
	n.mu.Unlock()
	err := ctx.Err()
	if err == nil && l == nil {
		err = errNoListener
	}
	if err == nil {
		var c *StreamConn
		if c, err = l.connect(ctx); err == nil {
			return c, nil
		}
	}
	return nil, &net.OpError{Op: "dial", Net: network, Addr: streamAddr(address), Err: err}
}

var errNoListener = os.NewSyscallError("connect", errRefused)

// DialContext connects to the Listener at address on the Network of l; for a Listener made by
// [Listen], that is l and nothing else. See [Network.DialContext].
func (l *Listener) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return l.network.DialContext(ctx, network, address)
}

// connect waits for room in the backlog, and puts one end of a connection there.
func (l *Listener) connect(ctx context.Context) (*StreamConn, error) {
	select {
	case l.room <- struct{}{}:
	case <-l.closed:
		return nil, errNoListener
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	client, server := newStreams(l.network.client(), l.addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return nil, errNoListener
	}
	l.queue <- server
	return client, nil
}

// client returns the address of the next client.
func (n *Network) client() streamAddr {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dialed++
	return streamAddr(fmt.Sprintf("client-%d", n.dialed))
}

// Accept waits for the next connection, a [*StreamConn]. After Close the error wraps
// net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		<-l.room
		return c, nil
	case <-l.closed:
		return nil, l.closedError("accept")
	}
}

// Close ends the Listener and frees its address. Connections that have not been accepted are
// reset, those that have been live on. A second Close returns an error.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return l.closedError("close")
	}
	l.over = true
	close(l.closed)
	l.network.remove(l)
	for {
		select {
		case c := <-l.queue:
			reset(c)
		default:
			return nil
		}
	}
}

func (n *Network) remove(l *Listener) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.listeners, string(l.addr))
}

func (l *Listener) closedError(op string) error {
	return &net.OpError{Op: op, Net: l.addr.Network(), Addr: l.addr, Err: net.ErrClosed}
}

// Addr returns the address that was given to Listen, of the network "pipe".
func (l *Listener) Addr() net.Addr { return l.addr }
