package qsocket

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/link"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// Options are the choices of one end. In named mode the peer is told MaxFrame and
// Heartbeat; it need not know the others. A nil *Options, and every zero field,
// means the default given with the field. A constructor copies the Options it is
// given. Negative sizes are refused, and so are a negative HandshakeTimeout,
// CloseTimeout and SessionExpiry.
type Options struct {
	MaxFrame   int // largest payload accepted or sent, bytes; 1 MiB, in named mode at most 2 GiB - 1
	RecvQueue  int // capacity of Messages, messages; 16, at most 16,777,216
	SendBuffer int // bytes accepted by Send and not yet written, beyond which Send waits; 256 KiB

	// DecodedBuffer bounds the memory of the messages that wait in Messages, bytes;
	// 4 MiB. One message may wait there whatever its size; and one that turns out to be
	// larger than those before it is held besides until there is space. Msgpack, Gob and
	// JSON know what a message takes. With other codecs it counts as 8 times its payload,
	// unless T is []byte or string.
	DecodedBuffer int

	// WriteTimeout bounds socket writes that make no progress. Zero or negative:
	// none, because long back-pressure is legal. Where the progress inside a Write
	// cannot be seen (TLS, net.Pipe, wrappers), it bounds each 16 KiB written.
	WriteTimeout time.Duration

	// FrameTimeout is for a frame from its first byte to its last. Time in which this
	// end does not receive does not count; under TLS the clock starts with the
	// first whole record. 30 s, negative for none.
	FrameTimeout time.Duration

	HandshakeTimeout time.Duration // TLS handshake, hello, Attributes and Admit; for Redial and when a session resumes, dialing too; 10 s
	CloseTimeout     time.Duration // bound on Close, CloseWrite, what they leave to the background, and on telling the peer of a failure; 5 s

	// Heartbeat is, in named mode, the interval that we ask of the peer when it
	// has nothing to say; 15 s, at least 1 ms, negative for none. Peers refuse one below
	// 100 ms unless they ask for as little themselves. A peer from which
	// nothing comes for twice that, while this end receives, is given up. Under
	// TLS only whole records count, of 16 KiB at most: give a slow link time for
	// two.
	Heartbeat time.Duration

	// Listener: connections that may be open, handshakes included; 0 for no limit. Of a
	// named protocol up to 16 at a time beyond those are told that the Listener is full: the
	// client's error is a [*HandshakeError] with Field full, so that it can go elsewhere
	// or come back later. Each gets a second for that. A client that comes back to a session is
	// let in, see MaxSessions. Further ones, and all in raw mode, wait in the kernel until there
	// is space. It is logged when that begins (Warn), and when there has been space for a second
	// (Info).
	MaxConns int

	// Listener: handshakes under way beyond which each new one displaces one of
	// them, chosen at random. A client that means it is done in three round trips at
	// most, so under a flood it gets through with a probability that is the better
	// the higher the limit is, no matter how far away it is. They count among
	// MaxConns while they last, so set it well below that. 0 for no limit.
	MaxHandshakes int

	// Dial, DialSession and Redial: client side; Listen and NewListener: server side; nil for
	// none. NewConn, NewSession and Pipe refuse it: wrap the net.Conn with package tls.
	TLS *tls.Config

	// DialContext connects, for Dial, DialSession and Redial; nil: a net.Dialer. It gets a ctx (that
	// of Dial), network and address as they are, whatever network is, and returns a stream connection of any
	// kind (see NewConn). TLS, if it is set, runs over that. Nothing but ctx bounds it, so it
	// must return when ctx ends. The others ignore it: Listen, NewListener, NewConn, NewSession, Pipe.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)

	// Attributes returns what this end tells of itself in the hello of a named protocol: a token,
	// a tenant, the version of the program, the context of a trace. The peer has it for
	// Admit, and from PeerAttributes. At most 32, of 1,536 bytes in all as encoded (the
	// texts, and 1 to 3 bytes for each), in UTF-8, with names that are not empty; anything else is an
	// error, which shows names at most. It is called for each connection, under ctx of the
	// handshake, before anything is sent. An error or a panic of it ends the handshake
	// (HandshakeError, Field internal). Values are in no log line and no error.
	//
	// Neither end has seen anything of the other when it sends its attributes: what a Listener
	// tells goes to everyone who connects, and a client's token goes to whoever listens at the
	// address. So use TLS. Nil for none.
	Attributes func(ctx context.Context) (map[string]string, error)

	// Admit decides whether the peer of a named protocol is let in, once the two ends have found
	// that they can talk. The connection is handed out only if it returns nil, and the peer's
	// Dial, NewConn or Listener waits for that. ctx ends with HandshakeTimeout; an Admit that goes on
	// after it is left behind. An error that [Refuse] has made, or that wraps one, is told to the
	// peer: its error is a [*HandshakeError] with Field refused. Any other error, and a panic, is the
	// failure of this end: it is logged or returned here, and the peer is told "internal error"
	// (Field internal), without any of its text.
	//
	// attributes are those of the peer, never nil, and Admit's own until it returns. What it
	// leaves there is what PeerAttributes returns: it may delete a token, and set the name that
	// it has found for it. nc is there to be looked at, for its TLS state (*tls.Conn), addresses
	// or credentials; Admit must not read, write or close it, or set deadlines.
	//
	// Admit is called once for each connection, by many goroutines at the same time. Handshakes count
	// towards MaxConns, and MaxHandshakes displaces those that take long. A peer older than
	// Admit is told all the same, though it does not wait. Nil: all may come.
	Admit func(ctx context.Context, p Peer, attributes map[string]string, nc net.Conn) error

	// Trace is called for each frame that a connection sends, when Send has accepted it, and for each that it has
	// received, before it is decoded; see [Frame]. The calls for one direction of a connection come in
	// the order of the frames, one at a time. Both ends of a handshake are left out. Trace runs
	// while the connection is held up, so it must be fast, must not block, and must not call into the Conn. One that
	// panics is not called again for that connection, and logged at level Error. Nil: none.
	Trace func(Frame)

	// SessionExpiry is how long a session that has lost its connection waits for another, at both
	// ends; 2 min. A client waits as long as the server says, if that is longer.
	SessionExpiry time.Duration

	// SessionBuffer bounds what a session holds of its own messages until the peer has acknowledged
	// them, bytes of frames; 4 MiB. While less than a quarter of it is held, a message of any size
	// is accepted. A session sends at most three quarters of it for each round trip: at 120 ms and
	// 4 MiB that is 26 MB a second.
	SessionBuffer int

	// SendFailsWhileDown makes Send and TrySend of a session fail while it has no connection, instead
	// of queueing the message. A Group leaves such a session out.
	SendFailsWhileDown bool

	// MaxSessions is, for a Listener, how many sessions there may be, with and without a connection,
	// and switches sessions on; 0: none. A session counts towards MaxConns like a connection, also
	// while it has none, so its client finds room when it comes back. A client that asks for one
	// more gets a [*HandshakeError] with Field full, which is not final. As many sessions that have
	// ended are remembered, for another SessionExpiry.
	MaxSessions int

	// Backoff is how long a session that has lost its connection waits before each attempt to dial,
	// and [Redial] after each failure; not at all if it is 0 or negative. failures counts, from 0, the
	// attempts since there was a connection that lasted for more than 15 s, those that led to a shorter
	// one included. For Redial, which dials at once, it is 1 or more. Nil: anything up to
	// 200 ms · 2^failures, at most 15 s, by chance ("full jitter").
	Backoff func(failures int) time.Duration

	// OnSession is told what happens to a session, one event after the other, in a goroutine that
	// nothing waits for. It may call the session, and must not panic. While it does not return up to
	// 64 events wait; after that all but SessionEnded are left out. Nil: none.
	OnSession func(SessionEvent)

	// SessionIdentity says, for a Listener, to whom a session belongs, by the connection on which it
	// is begun or asked for: a client that asks for a session of another identity is told that there
	// is none. It is called by many goroutines at the same time. Nil: the public key of the client's
	// certificate where TLS asks for one, and otherwise no difference: who knows the 16 random bytes
	// that name a session can take it over.
	SessionIdentity func(net.Conn) string

	// Logger gets what happens to connections, never what they carry: one line for each event. At
	// level Debug: connections that are open, and those that have ended well, with the name of the
	// protocol, how long they were open, and their counters, those that came beyond MaxConns, clients
	// that have gone before a byte of theirs had come, as health checks do that only connect, and
	// sessions that have ended well. Info: peers that are gone, with the same, reasons given for an
	// end, sessions that resume or end with an error, a Drain, in what the peer's message types differ
	// (once for each pair of versions), the first message that SkipUnknown drops, and that a Listener
	// is no longer full. Warn: messages that could not be decoded, at either end, and other violations;
	// other handshakes that have failed, errors of accept, the first message that a Group drops for a
	// Conn, consumers that it disconnects, messages lost when a Conn was closed or with a session, and
	// a Listener that is full. Error: panics, and the end of accepting. Attempts of a session to connect
	// again that fail are no lines: see OnSession. Nil: silent.
	Logger *slog.Logger
}

