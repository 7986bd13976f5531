package qsockettest

import (
	"errors"
	"fmt"
	"net"
	"time"
)

// Listen listens on a free port of 127.0.0.1 and forwards each connection to
// the TCP address target. It returns the address to dial. If target cannot be
// reached, the client's connection is reset.
func (p *Proxy) Listen(target string) (addr string, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("qsockettest: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = ln.Close()
		return "", fmt.Errorf("qsockettest: listen on a Proxy that was closed: %w", net.ErrClosed)
	}
	p.listeners = append(p.listeners, ln)
	p.running.Go(func() { p.accept(ln, target) }) // ends when Close closes ln
	return ln.Addr().String(), nil
}

func (p *Proxy) accept(ln net.Listener, target string) {
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
			p.running.Go(func() { p.forward(number, client, target) }) // ends with the dial, which Close cancels
		}
	}
}

const acceptPause = 10 * time.Millisecond

func (p *Proxy) forward(number uint64, client net.Conn, target string) {
	var d net.Dialer
	server, err := d.DialContext(p.ctx, "tcp", target)
	if err != nil {
		reset(client)
		return
	}
	p.start(number, client, server)
}
