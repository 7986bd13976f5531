// Package link is the life of a connection: who ends what. It owns the socket, the
// outbox and the inbox, and it decides how both directions end, what two ends of a named
// protocol say to each other, and what is reported of it all. It knows nothing of
// messages.
package link

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/inbox"
	"github.com/fb9bb4ed/qsocket/internal/monotime"
	"github.com/fb9bb4ed/qsocket/internal/outbox"
	"github.com/fb9bb4ed/qsocket/internal/socket"
	"github.com/fb9bb4ed/qsocket/internal/wire"
	"github.com/fb9bb4ed/qsocket/internal/xsync"
)

// Link is the life of a connection, from the socket that it owns to the end of
// both directions.
//
// Sending ends when the outbox has been flushed and the socket's write side
// closed, or when a write fails. Receiving ends with the peer's end of file,
// a failed read, or at once when this end closes; what still arrives then is
// discarded. When both are over, or on the first failed read, teardown closes
// the socket. The decisions are state's: each event goes to advance, which says whether
// the connection is over. Link does what follows from them.
//
// Its methods are called at the same time from
//
//   - the program's goroutines, in Close, Shutdown, CloseWrite and Recv;
//   - the receiver, in EndReceiving, onControl and DrainControl, with the inbox's lock
//     held: that is how what control frames lead to happens in the order of the frames;
//   - the writer, in WriteFailed, without any lock;
//   - closeLoop, discard, and the goroutines of the two timers.
//
// mu comes after the inbox's lock, and is not held when a method of Out or In is called.
//
// The zero Link is not usable: call Init.
type Link struct {
	Out outbox.Outbox
	In  inbox.Inbox

	// Immutable after Init.
	sock   socket.Socket
	log    *slog.Logger
	opened time.Duration // when, on the clock of monotime
	owner  Owner
	host   *Host // see SetHost

	skipped atomic.Uint64 // messages that a Group has skipped
	unknown atomic.Uint64 // messages of unknown cases

	mu         sync.Mutex // guards following; never held across I/O or while waiting
	state      state
	reading    bool        // the reader goroutine runs: from ReaderStarts to ReaderDone
	reported   bool        // a Close has returned the failure: further calls return nil
	goesAway   bool        // goingAway has been fired
	onEnd      []*func()   // to be called at the end, see OnEnd
	closer     closer      // closeLoop
	closeTimer *time.Timer // of CloseTimeout; nil if nothing bounds the end

	// Signals. closeLoop fires the three about sending, in this order, also when writing
	// has failed, and teardown at the latest; confirmed may never fire.
	recvStop     xsync.Signal // receivers are to leave; see stopReceiving
	messagesSent xsync.Signal // after endSending: what was accepted is with the kernel, or will not get there
	endSent      xsync.Signal // ... and so is the goodbye or the half-close
	fullSent     xsync.Signal // ... and so is the full goodbye, if that is another
	confirmed    xsync.Signal // state.confirmed
	goingAway    xsync.Signal // one of the ends drains; may never fire
	done         xsync.Signal // fired last: both directions are over, and so is Messages

	// Named mode.
	heartbeatTimer *time.Timer   // runs heartbeatTick
	nextTick       time.Duration // when, on the clock of monotime
	stall          *stall        // nil until a Send has waited
}

