package qsocket

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/handshake"
	"github.com/fb9bb4ed/qsocket/internal/link"
	"github.com/fb9bb4ed/qsocket/internal/socket"
)

// Listener accepts connections and makes Conns of them. Take them from Conns,
// with Accept, or let Serve run a handler for each; all take from one queue.
// All methods are safe for concurrent use.
//
// One goroutine accepts. Each connection then does its handshake (TLS, hello) in a
// goroutine of its own, under Options.HandshakeTimeout, so a client that says
// nothing does not delay others. Failed handshakes are logged and counted; no call
// returns their errors. After an error of accepting that passes, such as syscall.EMFILE,
// accepting is tried again, after 5 ms at first and 1 s at most. Passing are an error with a
// method Temporary that returns true, and syscall.ECONNABORTED, ECONNRESET, EPROTO, ENOBUFS, ENOMEM and
// those of an unreachable network. Any other ends the Listener: Serve, Accept and Err return it.
//
// The caller must end every Listener it obtains, with Close, Shutdown, or the ctx given
// to Serve.
type Listener[T any] struct {
	core listenerCore

	// Immutable.
	p        Protocol[T]
	conns    chan *Conn[T]    // those that nobody has taken
	arrivals chan *Session[T] // and the sessions; nil: it has none
}

// listenerCore is what a Listener has that does not depend on T, as connCore is of a Conn.
type listenerCore struct {
	// Immutable.
	ln       net.Listener
	opts     *settings
	log      *slog.Logger
	host     link.Host // of its Conns
	sessions *sessions // nil: it has none
	typed    typedListener

	stopping    context.Context // of accepting: ends when Close or Drain is called
	stop        context.CancelFunc
	closing     context.Context // of handshakes, and of Conns that nobody has taken: ends with Close, and a little later with Drain
	cancel      context.CancelFunc
	ended       chan struct{} // closed by accept when it and all of pending are over
	slots       chan struct{} // an entry for each connection that counts towards MaxConns; nil: no limit
	seats       seats
	places      chan struct{}  // an entry for each connection beyond those, which is told so; nil in raw mode and without a limit
	crowd       crowd          // what is logged about that
	pending     sync.WaitGroup // handshakes, and Conns that the program has not taken yet
	accepted    atomic.Uint64
	refused     atomic.Uint64
	failures    atomic.Uint64
	panics      atomic.Uint64
	handshaking atomic.Int64

	mu         sync.Mutex               // guards following
	live       map[*link.Link]*connCore // from the end of the handshake to the end of the Conn
	handshakes []*admission             // handshakes under way, with MaxHandshakes; in no order
	refusals   map[string]uint64        // for Refusals
	err        error                    // what ended accept, other than Close
	shutdown   bool                     // Shutdown or Drain was called: every Conn will end
	drains     bool                     // Drain was called
	reason     string                   // of the first Drain
	past       Stats                    // of the Conns that have ended
	services   map[*service]struct{}    // calls of Serve and ServeSessions
	changed    chan struct{}            // closed when there are fewer Conns or services; nil if nobody waits
}

// typedListener is what a Listener does with Conns and Sessions, which have a type.
type typedListener interface {
	// newConn makes a Conn: conn is the *Conn[T] of c.
	newConn(nc net.Conn, told *handshake.Told) (conn any, c *connCore, err error)

	offer(conn any)                        // waits until the program has taken a Conn, or closes it when the Listener closes
	newSession() *sessionCore              // without a connection
	offerSession(conn any, s *sessionCore) // the same for a session; s is nil for a peer without sessions
	closeQueues()                          // nothing more is offered
}

// ListenerStats counts what a Listener has done.
type ListenerStats struct {
	Open         int    // Conns that have not ended yet
	Sessions     int    // sessions that have not ended yet, with a connection or without
	Handshaking  int    // connections whose handshake is under way
	Accepted     uint64 // handshakes done
	Refused      uint64 // handshakes failed
	AcceptErrors uint64 // errors of the net.Listener
	Panics       uint64 // handlers that panicked
}

// Listen listens on address and returns a Listener. network is "tcp",
// "tcp4", "tcp6" or "unix"; addresses are those of package net. With Options.TLS
// the connections are a TLS server's. A p that cannot work is an error, see [Protocol].
func Listen[T any](network, address string, p Protocol[T], opts *Options) (*Listener[T], error) {
	if _, err := checked(p, opts); err != nil {
		return nil, err
	}
	if err := checkNetwork(network); err != nil {
		return nil, err
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		return nil, excerpt.Wrap("qsocket: ", err)
	}
	return NewListener(ln, p, opts)
}

