package qsocket

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/backlog"
	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/handshake"
	"github.com/fb9bb4ed/qsocket/internal/link"
	"github.com/fb9bb4ed/qsocket/internal/socket"
	"github.com/fb9bb4ed/qsocket/internal/xsync"
)

// Conn is a connection over which the two ends send messages of type T to each
// other at arbitrary times. [Dial], [NewConn], [Pipe] and a [Listener] make
// one. All methods are safe for concurrent use.
//
// Send queues a message; it is written in the background, together with
// others if there are any. Receive with Messages, a channel that a reader
// goroutine fills, or with Recv or All, which read on the caller's goroutine
// and spare the hop. Mixing the two loses, duplicates and reorders nothing.
//
// The caller must end every Conn it obtains, with Close or Shutdown, also after it has
// failed: only that releases the socket in all cases.
//
// After the end, Err is nil if the end was clean. Otherwise it is one of
//   - io.ErrUnexpectedEOF: the peer ended inside a frame or, in named mode, without a goodbye;
//   - a [*RemoteError]: the peer closed with a reason, or failed and said why (named mode);
//   - [ErrPeerDead]: the peer was silent for twice Options.Heartbeat (named mode);
//   - [ErrSlowConsumer]: a Group disconnected it;
//   - [ErrFrameTooLarge], [ErrProtocol]: the peer sent a frame above MaxFrame,
//     bytes that are no frame, or a control frame that breaks the rules;
//   - a [*CodecError]: a payload could not be decoded;
//   - os.ErrDeadlineExceeded: FrameTimeout, WriteTimeout or CloseTimeout;
//   - the error of the ctx of a Shutdown that lost accepted messages;
//   - the network's own error, such as syscall.ECONNRESET or syscall.EPIPE.
//
// Compare with errors.Is and errors.As. When a Conn fails, its peer learns why, from a
// [*RemoteError], if the protocol has a Name and the peer can still be told. Otherwise it gets
// a reset where the network can send one (TCP). Neither looks like a clean end.
//
// The zero Conn is not usable.
type Conn[T any] struct {
	// How it works, in invariants:
	//
	//  1. Only the flusher, or the one Send that writes in its place, writes to
	//     the socket, and after a failed write nothing does. (TLS writes alerts
	//     of its own accord, from Read as well.)
	//  2. Only the holder of the inbox's lock reads from the socket. In raw
	//     mode, once this end has closed, only Discard does.
	//  3. The inbox's lock, which says who reads, comes before all mutexes and is
	//     held while its holder waits. No mutex is held across I/O or while
	//     waiting, and no two of those of link, outbox and inbox are held at the
	//     same time. readerMu comes before that of link.
	//  4. The first failure is recorded once, in link. What comes later is a
	//     consequence.
	//  5. The reader goroutine is the only sender on messages and the only one
	//     to close it. Done fires after that.
	//  6. The link's teardown closes the socket, which ends every goroutine that
	//     waits for it. At the latest the timer of CloseTimeout calls it.
	//  7. An accepted frame is written before any frame accepted after it, and
	//     a refused one leaves no byte behind.
	connCore

	messages chan T // set once; may be read without readerMu when queued is set

	enc  Encoder[T]     // used between Begin and Commit or Abort, under the outbox's lock
	dec  Decoder[T]     // owned by the holder of the inbox's lock
	into intoDecoder[T] // the same, if it is one; nil otherwise

	backlog *backlog.Backlog // of messages, and of the one that is held back; owned by the reader goroutine
	next    T                // owned by the holder of the inbox's lock: the message being decoded; zero otherwise
}

// connCore is what a Conn has that does not depend on T. What needs nothing else is a method of connCore, so that the
// compiler does not make it again for each T.
type connCore struct {
	link     link.Link
	readerMu sync.Mutex      // guards messages and started
	started  xsync.Signal    // fired after queued was set
	told     *handshake.Told // what the peer has told; immutable, nil in raw mode

	session atomic.Pointer[attachment] // what it is to its Session; nil for none

	// The consumer of messages looks at queued, and at messages behind it, each time, so what the
	// reader goroutine writes stands elsewhere.
	settings *settings   // immutable
	queued   atomic.Bool // the reader goroutine has been started, or never will be; messages is set by then
}

