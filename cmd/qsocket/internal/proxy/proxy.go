// Package proxy carries connections to a server byte for byte, and lets a watcher see what goes
// through.
//
// It is a Conn's worth of TCP and no more: what one end sends is written to the other before
// anything else is read, so a slow reader slows its peer down as without a proxy, and nothing is
// kept but what one read has brought. The end of one direction (FIN, close_notify) is passed on
// as such, and the other goes on; a reset of one end becomes a reset of the other.
package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Side is who has sent something.
type Side uint8

const (
	Client Side = iota
	Server
)

// Watcher sees one connection. The methods for the two sides are called by two goroutines.
type Watcher interface {
	// Saw is called with what a side has sent, before it is passed on. It must not block, and b is not
	// its own.
	Saw(from Side, b []byte, at time.Time)
	// Passed is called when it was passed on. Nothing else is read from that side before it returns.
	Passed(from Side)
	// Ended is called at the end of what a side sends: with nil if the side has ended it, and
	// otherwise with what broke the connection.
	Ended(from Side, err error, at time.Time)
	// Closed is called last.
	Closed()
}

// Proxy carries connections.
type Proxy struct {
	Listener net.Listener
	TLS      *tls.Config // of the Listener's connections; nil: none
	Dial     func(ctx context.Context) (net.Conn, error)
	// Watch is called for each connection that has been accepted. If the server cannot be reached, or the
	// client fails in its handshake of TLS, failed says why, and the Watcher is not used.
	Watch func(conn uint32, client net.Addr, failed error) Watcher
	Most  int // connections to carry until Serve returns; 0: any number
}

// bufferSize is what is read at once, bytes. A connection has two of them.
const bufferSize = 64 << 10

// handshakeTimeout bounds the handshake of TLS of a client.
const handshakeTimeout = 10 * time.Second

// Serve accepts connections and carries them until ctx ends, which resets them, or there have been
// Most. It returns when all have ended. The Listener is closed then.
func (p *Proxy) Serve(ctx context.Context) error {
	defer p.Listener.Close()
	stop := context.AfterFunc(ctx, func() { p.Listener.Close() })
	defer stop()
	var all sync.WaitGroup
	defer all.Wait()
	pause := time.Duration(0)
	for id := uint32(1); p.Most == 0 || id <= uint32(p.Most); id++ {
		nc, err := p.Listener.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			var temporary interface{ Temporary() bool }
			if !errors.As(err, &temporary) || !temporary.Temporary() { // as of too many open files
				return err
			}
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			id--
			continue
		}
		pause = 0
		all.Go(func() { p.carry(ctx, id, nc) }) // ends with the connection, or ctx
	}
	p.Listener.Close()
	return nil
}

// carry carries one connection.
func (p *Proxy) carry(ctx context.Context, id uint32, client net.Conn) {
	peer := client.RemoteAddr()
	client, server, err := p.connect(ctx, client)
	if err != nil {
		reset(client)
		p.Watch(id, peer, err)
		return
	}
	w := p.Watch(id, peer, nil)
	defer w.Closed()
	abort := sync.OnceFunc(func() { reset(client); reset(server) })
	stop := context.AfterFunc(ctx, abort)
	defer stop()
	ends := make(chan outcome, 2)
	go func() { ends <- pass(server, client, Client, w) }() // both end with the connections
	go func() { ends <- pass(client, server, Server, w) }()
	first := <-ends
	if first == readFailed {
		abort()
	}
	// Where the one that was written to is gone, the other direction has what it has sent before, and
	// ends with it.
	if second := <-ends; first != ended || second != ended {
		abort()
		return
	}
	client.Close()
	server.Close()
}

// connect does the handshake of TLS with the client, if there is one, and connects to the server.
func (p *Proxy) connect(ctx context.Context, client net.Conn) (c, server net.Conn, err error) {
	if p.TLS != nil {
		secure := tls.Server(client, p.TLS)
		shaking, cancel := context.WithTimeout(ctx, handshakeTimeout)
		defer cancel()
		if err := secure.HandshakeContext(shaking); err != nil {
			return client, nil, err
		}
		client = secure
	}
	server, err = p.Dial(ctx)
	return client, server, err
}

// outcome is how a direction has ended.
type outcome uint8

const (
	ended       outcome = iota // by its sender
	readFailed                 // its sender is gone
	writeFailed                // its receiver is gone
)

// pass carries one direction.
func pass(dst, src net.Conn, from Side, w Watcher) outcome {
	buf := make([]byte, bufferSize)
	for {
		n, err := src.Read(buf)
		now := time.Now()
		if n > 0 {
			w.Saw(from, buf[:n], now)
			if _, err := dst.Write(buf[:n]); err != nil {
				w.Ended(from, err, time.Now())
				return writeFailed
			}
			w.Passed(from)
		}
		switch {
		case err == io.EOF:
			if half, ok := dst.(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite() // an error means that dst is gone, which its own reads tell
			}
			w.Ended(from, nil, now)
			return ended
		case err != nil:
			w.Ended(from, err, now)
			return readFailed
		}
	}
}

// reset closes a connection so that its peer sees a reset, where the transport has one.
func reset(nc net.Conn) {
	below := nc
	if secure, ok := nc.(*tls.Conn); ok {
		below = secure.NetConn()
	}
	if tcp, ok := below.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	below.Close()
}
