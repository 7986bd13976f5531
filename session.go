package qsocket

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/backlog"
	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/link"
	"github.com/fb9bb4ed/qsocket/internal/session"
	"github.com/fb9bb4ed/qsocket/internal/socket"
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
	//     leaves when its Conn has ended, or, if it waits for the consumer, when letGo is closed: then the
	//     message in its hands is held, and the next pump begins with it.
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
	set      *settings
	home     home[T]
	plain    *Conn[T] // the peer has no sessions: all calls go there; nil otherwise
	id       [wire.SessionIDSize]byte
	messages chan T
	backlog  *backlog.Backlog // owned by the pump
	turn     chan struct{}    // an entry for the sender that waits for room first

	events events

	mu          sync.Mutex // guards following
	enc         Encoder[T]
	ring        session.Ring
	in          session.Receipts
	at          *attachment[T] // nil while there is no connection
	last        *attachment[T] // the latest one, whose pump may still be there
	held        T              // a message that was had and is in no queue
	holding     bool           // there is one
	inHand      bool           // the pump has another one
	hand        hand           // the size of either: there is never more than one
	dropped     bool           // a message that was read is dropped, because this end has closed
	feeders     int            // goroutines that have a frame of the ring in their hands
	waiting     int            // senders that wait for room, or for the turn to do so
	syncs       int            // calls of Sync that wait
	changed     chan struct{}  // closed when anything has changed that a call waits for; nil if none does
	sending     sending
	reason      link.Reason // of the end
	recvOver    bool        // no more messages come, or are wanted: messages is closed
	delivering  bool        // the pump waits for space in messages
	closedFirst bool        // this end has closed before the peer's messages had ended
	confirmed   bool        // the peer has everything
	over        bool        // the session has ended
	err         error
	hooks       map[*func()]struct{} // to be called at the end, see onEnd
	done        xsync.Signal
	lookTime    *time.Timer // looks for what was taken while an ack is owed
	lookFrom    time.Time   // since when it is
	looking     bool
	ackTime     *time.Timer // acks what is taken now and then
	acking      bool
	giveUp      *time.Timer // of CloseTimeout, after Close
	counts      sessionCounts

	away sync.Mutex // guards following; a Conn's locks may be held
	gone xsync.Signal
}

// hand is the size of a message that was had and is in no queue.
type hand struct {
	bytes  int // of its payload
	memory int // that it takes, as far as DecodedBuffer is concerned
}

// sending says what the program still wants to send.
type sending uint8

const (
	sendsMore sending = iota
	sentLast          // CloseWrite
	closing           // Close or Shutdown: nor does it receive
)

// home is what a session belongs to: what happens when it has no connection, or has ended.
type home[T any] interface {
	lost(s *Session[T], err error) // called with mu held, and must not wait
	ended(s *Session[T])           // called without locks
}