// Init makes l the life of s.
func (l *Link) Init(s socket.Socket, c Config) {
	l.sock = s
	l.log = c.Log
	l.opened = monotime.Now()
	l.state.named = c.Named
	l.state.hasHalfClose = socket.Half(s.Conn) != nil
	l.owner = c.Owner
	recv := inbox.Config{Framing: c.Framing, MaxFrame: c.MaxFrame, FrameTimeout: c.FrameTimeout, Tracer: c.Tracer}
	if !s.Interruptible {
		recv.OnOverdue = l.Fail
	}
	if c.Named {
		recv.OnControl = l.onControl
		recv.MaxFrame = min(recv.MaxFrame, wire.MaxNamedFrame)
	}
	l.In.Init(&l.sock, recv)
	l.Out.Init(&l.sock, outbox.Config{
		Framing:      c.Framing,
		MaxPayload:   c.SendLimit,
		PeerLimit:    c.PeerLimit,
		SendBuffer:   c.SendBuffer,
		WriteTimeout: c.WriteTimeout,
		Named:        c.Named,
		Owner:        c.Owner,
		Watcher:      l,
		Tracer:       c.Tracer,
		Received:     l.In.Received(),
	})
	if c.Named {
		l.startHeartbeat(c.Heartbeat, c.PeerHeartbeat)
	}
}

// SetHost says that the connection is one of h's. It must be called before the Link is used.
func (l *Link) SetHost(h *Host) { l.host = h }

// Socket returns the socket that l owns.
func (l *Link) Socket() *socket.Socket { return &l.sock }

// Named reports whether the connection is in named mode.
func (l *Link) Named() bool { return l.state.named }

// advance applies an event, and closes the socket if the connection is over by it. It
// must be called without locks held, but for the inbox's, and not in the callback of a
// raw read or write: closing the socket waits for these. Of several events that arrive
// at the same time, mu decides which comes first.
func (l *Link) advance(e event) {
	l.mu.Lock()
	over := l.state.advance(e)
	l.mu.Unlock()
	if over {
		l.teardown()
	}
}

// wait returns the channel of one of l's signals.
func (l *Link) wait(s *xsync.Signal) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return s.WaitLocked()
}

// fire fires one of l's signals.
func (l *Link) fire(s *xsync.Signal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.FireLocked()
}

// Done returns the channel that is closed when both directions are over.
func (l *Link) Done() <-chan struct{} { return l.wait(&l.done) }

// Stopped returns the channel that is closed when receivers are to leave.
func (l *Link) Stopped() <-chan struct{} { return l.wait(&l.recvStop) }

// Err returns the first failure, or the peer's reason.
func (l *Link) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.err
}

// Fail ends the connection because of err, which counts if it is the first. Once this
// end has closed, it is no failure: no message is received any longer, and the end that
// is under way goes on.
func (l *Link) Fail(err error) { l.advance(event{kind: receiveFailed, err: err}) }

// Ending is how a connection has ended in named mode.
type Ending struct {
	Goodbye       wire.GoodbyeKind // the peer's
	Confirmed     bool             // the peer has confirmed ours
	FullConfirmed bool             // and it was a full one, or another one was, see EndFully
	Clean         bool             // the peer's end of file was read
}

// Ending returns how the connection has ended, or ends.
func (l *Link) Ending() Ending {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.state
	return Ending{s.goodbyeReceived, s.confirmed, s.fullConfirmed, s.recv == recvEnded && !s.readFailed}
}

// lastWords is for what the peer has said before a write failed, why it ends above all.
const lastWords = 200 * time.Millisecond

// WriteFailed is called by the writer whose write has failed. Sending is over;
// what has arrived from the peer can still be received, so the end comes with that
// of receiving. It returns the cause: a write that teardown has broken is a
// consequence.
//
// If only a control frame was lost, or if the peer no longer reads messages
// anyway, it is no failure yet: what is read next decides.
//
// It runs on the writer's goroutine, the flusher or a Send, before any other Send
// learns of the failure. So a Send that returns an error finds Err set. The writer
// holds no lock and has left the socket, so teardown may close it here.
func (l *Link) WriteFailed(err error) error {
	if why := l.In.Expired(); why != nil { // a consequence
		l.Fail(why)
	}
	// Named mode only: in raw mode every byte belongs to a message, and a write that has
	// failed has left some of them unsent.
	e := event{kind: writeFailed, err: err}
	if l.Named() && l.Out.Unsent() == 0 {
		e.err = nil
	}
	l.mu.Lock()
	// What has two ends of its own goes on with another connection, and hears there what the peer has yet to say.
	useless := l.state.endsFully && l.state.send == sendOpen && !l.state.closed && l.state.goodbyeReceived == wire.GoodbyeNone
	over := l.state.advance(e)
	cause := l.state.err
	if cause == nil && l.state.socket == socketOpen && !l.state.closed {
		cause = err // no failure yet, but why nothing can be sent; see SendRefused
	}
	l.mu.Unlock()
	if over {
		l.teardown()
	} else if useless {
		time.AfterFunc(lastWords, func() {
			l.Fail(err)
			l.Abandon(err) // if its end has begun meanwhile, of which the peer cannot be told
		})
	} else { // a peer that is gone may never send the end that receivers wait for
		l.In.ExpectEnd(l.owner.CloseTimeout())
	}
	if cause == nil {
		return ErrClosed
	}
	return cause
}

