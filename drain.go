package qsocket

import (
	"context"
	"sync"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/link"
	"github.com/fb9bb4ed/qsocket/internal/socket"
)

// How a Listener drains:
//
//	Drain ─► accepting ends, every Conn is told ─► connections on their way become Conns, or are
//	closed ─┬─ Conns and handlers have ended ─► nil
//	        └─ ctx ends ─► the rest is closed ─► its error
//
// Handlers belong to the calls of Serve that run them, and Conns to the program or to a
// handler, so Drain owns nothing: it tells, waits, and at last closes as anybody may. It waits
// for live and services to be empty; both shrink under mu, which closes changed.

// Drain ends the Listener without cutting off what is under way: a server that is told to
// stop calls it. It stops accepting, and tells the peer of every Conn, and the program at this
// end, that it goes away: [Conn.GoingAway] is closed at both ends. The handlers of Serve, and whoever
// has taken a Conn otherwise, go on receiving and sending; Drain waits until all handlers have
// returned and all Conns have ended, and returns nil. Clients that watch GoingAway finish what they do, close,
// and dial elsewhere. A handler ends when its client has closed, so most need not watch it.
//
// When ctx ends first, the contexts of the handlers end, what Conns are left are closed as by
// [Conn.CloseWithCode] with [CodeGoingAway] and reason, within Options.CloseTimeout, and
// Drain returns ctx's error. It does not wait for handlers then; Serve does.
//
// A connection that has been accepted has a second to come through its handshake, and to be taken
// by Serve or Accept: its client may have sent something already. After that it is closed, with CodeGoingAway if the handshake is done.
// The reason is for the peers' logs, and is cut to 1,024 bytes. Peers in raw mode are told nothing.
//
// The ctx of Serve must not end before Drain returns: that would cut off the handlers. So it is not
// the one that a signal ends. Serve returns once all handlers have. A handler must not call Drain,
// which waits for it.
func (l *Listener[T]) Drain(ctx context.Context, reason string) error {
	return l.core.drain(ctx, reason)
}

func (l *listenerCore) drain(ctx context.Context, reason string) error {
	l.mu.Lock()
	l.shutdown = true
	if !l.drains {
		l.drains, l.reason = true, reason
	}
	l.mu.Unlock()
	err := l.stopAccepting()
	l.log.Info("qsocket: draining", "addr", socket.AddrString(l.addr()), "reason", excerpt.Text(reason, excerpt.MaxPart), "open", len(l.open()))
	l.goAway()
	l.awaitArrivals(ctx)
	if l.awaitIdle(ctx) && l.awaitLingering(ctx) {
		return err
	}
	if rest := len(l.open()); rest > 0 {
		l.log.Warn("qsocket: draining takes too long, closing what is open", "addr", socket.AddrString(l.addr()), "open", rest)
	}
	l.endRest()
	return excerpt.Join(err, ctx.Err())
}

// arrivalGrace is for connections on their way to becoming Conns that somebody has taken.
const arrivalGrace = time.Second

// awaitArrivals waits for them, and closes those that are late.
func (l *listenerCore) awaitArrivals(ctx context.Context) {
	timer := time.NewTimer(arrivalGrace)
	defer timer.Stop()
	select {
	case <-l.ended:
		return
	case <-timer.C:
	case <-ctx.Done():
	}
	_ = l.close()
}

// goAway tells all Conns that this end drains. Those that know are not told again.
func (l *listenerCore) goAway() {
	reason := l.closeReason().Words
	for _, c := range l.open() {
		if l.asks(c) && c.session.Load() == nil {
			continue // admit does it
		}
		c.link.GoAway(reason)
	}
	for _, s := range l.sessions.all() { // those without a connection, too
		s.goAway()
	}
}

// open returns the Conns that have not ended.
func (l *listenerCore) open() []*connCore {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]*connCore, 0, len(l.live))
	for _, c := range l.live {
		list = append(list, c)
	}
	return list
}

