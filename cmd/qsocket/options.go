package main

import (
	"context"
	"net"
	"strings"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/wire"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/address"
	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/greet"
)

// peerOptions are the options of every command that connects to a server. A command embeds
// them, and has its address as an argument.
type peerOptions struct {
	Name    string `group:"protocol" placeholder:"NAME" help:"Name of the protocol. Without it: what the server's hello says."`
	Codec   string `group:"protocol" placeholder:"CODEC" help:"Codec, such as msgpack. Without it: what the hello says. With --codec or --framing, and no --name, the server is taken to speak raw mode: frames and nothing else."`
	Framing string `group:"protocol" placeholder:"FRAMING" help:"Framing of raw mode: Uint32 (the default), Uint16, Uint8, Uint32LE, Uvarint or Netstring."`

	Attr map[string]string `group:"protocol" placeholder:"KEY=VALUE" help:"Attribute to tell the server, such as a token; may be repeated."`

	address.TLS `group:"tls"`

	JSON    bool          `name:"json" help:"Print JSON, one object a line."`
	Timeout time.Duration `default:"5s" help:"How long to wait for the server, at each step."`
}

// raw reports whether the server is to be taken for one in raw mode.
func (o *peerOptions) raw() bool { return o.Name == "" && (o.Codec != "" || o.Framing != "") }

// framing returns the framing of raw mode.
func (o *peerOptions) framing() (wire.Framing, error) {
	if o.Framing == "" {
		return wire.Uint32, nil
	}
	var names []string
	for f := range wire.NumFramings {
		if strings.EqualFold(f.String(), o.Framing) {
			return f, nil
		}
		names = append(names, f.String())
	}
	return 0, usagef("--framing %q is none of %s", o.Framing, strings.Join(names, ", "))
}

// dial connects to addr, TLS included, within Timeout.
func (o *peerOptions) dial(ctx context.Context, addr string) (net.Conn, error) {
	a, err := address.Parse(addr)
	if err != nil {
		return nil, usage(err)
	}
	config, err := o.Config(a)
	if err != nil {
		return nil, usage(err)
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	nc, err := a.Dial(ctx, config)
	if err != nil {
		return nil, adviseDial(ctx, a, o, err)
	}
	return nc, nil
}

// observe connects to addr, whose server has a hello, and greets it as an observer that wants to know the types.
func (o *peerOptions) observe(ctx context.Context, addr string) (*greet.Peer, error) {
	nc, err := o.dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	return o.greet(ctx, addr, nc, true)
}

// greet does the handshake of an observer over nc, a connection to addr. The Peer is not nil if
// the server's hello has come, even if there is an error.
func (o *peerOptions) greet(ctx context.Context, addr string, nc net.Conn, types bool) (*greet.Peer, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	peer, err := greet.Hello(ctx, nc, &greet.Options{Name: o.Name, Codec: o.Codec, Attributes: o.Attr, Types: types})
	if err != nil {
		err = advise(addr, o, err)
	}
	return peer, err
}
