package qsocket

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/handshake"
	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/socket"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// Dial connects to address and makes a Conn of the connection. network is "tcp",
// "tcp4", "tcp6" or "unix"; addresses are those of package net. Options.DialContext
// connects in another way, through a proxy for example; what networks and addresses there
// are is then up to it. ctx bounds
// connecting and the handshake, Options.HandshakeTimeout the handshake alone;
// later ctx has no effect. With a named protocol Dial returns when the two ends
// have found that they can talk, and the peer's Options.Admit, if it has one, has let this end in. If they cannot, errors.As finds a
// [*HandshakeError] in the error, or the [*RemoteError] of a peer that has refused this
// end for a reason that this end does not see; otherwise it is ctx's, or that of the
// network or of TLS. A p that cannot work is an error as well, see [Protocol]. Dial does not wait until
// the server's program has taken the connection: where that matters, its handler sends a message first.
//
// With Options.TLS the connection is a TLS client's. The server's name is taken
// from address if the Config has none.
func Dial[T any](ctx context.Context, network, address string, p Protocol[T], opts *Options) (*Conn[T], error) {
	o, err := checked(p, opts)
	if err == nil && o.DialContext == nil {
		err = checkNetwork(network)
	}
	if err != nil {
		return nil, err
	}
	nc, err := o.connect(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return open(ctx, nc, p, o)
}

// connect returns a connection to address. That of TLS has yet to do its handshake.
func (o *settings) connect(ctx context.Context, network, address string) (net.Conn, error) {
	dial := o.DialContext
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	nc, err := dial(ctx, network, address)
	switch {
	case err != nil:
		return nil, socket.NetworkError("dial", err)
	case isNil(nc): // only DialContext returns that
		return nil, errors.New("qsocket: Options.DialContext returned a nil net.Conn and no error")
	}
	if o.TLS != nil {
		nc = tls.Client(nc, clientConfig(o.TLS, address))
	}
	return nc, nil
}

// checkNetwork refuses what package net knows but is no stream of bytes.
func checkNetwork(network string) error {
	switch network {
	case "tcp", "tcp4", "tcp6", "unix":
		return nil
	}
	return fmt.Errorf("qsocket: network is %s, want a stream: tcp, tcp4, tcp6 or unix", excerpt.Quote(network, excerpt.MaxName))
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

// Pipe returns the two ends of a connection in memory (net.Pipe), for tests; in
// most of them qsockettest.Pipe, which has buffers and a half-close, is nearer to a
// network. It works in bubbles of testing/synctest. net.Pipe has no half-close and no
// buffer: in raw mode CloseWrite is not supported and Close closes at once after
// the flush; in named mode Close waits for 100 ms at most until the peer reads
// the goodbye, and the rest is done in the background.
func Pipe[T any](p Protocol[T], opts *Options) (a, b *Conn[T], err error) {
	na, nb := net.Pipe()
	type result struct {
		c   *Conn[T]
		err error
	}
	other := make(chan result, 1)
	go func() { // ends with the handshake, and leaves its result in other
		c, err := NewConn(context.Background(), nb, p, opts)
		other <- result{c, err}
	}()
	a, err = NewConn(context.Background(), na, p, opts)
	r := <-other
	if err == nil && r.err == nil {
		return a, r.c, nil
	}
	for _, c := range []*Conn[T]{a, r.c} {
		if c != nil {
			_ = c.Close()
		}
	}
	if err == nil {
		err = r.err
	}
	return nil, nil, err
}

// open makes a Conn of nc, or closes nc.
func open[T any](ctx context.Context, nc net.Conn, p Protocol[T], set *settings) (*Conn[T], error) {
	return openAsking(ctx, nc, p, set, nil)
}

// askSession is what a client says in its hello of the session that it asks for.
type askSession struct {
	ID       [wire.SessionIDSize]byte
	Try, Got uint64
	New      bool
	Keep     uint64
}

// openAsking is open for a connection of a session.
func openAsking[T any](ctx context.Context, nc net.Conn, p Protocol[T], set *settings, ask *askSession) (*Conn[T], error) {
	var c *Conn[T]
	err := greetThen(ctx, nc, set, ask, nil, func(nc net.Conn, told *handshake.Told) (err error) {
		c, err = wrap(nc, p, set, told)
		return err
	})
	logPanic(set, nc, err)
	return c, err
}

// logPanic logs the panic with which a handshake over nc has failed, if it has.
func logPanic(set *settings, nc net.Conn, err error) {
	if panicked := panicOf(err); panicked != nil {
		set.Logger.Error("qsocket: handshake panicked", "peer", socket.AddrString(nc.RemoteAddr()), "err", err, excerpt.StackKey, string(panicked.Stack))
	}
}

// greetThen greets the peer, and calls finish, which is to make a Conn, when the handshake is done. After an error nc is closed.
// ask is the session that the Conn is to be one of; nil for none. deny is as for greet.
func greetThen(ctx context.Context, nc net.Conn, set *settings, ask *askSession, deny func(handshake.Session) *handshake.Denied, finish func(nc net.Conn, told *handshake.Told) error) error {
	if err := ctx.Err(); err != nil {
		socket.HardClose(nc, false)
		return err
	}
	nc = socket.Adopt(nc)
	bounded, cancel := context.WithTimeout(ctx, set.HandshakeTimeout)
	defer cancel()
	told, ours, err := greet(bounded, nc, set, ask, deny)
	if err == nil {
		err = stillWanted(bounded)
	}
	if err == nil {
		err = finish(nc, told)
	}
	if err == nil {
		logDifferences(set.Logger, set.protocol, ours, told, nc)
		return nil
	}
	if bounded.Err() == nil {
		handshake.Reject(bounded, nc, err)
	}
	socket.HardClose(nc, false)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil { // ours
		err = handshake.Late(err, set.HandshakeTimeout)
	}
	return handshakeError(err)
}

// stillWanted returns ctx's error, as it is, if a handshake came to its end after ctx had. On a busy
// machine the deadline of ctx may have passed before its timer runs.
func stillWanted(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(deadline) {
		<-ctx.Done()
	}
	return ctx.Err()
}

// greet does what two ends do before the first message. In raw mode that is
// TLS at most, and told is nil. deny, if it is not nil, is asked about a peer whose hello is fine, by what that says of a
// session, before Options.Admit is. ours is the fingerprint of the message types of this end.
func greet(ctx context.Context, nc net.Conn, set *settings, ask *askSession, deny func(handshake.Session) *handshake.Denied) (told *handshake.Told, ours string, err error) {
	attr, err := set.attributes(ctx)
	if err == nil {
		err = handshake.TLS(ctx, nc)
	}
	if err != nil || set.protocol == "" {
		return nil, "", err
	}
	hello, types := newHello(set)
	hello.Attr, hello.Admits = attr, set.Admit != nil || deny != nil
	if ask != nil {
		hello.Session, hello.Try, hello.Got, hello.New, hello.Keep = ask.ID[:], ask.Try, ask.Got, ask.New, ask.Keep
	} else if set.serves {
		hello.Expiry, hello.Keep = expiryMillis(set), uint64(set.SessionBuffer)
	}
	told, err = handshake.Hello(ctx, nc, &handshake.Ours{Hello: hello, Types: types, Admit: set.admitter(nc), Deny: deny})
	return told, hello.Types, err
}

// newHello returns what the hello of this end says of the protocol, and the description of its message types that
// goes with it, nil if it tells none.
func newHello(set *settings) (h *wire.Hello, types *schema.Own) {
	limit := uint64(min(set.MaxFrame, wire.MaxNamedFrame))
	h = &wire.Hello{
		Proto: set.protocol,
		Codec: set.codec,
		Max:   &limit,
		Beat:  uint64(set.Heartbeat / time.Millisecond),
		Lines: wire.HelloLines,
	}
	if text := schemaOf(set.describes); text != "" && len(text) <= wire.MaxTypes {
		types = schema.OwnText(text)
		h.Types, h.Desc = types.Fingerprint, uint64(len(text))
	}
	return h, types
}