// NewListener returns a Listener that takes its connections from ln. It owns
// ln from the call on and closes it if it returns an error. With Options.TLS
// the connections are wrapped as a TLS server's, for which it must have a
// certificate; do not set it if ln makes TLS connections already.
func NewListener[T any](ln net.Listener, p Protocol[T], opts *Options) (*Listener[T], error) {
	if isNil(ln) {
		return nil, errors.New("qsocket: the net.Listener is nil")
	}
	o, err := checked(p, opts)
	if err == nil && o.MaxSessions > 0 {
		err = o.checkSession()
	}
	if err == nil {
		err = o.checkServer()
	}
	if err != nil {
		_ = ln.Close()
		return nil, err
	}
	l := &Listener[T]{p: p, conns: make(chan *Conn[T])}
	if o.MaxSessions > 0 {
		l.arrivals = make(chan *Session[T])
	}
	l.core.start(ln, o, l)
	return l, nil
}

// checkServer returns what a server cannot work with.
func (o *settings) checkServer() error {
	if t := o.TLS; t != nil && len(t.Certificates) == 0 && t.GetCertificate == nil && t.GetConfigForClient == nil {
		return errors.New("qsocket: Options.TLS of a server has no certificate: want Certificates, GetCertificate or GetConfigForClient")
	}
	return nil
}

// start begins to accept.
func (l *listenerCore) start(ln net.Listener, o *settings, typed typedListener) {
	l.ln, l.opts, l.log, l.typed = ln, o, o.Logger, typed
	l.ended = make(chan struct{})
	l.live = make(map[*link.Link]*connCore)
	l.services = make(map[*service]struct{})
	if o.MaxSessions > 0 {
		o.serves = true
		l.sessions = newSessions(l)
	}
	if err := untold(o.describes); err != nil && o.protocol != "" {
		l.log.Warn("qsocket: the peers are not told the message types, so nothing compares them", "protocol", o.protocol, "err", err)
	}
	l.host.Ended, l.host.Closed = l.connEnded, l.seats.stand
	l.seats.release = l.release
	l.closing, l.cancel = context.WithCancel(context.Background())
	l.stopping, l.stop = context.WithCancel(l.closing)
	if o.MaxConns > 0 {
		l.slots = make(chan struct{}, o.MaxConns)
		l.seats.of = make(map[*link.Link]*seat)
		if o.protocol != "" {
			l.places = make(chan struct{}, maxTurnedAway)
		}
	}
	go l.accept() // ends with Close, or when ln fails for good; closes the queues, then ended
}

func (l *Listener[T]) newConn(nc net.Conn, told *handshake.Told) (conn any, _ *connCore, err error) {
	c, err := wrap(nc, l.p, l.core.opts, told)
	if err != nil {
		return nil, nil, err
	}
	return c, &c.connCore, nil
}

func (l *Listener[T]) offer(conn any) {
	c := conn.(*Conn[T])
	select {
	case l.conns <- c:
	case <-l.core.closing.Done():
		_ = c.link.Close(l.core.closeReason(), false) // nothing was sent, so nothing is lost
	}
}

func (l *Listener[T]) newSession() *sessionCore { return &newSession(l.p, l.core.opts).core }

func (l *Listener[T]) offerSession(conn any, core *sessionCore) {
	s := &Session[T]{plain: conn.(*Conn[T]), p: l.p}
	if core != nil {
		s = core.typed.(*Session[T])
	} else {
		s.core.set = l.core.opts
	}
	select {
	case l.arrivals <- s:
	case <-l.core.closing.Done():
		_ = s.closeFor(l.core.closeReason())
	}
}

func (l *Listener[T]) closeQueues() {
	close(l.conns)
	if l.arrivals != nil {
		close(l.arrivals)
	}
}

// Conns returns the channel of connections that are ready for messages, always
// the same one. It is closed when the Listener has closed or failed; Err then
// says why. With Options.MaxSessions nothing comes from it: use ServeSessions.
func (l *Listener[T]) Conns() <-chan *Conn[T] { return l.conns }

