package qsocket

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/handshake"
	"github.com/fb9bb4ed/qsocket/internal/link"
	"github.com/fb9bb4ed/qsocket/internal/socket"
)

// accept is the goroutine that accepts. It ends when Close or Drain is called or ln
// fails for good, waits for the handshakes under way, and closes conns.
func (l *listenerCore) accept() {
	defer close(l.ended)
	defer l.typed.closeQueues()
	if l.sessions != nil {
		defer func() {
			l.mu.Lock()
			drains := l.drains
			l.mu.Unlock()
			l.sessions.stop(drains)
		}()
	}
	defer l.pending.Wait()
	defer l.crowd.stop()
	var delay time.Duration
	for {
		p, ok := l.reserve()
		if !ok {
			return
		}
		nc, err := l.ln.Accept()
		if err == nil {
			delay = 0
			if p == inSlot || l.promote() {
				a := l.beginHandshake(nc)
				l.pending.Go(func() { l.admit(a) }) // ends when the Conn is taken or closed
			} else {
				l.pending.Go(func() { l.turnAway(nc) }) // ends when nc is closed, within turnAwayTime
			}
			continue
		}
		l.giveBack(p)
		if l.stopping.Err() != nil {
			return
		}
		l.failures.Add(1)
		if !isTemporary(err) {
			l.log.Error("qsocket: accept", "addr", socket.AddrString(l.addr()), "err", err)
			l.mu.Lock()
			l.err = excerpt.Wrap("qsocket: accept: ", err)
			l.mu.Unlock()
			_ = l.ln.Close()
			l.cancel()
			return
		}
		delay = min(max(2*delay, 5*time.Millisecond), time.Second)
		l.log.Warn("qsocket: accept, will retry", "addr", socket.AddrString(l.addr()), "err", err, "after", delay)
		select {
		case <-time.After(delay):
		case <-l.stopping.Done():
		}
	}
}

// passing are the errors of accept that say nothing of the listener, besides those that
// package net calls temporary: a connection has gone wrong before it was accepted, or memory is
// short (accept(2) of Linux lists them).
var passing = []error{
	syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EPROTO, syscall.ENOBUFS, syscall.ENOMEM,
	syscall.ENETDOWN, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.EHOSTUNREACH,
}

// isTemporary reports whether accepting again may succeed. As in net/http, an error that
// does not say so is taken to be there for good: to try again after it would hide it, and
// take time, for ever.
func isTemporary(err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	for _, passes := range passing {
		if errors.Is(err, passes) {
			return true
		}
	}
	var ne interface{ Temporary() bool } // as net.Error has it
	return errors.As(err, &ne) && ne.Temporary()
}

// admission is a connection on its way to becoming a Conn.
type admission struct {
	nc     net.Conn
	ctx    context.Context // of the handshake
	cancel context.CancelCauseFunc
	place  int // in Listener.handshakes, guarded by its mu; -1 if it is not there

	// deny says what a client is told for which there was no slot; nil from it: it may come. It is nil for others.
	deny  func(handshake.Session) *handshake.Denied
	letIn bool   // deny has returned nil: it comes back to a session
	try   uint64 // which attempt it is then; guarded by the mutex of the sessions

	identity string // of the client, if it asks for a session: set by openConn
}

// beginHandshake begins the handshake of nc, in the order of accepting. If there are too
// many, one of those under way gives way. Which one is left to chance: if it were always
// the one that has lasted longest, a flood of new ones would let no client through that is
// a little further away than the flood.
func (l *listenerCore) beginHandshake(nc net.Conn) *admission {
	l.handshaking.Add(1)
	a := &admission{nc: nc, place: -1}
	a.ctx, a.cancel = context.WithCancelCause(l.closing)
	if l.opts.MaxHandshakes == 0 {
		return a
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.handshakes); n >= l.opts.MaxHandshakes {
		unlucky := l.handshakes[rand.IntN(n)]
		l.leaveLocked(unlucky)
		unlucky.cancel(errCrowded)
	}
	a.place = len(l.handshakes)
	l.handshakes = append(l.handshakes, a)
	return a
}

