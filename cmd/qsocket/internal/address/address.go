// Package address parses the addresses of the command line and connects to them.
//
//	tcp://host:port    host:port alone is the same
//	unix://path
//	tls://host:port
package address

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"

	"github.com/fb9bb4ed/qsocket/internal/handshake"
)

// Address is where a server listens.
type Address struct {
	Network string // "tcp" or "unix", as package net has them
	Address string // host:port, or a path
	TLS     bool
}

// String returns the address as it is written on the command line.
func (a Address) String() string {
	if a.TLS {
		return "tls://" + a.Address
	}
	return a.Network + "://" + a.Address
}

// Parse reads an address.
func Parse(s string) (Address, error) {
	scheme, rest, found := strings.Cut(s, "://")
	if !found {
		scheme, rest = "tcp", s
	}
	a := Address{Network: "tcp", Address: rest}
	switch scheme {
	case "tcp":
	case "tls":
		a.TLS = true
	case "unix":
		a.Network = "unix"
		if rest == "" {
			return a, fmt.Errorf("address %q has no path: want unix://path", s)
		}
		return a, nil
	default:
		return a, fmt.Errorf("address %q begins with %q: want tcp://host:port, unix://path or tls://host:port", s, scheme+"://")
	}
	if _, port, err := net.SplitHostPort(rest); err != nil || port == "" {
		return a, fmt.Errorf("address %q is not %s://host:port", s, scheme)
	}
	return a, nil
}

// Listen listens at the address. TLS is up to the caller.
func (a Address) Listen() (net.Listener, error) { return net.Listen(a.Network, a.Address) }

// Dial connects, and does the handshake of TLS where the address asks for it. config is what
// TLS.Config returned for the address.
func (a Address) Dial(ctx context.Context, config *tls.Config) (net.Conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, a.Network, a.Address)
	if err != nil || !a.TLS {
		return nc, err
	}
	secure := tls.Client(nc, config)
	if err := handshake.TLS(ctx, secure); err != nil {
		nc.Close()
		return nil, err
	}
	return secure, nil
}
