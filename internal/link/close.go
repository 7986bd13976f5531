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

// Close stops both directions, waits until what was accepted has been flushed, and the
// goodbye with that reason, and returns the failure by which messages were lost. If
// patient, a Shutdown under way goes on as long as its ctx allows; otherwise CloseTimeout
// bounds that as well.
func (l *Link) Close(reason string, patient bool) error {
	if reason != "" {
		l.LogReason(reason)
	}
	l.mu.Lock()
	patient = patient && l.state.shutdownWaiting
	if !patient {
		l.closeWithinLocked()
	}
	l.mu.Unlock()
	l.startClose(reason)
	l.awaitGoodbye(patient)
	return l.closeError()
}

// Shutdown is Close, but waits for the peer for as long as ctx allows, and for nothing
// else.
func (l *Link) Shutdown(ctx context.Context) error {
	l.mu.Lock()
	l.state.shutdownWaiting = true
	l.mu.Unlock()
	l.startClose("")
	done, confirmed := l.wait(&l.done), l.wait(&l.confirmed)
	select {
	case <-confirmed: // before this call, perhaps: see onConfirm
		l.closeWithin()
		return nil
	default:
	}
	select {
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
// progress.
func (l *Link) startClose(reason string) {
	l.mu.Lock()
	if l.state.closed {
		l.mu.Unlock()
		return
	}
	over := l.state.advance(event{kind: closeCalled})
	discard := !over && l.state.recv != recvEnded && l.state.socket == socketOpen
	l.mu.Unlock()
	l.endSending(ErrClosed, wire.GoodbyeFull, reason)
	l.stopReceiving()
	switch {
	case over:
		l.teardown()
	case discard && l.Named():
		l.startReader()
	case discard:
		go l.discard()
	}
}

// endSending refuses further messages with err and starts to flush what was
// accepted and, in named mode, the goodbye behind it. A failed write or teardown
// ends the wait for that.
func (l *Link) endSending(err error, kind wire.GoodbyeKind, reason string) {
	if l.Named() {
		l.Out.SendGoodbye(err, kind, reason)
	} else {
		l.Out.Stop(err)
	}
	l.advance(event{kind: sendingStopped})
	l.kickCloser()
}

// closer is what is known of the goroutine closeLoop.
type closer struct {
	requests int  // how often it was asked to look
	running  bool // it runs, or has ended for good
}

// kickCloser starts closeLoop, or makes it look again.
func (l *Link) kickCloser() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closer.requests++
	if !l.closer.running {
		l.closer.running = true
		go l.closeLoop()
	}
}

// closeLoop is the goroutine that ends sending. In raw mode it flushes
// and closes the write side of the socket. In named mode that comes when
// nothing is left to say; the goroutine ends when it has flushed what there is,
// and kickCloser starts it again when there is more. It ends at the latest when
// teardown closes the socket, and fires messagesSent, sendEnded and fullSent.
func (l *Link) closeLoop() {
	for {
		l.mu.Lock()
		requests := l.closer.requests
		last := !l.Named() || l.state.reply != replyNone || l.state.recv == recvEnded
		l.mu.Unlock()
		sent := l.Out.GoodbyeSent()
		ok := l.flushGoodbye()
		if ok && last && l.Out.Seal() {
			l.halfClose()
			ok = false // there is no more to do
		}
		l.mu.Lock()
		l.messagesSent.FireLocked()
		l.sendEnded.FireLocked()
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
// writeFailed.
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

// halfClose closes the write side of the socket, which ends sending for good.
func (l *Link) halfClose() {
	var err error
	if l.sock.Half != nil {
		err = l.sock.Half.CloseWrite()
	}
	l.advance(event{kind: halfClosed, err: err})
}

// discard reads on until the peer's end, so that the kernel does not answer
// unread data with a reset that would destroy what the peer has yet to read.
// It ends at the latest when teardown closes the socket.
func (l *Link) discard() {
	err := l.In.Discard()
	if err == nil {
		err = io.EOF
	}
	l.advance(event{kind: readToEnd, err: err})
}

// closeWithin ends the connection the hard way when CloseTimeout has passed.
func (l *Link) closeWithin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeWithinLocked()
}

func (l *Link) closeWithinLocked() {
	if l.closeTimer == nil && l.state.socket == socketOpen {
		l.closeTimer = time.AfterFunc(l.closeTimeout, l.closeTimedOut)
	}
}

func (l *Link) closeTimedOut() {
	l.abandon(fmt.Errorf("CloseTimeout %v has passed: %w", l.closeTimeout, os.ErrDeadlineExceeded))
}

// abandon ends the connection at once. It is a failure only if accepted messages
// are lost by it.
func (l *Link) abandon(why error) {
	var lost error
	if unsent := l.Out.Unsent(); unsent > 0 {
		lost = fmt.Errorf("qsocket: close: %d bytes that Send accepted could not be flushed: %w", unsent, why)
	}
	l.advance(event{kind: abandoned, err: lost})
}

// CloseWrite ends sending and waits until that is done, for CloseTimeout. In raw mode
// over a connection without a half-close it does nothing, and its error wraps
// errors.ErrUnsupported.
func (l *Link) CloseWrite() error {
	if l.sock.Half == nil && !l.Named() {
		return fmt.Errorf("qsocket: CloseWrite over %T: %w", l.sock.Conn, errors.ErrUnsupported)
	}
	l.endSending(errSendEnded, wire.GoodbyeHalf, "")
	timer := time.AfterFunc(l.closeTimeout, l.closeWriteTimedOut)
	defer timer.Stop()
	<-l.wait(&l.sendEnded)
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
		l.sendEnded.FireLocked()
		l.mu.Unlock()
		return
	}
	late := l.state.send < sendEnded
	l.mu.Unlock()
	if late {
		l.advance(event{kind: abandoned, err: fmt.Errorf("qsocket: close write: CloseTimeout %v has passed: %w", l.closeTimeout, os.ErrDeadlineExceeded)})
	}
}

// closeError returns, to the first that asks, why accepted messages were lost.
func (l *Link) closeError() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reported || l.state.flushed {
		return nil
	}
	l.reported = l.state.err != nil // a patient Close does not wait for the outcome
	return l.state.err
}

// shutdownError returns why the peer may not have taken everything.
func (l *Link) shutdownError() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.state
	switch {
	case s.confirmed:
		return nil
	case !s.flushed && s.err != nil:
		return fmt.Errorf("%w: %w", ErrUnconfirmed, s.err)
	case s.named, !s.flushed, s.readFailed, !s.hasHalfClose, s.recv != recvEnded:
		return ErrUnconfirmed
	}
	return nil
}
