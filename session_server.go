package qsocket

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/handshake"
	"github.com/fb9bb4ed/qsocket/internal/link"
	"github.com/fb9bb4ed/qsocket/internal/socket"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// sessions are those of a Listener.
//
//	a connection that asks ──┬─ for a session that is there ──► takeover ──► attached
//	                         ├─ for a new one, with room ─────► created, and handed to ServeSessions
//	                         └─ otherwise ────────────────────► told so, and closed
//
// A session that has ended leaves a tombstone, so that a client whose goodbye was heard but not confirmed
// finds out.
type sessions struct {
	l *listenerCore

	// No more connections come: what is lost stays lost. It is asked with the mutex of a session held.
	stopped atomic.Bool

	mu     sync.Mutex // guards following; comes before that of a session
	known  map[[wire.SessionIDSize]byte]*sessionCore
	graves map[[sha256.Size]byte]tombstone
	byAge  [][sha256.Size]byte // of the tombstones, oldest first
	past   Stats               // of the sessions that have ended: what only sessions count
	full   bool                // a client was told so, and none has begun a session since

	expected map[*sessionCore]*admission // the latest one that was let in without a slot, while it is on its way
}

// tombstone is what is known of a session that has ended.
type tombstone struct {
	over     bool // it has ended well
	got      uint64
	until    time.Time
	identity [sha256.Size]byte // a hash of whose it was
}

// server is the home of a session that waits for its client.
type server struct {
	of       *sessions
	identity string
	seat     *seat
	takeover sync.Mutex // held by the connection that takes over

	// Guarded by the mutex of the session.
	try    uint64
	expire *time.Timer
}

func newSessions(l *listenerCore) *sessions {
	return &sessions{
		l:        l,
		known:    make(map[[wire.SessionIDSize]byte]*sessionCore),
		graves:   make(map[[sha256.Size]byte]tombstone),
		expected: make(map[*sessionCore]*admission),
	}
}

// byPublicKey is the default of Options.SessionIdentity.
func byPublicKey(nc net.Conn) string {
	secure, ok := nc.(interface{ ConnectionState() tls.ConnectionState })
	if !ok {
		return ""
	}
	state := secure.ConnectionState()
	if len(state.PeerCertificates) == 0 {
		return ""
	}
	return string(state.PeerCertificates[0].RawSubjectPublicKeyInfo)
}

