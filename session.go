package qsocket

import (
	"context"
	"crypto/rand"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/backlog"
	"github.com/fb9bb4ed/qsocket/internal/link"
	"github.com/fb9bb4ed/qsocket/internal/session"
	"github.com/fb9bb4ed/qsocket/internal/wire"
	"github.com/fb9bb4ed/qsocket/internal/xsync"
)

// Session is a connection of a named protocol that survives the loss of its sockets. When one
// breaks, the client dials again, and both ends go on where they were: while the session lives,
// the peer's program gets every message that Send has accepted exactly once and in order.
// [DialSession], [NewSession] and [Listener.ServeSessions] make one. All methods are safe for
// concurrent use.
//
// A session survives connections, not processes: what is not acknowledged is in memory. When a
// server has restarted, or a client was away for longer than Options.SessionExpiry, the session is
// lost: Err is [ErrSessionLost], and Unacknowledged has what the peer has not taken for sure. It is
// up to the program to begin another one.
//
// A peer that closes before its program has received everything ends the session as well. That is
// no failure of it, so Err is nil unless the peer gave a reason: Sync and Shutdown say whether
// everything was taken, or read, and Unacknowledged has what was perhaps not.
//
// The methods are those of Conn, and mean the same, but for what is said with them. A Session
// always reads ahead, as a Conn whose Messages was called does. The peer's acknowledgements
// come behind its messages, so a program that only sends must receive as well, if the peer sends
// anything: or SessionBuffer fills, and Send waits.
//
// With a peer that has no sessions, which only a Listener's may be, a Session is that peer's Conn
// and ends with it. Sync tells: its error wraps errors.ErrUnsupported.
//
// The codec has to be stateless, as for [Protocol.Prepare]. The caller must end every Session it
// obtains, with Close or Shutdown.
type Session[T any] struct {
	// Who owns what, and who ends whom:
	//
	//   - A Conn that the session has is an attachment. There is one at a time. It begins when both
	//     ends know what the other has had, and ends with its Conn, when another takes over, or with
	//     the session. The next one begins when the pump of the one before has left, so there is one
	//     writer of messages (the channel), of held and of the counts.
	//   - pump, one goroutine for each attachment, receives from its Conn and puts into messages. It
	//     leaves when its Conn has ended, or, if it waits for the consumer, when letGo has fired: then the
	//     message in its hands is held, and the next pump begins with it.
	//   - The pump receives, and puts into messages, without mu; what it has done is noted in the counts for
	//     many messages at once, at the latest before it waits. In between it is busy: then it is the pump that
	//     closes messages after a Close, and a feeder that is to say the end waits for its note.
	//   - feed, a goroutine for an attachment that is behind, gives it frames of the ring. It exists
	//     while there are such. Otherwise Send gives its frame to the Conn by itself.
	//   - ended, a goroutine that the end of a Conn starts, decides what that means: the end of the
	//     session, or a loss. What has ended must not wait for it.
	//   - A loss is up to home: at the client a goroutine dials again, at the server a timer waits.
	//   - An attachment that is not s.at changes nothing: whatever concerns one looks first.
	//
	// mu comes before all locks of a Conn, and is held when frames and control frames are given to
	// one. So a Conn must not be made to fail, or closed, with mu held: that may call ended.

	// Immutable.
	p        Protocol[T]
	plain    *Conn[T] // the peer has no sessions: all calls go there; nil otherwise
	messages chan T

	core sessionCore

	// Guarded by mu.
	enc  Encoder[T]
	held T // a message that was had and is in no queue
}

