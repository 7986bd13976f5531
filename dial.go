package qsocket

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
)

// Dial connects to address and makes a Conn of the connection. network is "tcp",
// "tcp4", "tcp6" or "unix"; addresses are those of package net. ctx bounds
// connecting and the handshake, Options.HandshakeTimeout the handshake alone;
// later ctx has no effect. With a named protocol Dial returns when the two ends
// have found that they can talk. If they cannot, errors.As finds a
// [*HandshakeError] in the error; otherwise it is ctx's, or that of the network or
// of TLS.
//
// With Options.TLS the connection is a TLS client's. The server's name is taken
// from address if the Config has none.
func Dial[T any](ctx context.Context, network, address string, p Protocol[T], opts *Options) (*Conn[T], error) {
	o, err := checked(p, opts)
	if err == nil {
		err = checkNetwork(network)
	}
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	nc, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("qsocket: %w", err)
	}
	if o.TLS != nil {
		nc = tls.Client(nc, clientConfig(o.TLS, address))
	}
	return open(ctx, nc, p, o)
}

// checkNetwork refuses what package net knows but is no stream of bytes.
func checkNetwork(network string) error {
	switch network {
	case "tcp", "tcp4", "tcp6", "unix":
		return nil
	}
	return fmt.Errorf("qsocket: network is %q, want a stream: tcp, tcp4, tcp6 or unix", network)
}

// clientConfig completes config with the server's name, as tls.Dial does.
func clientConfig(config *tls.Config, address string) *tls.Config {
	if config.ServerName != "" {
		return config
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	config = config.Clone()
	config.ServerName = host
	return config
}
