package qsockettest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/socket"
)

// Listen listens on a free port of 127.0.0.1 and forwards each connection to
// the TCP address target. It returns the address to dial. If target cannot be
// reached, the client's connection is reset.
func (p *Proxy) Listen(target string) (addr string, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("qsockettest: %w", err)
	}
	if err := p.Forward(ln, func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", target)
	}); err != nil {
		return "", err
	}
	return ln.Addr().String(), nil
}

// Forward forwards each connection that ln accepts to one that dial makes. ctx is for dialing
// alone, and ends with Close. If dial fails, the client's connection is reset. The Proxy owns
// ln from now on and closes it with itself, or at once if it has been closed: the error wraps
// net.ErrClosed then.
//
// So a Proxy can listen and dial anywhere, in a [Network] for example:
//
//	front, err := network.Listen("proxy:7070")
//	…
//	err = proxy.Forward(front, func(ctx context.Context) (net.Conn, error) {
//		return network.DialContext(ctx, "tcp", "gateway:7070")
//	})
//
// Where it is enough that clients dial through the Proxy, Through is simpler.
func (p *Proxy) Forward(ln net.Listener, dial func(ctx context.Context) (net.Conn, error)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = ln.Close()
		return errProxyClosed
	}
	p.listeners = append(p.listeners, ln)
	p.running.Go(func() { p.accept(ln, dial) }) // ends when Close closes ln
	return nil
}

var errProxyClosed = fmt.Errorf("qsockettest: the Proxy was closed: %w", net.ErrClosed)

// Through returns a function that dials as dial does, and leads the connection through the
// Proxy. The client's end is a [*StreamConn], whatever dial returns. It is meant for
// Options.DialContext:
//
//	ln := qsockettest.Listen("gateway:7070")
//	…
//	opts := &qsocket.Options{DialContext: proxy.Through(ln.DialContext)}
//
// Once the Proxy has been closed, the error wraps net.ErrClosed.
func (p *Proxy) Through(dial func(ctx context.Context, network, address string) (net.Conn, error)) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if p.ctx.Err() != nil {
			return nil, errProxyClosed
		}
		server, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		client, end := newStreams(addrOf(server.LocalAddr()), addrOf(server.RemoteAddr()))
		p.Between(end, server)
		return client, nil
	}
}

// addrOf returns an address that a net.Conn may not have.
func addrOf(a net.Addr) streamAddr { return streamAddr(socket.AddrString(a)) }

func (p *Proxy) accept(ln net.Listener, dial func(context.Context) (net.Conn, error)) {
	for {
		client, err := ln.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // no file descriptors, for one: that may pass
			select {
			case <-time.After(acceptPause):
			case <-p.ctx.Done():
			}
		default:
			number := p.number()
			p.running.Go(func() { p.forward(number, client, dial) }) // ends with the dial, which Close cancels
		}
	}
}

const acceptPause = 10 * time.Millisecond

func (p *Proxy) forward(number uint64, client net.Conn, dial func(context.Context) (net.Conn, error)) {
	server, err := dial(p.ctx)
	if err != nil {
		reset(client)
		return
	}
	p.start(number, client, server)
}
