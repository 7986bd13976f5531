package qsocket

import (
	"context"
	"errors"
	"net"
	"runtime/debug"
	"sync"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/link"
	"github.com/fb9bb4ed/qsocket/internal/socket"
)

// Serve runs handle in a goroutine for each connection, and closes the Conn
// when handle returns. A panic in handle ends that Conn only; it is logged at
// level Error with its stack (if there is an Options.Logger), and counted in
// Stats. The peer of a named protocol gets a RemoteError with [CodePanic], that
// of a raw one sees a Close. What a handler has sent and the peer does not take
// within CloseTimeout is lost, and logged at level Warn: a handler that has to know
// calls Shutdown before it returns.
//
// When ctx ends, Serve stops accepting, closes the Conns that it handed to
// handlers (which ends their loops over Messages), waits for the handlers, and
// returns nil. The context that handlers get ends with ctx, and when the
// handler returns. This cuts off what is under way: a handler that holds a request can no
// longer answer it, since its Send fails, and requests that have not been received are
// dropped, whether they have arrived or not. The client sees a clean end, its Err is nil, as if nothing
// were missing. To stop a server that owes answers, call [Listener.Drain], and give Serve a ctx that
// does not end before Drain returns: context.Background(), not that of a signal.
//
// Serve also returns nil after Drain and Shutdown, once the handlers have returned, and
// after Close, at once: the handlers that run then go on with their Conns,
// under ctx. When accepting fails for good it returns Err(), at once as well.
//
// With Options.MaxSessions Serve is an error: use [Listener.ServeSessions].
func (l *Listener[T]) Serve(ctx context.Context, handle func(context.Context, *Conn[T])) error {
	switch {
	case handle == nil:
		return errors.New("qsocket: Serve without a handler")
	case l.core.sessions != nil:
		return errHasSessions
	}
	run := func(ctx context.Context, s *service, cancel func(), c served) {
		defer s.finish(cancel, c)
		handle(ctx, c.(*Conn[T]))
	}
	return l.core.serveAll(ctx, run, func(ctx context.Context) (served, error) { return l.Accept(ctx) })
}

// served is what a handler gets: a Conn or a Session.
type served interface {
	RemoteAddr() net.Addr
	setServeCtx(ctx context.Context)
	interruptServe() // setServeCtx's ctx has ended
	closeServed(reason link.Reason)
}

// serveAll is Serve, and ServeSessions, with what accept returns.
func (l *listenerCore) serveAll(ctx context.Context, run runHandler, accept func(context.Context) (served, error)) error {
	s := &service{l: l, run: run, conns: make(map[served]handling)}
	l.mu.Lock()
	l.services[s] = struct{}{}
	l.mu.Unlock()
	s.stop = context.AfterFunc(ctx, s.closeAll)
	defer s.endServing()
	for {
		c, err := accept(ctx)
		if err != nil {
			break
		}
		s.start(ctx, c)
	}
	if ctx.Err() != nil {
		_ = l.close() // the program asked for the end
		s.running.Wait()
		return nil
	}
	l.mu.Lock()
	shutdown := l.shutdown
	l.mu.Unlock()
	if shutdown {
		s.running.Wait()
	}
	return l.failure()
}

// service is one call of Serve, and lives on until its last handler has returned.
type service struct {
	l       *listenerCore
	run     runHandler
	running sync.WaitGroup // handlers, and the goroutines that close their Conns
	stop    func() bool    // keeps closeAll from being called

	mu    sync.Mutex          // guards following, and comes before that of l
	conns map[served]handling // Conns whose handlers run
	ended bool                // ctx has ended: none is to stay open
	over  bool                // Serve has returned and starts no more handlers
	why   link.Reason         // of a Drain whose patience is over: a handler that returns because of that does not hide it
}

// handling is a handler that runs.
type handling struct {
	ctx    context.Context // that it got
	cancel func()
}

// start runs a handler for c.
func (s *service) start(ctx context.Context, c served) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	s.conns[c] = handling{ctx, cancel}
	c.setServeCtx(ctx)
	s.running.Add(1)
	go s.run(ctx, s, cancel, c) // ends with the handler; c is closed then
	if s.ended {
		s.cutOffLocked(ctx, c)
	}
}

// runHandler runs a handler, and s.finish when that has returned or panicked. It is the whole of a handler's goroutine: what was
// on its stack besides, with WaitGroup.Go for example, would double that of many an idle handler.
type runHandler func(ctx context.Context, s *service, cancel func(), c served)

// finish is deferred by what runs a handler. The Conn is closed when the handler returns or
// panics, or ctx ends; on exit it is.
func (s *service) finish(cancel func(), c served) {
	defer s.running.Done()
	s.mu.Lock()
	reason := s.why
	s.mu.Unlock()
	if r := recover(); r != nil {
		s.l.panics.Add(1)
		s.l.log.Error("qsocket: handler panicked", "peer", socket.AddrString(c.RemoteAddr()), "panic", excerpt.Panic(r, excerpt.MaxText), excerpt.StackKey, string(debug.Stack()))
		reason = newReason(CodePanic, "handler panicked")
	}
	c.closeServed(reason)
	cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.endIfUnusedLocked()
}

func (c *connCore) setServeCtx(ctx context.Context) { c.link.In.SetServeCtx(ctx) }
func (c *connCore) interruptServe()                 { c.link.In.InterruptServe() }

func (c *connCore) closeServed(reason link.Reason) {
	_ = c.link.Close(reason, true) // what is lost by it is logged with the end of the Conn
	c.link.AwaitTeardown()
}

// closeAll is called when ctx ends. One such call for each Conn would take more
// memory than the rest of serve.
func (s *service) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for c, h := range s.conns {
		s.cutOffLocked(h.ctx, c)
	}
}

// cancelAll ends the contexts of the handlers that run. Their Conns are closed with that reason.
func (s *service) cancelAll(why link.Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.why = why
	for _, h := range s.conns {
		h.cancel()
	}
}

// cutOffLocked closes c, whose handler runs, because Serve's ctx has ended.
func (s *service) cutOffLocked(ctx context.Context, c served) {
	// The handler runs, so running is not zero, and Serve's Wait cannot have returned.
	// The goroutine ends with the Close, after CloseTimeout at most.
	s.running.Go(func() {
		<-ctx.Done() // the handler sees the end of its ctx before that of its Conn
		c.interruptServe()
		c.closeServed(link.Reason{})
	})
}

// endServing is called when Serve returns.
func (s *service) endServing() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	s.endIfUnusedLocked()
}

// endIfUnusedLocked no longer waits for ctx if nothing is left to close, and says so to a Drain.
func (s *service) endIfUnusedLocked() {
	if !s.over || len(s.conns) > 0 {
		return
	}
	s.stop()
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	delete(s.l.services, s)
	s.l.changedLocked()
}