// leaveLocked takes a out of the handshakes under way. From then on it cannot be the one
// that gives way.
func (l *listenerCore) leaveLocked(a *admission) {
	if a.place < 0 {
		return
	}
	last := len(l.handshakes) - 1
	l.handshakes[a.place] = l.handshakes[last]
	l.handshakes[a.place].place = a.place
	l.handshakes[last] = nil
	l.handshakes = l.handshakes[:last]
	a.place = -1
}

// passed is called when the handshake of a is done. It is an error if a has given way or
// the Listener has been closed, both of which happen under the lock: so afterwards a is
// accepted for good.
func (l *listenerCore) passed(a *admission) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leaveLocked(a)
	return a.ctx.Err()
}

// connEnded is told that both directions of a Conn are over.
func (l *listenerCore) connEnded(ended *link.Link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := l.live[ended].stats()
	last.SendBuffered = 0 // it is lost
	delete(l.live, ended)
	l.past.add(last)
	l.changedLocked()
}

// endHandshake takes back beginHandshake.
func (l *listenerCore) endHandshake(a *admission) {
	a.cancel(nil)
	l.mu.Lock()
	l.leaveLocked(a)
	l.mu.Unlock()
	l.handshaking.Add(-1)
}

// admit does the handshake of a connection in a goroutine of its own, and ends when
// the Conn has been taken, the handshake has failed, or the Listener closes. On exit
// the Conn belongs to the program, or is closed.
func (l *listenerCore) admit(a *admission) {
	remote := socket.AddrString(a.nc.RemoteAddr())
	if l.opts.TLS != nil {
		a.nc = tls.Server(a.nc, l.opts.TLS)
	}
	conn, c, err := l.openConn(a)
	l.endHandshake(a)
	if err != nil {
		l.notAdmitted(a, remote, err)
		return
	}
	asks := l.asks(c)
	if asks {
		l.seats.sit(&c.link, a.deny == nil)
	}
	c.link.SetHost(&l.host)
	l.mu.Lock()
	l.live[&c.link] = c
	l.mu.Unlock()
	l.accepted.Add(1)
	var s *sessionCore
	if asks {
		s = l.sessions.arrive(a, conn, c)
	}
	l.mu.Lock()
	drains := l.drains
	l.mu.Unlock()
	if drains { // behind the answer about the session, which is the first frame
		c.link.GoAway(l.closeReason().Words)
	}
	if l.sessions == nil {
		l.typed.offer(conn)
		return
	}
	if asks && s == nil { // it goes on with a session that is there, or was refused
		if a.deny != nil && c.session.Load() == nil {
			l.awaitRefused(c)
		}
		return
	}
	l.typed.offerSession(conn, s)
}

// awaitRefused waits for the end of a connection that has been refused and has no slot, for turnAwayTime at most: so long it
// keeps its place.
func (l *listenerCore) awaitRefused(c *connCore) {
	timer := time.NewTimer(turnAwayTime)
	defer timer.Stop()
	select {
	case <-c.link.Done():
	case <-timer.C:
		c.link.Abandon(errFull)
	case <-l.closing.Done():
		c.link.Abandon(net.ErrClosed)
	}
}

// asks reports whether the client of c asks for a session, at a Listener that has such.
func (l *listenerCore) asks(c *connCore) bool { return l.sessions != nil && c.told.Session.HasID }

// notAdmitted says that the handshake of a has failed with err, and gives its slot back.
func (l *listenerCore) notAdmitted(a *admission, remote string, err error) {
	cause := refusalCause(err)
	if a.deny != nil && !a.letIn {
		switch cause {
		case "timeout", "tls", "magic", "hello": // what it was does not matter, as there was no slot for it
			cause = "full"
		}
		l.log.Debug("qsocket: connection refused, because MaxConns are in use", "peer", remote, "cause", cause, "err", err)
		l.countRefusal(cause)
		return
	}
	attrs := []any{"peer", remote, "cause", cause, "err", err}
	if p := panicOf(err); p != nil {
		attrs = append(attrs, excerpt.StackKey, string(p.Stack))
	}
	l.log.Log(context.Background(), refusalLevel(err), "qsocket: handshake refused", attrs...)
	l.countRefusal(cause)
	if a.deny == nil {
		l.release()
	}
}