// maxMaxFrame leaves room for a header and a trailer in an int.
const maxMaxFrame = math.MaxInt - 64

// maxRecvQueue bounds RecvQueue, whose memory is allocated at once.
const maxRecvQueue = 1 << 24

// withDefaults returns a checked copy of o (which may be nil) in which every
// field has its effective value: 0 stands for "none" in the timeouts.
func (o *Options) withDefaults() (Options, error) {
	var d Options
	if o != nil {
		d = *o
	}
	for _, size := range []struct {
		name  string
		value *int
		zero  int
	}{
		{"MaxFrame", &d.MaxFrame, 1 << 20},
		{"RecvQueue", &d.RecvQueue, 16},
		{"SendBuffer", &d.SendBuffer, 256 << 10},
		{"DecodedBuffer", &d.DecodedBuffer, 4 << 20},
		{"SessionBuffer", &d.SessionBuffer, 4 << 20},
		{"MaxSessions", &d.MaxSessions, 0},
		{"MaxConns", &d.MaxConns, 0},
		{"MaxHandshakes", &d.MaxHandshakes, 0},
	} {
		if *size.value < 0 {
			return d, fmt.Errorf("qsocket: Options.%s is %d, want 0 (default) or more", size.name, *size.value)
		}
		if *size.value == 0 {
			*size.value = size.zero
		}
	}
	for _, bound := range []struct {
		name  string
		value *time.Duration
		zero  time.Duration
		off   bool // a negative value switches it off
	}{
		{"WriteTimeout", &d.WriteTimeout, 0, true},
		{"FrameTimeout", &d.FrameTimeout, 30 * time.Second, true},
		{"HandshakeTimeout", &d.HandshakeTimeout, 10 * time.Second, false},
		{"CloseTimeout", &d.CloseTimeout, 5 * time.Second, false},
		{"Heartbeat", &d.Heartbeat, 15 * time.Second, true},
		{"SessionExpiry", &d.SessionExpiry, 2 * time.Minute, false},
	} {
		switch {
		case *bound.value < 0 && !bound.off:
			return d, fmt.Errorf("qsocket: Options.%s is %v, want 0 (default) or more", bound.name, *bound.value)
		case *bound.value < 0:
			*bound.value = 0
		case *bound.value == 0:
			*bound.value = bound.zero
		}
	}
	if d.Heartbeat > 0 && d.Heartbeat < time.Millisecond {
		return d, fmt.Errorf("qsocket: Options.Heartbeat is %v, want at least 1ms, 0 (default) or negative (none)", d.Heartbeat)
	}
	d.MaxFrame = min(d.MaxFrame, maxMaxFrame)
	d.SendBuffer = min(d.SendBuffer, math.MaxInt/2) // so that a frame can be added
	if d.RecvQueue > maxRecvQueue {
		return d, fmt.Errorf("qsocket: Options.RecvQueue is %d, want at most %d", d.RecvQueue, maxRecvQueue)
	}
	if d.Backoff == nil {
		d.Backoff = defaultBackoff
	}
	if d.SessionIdentity == nil {
		d.SessionIdentity = byPublicKey
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	} else {
		d.Logger = slog.New(excerpt.Handler(d.Logger.Handler()))
	}
	return d, nil
}