// Stats counts what has gone through a Conn.
type Stats struct {
	MessagesSent     uint64 // accepted by Send
	MessagesReceived uint64 // frames read, also if their payload could not be decoded
	BytesSent        uint64 // frames accepted by Send, headers included
	BytesReceived    uint64 // frames read, headers included
	Flushes          uint64 // socket writes
	Dropped          uint64 // messages that a Group with policy Drop skipped
	Unknown          uint64 // messages received and dropped by SkipUnknown
	SendBuffered     int    // bytes accepted and not yet with the kernel

	// Of a [Session]; zero for a Conn.
	Resumes        uint64        // connections after the first one
	Replayed       uint64        // messages that were sent again
	Down           time.Duration // time without a connection, the present one included
	Unacknowledged int           // bytes of messages accepted and not acknowledged, headers included
}

// Peer is what the handshake of a named protocol says about the other end. It is
// zero in raw mode.
type Peer struct {
	MaxFrame  int           // largest payload that the peer accepts, bytes
	Heartbeat time.Duration // the interval at which it wants to hear from us; 0: it does not care
	Types     string        // fingerprint of its message types; empty if it tells none

	// Differences has a line for each difference between our message types and
	// the peer's, such as "Placed.Venue is only at the peer: it is skipped". It is
	// empty if there is none, or if one of the ends does not tell its types; and
	// says so if the peer's description is in a form that is not known. Each line
	// ends with "\n"; DifferenceLines iterates over them. They are logged at level Info, once for
	// each pair of fingerprints. Names that are not printable are escaped, long ones are cut in
	// the middle, and what exceeds 16 KiB in all is left out; the last line is
	// "and more" then.
	Differences string
}

// NewConn makes a Conn over nc, a stream connection of any kind. It owns nc from
// the call on and closes it if it returns an error. ctx and
// Options.HandshakeTimeout bound the handshake: that of TLS if nc is a *tls.Conn
// that has not done it, and the hello of a named protocol, in whose error
// errors.As finds a [*HandshakeError]. Later ctx has no effect. Options.TLS must
// be nil: to use TLS over nc, wrap it with package tls first. A p that cannot work is an
// error, see [Protocol].
//
// Everything holds over any nc whose Close wakes a Read, and some of it at another price than
// over TCP, Unix sockets, net.Pipe and TLS over those:
//   - Nothing interrupts a Read there when this end closes, because that may be the end of nc:
//     a Recv, or the reader goroutine, stays until the peer ends, for CloseTimeout at most.
//   - The ctx of a Recv interrupts the Read by a deadline. Where a passed deadline is the
//     end of the connection, as with WebSockets, it ends the Conn.
//   - Where nc has no deadlines, as channels of SSH, each Read has a goroutine and a buffer of
//     its own. A method to set a deadline that does nothing must return an error, or a Recv
//     cannot honour its ctx.
//   - A Write that neither a deadline nor Close wakes may outlive the Conn, with its
//     goroutine. All calls return in time nevertheless.
//
// docs/transports.md says what holds over which, and what a type that wraps a net.Conn
// should forward.
func NewConn[T any](ctx context.Context, nc net.Conn, p Protocol[T], opts *Options) (*Conn[T], error) {
	if isNil(nc) {
		return nil, errors.New("qsocket: the net.Conn is nil")
	}
	o, err := checked(p, opts)
	if err == nil && o.TLS != nil {
		err = errors.New("qsocket: NewConn with Options.TLS: want nil, and a net.Conn that is wrapped by package tls already")
	}
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	return open(ctx, nc, p, o)
}

// isNil catches a nil pointer in an interface as well as a nil interface.
func isNil(v any) bool {
	rv := reflect.ValueOf(v)
	return !rv.IsValid() || rv.Kind() == reflect.Pointer && rv.IsNil()
}

// wrap makes a Conn of a connection that is ready for messages. told is nil in
// raw mode.
func wrap[T any](nc net.Conn, p Protocol[T], set *settings, told *handshake.Told) (*Conn[T], error) {
	codec := p.codec()
	c := &Conn[T]{connCore: connCore{settings: set}, enc: codec.NewEncoder(), dec: codec.NewDecoder()}
	if c.enc == nil || c.dec == nil {
		return nil, fmt.Errorf("qsocket: codec %s: NewEncoder or NewDecoder returned nil", excerpt.Quote(set.codec, excerpt.MaxName))
	}
	c.into, _ = c.dec.(intoDecoder[T])
	c.init(nc, told, (*owner[T])(c), c.enc)
	return c, nil
}