// SendRefused is told of the error with which the outbox refused a message, and returns
// it. What the program knows by it is a failure of the connection from then on: a write
// that failed, even if no message was lost by it, and a payload that is not sent and that
// the encoder could not undo.
func (l *Link) SendRefused(err error) error {
	switch e := err.(type) {
	case *outbox.UndoError:
		l.Fail(e.Cause)
		return e.Cause
	case *outbox.EndedError:
		l.advance(event{kind: sendRefused, err: e.Cause})
	}
	return err
}

// EndReceiving handles the error of a receiver and returns what to tell its caller. All
// errors but ctx's end receiving; the first one ends more than that unless it is the
// peer's clean end.
//
// It is called by the holder of the inbox's lock: a caller of Recv with its own ctx, or
// the reader goroutine. It may be called again with the error that the inbox has kept;
// advance then changes nothing.
func (l *Link) EndReceiving(ctx context.Context, err error) error {
	switch {
	case err == ctx.Err():
		return err
	case err == inbox.ErrStopped:
		if err := ctx.Err(); err != nil { // that was perhaps what stopped it, see SetServeCtx
			return err
		}
	case err == inbox.ErrGoodbye:
		// From here on there are only control frames to read, and a caller of Recv
		// does not stay for them. The reader goroutine, if it is the caller, goes on to
		// DrainControl by itself.
		l.owner.StartReader()
	case err == io.EOF && l.Named():
		l.Fail(errNoGoodbye)
	case err == io.EOF:
		if err := l.awaitWriteResult(ctx); err != nil {
			return err // io.EOF is kept for the next call
		}
		l.advance(event{kind: endOfFile})
	default:
		l.Fail(err)
	}
	return l.EndError()
}

// awaitWriteResult is called by the receiver that has read the peer's end of file in
// raw mode. The kernel reports a reset once. If the write under way got it, all that a
// read gets is an end of file, which looks clean. So the write's outcome is waited for,
// and if it is a failure, that is recorded first.
func (l *Link) awaitWriteResult(ctx context.Context) error {
	l.mu.Lock()
	known := l.state.recv == recvEnded || l.state.socket != socketOpen
	stop := l.recvStop.WaitLocked() // a Close at the same time sends the receiver away
	l.mu.Unlock()
	if known {
		return nil
	}
	return l.Out.AwaitWriteResult(ctx, stop)
}