// sessionCore is what a Session has that does not depend on T, as connCore is of a Conn.
type sessionCore struct {
	// Immutable.
	set     *settings
	home    home
	typed   typedSession
	id      [wire.SessionIDSize]byte
	backlog *backlog.Backlog // what it points to is owned by the pump

	owes atomic.Bool // what the program takes may make an ack due: in.Owes, set with mu held

	events events

	_ [64]byte // what is written for each message shares no cache line with what Recv reads for each

	mu          sync.Mutex // guards following
	ring        session.Ring
	in          session.Receipts
	at          *attachment   // nil while there is no connection
	last        *attachment   // the latest one, whose pump may still be there
	holding     bool          // a message was had, and is in no queue
	hand        hand          // the size of that, or of the one in the hands of the pump, which owns this
	dropped     bool          // a message that was read is dropped, because this end has closed
	feeders     int           // goroutines that have a frame of the ring in their hands
	waiting     int           // senders that wait for room, or for the turn to do so
	turn        chan struct{} // has an entry for the one that waits for room first; nil if none has waited so far
	starving    int           // those that have found the room taken too often: others wait behind them
	syncs       int           // calls of Sync that wait
	flushes     int           // and of Flush
	changed     chan struct{} // closed when anything has changed that a call waits for; nil if none does
	sending     sending
	closes      atomic.Bool // sending is closing: for the pump, which looks without mu
	reason      link.Reason // of the end
	recvOver    bool        // no more messages come, or are wanted: messages is closed
	delivering  bool        // the pump has a message in hand, for which it waits for space in messages
	closedFirst bool        // this end has closed before the peer's messages had ended
	confirmed   bool        // the peer has everything
	peerEnded   bool        // the peer has said that it has ended
	over        bool        // the session has ended
	err         error
	hooks       map[*func()]struct{} // to be called at the end, see onEnd
	done        xsync.Signal
	lookTime    *time.Timer // looks for what was taken while an ack is owed
	lookFrom    time.Time   // since when an ack is owed, or since the last one
	looking     bool
	busy        atomic.Bool // the pump has messages that in does not know, and is about to note them: cleared with mu held
	urgent      atomic.Bool // a feeder waits for that: set with mu held, while busy
	ackTime     *time.Timer // acks what is taken now and then
	acking      bool
	giveUp      *time.Timer // of CloseTimeout, after Close
	counts      sessionCounts

	away sync.Mutex // guards following; a Conn's locks may be held
	gone xsync.Signal
}

// typedSession is what a session does with messages, which have a type.
type typedSession interface {
	pump(a *attachment)
	queued() int    // how many messages are in the queue
	closeMessages() // is called once

	// connect makes a Conn over nc: conn is the *Conn[T] of c.
	connect(ctx context.Context, nc net.Conn, ask *askSession) (conn any, c *connCore, err error)
}

func (s *Session[T]) queued() int    { return len(s.messages) }
func (s *Session[T]) closeMessages() { close(s.messages) }

func (s *Session[T]) connect(ctx context.Context, nc net.Conn, ask *askSession) (conn any, _ *connCore, err error) {
	c, err := openAsking(ctx, nc, s.p, s.core.set, ask)
	if err != nil {
		return nil, nil, err
	}
	return c, &c.connCore, nil
}

// hand is the size of a message that was had and is in no queue.
type hand struct {
	bytes  int // of its payload
	memory int // that it takes, as far as DecodedBuffer is concerned
}

// frame returns the bytes of its frame: those are what the peer keeps.
func (h hand) frame() int { return session.HeaderSize + h.bytes }

// sending says what the program still wants to send.
type sending uint8

const (
	sendsMore sending = iota
	sentLast          // CloseWrite
	closing           // Close or Shutdown: nor does it receive
)

// home is what a session belongs to: what happens when it has no connection, or has ended.
type home interface {
	lost(s *sessionCore)  // called with mu held, and must not wait
	ended(s *sessionCore) // called without locks

	// mayEnd reports whether s may end with the latest Conn, which has ended like that. told says that the peer has
	// confirmed that it has everything. It is called with mu held.
	//
	// Either end may miss the last words of the other, so one has to be the last to go. That is the client, since it can come
	// again: it goes when the server knows that it may, or has gone. A server goes once nothing is missing, and leaves a tombstone.
	mayEnd(s *sessionCore, e link.Ending, told bool) bool
}

// sessionCounts is what a session has done.
type sessionCounts struct {
	past     Stats // of the Conns that have ended
	resumes  uint64
	replayed uint64
	down     time.Duration
	since    time.Time // since when there is no connection; zero: there is one
	skipped  uint64
}

// newSession makes a session without a connection.
func newSession[T any](p Protocol[T], set *settings) *Session[T] {
	codec := p.codec()
	s := &Session[T]{p: p, messages: make(chan T, set.RecvQueue), enc: codec.NewEncoder()}
	limit(s.enc, wire.Framing(set.framing).MaxPayload(set.MaxFrame))
	s.core.init(set, s, set.newBacklog(codec.NewDecoder()))
	return s
}

func (s *sessionCore) init(set *settings, typed typedSession, b *backlog.Backlog) {
	s.set, s.typed, s.backlog = set, typed, b
	s.ring = session.NewRing(set.SessionBuffer)
	s.events.report, s.events.log = set.OnSession, set.Logger
}

// newSessionID returns a name for a session, which cannot be guessed.
func newSessionID() (id [wire.SessionIDSize]byte) {
	_, _ = rand.Read(id[:]) // it does not fail
	return id
}

