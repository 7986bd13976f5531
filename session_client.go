package qsocket

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/link"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// DialSession connects to address and begins a session, as [Dial] makes a Conn: the errors are the
// same, and besides a [*HandshakeError] with Field session if the server has no sessions. It dials once:
// a client that may start before its server calls it again, unless the error is Final.
//
// ctx is for the first connection; after an error nothing is left in the background. When a
// connection is lost, others are made in the same way, by Options.DialContext if there is one, each
// after a pause by Options.Backoff and within Options.HandshakeTimeout, until one succeeds or
// Options.SessionExpiry has passed.
func DialSession[T any](ctx context.Context, network, address string, p Protocol[T], opts *Options) (*Session[T], error) {
	set, err := checkedSession(p, opts)
	if err == nil && set.DialContext == nil {
		err = checkNetwork(network)
	}
	if err != nil {
		return nil, err
	}
	return startSession(ctx, func(ctx context.Context) (net.Conn, error) {
		return set.connect(ctx, network, address)
	}, p, set)
}

// NewSession is DialSession for connections that dial makes, of any kind (see [NewConn]). dial must
// return when its ctx ends. Options.TLS must be nil, and Options.DialContext is ignored.
func NewSession[T any](ctx context.Context, dial func(context.Context) (net.Conn, error), p Protocol[T], opts *Options) (*Session[T], error) {
	set, err := checkedSession(p, opts)
	switch {
	case err != nil:
	case dial == nil:
		err = errors.New("qsocket: NewSession without a function that dials")
	case set.TLS != nil:
		err = errors.New("qsocket: NewSession with Options.TLS: want nil, and net.Conns that are wrapped by package tls already")
	}
	if err != nil {
		return nil, err
	}
	return startSession(ctx, func(ctx context.Context) (net.Conn, error) {
		nc, err := dial(ctx)
		if err == nil && isNil(nc) {
			err = errors.New("qsocket: the function that dials returned a nil net.Conn and no error")
		}
		return nc, err
	}, p, set)
}

// checkedSession is checked, and refuses what sessions cannot work with.
func checkedSession[T any](p Protocol[T], opts *Options) (*settings, error) {
	set, err := checked(p, opts)
	if err == nil {
		err = set.checkSession()
	}
	if err != nil {
		return nil, err
	}
	return set, nil
}

// checkSession returns what sessions cannot work with.
func (set *settings) checkSession() error {
	switch {
	case set.protocol == "":
		return errors.New("qsocket: a session with a protocol that has no Name: want one, since raw mode has no hello")
	case !set.stateless:
		return fmt.Errorf("qsocket: a session with the codec %q, which is not stateless: want one whose payloads do not depend on each other", set.codec)
	}
	return nil
}

// client is the home of a session that dials.
//
// After a loss a goroutine makes attempts, one at a time, until one succeeds or the session has ended. There
// is one at most: a connection is lost only while there is one.
type client struct {
	dial   func(context.Context) (net.Conn, error)
	ctx    context.Context // of attempts: ends with the session
	cancel context.CancelFunc

	// Owned by startSession, and then by whoever reconnects.
	try      uint64
	answered bool // an answer has come, so the session is not new
	failures int  // in a row
	expiry   time.Duration
}

func startSession[T any](ctx context.Context, dial func(context.Context) (net.Conn, error), p Protocol[T], set *settings) (*Session[T], error) {
	h := &client{dial: dial, expiry: set.SessionExpiry}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	s := newSession(p, set)
	s.core.home, s.core.id = h, newSessionID()
	if err := h.attempt(ctx, &s.core, dial, 0); err != nil {
		h.cancel()
		return nil, err
	}
	return s, nil
}

func (h *client) lost(s *sessionCore) {
	go h.reconnect(s) // ends with the next connection, or with the session
}

func (h *client) ended(*sessionCore) { h.cancel() }

func (h *client) mayEnd(s *sessionCore, e link.Ending, told bool) bool {
	if e.FullConfirmed { // it knows that we are at our end
		return told || s.peerEnded
	}
	return s.peerEnded && e.Clean && s.ring.Taken() < s.ring.Last() // it may have dropped messages, and then it confirms nothing
}

// reconnect makes attempts until one succeeds, or the session has ended.
func (h *client) reconnect(s *sessionCore) {
	s.mu.Lock()
	lasted := time.Since(s.last.since)
	down := s.counts.since
	s.mu.Unlock()
	if lasted > maxBackoff {
		h.failures = 0
	}
	if s.goesAway() {
		s.lose("the server has gone away")
		return
	}
	var cause error
	for attempt := 1; ; attempt++ {
		wait, err := protected(s, "Options.Backoff", func() (time.Duration, error) { return s.set.Backoff(h.failures), nil })
		if err != nil {
			s.end(err)
			return
		}
		h.failures++
		if cause != nil {
			s.events.add(SessionEvent{Kind: SessionRetry, Err: cause, Attempt: attempt - 1, Down: time.Since(down), Wait: wait})
		}
		timer := time.NewTimer(min(wait, max(time.Until(down.Add(h.expiry)), 0)))
		select {
		case <-timer.C:
		case <-h.ctx.Done():
			timer.Stop()
			return
		}
		if time.Since(down) >= h.expiry {
			why := fmt.Sprintf("no connection for SessionExpiry %v", h.expiry)
			if cause != nil {
				why += ": " + cause.Error()
			}
			s.lose(why)
			return
		}
		ctx, cancel := context.WithTimeout(h.ctx, s.set.HandshakeTimeout)
		cause = h.attempt(ctx, s, func(ctx context.Context) (net.Conn, error) {
			return protected(s, "the function that dials", func() (net.Conn, error) { return h.dial(ctx) })
		}, attempt)
		cancel()
		switch {
		case cause == nil:
			return
		case h.ctx.Err() != nil:
			return
		case errors.Is(cause, ErrSessionLost), !isPassing(cause):
			s.end(cause)
			return
		}
	}
}