// settings are the choices that a Conn is made with. All Conns of a Listener share one.
type settings struct {
	Options   // with their defaults
	protocol  string
	codec     string
	framing   Framing
	stateless bool
	tagged    bool // payloads begin with the tag of a Union
	serves    bool // of a Listener with sessions
	describes any  // the codec, for its Schema
}

// checked returns the settings if both p and opts are valid.
func checked[T any](p Protocol[T], opts *Options) (*settings, error) {
	return opts.settingsFor(p.Name, p.Framing, p.check(), p.codec())
}

// settingsFor is checked. invalid is what is wrong with the protocol, nil if that is nothing.
func (opts *Options) settingsFor(name string, framing Framing, invalid error, codec interface{ Name() string }) (*settings, error) {
	o, err := opts.withDefaults()
	if err == nil {
		err = invalid
	}
	if err == nil && name == "" && (o.Attributes != nil || o.Admit != nil) {
		err = errors.New("qsocket: Options.Attributes or Admit with a protocol that has no Name: want one, since raw mode has no hello")
	}
	if err != nil {
		return &settings{Options: o}, err
	}
	return &settings{Options: o, protocol: name, codec: codec.Name(), framing: framing, stateless: isStateless(codec), tagged: isTagged(codec), describes: codec}, nil
}

// config returns what the link needs in both modes.
func (o *settings) config() link.Config {
	return link.Config{
		Framing:      wire.Framing(o.framing),
		MaxFrame:     o.MaxFrame,
		SendLimit:    o.MaxFrame,
		SendBuffer:   o.SendBuffer,
		WriteTimeout: o.WriteTimeout,
		FrameTimeout: o.FrameTimeout,
		Heartbeat:    o.Heartbeat,
		Log:          o.Logger,
	}
}