// teardown ends the connection: it closes the socket, or leaves that to a farewell, and wakes
// all that wait for anything. done is fired here, or by the reader goroutine when that is the
// last to leave.
//
// It is the one way to the end, and any goroutine may call it. The first call does
// everything; another returns at once, perhaps before that is done. The order matters:
// senders and receivers are told the reason before the socket is closed, since the
// error of a closed socket would look like a failure of its own. done comes after the
// hooks: when a program has seen Done, they have run.
func (l *Link) teardown() {
	l.mu.Lock()
	if l.state.socket != socketOpen { // another call, earlier or at the same time
		l.mu.Unlock()
		return
	}
	l.state.socket = socketClosing
	err, remote := l.state.err, l.state.remote
	for _, timer := range []*time.Timer{l.closeTimer, l.heartbeatTimer, l.stall.running()} {
		if timer != nil {
			timer.Stop()
		}
	}
	l.mu.Unlock()

	if err != nil {
		l.Out.Stop(&outbox.EndedError{Cause: err})
	} else {
		l.Out.Stop(ErrClosed)
	}
	l.stopReceiving(true)
	lingers := l.bidFarewell(err)
	if !lingers {
		// A reset tells the peer that this is no clean end. If err is the peer's own reason,
		// it knows.
		socket.HardClose(l.sock.Conn, err != nil && !remote)
	}
	if l.host != nil {
		l.host.Ended(l)
	}
	for _, f := range l.takeOnEnd() {
		(*f)()
	}
	l.logEnd(err, remote)
	if err == nil {
		err = ErrClosed
	}
	if !lingers {
		l.Out.GiveUp(err)
		if l.host != nil {
			l.host.Closed(l)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// closeLoop fires these as well, unless a Write or a half-close keeps it.
	l.messagesSent.FireLocked()
	l.endSent.FireLocked()
	l.fullSent.FireLocked()
	l.state.socket = socketClosed
	if !l.reading {
		l.done.FireLocked()
	}
}

// AwaitTeardown waits until teardown, if it has begun, is over: nothing is logged after that. A
// receiver that nothing wakes does not keep it for longer than teardownGrace. What teardown calls must
// not call it.
func (l *Link) AwaitTeardown() {
	l.mu.Lock()
	begun := l.state.socket == socketClosing
	done := l.done.WaitLocked()
	l.mu.Unlock()
	if !begun {
		return
	}
	timer := time.NewTimer(teardownGrace)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

const teardownGrace = time.Second

// OnEnd arranges for f to be called when the connection has ended, without
// locks held, on the goroutine that ends it. It reports false if the connection has
// ended already; f is not called then. cancel takes f back, but does not wait for a call
// that has begun.
func (l *Link) OnEnd(f func()) (cancel func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state.socket != socketOpen {
		return nil, false
	}
	l.onEnd = append(l.onEnd, &f)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if i := slices.Index(l.onEnd, &f); i >= 0 {
			l.onEnd = slices.Delete(l.onEnd, i, i+1)
		}
	}, true
}

// takeOnEnd takes the functions of OnEnd out of l, so that one which calls its cancel
// changes nothing over which teardown iterates.
func (l *Link) takeOnEnd() []*func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	hooks := l.onEnd
	l.onEnd = nil
	return hooks
}

// ReaderStarts announces the reader goroutine, which calls ReaderDone as its last act.
// It reports false if the connection has ended: then there is nothing to read, and no
// reader is to be started. While teardown is at work it may still be: it finds out by
// itself, and fires done if teardown has not waited for it.
func (l *Link) ReaderStarts() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reading = l.state.socket != socketClosed
	return l.reading
}

// ReaderDone is the last act of the reader goroutine. Messages is closed by then, so if
// teardown came first, the connection is done.
func (l *Link) ReaderDone() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reading = false
	if l.state.socket == socketClosed {
		l.done.FireLocked()
	}
}

// stopReceiving sends receivers away: those that wait for the socket (In.Stop), and the
// reader goroutine that waits for its consumer (recvStop). closing says that the socket is
// about to be closed.
func (l *Link) stopReceiving(closing bool) {
	l.fire(&l.recvStop)
	l.In.Stop(closing)
}

// EndError returns what a receiver reports when there is nothing more to
// receive. After our own Close that is ErrClosed, also if a failure came later. A
// failure counts more than the peer's end of messages, which may have come before it.
func (l *Link) EndError() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.state.endedFirst == thisEnd:
		return ErrClosed
	case l.state.err != nil:
		return l.state.err
	case l.state.endedFirst == thePeer:
		return io.EOF
	default:
		return ErrClosed
	}
}
