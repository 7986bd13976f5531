package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/socket"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// Closing, and what runs at the same time:
//
//	the caller    startClose ─► endSending ─► queues the goodbye; waits for a signal
//	closeLoop     waits for the flusher ─► half-close; fires the signals
//	the reader    named mode: DrainControl until the socket's end
//	discard       raw mode: the same for bytes of any kind
//	closeTimer    CloseTimeout after a Close or the peer's full goodbye: closeTimedOut
//
// Whichever event leaves nothing to do, for state.over, is followed by teardown, on the
// goroutine on which it arrives. The closing of the socket then ends the others.
//
// Calls of Close, Shutdown and CloseWrite may overlap. The first Close or Shutdown
// starts the end, and the others wait for it in their own ways; a Close after
// CloseWrite adds what was missing.

// Reason is why an end closes, as its peer is told. The zero Reason is none.
type Reason struct {
	Code  uint16 // 0: it has no number
	Words string // empty only if there is no code either
}

// Close stops both directions, waits until what was accepted has been flushed, and the
// goodbye with that reason, and returns the failure by which messages were lost. If
// patient, a Shutdown under way goes on as long as its ctx allows; otherwise CloseTimeout
// bounds that as well. Serve closes in that way when a handler has returned, or the
// Shutdown of a Listener would never have more time than CloseTimeout.
func (l *Link) Close(reason Reason, patient bool) error {
	l.mu.Lock()
	patient = patient && l.state.shutdownWaiting
	if !patient { // before startClose, whose flush it has to bound
		l.closeWithinLocked()
	}
	l.mu.Unlock()
	l.startClose(reason)
	l.awaitGoodbye(patient)
	return l.closeError()
}

// StartClose begins what Close does, and waits for nothing. Nothing bounds it, unless CloseWithin is called.
func (l *Link) StartClose(reason Reason) { l.startClose(reason) }

// StartCloseWrite begins what CloseWrite does in named mode, and waits for nothing.
func (l *Link) StartCloseWrite() { l.endSending(ErrSendEnded, wire.Goodbye{}) }

// CloseWithin ends the connection the hard way when CloseTimeout has passed, counted from
// the first event after which the end is near.
func (l *Link) CloseWithin() { l.closeWithin() }

// Abandon ends the connection at once, also while its end is under way.
func (l *Link) Abandon(why error) { l.abandon(why) }

// Shutdown is Close, but waits for the peer for as long as ctx allows, and for nothing
// else. It starts no closeTimer itself: a Close of the same connection, the peer's full
// goodbye and its confirm do.
func (l *Link) Shutdown(ctx context.Context) error {
	l.mu.Lock()
	l.state.shutdownWaiting = true
	l.mu.Unlock()
	l.startClose(Reason{})
	done, confirmed := l.wait(&l.done), l.wait(&l.confirmed)
	select {
	case <-confirmed: // before this call, perhaps: see onConfirm
		l.closeWithin()
		return nil
	default:
	}
	select { // an end that has come counts more than a ctx that has ended
	case <-done:
		return l.shutdownError()
	default:
	}
	select {
	case <-confirmed:
		return nil
	case <-done:
		return l.shutdownError()
	case <-ctx.Done():
		l.abandon(ctx.Err())
		return ctx.Err()
	}
}

// startClose stops both directions: it starts to flush what was accepted, and
// meanwhile and afterwards discards what arrives. If both ends close with full
// buffers, this is what lets both flush. It does not wait; fullSent and done report
// progress. Only the first call does anything.
func (l *Link) startClose(reason Reason) {
	l.mu.Lock()
	if l.state.closed {
		l.mu.Unlock()
		return
	}
	over := l.state.advance(event{kind: closeCalled})
	discard := !over && l.state.recv != recvEnded && l.state.socket == socketOpen
	l.mu.Unlock()
	l.endSending(ErrClosed, wire.Goodbye{Full: true, Code: reason.Code, Reason: reason.Words})
	l.stopReceiving(false)
	switch {
	case over: // nothing is waited for: a write had failed, for example
		l.teardown()
	case discard && l.Named():
		l.owner.StartReader() // if it runs, it has been told by stopReceiving
	case discard:
		go l.discard() // ends with the peer's end, or when teardown closes the socket; then receiving is over
	}
}