// wakeLocked wakes all that wait for something to change.
func (s *sessionCore) wakeLocked() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// waitLocked returns a channel that wakeLocked closes.
func (s *sessionCore) waitLocked() <-chan struct{} {
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

// Done returns a channel that is closed when the session has ended, and Messages with it.
func (s *Session[T]) Done() <-chan struct{} {
	if s.plain != nil {
		return s.plain.Done()
	}
	return s.core.ended()
}

func (s *sessionCore) ended() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done.WaitLocked()
}

// Err returns nil while the session lives, with a connection or without, and after a clean end.
// Otherwise it returns what has ended it:
//   - [ErrSessionLost], as a [*SessionError];
//   - the [*RemoteError] of a peer that has closed with a reason;
//   - an error of a [Conn] that would come again with the next connection: a [*CodecError],
//     ErrFrameTooLarge, ErrProtocol or ErrSlowConsumer;
//   - at a client, an error of [Dial] that would come again: a [*HandshakeError] that is Final, or
//     a certificate that cannot be verified (*tls.CertificateVerificationError, or an error of
//     package crypto/x509), or what says that a callback has panicked.
//
// It is nil, too, if the peer has closed without receiving everything, see [Session].
func (s *Session[T]) Err() error {
	if s.plain != nil {
		return s.plain.Err()
	}
	return s.core.failure()
}

func (s *sessionCore) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// GoingAway returns a channel that is closed when the server of this session drains, as
// [Conn.GoingAway]. The session does not resume after that: a client calls Sync, closes, and dials
// another server.
func (s *Session[T]) GoingAway() <-chan struct{} {
	if s.plain != nil {
		return s.plain.GoingAway()
	}
	return s.core.goingAway()
}

func (s *sessionCore) goingAway() <-chan struct{} {
	s.away.Lock()
	defer s.away.Unlock()
	return s.gone.WaitLocked()
}

func (s *sessionCore) goAway() {
	s.away.Lock()
	defer s.away.Unlock()
	s.gone.FireLocked()
}

func (s *sessionCore) goesAway() bool {
	select {
	case <-s.goingAway():
		return true
	default:
		return false
	}
}

// NetConn returns the connection that s has now, as [Conn.NetConn], or nil while it has none.
func (s *Session[T]) NetConn() net.Conn {
	if s.plain != nil {
		return s.plain.NetConn()
	}
	if c := s.core.conn(); c != nil {
		return c.netConn()
	}
	return nil
}

// conn returns the Conn that s has now, or nil.
func (s *sessionCore) conn() *connCore {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at == nil {
		return nil
	}
	return s.at.c
}

// latest returns the Conn that s has now, or had last.
func (s *Session[T]) latest() *connCore {
	if s.plain != nil {
		return &s.plain.connCore
	}
	s.core.mu.Lock()
	defer s.core.mu.Unlock()
	return s.core.last.c
}

// Peer returns what the handshake of the latest connection said about the other end.
func (s *Session[T]) Peer() Peer { return s.latest().peer() }

// PeerAttributes returns what the peer has told of itself on the latest connection, as
// [Conn.PeerAttributes].
func (s *Session[T]) PeerAttributes() map[string]string { return s.latest().peerAttributes() }

// LocalAddr returns the address of this end on the latest connection.
func (s *Session[T]) LocalAddr() net.Addr { return s.latest().link.Socket().LocalAddr() }

// RemoteAddr returns the address of the peer on the latest connection.
func (s *Session[T]) RemoteAddr() net.Addr { return s.latest().link.Socket().RemoteAddr() }

// Stats returns the counters of all connections of s so far, and those of the session.
// MessagesSent counts what Send has accepted and MessagesReceived what was read, each message once.
func (s *Session[T]) Stats() Stats {
	if s.plain != nil {
		return s.plain.Stats()
	}
	return s.core.stats()
}

func (s *sessionCore) stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := s.counts.past
	if s.at != nil {
		sum.add(s.at.c.stats())
	}
	sum.MessagesSent, sum.MessagesReceived = s.ring.Last(), s.in.Had()
	sum.Dropped = s.counts.skipped
	sum.Resumes, sum.Replayed, sum.Down = s.counts.resumes, s.counts.replayed, s.counts.down
	if !s.counts.since.IsZero() && !s.over {
		sum.Down += time.Since(s.counts.since)
	}
	sum.Unacknowledged = s.ring.Bytes()
	return sum
}