// openConn makes a Conn with the Listener's choices. A panic, in a callback of the TLS
// Config or Options.SessionIdentity for example, refuses the connection.
func (l *listenerCore) openConn(a *admission) (conn any, c *connCore, err error) {
	defer func() {
		if r := recover(); r != nil {
			socket.HardClose(a.nc, true)
			err = &handshake.Panic{Value: r, Stack: debug.Stack()}
		}
	}()
	err = greetThen(a.ctx, a.nc, l.opts, nil, a.deny, func(nc net.Conn, told *handshake.Told) (err error) {
		if l.sessions != nil && told.Session.HasID {
			a.identity = l.opts.SessionIdentity(socket.Given(nc))
		}
		if err = l.passed(a); err == nil {
			conn, c, err = l.typed.newConn(nc, told)
		}
		return err
	})
	cause := context.Cause(a.ctx)
	if cause == errCrowded && err != nil || (cause == errFull || cause == errOvertaken) && errors.Is(err, context.Canceled) {
		err = cause
	}
	return conn, c, err
}

// errCrowded is reported for the handshake that gives way when MaxHandshakes is exceeded.
var errCrowded = errors.New("qsocket: handshake given up in favour of a newer one: MaxHandshakes are under way")

// errOvertaken is reported for a client of a session at a full server that has come once more.
var errOvertaken = errors.New("qsocket: handshake given up in favour of a later one of the same session: MaxConns are in use")

// panicOf returns the panic that the handshake failed with, or nil.
func panicOf(err error) *handshake.Panic {
	if denied, ok := err.(*deniedError); ok {
		err = denied.cause
	}
	p, _ := err.(*handshake.Panic)
	return p
}

// refusalLevel is where a handshake that has failed is logged. Balancers connect and close
// all the time, to see whether a server is there.
func refusalLevel(err error) slog.Level {
	if b, ok := err.(*brokenHandshake); ok && b.broken.IsUnheard() || handshake.IsUnheardTLS(err) {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// countRefusal counts a handshake that has failed.
func (l *listenerCore) countRefusal(cause string) {
	l.mu.Lock()
	if l.refusals == nil {
		l.refusals = make(map[string]uint64)
	}
	l.refusals[cause]++
	l.mu.Unlock()
	l.refused.Add(1)
}

// Refusals returns how many handshakes have failed, by cause. Their sum is
// ListenerStats.Refused. The causes are
//
//	timeout   not over within HandshakeTimeout
//	crowded   given up in favour of a newer one: by chance, see Options.MaxHandshakes, or
//	          where MaxConns are in use one of the same session
//	closed    the Listener was closed meanwhile
//	tls       the handshake of TLS failed, also because the client spoke no TLS, or
//	          sent an alert in place of its hello
//	magic, version, hello, proto, codec, heartbeat, types
//	          the field of a HandshakeError; hello also if the client was gone
//	refused   Options.Admit refused the client, with Refuse
//	internal  Options.Admit failed otherwise, or Options.Attributes did
//	remote    the client refused this end, with a goodbye
//	full      it came when MaxConns, or for a new session MaxSessions, were in use
//	panic     one of these, or a callback of the TLS Config, panicked
//	other     anything else
func (l *Listener[T]) Refusals() map[string]uint64 { return l.core.refusalCounts() }

func (l *listenerCore) refusalCounts() map[string]uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.refusals)
}

// refusalCause sorts the errors of handshakes.
func refusalCause(err error) string {
	var he *HandshakeError
	var re *RemoteError
	denied, isDenied := err.(*deniedError)
	switch {
	case err == errCrowded, err == errOvertaken:
		return "crowded"
	case err == errFull:
		return "full"
	case panicOf(err) != nil:
		return "panic"
	case isDenied && denied.remote:
		return "remote"
	case isDenied: // its cause, which is the program's, does not count
		return denied.Field
	case errors.Is(err, context.Canceled):
		return "closed"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case handshake.IsTLS(err):
		return "tls"
	case errors.As(err, &he):
		return he.Field
	case errors.As(err, &re):
		return "remote"
	}
	return "other"
}