// endSending refuses further messages with err and starts to flush what was
// accepted and, in named mode, the goodbye behind it. closeLoop waits for that, and
// gives up after a failed write, also one that teardown has broken.
//
// closeLoop is asked last, so that what it finds to flush is complete.
func (l *Link) endSending(err error, g wire.Goodbye) {
	if l.Named() {
		l.Out.SendGoodbye(err, g)
	} else {
		l.Out.Stop(err)
	}
	l.mu.Lock()
	l.state.advance(event{kind: sendingStopped}) // by itself it ends nothing
	l.mu.Unlock()
	l.kickCloser()
}

// closer is the state of the goroutine closeLoop: not running, running, or ended for good
// with the half-close or a failed write. Guarded by the Link's mu.
type closer struct {
	// How often kickCloser was called. A loop that finds it changed has work to do: what
	// it was called for may have come after the loop has looked.
	requests int

	// closeLoop runs, or has ended for good. It is set back only where the loop leaves
	// because nothing is left to do for now, under the same lock in which it compares
	// requests: so a call of kickCloser either starts a loop or is seen by the one that
	// runs.
	running bool
}

// kickCloser starts closeLoop, or makes it look again. It is called whenever there may
// be more to flush or the last obstacle to the half-close may be gone: sending was
// ended, a goodbye was answered, the socket was read to its end.
func (l *Link) kickCloser() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closer.requests++
	if !l.closer.running {
		l.closer.running = true
		go l.closeLoop() // ends when all is flushed or a write has failed; fires the signals about sending
	}
}

// closeLoop is the goroutine that ends sending. In raw mode it flushes
// and closes the write side of the socket. In named mode that comes when
// nothing is left to say; the goroutine ends when it has flushed what there is,
// and kickCloser starts it again when there is more. It ends at the latest when
// teardown closes the socket, and fires messagesSent, endSent and fullSent.
//
// In named mode it may run several times: after CloseWrite, after the peer's goodbye (for
// our answer), after Close. The round that leaves nothing to say half-closes.
func (l *Link) closeLoop() {
	for {
		l.mu.Lock()
		requests := l.closer.requests
		last := l.state.isLast()
		full := l.state.endsFully && l.state.reply != replyNone
		l.mu.Unlock()
		if full && l.Out.GoodbyeSent() == wire.GoodbyeHalf { // neither end sends any more
			l.Out.SendGoodbye(ErrSendEnded, wire.Goodbye{Full: true})
		}
		sent := l.Out.GoodbyeSent() // before the flush, which then covers that goodbye
		ok := l.flushGoodbye()
		l.mu.Lock()
		ok = ok && l.state.socket == socketOpen // else there is nothing left to half-close
		l.mu.Unlock()
		// Seal fails if a control frame was queued after the flush: another round.
		if ok && last && l.Out.Seal() {
			l.halfClose()
			ok = false // there is no more to do
		}
		l.mu.Lock()
		l.messagesSent.FireLocked() // if flushGoodbye has not: a write has failed
		l.endSent.FireLocked()
		if !ok || sent == wire.GoodbyeFull {
			l.fullSent.FireLocked()
		}
		if ok && !last && requests == l.closer.requests {
			l.closer.running = false
			ok = false
		}
		l.mu.Unlock()
		if !ok {
			return
		}
	}
}

// flushGoodbye waits until what was accepted, and the goodbye after it, is
// with the kernel. It reports false if a write has failed: the writer has called
// WriteFailed. It has no ctx: CloseTimeout or Shutdown's ctx end in teardown, which
// closes the socket and so makes the write fail.
//
// The messages come first because they alone decide whether a Close has lost anything.
// Over net.Pipe the goodbye may wait long after them for a peer that reads.
func (l *Link) flushGoodbye() (ok bool) {
	if l.Out.FlushMessages(context.Background()) != nil {
		return false
	}
	l.mu.Lock()
	l.state.advance(event{kind: messagesFlushed})
	l.messagesSent.FireLocked()
	l.mu.Unlock()
	return l.Out.Flush(context.Background()) == nil
}

// halfClose closes the write side of the socket, which ends sending for good. Without a
// half-close the event alone says that everything is written, and whether the socket may be
// closed in its place is up to state.mayClose.
func (l *Link) halfClose() {
	var err error
	if half := socket.Half(l.sock.Conn); half != nil {
		err = half.CloseWrite()
	}
	l.advance(event{kind: halfClosed, err: err})
}