// expect reports whether there is the session that a client asks for, for which there was no slot. It may come in then, by a, if
// that is still inTime, and an earlier attempt that is still on its way to the same session gives way.
func (ss *sessions) expect(ask handshake.Session, a *admission, inTime func() bool) bool {
	if ss == nil || !ask.HasID {
		return false
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.known[ask.ID]
	before := ss.expected[s]
	if s == nil || before != nil && before.try > ask.Try || !inTime() {
		return false
	}
	if before != nil {
		before.cancel(errOvertaken)
	}
	a.try = ask.Try
	ss.expected[s] = a
	return true
}

// arrived is called when a is no longer on its way.
func (ss *sessions) arrived(a *admission) {
	if ss == nil {
		return
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for s, latest := range ss.expected { // at most maxTurnedAway
		if latest == a {
			delete(ss.expected, s)
		}
	}
}

// arrive decides what becomes of c, that of conn, which a has admitted and which asks for a session, and answers it. It
// returns the session if that is new, and otherwise nil.
func (ss *sessions) arrive(a *admission, conn any, c *connCore) (created *sessionCore) {
	ask := &c.told.Session
	ss.mu.Lock()
	s := ss.known[ask.ID]
	if s == nil {
		defer ss.mu.Unlock()
		if refusal := ss.refusalLocked(a, ask); refusal.State != 0 {
			ss.refuse(c, refusal)
			return nil
		}
		return ss.createLocked(conn, c, ask, a.identity)
	}
	ss.mu.Unlock()
	h := s.home.(*server)
	if h.identity != a.identity { // which is told the same as one that has guessed
		ss.refuse(c, unknownSession)
		return nil
	}
	switch refusal := h.take(s, conn, c, ask); refusal.State {
	case 0:
	case wire.SessionOver: // by now: how, its tombstone will say
		select {
		case <-s.ended():
			return ss.arrive(a, conn, c)
		case <-ss.l.closing.Done():
			ss.refuse(c, wire.Session{State: wire.SessionBusy, Why: "the server stops"})
		}
	default:
		ss.refuse(c, refusal)
	}
	return nil
}

var unknownSession = wire.Session{State: wire.SessionLost, Why: "no such session"}

// refusalLocked returns the answer to a client that asks for a session which is not there, if it
// cannot have a new one.
func (ss *sessions) refusalLocked(a *admission, ask *handshake.Session) wire.Session {
	ss.buryLocked()
	if g, ok := ss.graves[sha256.Sum256(ask.ID[:])]; ok && g.over && g.identity == sha256.Sum256([]byte(a.identity)) {
		return wire.Session{State: wire.SessionOver, Got: g.got}
	} else if ok || !ask.New || ask.Got > 0 {
		return unknownSession
	}
	most := ss.l.opts.MaxSessions
	if n := ss.l.opts.MaxConns; n > 0 {
		most = min(most, n)
	}
	if len(ss.known) >= most || a.deny != nil { // the session for which a was let in has ended
		if !ss.full {
			ss.full = true
			ss.l.log.Warn("qsocket: full: new sessions are told so and refused", "addr", socket.AddrString(ss.l.addr()), "sessions", most)
		}
		ss.l.countRefusal("full")
		return wire.Session{State: wire.SessionBusy, Why: "too many sessions"}
	}
	if ss.stopped.Load() {
		return wire.Session{State: wire.SessionBusy, Why: "the server stops"}
	}
	return wire.Session{}
}

// buryLocked drops the tombstones whose time is over.
func (ss *sessions) buryLocked() {
	now := time.Now()
	for len(ss.byAge) > 0 && (len(ss.byAge) > ss.l.opts.MaxSessions || now.After(ss.graves[ss.byAge[0]].until)) {
		delete(ss.graves, ss.byAge[0])
		ss.byAge = ss.byAge[1:]
	}
}

func (ss *sessions) createLocked(conn any, c *connCore, ask *handshake.Session, identity string) *sessionCore {
	h := &server{of: ss, identity: identity, seat: ss.l.seats.begin(&c.link), try: ask.Try}
	s := ss.l.typed.newSession()
	s.home, s.id = h, ask.ID
	ss.known[ask.ID] = s
	ss.full = false
	s.mu.Lock()
	defer s.mu.Unlock()
	c.link.Out.SendControl(ss.verdict(wire.SessionCreated, 0))
	s.attachLocked(conn, c, 0, int(min(ask.Keep, maxKeep)), false)
	return s
}

func (ss *sessions) verdict(state wire.SessionState, got uint64) []byte {
	return wire.Session{State: state, Got: got, Expiry: expiryMillis(ss.l.opts)}.Frame()
}

func expiryMillis(set *settings) uint64 { return uint64(max(set.SessionExpiry/time.Millisecond, 1)) }

// refuse answers c and closes it.
func (ss *sessions) refuse(c *connCore, answer wire.Session) {
	c.link.Out.SendControl(answer.Frame())
	c.link.StartClose(link.Reason{})
	c.link.CloseWithin()
}

// errReplaced is why a Conn of a session ends when another takes over.
var errReplaced = errors.New("qsocket: the client has come on another connection")

// take makes c the connection of s, or returns why it cannot be: SessionOver if s has ended, in whatever way.
func (h *server) take(s *sessionCore, conn any, c *connCore, ask *handshake.Session) wire.Session {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return wire.Session{State: wire.SessionOver}
	}
	if ask.Try <= h.try {
		defer s.mu.Unlock()
		return h.staleLocked()
	}
	h.try = ask.Try
	if h.expire != nil {
		h.expire.Stop()
		h.expire = nil
	}
	a := s.detachLocked()
	if a != nil {
		s.counts.since = time.Now()
		s.events.add(SessionEvent{Kind: SessionDown, Err: errReplaced})
	}
	left := s.letGoLocked()
	s.mu.Unlock()
	if a != nil {
		a.c.link.Fail(errReplaced)
		a.c.link.Abandon(errReplaced) // if its end was under way
	}
	h.takeover.Lock()
	defer h.takeover.Unlock()
	<-left
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over:
		return wire.Session{State: wire.SessionOver}
	case h.try != ask.Try:
		return h.staleLocked()
	}
	if err := s.ring.CheckGot(ask.Got); err != nil {
		go func() { // ends with the two
			c.link.Fail(err)
			s.end(err)
		}()
		return wire.Session{}
	}
	h.of.l.seats.join(&c.link, h.seat)
	down := time.Since(s.counts.since)
	replayed := s.ring.Sent() - ask.Got
	c.link.Out.SendControl(h.of.verdict(wire.SessionResumed, s.in.Had()))
	s.attachLocked(conn, c, ask.Got, int(min(ask.Keep, maxKeep)), true)
	s.events.add(SessionEvent{Kind: SessionResumed, Attempt: 1, Down: down, Replayed: int(replayed)})
	return wire.Session{}
}

// staleLocked is the answer to an attempt that is older than the one that has the session.
func (h *server) staleLocked() wire.Session {
	return wire.Session{State: wire.SessionStale, Why: fmt.Sprintf("attempt %d has it", h.try)}
}