// protected returns what f returns, a function of the program's that is called by what. A panic there is logged, and an
// error that ends s: it must not end the program, of which s is one connection.
func protected[R any](s *sessionCore, what string, f func() (R, error)) (r R, err error) {
	defer func() {
		if v := recover(); v != nil {
			text := excerpt.Panic(v, excerpt.MaxText)
			s.set.Logger.Error("qsocket: "+what+" panicked", "panic", text, excerpt.StackKey, string(debug.Stack()))
			err = &permanentError{fmt.Errorf("qsocket: %s panicked: %s", what, text)}
		}
	}()
	return f()
}

// isPassing reports whether an attempt that has failed with err may succeed later.
func isPassing(err error) bool {
	var he *HandshakeError
	if errors.As(err, &he) { // its cause may be the peer's goodbye
		return !he.Final()
	}
	var remote *RemoteError
	if errors.As(err, &remote) && remote.Code == CodeGoingAway {
		return true
	}
	if panicOf(err) != nil { // a callback of the program's, which is in the log
		return false
	}
	var permanent *permanentError // of a function that dials
	if errors.As(err, &permanent) {
		return false
	}
	return !isVerification(err) && !isFinal(err)
}

// attempt makes a connection by dial, and it the one of s. number is that of the attempt since a loss; 0 for the first connection.
func (h *client) attempt(ctx context.Context, s *sessionCore, dial func(context.Context) (net.Conn, error), number int) error {
	s.mu.Lock()
	left := s.letGoLocked()
	s.mu.Unlock()
	<-left
	nc, err := dial(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	got := s.in.Had()
	s.mu.Unlock()
	h.try++
	ask := &askSession{ID: s.id, Try: h.try, Got: got, New: !h.answered, Keep: uint64(s.set.SessionBuffer)}
	conn, c, err := s.typed.connect(ctx, nc, ask)
	if err != nil {
		return err
	}
	if err := h.enter(s, conn, c, number); err != nil {
		c.link.Fail(err)
		return err
	}
	return nil
}

// enter makes c, that of conn, the connection of s, if that is what the server has answered.
func (h *client) enter(s *sessionCore, conn any, c *connCore, attempt int) error {
	a := c.told.Answer
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over:
		return s.lostLocked("it has ended")
	case a.State == wire.SessionBusy:
		return &HandshakeError{Field: "full", Peer: a.Why}
	case a.State == wire.SessionStale:
		return s.lostLocked("another connection has it: " + a.Why)
	case a.State == wire.SessionOver && (s.sending == closing || s.sending == sentLast && s.recvOver) && a.Got == s.ring.Last():
		s.confirmed = true
		s.endIn(nil)
		return errSessionOver
	case a.State == wire.SessionLost, a.State == wire.SessionOver:
		return s.lostLocked("the server no longer has it: " + a.Why)
	case a.State == wire.SessionCreated && (h.answered || a.Got > 0 || s.in.Had() > 0):
		return fmt.Errorf("%w: a session that exists is created", ErrProtocol)
	}
	if err := s.ring.CheckGot(a.Got); err != nil {
		return err
	}
	if a.Expiry > 0 {
		h.expiry = max(s.set.SessionExpiry, time.Duration(min(a.Expiry, uint64(maxExpiry/time.Millisecond)))*time.Millisecond)
	}
	resumed := h.answered
	h.answered = true
	if attempt > 0 {
		s.events.add(SessionEvent{Kind: SessionResumed, Attempt: attempt, Down: time.Since(s.counts.since), Replayed: int(s.ring.Sent() - a.Got)})
	}
	s.attachLocked(conn, c, a.Got, int(min(c.told.Session.Keep, maxKeep)), resumed)
	return nil
}

const (
	maxKeep   = 1 << 40
	maxExpiry = 365 * 24 * time.Hour
)

// errSessionOver: the server says that the session has ended well, and the client has closed it.
var errSessionOver = errors.New("qsocket: the session has ended")

// isVerification reports whether err is that of a certificate which is not to be trusted. Callbacks of a tls.Config, and
// programs that verify by themselves, return the errors of package x509 as they are.
func isVerification(err error) bool {
	return isA[*tls.CertificateVerificationError](err) || isA[x509.UnknownAuthorityError](err) || isA[x509.HostnameError](err) ||
		isA[x509.CertificateInvalidError](err) || isA[x509.SystemRootsError](err) || isA[x509.UnhandledCriticalExtension](err) ||
		isA[x509.InsecureAlgorithmError](err) || isA[x509.ConstraintViolationError](err)
}

func isA[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}