// discard reads on until the peer's end, so that the kernel does not answer
// unread data with a reset that would destroy what the peer has yet to read.
// It is a goroutine of its own, and ends at the latest when teardown closes the socket.
// On exit receiving is over, and the connection with it if sending is.
func (l *Link) discard() {
	err := l.In.Discard()
	if err == nil {
		err = io.EOF
	}
	l.advance(event{kind: readToEnd, err: err})
}

// closeWithin ends the connection the hard way when CloseTimeout has passed. The first
// call counts: the time runs from the first event after which the end is near.
func (l *Link) closeWithin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeWithinLocked()
}

func (l *Link) closeWithinLocked() {
	if l.closeTimer == nil && l.state.socket == socketOpen {
		l.closeTimer = time.AfterFunc(l.owner.CloseTimeout(), l.closeTimedOut)
	}
}

// closeTimedOut is called by closeTimer, in a goroutine of its own.
func (l *Link) closeTimedOut() {
	l.abandon(fmt.Errorf("CloseTimeout %v has passed: %w", l.owner.CloseTimeout(), os.ErrDeadlineExceeded))
}

// abandon ends the connection at once, because of why: a timeout, the end of Shutdown's
// ctx, or a peer that is gone. It is a failure only if accepted messages are lost by it.
func (l *Link) abandon(why error) {
	var lost error
	if unsent := l.Out.Unsent(); unsent > 0 {
		lost = &LostError{unsent, why}
	}
	l.advance(event{kind: abandoned, err: lost})
}

// LostError is why a close has lost accepted messages.
type LostError struct {
	Bytes int
	Cause error
}

func (e *LostError) Error() string {
	return fmt.Sprintf("qsocket: close: %d bytes that Send accepted could not be flushed: %v", e.Bytes, e.Cause)
}

func (e *LostError) Unwrap() error { return e.Cause }

// CloseWrite ends sending and waits until that is done, for CloseTimeout. In raw mode
// over a connection without a half-close it does nothing, and its error wraps
// errors.ErrUnsupported.
func (l *Link) CloseWrite() error {
	if !l.state.hasHalfClose && !l.Named() {
		return fmt.Errorf("qsocket: CloseWrite over %T: %w", l.sock.Conn, errors.ErrUnsupported)
	}
	l.endSending(ErrSendEnded, wire.Goodbye{})
	// A timer of its own, which ends with the call: after CloseWrite the connection may
	// go on in the other direction for ever, so closeTimer must not run.
	timer := time.AfterFunc(l.owner.CloseTimeout(), l.closeWriteTimedOut)
	defer timer.Stop()
	<-l.wait(&l.endSent)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state.err == nil && !l.state.closed && l.state.halfErr != nil {
		return socket.NetworkError("close write", l.state.halfErr)
	}
	return l.state.err
}

// closeWriteTimedOut ends the wait of CloseWrite, and with it the connection if
// accepted messages are not with the kernel by now.
func (l *Link) closeWriteTimedOut() {
	l.mu.Lock()
	if l.Named() && l.state.flushed { // the goodbye will be taken with the next read of the peer
		l.endSent.FireLocked()
		l.mu.Unlock()
		return
	}
	over := l.state.send < sendEnded && l.state.advance(event{
		kind: abandoned,
		err:  fmt.Errorf("qsocket: close write: CloseTimeout %v has passed: %w", l.owner.CloseTimeout(), os.ErrDeadlineExceeded),
	})
	l.mu.Unlock()
	if over {
		l.teardown()
	}
}

// closeError returns, to the first call of Close that asks, why accepted messages were
// lost. Once they are flushed none is lost, whatever has failed since.
func (l *Link) closeError() error {
	unsent := l.Out.Unsent() > 0 // closeLoop, which has yet to say so, may not be needed for it
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reported || l.state.flushed || !unsent {
		return nil
	}
	l.reported = l.state.err != nil // a patient Close does not wait for the outcome
	return l.state.err
}

// shutdownError returns why the peer may not have taken everything. In raw mode there is
// no confirm: nil then needs a flush, a half-close, and an end of the peer without a
// reset that was read after it.
func (l *Link) shutdownError() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.state
	switch {
	case s.confirmed:
		return nil
	case (s.named || !s.flushed) && s.err != nil:
		return fmt.Errorf("%w: %w", ErrUnconfirmed, s.err)
	case s.named, !s.flushed, s.readFailed, !s.hasHalfClose, s.recv != recvEnded:
		return ErrUnconfirmed
	}
	return nil
}