// Accept returns the next connection. It returns ctx's error when ctx ends, an
// error that wraps net.ErrClosed after Close or Shutdown, and otherwise Err()
// when accepting has failed for good. With Options.MaxSessions it is an error: use
// ServeSessions.
func (l *Listener[T]) Accept(ctx context.Context) (*Conn[T], error) {
	if l.core.sessions != nil {
		return nil, errHasSessions
	}
	return acceptFrom(ctx, &l.core, l.conns)
}

// errHasSessions is what Accept and Serve return where ServeSessions has to be used.
var errHasSessions = errors.New("qsocket: the Listener has sessions, because of Options.MaxSessions: use ServeSessions")

// acceptFrom takes the next one from arrivals.
func acceptFrom[C any](ctx context.Context, l *listenerCore, arrivals <-chan C) (c C, err error) {
	if err := ctx.Err(); err != nil {
		return c, err
	}
	select {
	case c, ok := <-arrivals:
		if ok {
			return c, nil
		}
		return c, l.closedError()
	case <-ctx.Done():
		return c, ctx.Err()
	}
}

// closedError is what Accept returns when no more Conns come.
func (l *listenerCore) closedError() error {
	if err := l.failure(); err != nil {
		return err
	}
	return excerpt.Wrap("qsocket: listener on "+excerpt.Text(socket.AddrString(l.addr()), excerpt.MaxName)+": ", net.ErrClosed)
}

// Close stops accepting and closes the connections that the program has not taken yet.
// Conns already handed out live on. Further calls return nil.
func (l *Listener[T]) Close() error { return l.core.close() }

func (l *listenerCore) close() error {
	err := l.stopAccepting()
	l.mu.Lock()
	l.cancel()
	l.mu.Unlock()
	<-l.ended
	return err
}

// stopAccepting makes accept end. Only the first call returns what the net.Listener says.
func (l *listenerCore) stopAccepting() error {
	l.mu.Lock()
	first := l.stopping.Err() == nil
	l.stop()
	l.mu.Unlock()
	if !first {
		return nil
	}
	if err := l.ln.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return excerpt.Wrap("qsocket: ", err)
	}
	return nil
}

// Shutdown is Close, and shuts down every Conn that the Listener has made (see
// [Conn.Shutdown]) at the same time. It returns nil if all of them ended well, and
// otherwise their errors joined, with that of ctx if that ended first.
func (l *Listener[T]) Shutdown(ctx context.Context) error { return l.core.shutdownAll(ctx) }

func (l *listenerCore) shutdownAll(ctx context.Context) error {
	l.mu.Lock()
	l.shutdown = true
	l.mu.Unlock()
	errs := []error{l.close()}
	l.mu.Lock()
	var ends []func(context.Context) error
	for _, c := range l.live {
		if c.session.Load() == nil {
			ends = append(ends, c.link.Shutdown)
		}
	}
	l.mu.Unlock()
	for _, s := range l.sessions.all() {
		ends = append(ends, s.shutdown)
	}
	results := make(chan error, len(ends))
	waiting := len(ends)
	for _, end := range ends {
		go func() { results <- end(ctx) }() // ends with ctx at the latest; its result is in results
	}
	ended := false
	for range waiting {
		err := <-results
		if err != nil && err == ctx.Err() {
			ended = true
			continue
		}
		errs = append(errs, err)
	}
	if !l.awaitLingering(ctx) && !ended {
		ended = true
	}
	if ended {
		errs = append(errs, ctx.Err())
	}
	return excerpt.Join(errs...)
}

// Err returns nil while the Listener works and after Close. Otherwise it
// returns the error that ended accepting.
func (l *Listener[T]) Err() error { return l.core.failure() }

func (l *listenerCore) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Addr returns the address on which the Listener accepts.
func (l *Listener[T]) Addr() net.Addr { return l.core.addr() }

func (l *listenerCore) addr() net.Addr { return l.ln.Addr() }

// Stats returns the counters.
func (l *Listener[T]) Stats() ListenerStats { return l.core.stats() }

func (l *listenerCore) stats() ListenerStats {
	l.mu.Lock()
	open := len(l.live)
	l.mu.Unlock()
	return ListenerStats{
		Open:         open,
		Sessions:     l.sessions.count(),
		Handshaking:  int(l.handshaking.Load()),
		Accepted:     l.accepted.Load(),
		Refused:      l.refused.Load(),
		AcceptErrors: l.failures.Load(),
		Panics:       l.panics.Load(),
	}
}