// lost waits for the client, for SessionExpiry. It is called with mu of s held.
func (h *server) lost(s *sessionCore) {
	if h.of.stopped.Load() {
		s.endIn(s.lostLocked("the connection was lost, and the Listener is closed"))
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(s.set.SessionExpiry, func() {
		s.mu.Lock()
		current := h.expire == timer
		s.mu.Unlock()
		if current {
			s.lose(fmt.Sprintf("the client has not come back within SessionExpiry %v", s.set.SessionExpiry))
		}
	})
	h.expire = timer
}

func (h *server) mayEnd(s *sessionCore, e link.Ending, told bool) bool {
	return s.peerEnded || told && (s.sending == closing || e.Goodbye == wire.GoodbyeHalf)
}

// ended leaves a tombstone.
func (h *server) ended(s *sessionCore) {
	ss := h.of
	s.mu.Lock()
	grave := tombstone{over: s.err == nil && !s.dropped, got: s.in.Had(), until: time.Now().Add(s.set.SessionExpiry), identity: sha256.Sum256([]byte(h.identity))}
	if h.expire != nil {
		h.expire.Stop()
	}
	s.mu.Unlock()
	ss.l.seats.leave(h.seat)
	key := sha256.Sum256(s.id[:])
	ss.mu.Lock()
	defer ss.mu.Unlock()
	delete(ss.known, s.id)
	ended := s.ownStats()
	ended.Unacknowledged = 0 // nobody holds it for the peer any more
	ss.past.add(ended)
	ss.graves[key] = grave
	ss.byAge = append(ss.byAge, key)
	ss.buryLocked()
}

// lock locks ss, if there are sessions at all, and returns what unlocks it.
func (ss *sessions) lock() (unlock func()) {
	if ss == nil {
		return func() {}
	}
	ss.mu.Lock()
	return ss.mu.Unlock
}

// totalsLocked returns what the sessions count that no Conn does.
func (ss *sessions) totalsLocked() (sum Stats) {
	if ss == nil {
		return sum
	}
	sum = ss.past
	for _, s := range ss.known {
		sum.add(s.ownStats())
	}
	return sum
}

// ownStats returns the counters of s that no Conn has.
func (s *sessionCore) ownStats() Stats {
	all := s.stats()
	return Stats{Resumes: all.Resumes, Replayed: all.Replayed, Down: all.Down, Unacknowledged: all.Unacknowledged}
}

// count returns how many sessions have not ended.
func (ss *sessions) count() int {
	if ss == nil {
		return 0
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return len(ss.known)
}

// all returns the sessions that have not ended.
func (ss *sessions) all() []*sessionCore {
	if ss == nil {
		return nil
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	list := make([]*sessionCore, 0, len(ss.known))
	for _, s := range ss.known {
		list = append(list, s)
	}
	return list
}

// stop says that no client can come back. Sessions that wait for theirs are lost, unless the Listener
// drains: that waits for them as long as its ctx allows.
func (ss *sessions) stop(drains bool) {
	ss.stopped.Store(!drains)
	if drains {
		return
	}
	for _, s := range ss.all() {
		s.mu.Lock()
		if s.at == nil && !s.over {
			s.endIn(s.lostLocked("its client was away when the Listener was closed"))
		}
		s.mu.Unlock()
	}
}

// ServeSessions is [Listener.Serve] for sessions: it runs handle in a goroutine for each session,
// over all of its connections, and closes the Session when handle returns, as [Session.Close] does: a
// client that is away then has CloseTimeout to come back. Options.MaxSessions must be above 0. A peer
// that asks for no session gets a handler, too, whose Session ends with its Conn.
func (l *Listener[T]) ServeSessions(ctx context.Context, handle func(context.Context, *Session[T])) error {
	switch {
	case handle == nil:
		return errors.New("qsocket: ServeSessions without a handler")
	case l.core.sessions == nil:
		return errors.New("qsocket: ServeSessions without Options.MaxSessions: want how many sessions there may be")
	}
	run := func(ctx context.Context, s *service, cancel func(), c served) {
		defer s.finish(cancel, c)
		handle(ctx, c.(*Session[T]))
	}
	return l.core.serveAll(ctx, run,
		func(ctx context.Context) (served, error) { return acceptFrom(ctx, &l.core, l.arrivals) })
}

func (s *Session[T]) setServeCtx(context.Context) {}
func (s *Session[T]) interruptServe()             {}

func (s *Session[T]) closeServed(reason link.Reason) {
	if s.plain != nil {
		s.plain.closeServed(reason)
		return
	}
	s.core.closeOrAwait(reason)
}

// closeOrAwait closes s, or waits until a Shutdown that is under way is over, for CloseTimeout.
func (s *sessionCore) closeOrAwait(reason link.Reason) {
	s.mu.Lock()
	shutdown := s.sending == closing && s.giveUp == nil && !s.over
	done := s.done.WaitLocked()
	s.mu.Unlock()
	if !shutdown {
		_ = s.close(reason)
		return
	}
	timer := time.NewTimer(s.set.CloseTimeout)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}