// closeReason is why the Listener itself closes a Conn.
func (l *listenerCore) closeReason() (reason link.Reason) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.drains {
		reason = newReason(CodeGoingAway, l.reason)
	}
	return reason
}

// awaitIdle waits until no Conn is open and no handler runs, or reports false when ctx has
// ended.
func (l *listenerCore) awaitIdle(ctx context.Context) (idle bool) {
	return l.await(ctx, func() bool { return len(l.live) == 0 && len(l.services) == 0 })
}

// await waits until done, which is called with mu held, or reports false when ctx has ended.
func (l *listenerCore) await(ctx context.Context, done func() bool) bool {
	for {
		l.mu.Lock()
		if done() {
			l.mu.Unlock()
			return true
		}
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// changedLocked makes await look again.
func (l *listenerCore) changedLocked() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// endRest closes what has outlived the ctx of Drain. Close starts the clock of CloseTimeout, so
// all Conns have ended when that has passed.
func (l *listenerCore) endRest() {
	l.mu.Lock()
	services := make([]*service, 0, len(l.services))
	for s := range l.services {
		services = append(services, s)
	}
	l.mu.Unlock()
	reason := l.closeReason()
	for _, s := range services {
		s.cancelAll(reason)
	}
	var closing sync.WaitGroup
	for _, s := range l.sessions.all() {
		closing.Go(func() { _ = s.close(reason) }) // ends after CloseTimeout at the latest
	}
	for _, c := range l.open() {
		if a := c.session.Load(); a != nil && a.isCurrent() { // its session closes it
			continue
		}
		closing.Go(func() { // ends after CloseTimeout at the latest
			c.link.In.InterruptServe() // its handler's ctx has ended
			_ = c.link.Close(reason, false)
		})
	}
	closing.Wait()
	l.await(context.Background(), func() bool { return len(l.live) == 0 })
	l.host.Lingering.Reset()
}

// awaitLingering waits until the peers of failed Conns have been told, or have had
// CloseTimeout for it. When ctx ends it resets what is left, and reports false.
func (l *listenerCore) awaitLingering(ctx context.Context) bool {
	for {
		none := l.host.Lingering.None()
		if none == nil {
			return true
		}
		select {
		case <-none:
		case <-ctx.Done():
			l.host.Lingering.Reset()
			return false
		}
	}
}

// GoingAway returns a channel that is closed when the server of this connection drains, on both
// ends: that is [Listener.Drain] at the other one, in named mode, or at this one. The connection works as before, and will
// be closed before long. A client finishes what it has begun, closes, and dials another server;
// a handler that only sends learns that it is time to end. It takes a reader (Recv, All, Messages or Done)
// to learn it from the peer. A Conn that ends otherwise does not close the channel: watch Done beside it.
func (c *Conn[T]) GoingAway() <-chan struct{} { return c.link.GoingAway() }

// Totals returns the sums of the Stats of all Conns that the Listener has made, those that have ended included, and of what
// only its sessions count. No counter but SendBuffered and Unacknowledged ever decreases.
func (l *Listener[T]) Totals() Stats { return l.core.totals() }

func (l *listenerCore) totals() Stats {
	defer l.sessions.lock()()
	sum := l.sessions.totalsLocked()
	l.mu.Lock()
	defer l.mu.Unlock()
	sum.add(l.past)
	for _, c := range l.live {
		sum.add(c.stats())
	}
	return sum
}

// add adds more to s.
func (s *Stats) add(more Stats) {
	s.MessagesSent += more.MessagesSent
	s.MessagesReceived += more.MessagesReceived
	s.BytesSent += more.BytesSent
	s.BytesReceived += more.BytesReceived
	s.Flushes += more.Flushes
	s.Dropped += more.Dropped
	s.Unknown += more.Unknown
	s.SendBuffered += more.SendBuffered
	s.Resumes += more.Resumes
	s.Replayed += more.Replayed
	s.Down += more.Down
	s.Unacknowledged += more.Unacknowledged
}