// attachment is a Conn of a session.
type attachment[T any] struct {
	s      *Session[T]
	c      *Conn[T]
	since  time.Time
	letGo  chan struct{} // closed when the pump is to stop waiting for the consumer
	left   chan struct{} // closed by the pump, its last act
	resume bool          // it is not the first one

	// Guarded by the session's mu.
	cursor  session.Cursor // the next message to be sent
	feeding bool
	said    sending // the end that this Conn has been told
	from    uint64  // the first message for this Conn
	replay  uint64  // messages up to this one were sent before
	asked   uint64  // an ack is asked for: it will tell of all up to that message
	dropped bool    // letGo is closed
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

// ErrSessionLost: a session has ended, and the ends could not agree on what was taken. errors.As
// finds a [*SessionError].
var ErrSessionLost = errors.New("qsocket: session lost")

// SessionError says what is known of a session that was lost. It wraps [ErrSessionLost].
type SessionError struct {
	Why   string // for people; may have words of the peer
	Taken uint64 // messages of this end that the peer's program has taken for sure, since the session began
	Sent  uint64 // those and the ones that it may have taken: all that were given to a connection
}

// Error shows an excerpt of Why if that is long or not printable.
func (e *SessionError) Error() string {
	return fmt.Sprintf("%v: %s; of our messages %d were taken, and %d more may have arrived", ErrSessionLost, excerpt.Text(e.Why, maxReasonShown), e.Taken, e.Sent-e.Taken)
}

func (e *SessionError) Unwrap() error { return ErrSessionLost }

// newSession makes a session without a connection.
func newSession[T any](p Protocol[T], set *settings, h home[T]) *Session[T] {
	s := &Session[T]{p: p, set: set, home: h, messages: make(chan T, set.RecvQueue), turn: make(chan struct{}, 1)}
	s.enc = p.codec().NewEncoder()
	s.backlog = backlog.New(set.DecodedBuffer, set.RecvQueue)
	factor, free := maxDecoded(p.codec().NewDecoder())
	s.backlog.Small = max(s.backlog.Share()-free, 0) / factor
	limit(s.enc, wire.Framing(p.Framing).MaxPayload(set.MaxFrame))
	s.ring = session.NewRing(set.SessionBuffer)
	s.events.report, s.events.log = set.OnSession, set.Logger
	return s
}

// newSessionID returns a name for a session, which cannot be guessed.
func newSessionID() (id [wire.SessionIDSize]byte) {
	_, _ = rand.Read(id[:]) // it does not fail
	return id
}

// attachLocked makes c, whose peer has had that many of our messages and keeps so many bytes of its
// own, the connection of s. The pump of the one before has left. resumed says that c is not the
// first one.
func (s *Session[T]) attachLocked(c *Conn[T], got uint64, keep int, resumed bool) {
	a := &attachment[T]{s: s, c: c, since: time.Now(), letGo: make(chan struct{}), left: make(chan struct{}), resume: resumed}
	a.cursor = s.ring.From(got + 1)
	a.from, a.replay = got+1, s.ring.Sent()
	s.in.SetKeep(keep)
	s.at, s.last = a, a
	end := sessionEnd(a)
	c.session.Store(&end)
	if !s.counts.since.IsZero() {
		s.counts.down += time.Since(s.counts.since)
		s.counts.since = time.Time{}
	}
	if resumed {
		s.counts.resumes++
		s.counts.replayed += s.ring.Sent() - got
		s.set.Logger.Info("qsocket: session resumed", "peer", socket.AddrString(c.RemoteAddr()), "protocol", s.p.Name, "replayed", s.ring.Sent()-got, "resumes", s.counts.resumes, "down", s.counts.down)
	}
	if s.dropped {
		c.link.In.Drop()
	}
	if s.in.Taken() > 0 { // the last ack may have been lost
		c.link.Out.SendAck(s.in.Ack())
	}
	go s.pump(a) // ends with its Conn, or when letGo is closed
	if _, ok := c.link.OnEnd(func() { go s.connEnded(a) }); !ok {
		go s.connEnded(a)
	}
	s.feedLocked(a)
	s.wakeLocked()
}

// feedLocked starts a feeder if a has something to be told.
func (s *Session[T]) feedLocked(a *attachment[T]) {
	if !a.feeding && (a.cursor.Next() <= s.ring.Last() || a.said < s.sending) {
		a.feeding = true
		s.feeders++
		go s.feed(a) // ends when there is nothing more to be told, or with a
	}
}

// feed gives frames of the ring to a, and then the end of them, until there is nothing more, or
// a has ended.
func (s *Session[T]) feed(a *attachment[T]) {
	for {
		s.mu.Lock()
		frame, ok := []byte(nil), false
		if s.at == a {
			frame, ok = s.ring.Frame(&a.cursor)
		}
		if !ok {
			end := s.sending
			if s.at != a || a.said == end {
				a.feeding = false
				s.feeders--
				s.askLocked(a)
				s.mu.Unlock()
				return
			}
			a.said = end
			reason := s.reason
			if s.in.Unacked() {
				a.c.link.Out.SendAck(s.in.Ack())
			}
			s.mu.Unlock()
			if end == closing {
				a.c.link.StartClose(reason)
			} else {
				a.c.link.StartCloseWrite()
			}
			continue
		}
		s.mu.Unlock()
		if err := a.c.link.Out.SendFrame(context.Background(), nil, frame, len(frame)-4); err != nil {
			if errors.Is(err, ErrFrameTooLarge) { // the peer's MaxFrame is less than it was
				s.end(err)
			}
			s.mu.Lock()
			a.feeding = false
			s.feeders--
			s.mu.Unlock()
			return
		}
	}
}

// wakeLocked wakes all that wait for something to change.
func (s *Session[T]) wakeLocked() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// waitLocked returns a channel that wakeLocked closes.
func (s *Session[T]) waitLocked() <-chan struct{} {
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

// askLocked asks the peer for an ack if a sender or a Sync waits for one, unless it has been asked for
// all that a has sent.
func (s *Session[T]) askLocked(a *attachment[T]) {
	if s.at != a || s.syncs == 0 && s.waiting == 0 || s.ring.Taken() == s.ring.Sent() {
		return
	}
	if sent := a.cursor.Next() - 1; sent > a.asked {
		a.asked = sent
		a.c.link.Out.SendControl(wire.AskFrame)
	}
}

// connEnded is called in a goroutine of its own when the Conn of a has ended.
func (s *Session[T]) connEnded(a *attachment[T]) {
	goodbye, taken := a.c.link.Ending()
	err := a.c.Err()
	s.mu.Lock()
	if s.at != a {
		s.mu.Unlock()
		return
	}
	s.confirmed = s.confirmed || taken && a.said == s.sending && s.sending > sendsMore
	half := goodbye == wire.GoodbyeHalf
	switch {
	case isFinal(err),
		goodbye == wire.GoodbyeFull && !isRemoteTimeout(err),
		s.sending == closing && s.confirmed,
		s.sending == sentLast && s.confirmed && half:
		s.mu.Unlock()
		s.end(err)
		return
	}
	s.detachLocked()
	s.counts.since = time.Now()
	s.events.add(SessionEvent{Kind: SessionDown, Err: err})
	s.home.lost(s, err)
	s.wakeLocked()
	s.mu.Unlock()
}

// detachLocked takes its connection from s, and returns it; nil if there is none.
func (s *Session[T]) detachLocked() *attachment[T] {
	a := s.at
	if a != nil {
		s.at = nil
		s.counts.past.add(a.c.Stats())
		s.counts.past.SendBuffered = 0
	}
	return a
}

// dropLocked makes the pump of a let go of what it holds.
func (a *attachment[T]) dropLocked() {
	if !a.dropped {
		a.dropped = true
		close(a.letGo)
	}
}

// isFinal reports whether a Conn's error is one that would come again with the next Conn, or is the
// peer's word that it is over.
func isFinal(err error) bool {
	var remote *RemoteError
	if errors.As(err, &remote) {
		return !isRemoteTimeout(err)
	}
	var codec *CodecError
	return errors.As(err, &codec) || errors.Is(err, ErrFrameTooLarge) || errors.Is(err, ErrProtocol) || errors.Is(err, ErrSlowConsumer)
}

// isRemoteTimeout reports whether the peer's end of a Conn has failed by a timeout: to the peer that is the loss of
// a connection.
func isRemoteTimeout(err error) bool {
	var remote *RemoteError
	return errors.As(err, &remote) && remote.Code == CodeTimeout
}

// end ends s with err, which is nil if that is a clean end. Only the first call does anything.
func (s *Session[T]) end(err error) {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return
	}
	if s.sending == closing && s.ring.Taken() == s.ring.Last() && errors.Is(err, ErrSessionLost) {
		err, s.confirmed = nil, true // its program has taken everything, and we want nothing more of it
	}
	s.over, s.err = true, err
	if s.sending < closing {
		s.sending = closing
	}
	a := s.detachLocked()
	said := sendsMore
	if a != nil {
		said = a.said
	}
	last := s.last
	if last != nil {
		last.dropLocked()
	}
	for _, t := range []*time.Timer{s.lookTime, s.ackTime, s.giveUp} {
		if t != nil {
			t.Stop()
		}
	}
	s.wakeLocked()
	s.mu.Unlock()
	switch {
	case a == nil:
	case err != nil && said < closing:
		a.c.link.Fail(err)
	default: // what has been written may still be read
		a.c.link.StartClose(link.Reason{})
		a.c.link.CloseWithin()
	}
	if last != nil {
		<-last.left
	}
	s.mu.Lock()
	s.closeMessagesLocked()
	hooks := s.hooks
	s.hooks = nil
	s.mu.Unlock()
	for f := range hooks {
		(*f)()
	}
	s.home.ended(s)
	s.logEnd(err)
	s.events.add(SessionEvent{Kind: SessionEnded, Err: err})
	s.mu.Lock()
	s.done.FireLocked()
	s.mu.Unlock()
}

// endIn is end in a goroutine of its own, for callers that must not wait for the pump.
func (s *Session[T]) endIn(err error) { go s.end(err) }

func (s *Session[T]) closeMessagesLocked() {
	if !s.recvOver {
		s.recvOver = true
		close(s.messages)
	}
}

// lostLocked returns the error of a session that is lost.
func (s *Session[T]) lostLocked(why string) error {
	return &SessionError{Why: why, Taken: s.ring.Taken(), Sent: s.ring.Sent()}
}

// lose ends s as lost.
func (s *Session[T]) lose(why string) {
	s.mu.Lock()
	err := s.lostLocked(why)
	s.mu.Unlock()
	s.end(err)
}

// onEnd arranges for f to be called at the end of s, as link.OnEnd does.
func (s *Session[T]) onEnd(f func()) (cancel func(), ok bool) {
	if s.plain != nil {
		return s.plain.link.OnEnd(f)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil, false
	}
	if s.hooks == nil {
		s.hooks = make(map[*func()]struct{})
	}
	s.hooks[&f] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.hooks, &f)
	}, true
}