// init makes c ready for messages, encoded by the Encoder enc.
func (c *connCore) init(nc net.Conn, told *handshake.Told, o link.Owner, enc any) {
	config := c.settings.config()
	config.Owner = o
	config.Tracer = newTracer(c.settings)
	if told != nil {
		c.told = told
		config.Named = true
		config.PeerHeartbeat = told.Heartbeat
		if told.MaxFrame < config.SendLimit {
			config.SendLimit, config.PeerLimit = told.MaxFrame, true
		}
	}
	limit(enc, config.Framing.MaxPayload(config.SendLimit))
	c.link.Init(socket.New(nc), config)
	c.link.LogOpen()
}

// owner is a Conn as its link sees it: with methods that are not those of the API.
type owner[T any] Conn[T]

func (o *owner[T]) Undo() bool       { return (*Conn[T])(o).undo() }
func (o *owner[T]) InputReady() bool { return (*Conn[T])(o).inputReady() }
func (o *owner[T]) StartReader()     { (*Conn[T])(o).startReader() }
func (o *owner[T]) Protocol() string { return o.settings.protocol }

func (o *owner[T]) OnSession(kind byte, body []byte) (known bool, err error) {
	if a := o.session.Load(); a != nil {
		return true, a.onControl(kind, body)
	}
	return false, nil
}

func (o *owner[T]) GoesAway() {
	if a := o.session.Load(); a != nil {
		a.s.goAway()
	}
}

func (o *owner[T]) CloseTimeout() time.Duration { return o.settings.CloseTimeout }

func (o *owner[T]) RemoteError(code uint16, reason string) error {
	return newRemoteError(code, reason)
}

func (o *owner[T]) Farewell(err error) (link.Farewell, bool) { return farewell(err) }
func (o *owner[T]) Severity(err error) slog.Level            { return severity(err) }

// Done returns a channel that is closed when the Conn is over: both directions
// have ended, or the first failure has ended it. Messages is closed by then. A
// CloseWrite at one end does not close it.
//
// After Close, Done is closed when the peer has ended too, or after CloseTimeout. A
// program that only sends learns from Done that the peer has closed or the Conn
// has failed. Like Messages, Done starts the reader goroutine: if the peer sends
// anything, receive it, or the reader never gets to the end.
func (c *Conn[T]) Done() <-chan struct{} {
	c.startReader()
	return c.link.Done()
}

// Err returns nil while the Conn works and after a clean end: our own Close, or
// the peer's goodbye, in raw mode its end between two frames. Otherwise it returns
// the first error that ended the Conn or one of its directions. See [Conn] for the
// kinds.
func (c *Conn[T]) Err() error { return c.link.Err() }

// Stats returns the counters. It is cheap enough to be called often.
func (c *Conn[T]) Stats() Stats { return c.stats() }

func (c *connCore) stats() Stats {
	sent := c.link.Out.Counters()
	received, bytes := c.link.In.Counters()
	return Stats{
		MessagesSent:     sent.Messages,
		MessagesReceived: received,
		BytesSent:        sent.Bytes,
		BytesReceived:    bytes,
		Flushes:          sent.Writes,
		Dropped:          c.link.Skipped(),
		Unknown:          c.link.Unknown(),
		SendBuffered:     sent.Unsent,
	}
}

// Peer returns what the handshake said about the other end: nothing in raw mode.
func (c *Conn[T]) Peer() Peer { return c.peer() }

func (c *connCore) peer() Peer {
	if c.told == nil {
		return Peer{}
	}
	return Peer(c.told.Peer)
}

// NetConn returns the connection that c owns, for what only it knows: the TLS
// state and peer certificates, socket options, credentials. Reading, writing,
// closing or setting deadlines on it breaks c.
func (c *Conn[T]) NetConn() net.Conn { return c.netConn() }

func (c *connCore) netConn() net.Conn { return socket.Given(c.link.Socket().Conn) }

// LocalAddr returns the address of this end.
func (c *Conn[T]) LocalAddr() net.Addr { return c.link.Socket().LocalAddr() }

// RemoteAddr returns the address of the peer.
func (c *Conn[T]) RemoteAddr() net.Addr { return c.link.Socket().RemoteAddr() }
