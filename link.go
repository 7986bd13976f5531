package qsocket

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// link is the life of a connection, from the socket that it owns to the end of
// both directions. It knows nothing of messages: Conn adds those.
//
// Sending ends when the outbox has been flushed and the socket's write side
// closed, or when a write fails. Receiving ends with the peer's end of file,
// a failed read, or at once when this end closes; what still arrives then is
// discarded. When both are over, or on the first failed read, finish closes
// the socket.
type link struct {
	// Immutable.
	sock     socket
	opts     *Options
	log      *slog.Logger
	onFinish func() // told of the end, without locks held; may be nil; set before the link is used
	attend   func() // named mode: starts the reader goroutine, if there is none; raw mode: nil

	out     outbox
	in      inbox
	dropped atomic.Uint64 // messages that a Group has skipped, for Stats

	mu           sync.Mutex // guards following; never held across I/O or while waiting
	recvStop     signal     // receivers are to leave; see stopReceiving
	messagesSent signal     // after endSending: what was accepted is with the kernel, or will not get there
	sendEnded    signal     // ... and so is the goodbye or the half-close
	goodbyeSent  signal     // ... and so is the full goodbye, if that is another
	halfErr      error      // of the half-close
	done         signal     // fired last: both directions are over, and so is Messages
	err          error      // the first failure, or the peer's reason
	parts        int        // how often flushAndHalfClose was asked for
	parting      bool       // ... and it runs, or has ended for good
	remote       bool       // err is a *RemoteError
	flushed      bool       // every accepted message is with the kernel, and no more will come
	sendOver     bool
	recvOver     bool
	peerEnded    bool                 // the peer's end of messages was seen by a receiver
	closed       bool                 // this end called Close or one of its kind
	closedFirst  bool                 // ... before the peer had ended and before any failure
	reported     bool                 // a Close has returned what there is to say
	reset        bool                 // after our close, receiving ended other than by end of file
	finished     bool                 // finish has been called
	released     bool                 // ... and has released everything
	reading      bool                 // the reader goroutine runs
	ends         map[*func()]struct{} // to be called at the end, see atEnd
	timer        *time.Timer          // of CloseTimeout

	// Named mode, guarded by mu as well.
	heard     weight        // the peer's goodbye
	answered  bool          // ... and our answer is in the outbox
	declined  bool          // ... which is no confirm
	awaiting  bool          // Shutdown waits for confirmed
	confirmed signal        // the peer took every message up to our goodbye
	pulse     *time.Timer   // runs beat
	due       time.Duration // when, on the clock of quietConn
}

// init makes l the life of sock. In named mode attend is what sees to the
// socket when this end closes; in raw mode it is nil.
func (l *link) init(sock socket, framing Framing, opts *Options, attend func()) {
	l.sock = sock
	l.opts = opts
	l.log = opts.Logger
	l.attend = attend
	l.out.init(&l.sock, l.opts, l.writeFailed)
	l.in.init(&l.sock, framing, l.opts)
	if l.named() {
		l.in.control = l.control
		l.in.maxFrame = min(opts.MaxFrame, maxNamedFrame)
	}
}

func (l *link) named() bool { return l.attend != nil }

// wait returns the channel of one of link's signals.
func (l *link) wait(s *signal) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return s.waitLocked()
}

// fire fires one of link's signals.
func (l *link) fire(s *signal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.fireLocked()
}

// fail ends the connection because of err, which counts if it is the first.
func (l *link) fail(err error) {
	l.mu.Lock()
	if l.closed { // the end is under way, and nothing more is received
		l.reset = true
		l.mu.Unlock()
		return
	}
	if l.err == nil && !l.finished {
		l.err = err
	}
	l.mu.Unlock()
	l.finish()
}

// writeFailed is called by the writer whose write has failed. Sending is over;
// what has arrived from the peer can still be received, so the end comes with that
// of receiving. It returns the cause: a write that finish has broken is a
// consequence.
//
// If only a control frame was lost, or if the peer no longer reads messages
// anyway, it is no failure yet: what is read next decides.
func (l *link) writeFailed(err error) error {
	harmless := l.named() && l.out.unsent() == 0
	l.mu.Lock()
	harmless = harmless || l.heard == full
	if l.err == nil && !l.finished && !harmless {
		l.err = err
	}
	l.sendOver = true
	over := l.recvOver || l.closed || l.heard == full
	cause := l.err
	l.mu.Unlock()
	if over {
		l.finish()
	} else {
		l.in.expectEnd(l.opts.CloseTimeout)
	}
	if cause == nil {
		return errClosed
	}
	return cause
}

// settle is called by the receiver that has read the peer's end of file in raw
// mode. That may be all that a read says of a reset of which a write was told,
// so the write has the first word.
func (l *link) settle(ctx context.Context) error {
	l.mu.Lock()
	known := l.recvOver || l.finished
	stop := l.recvStop.waitLocked()
	l.mu.Unlock()
	if known {
		return nil
	}
	return l.out.settle(ctx, stop)
}

// receivedAll is called by the receiver that has read the peer's end of file.
func (l *link) receivedAll() {
	l.mu.Lock()
	l.recvOver = true
	l.peerEnded = l.peerEnded || !l.closed
	over := l.sendOver
	l.mu.Unlock()
	if over {
		l.finish()
	}
}

// finish closes the socket and wakes whoever waits for anything. done is
// fired here, or by the reader goroutine when that is the last to leave.
func (l *link) finish() {
	l.mu.Lock()
	if l.finished {
		l.mu.Unlock()
		return
	}
	l.finished = true
	err := l.err
	reset := err != nil && !l.remote
	for _, timer := range []*time.Timer{l.timer, l.pulse} {
		if timer != nil {
			timer.Stop()
		}
	}
	l.mu.Unlock()

	if err != nil {
		l.out.stop(&endedError{err})
	} else {
		l.out.stop(errClosed)
	}
	l.stopReceiving()
	hardClose(l.sock.Conn, reset)
	if l.onFinish != nil {
		l.onFinish()
	}
	for f := range l.takeEnds() {
		(*f)()
	}
	l.logEnd(err)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.released = true
	if !l.reading {
		l.done.fireLocked()
	}
}

// atEnd arranges for f to be called when the connection has ended, without
// locks held. It reports false if that is so already.
func (l *link) atEnd(f func()) (cancel func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.finished {
		return nil, false
	}
	if l.ends == nil {
		l.ends = make(map[*func()]struct{})
	}
	l.ends[&f] = struct{}{}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.ends, &f)
	}, true
}

func (l *link) takeEnds() map[*func()]struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	ends := l.ends
	l.ends = nil
	return ends
}

// readerGone is the last act of the reader goroutine.
func (l *link) readerGone() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reading = false
	if l.released {
		l.done.fireLocked()
	}
}

// stopReceiving sends receivers away: those that wait for the socket, and the
// reader goroutine that waits for its consumer.
func (l *link) stopReceiving() {
	l.fire(&l.recvStop)
	l.in.stop()
}

// endError returns what a receiver reports when there is nothing more to
// receive.
func (l *link) endError() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closedFirst:
		return errClosed
	case l.err != nil:
		return l.err
	case l.peerEnded:
		return io.EOF
	default:
		return errClosed
	}
}