func (s *Session[T]) logEnd(err error) {
	s.mu.Lock()
	c := s.counts
	sent, taken, received := s.ring.Last(), s.ring.Taken(), s.in.Had()
	s.mu.Unlock()
	args := []any{"protocol", s.p.Name, "sent", sent, "taken", taken, "received", received, "resumes", c.resumes, "replayed", c.replayed, "down", c.down}
	level := slog.LevelDebug
	if err != nil {
		level = slog.LevelInfo
		args = append(args, "err", err)
	}
	if errors.Is(err, ErrSessionLost) && sent > taken { // messages may be lost
		level = slog.LevelWarn
	}
	s.set.Logger.Log(context.Background(), level, "qsocket: session ended", args...)
}

// Done returns a channel that is closed when the session has ended, and Messages with it.
func (s *Session[T]) Done() <-chan struct{} {
	if s.plain != nil {
		return s.plain.Done()
	}
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
//     a certificate that cannot be verified (*tls.CertificateVerificationError).
//
// It is nil, too, if the peer has closed without receiving everything, see [Session].
func (s *Session[T]) Err() error {
	if s.plain != nil {
		return s.plain.Err()
	}
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
	s.away.Lock()
	defer s.away.Unlock()
	return s.gone.WaitLocked()
}

func (s *Session[T]) goAway() {
	s.away.Lock()
	defer s.away.Unlock()
	s.gone.FireLocked()
}

func (s *Session[T]) goesAway() bool {
	select {
	case <-s.GoingAway():
		return true
	default:
		return false
	}
}

// NetConn returns the connection that s has now, as [Conn.NetConn], or nil while it has none.
func (s *Session[T]) NetConn() net.Conn {
	if c := s.conn(); c != nil {
		return c.NetConn()
	}
	return nil
}

// conn returns the Conn that s has now, or nil.
func (s *Session[T]) conn() *Conn[T] {
	if s.plain != nil {
		return s.plain
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at == nil {
		return nil
	}
	return s.at.c
}

// latest returns the Conn that s has now, or had last.
func (s *Session[T]) latest() *Conn[T] {
	if s.plain != nil {
		return s.plain
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.c
}

// Peer returns what the handshake of the latest connection said about the other end.
func (s *Session[T]) Peer() Peer { return s.latest().Peer() }

// PeerAttributes returns what the peer has told of itself on the latest connection, as
// [Conn.PeerAttributes].
func (s *Session[T]) PeerAttributes() map[string]string { return s.latest().PeerAttributes() }

// LocalAddr returns the address of this end on the latest connection.
func (s *Session[T]) LocalAddr() net.Addr { return s.latest().LocalAddr() }

// RemoteAddr returns the address of the peer on the latest connection.
func (s *Session[T]) RemoteAddr() net.Addr { return s.latest().RemoteAddr() }

// Stats returns the counters of all connections of s so far, and those of the session.
// MessagesSent counts what Send has accepted and MessagesReceived what was read, each message once.
func (s *Session[T]) Stats() Stats {
	if s.plain != nil {
		return s.plain.Stats()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := s.counts.past
	if s.at != nil {
		sum.add(s.at.c.Stats())
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

// Unacknowledged returns an iterator over the messages that Send has accepted and that the peer's
// program has not taken for sure, in order: after Done, for a program that wants to send them again
// in another session, or to say that they are lost. mayHaveArrived is false for those that were
// never given to a connection. Before Done, after a Close or Shutdown that the peer has confirmed,
// and for a peer without sessions, there are none.
//
// What the peer's program had taken and not yet processed when its process died is not among them.
// A program for which that matters has the peer answer what it has processed, and keeps its
// messages until then.
func (s *Session[T]) Unacknowledged() iter.Seq2[T, bool] {
	return func(yield func(v T, mayHaveArrived bool) bool) {
		if s.plain != nil {
			return
		}
		s.mu.Lock()
		if !s.over || s.confirmed && s.err == nil {
			s.mu.Unlock()
			return
		}
		ring := s.ring // nothing changes it after the end
		s.mu.Unlock()
		dec := s.p.codec().NewDecoder()
		ring.Unacknowledged(func(payload []byte, sent bool) bool {
			v, err := dec.Decode(payload)
			return err == nil && yield(v, sent) // what was encoded here can be decoded here
		})
	}
}
