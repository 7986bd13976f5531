package link

import (
	"context"
	"errors"
	"fmt"
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
	patient = patient && l.shutdownWaiting
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
	l.shutdownWaiting = true
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
		l.abort(ctx.Err())
		return ctx.Err()
	}
}

// startClose stops both directions: it starts to flush what was accepted, and
// meanwhile and afterwards discards what arrives. If both ends close with full
// buffers, this is what lets both flush. It does not wait; fullSent and done report
// progress.
func (l *Link) startClose(reason string) {
	l.mu.Lock()
	first := !l.closed
	l.closed = true
	if first {
		l.closedFirst = l.err == nil && !l.peerEnded
	}
	over := l.sendOver && (l.recvOver || l.err != nil || l.sock.Half == nil && l.mayCloseLocked())
	discard := first && !l.recvOver && !over && !l.finished
	l.mu.Unlock()
	if !first {
		return
	}
	l.endSending(ErrClosed, wire.GoodbyeFull, reason)
	l.stopReceiving()
	switch {
	case over:
		l.teardown()
	case discard && l.named:
		l.startReader()
	case discard:
		go l.discard()
	}
}

// endSending refuses further messages with err and starts to flush what was
// accepted and, in named mode, the goodbye behind it. A failed write or teardown
// ends the wait for that.
func (l *Link) endSending(err error, kind wire.GoodbyeKind, reason string) {
	if l.named {
		l.Out.SendGoodbye(err, kind, reason)
	} else {
		l.Out.Stop(err)
	}
	l.kickCloser()
}

// kickCloser starts closeLoop, or makes it look again.
func (l *Link) kickCloser() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closerAsked++
	if !l.closerOn {
		l.closerOn = true
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
		asked := l.closerAsked
		last := !l.named || l.repliedGoodbye || l.recvOver
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
		if ok && !last && asked == l.closerAsked {
			l.closerOn = false
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
	l.flushed = true
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
	l.mu.Lock()
	l.halfErr = err // in named mode CloseWrite may have returned by now
	l.sendOver = true
	over := l.recvOver || l.cannotHalfCloseLocked() && l.mayCloseLocked()
	l.mu.Unlock()
	if over {
		l.teardown()
	}
}

// cannotHalfCloseLocked reports whether the peer will see no end of file before
// the socket is closed.
func (l *Link) cannotHalfCloseLocked() bool {
	return l.sock.Half == nil || l.named && l.halfErr != nil
}

// mayCloseLocked reports whether an end that has sent its last byte and cannot
// half-close the socket may close it. In named mode it gives the peer the time
// to confirm. If the peer cannot, it is the one that closes, since what it has
// dropped keeps it from confirming; if neither can, both do.
func (l *Link) mayCloseLocked() bool {
	if l.named {
		return l.confirmed.FiredLocked() || l.confirmRefused && !l.shutdownWaiting
	}
	return l.closed
}

// discard reads on until the peer's end, so that the kernel does not answer
// unread data with a reset that would destroy what the peer has yet to read.
// It ends at the latest when teardown closes the socket.
func (l *Link) discard() {
	err := l.In.Discard()
	l.mu.Lock()
	if !l.finished { // else it is our own end that was read
		l.recvOver = true
		l.reset = l.reset || err != nil
	}
	over := l.sendOver
	l.mu.Unlock()
	if over {
		l.teardown()
	}
}

// closeWithin ends the connection the hard way when CloseTimeout has passed.
func (l *Link) closeWithin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeWithinLocked()
}

func (l *Link) closeWithinLocked() {
	if l.closeTimer == nil && !l.finished {
		l.closeTimer = time.AfterFunc(l.closeTimeout, l.closeTimedOut)
	}
}

func (l *Link) closeTimedOut() {
	l.abort(fmt.Errorf("CloseTimeout %v has passed: %w", l.closeTimeout, os.ErrDeadlineExceeded))
}

// abort ends the connection at once. It is a failure only if accepted messages
// are lost by it.
func (l *Link) abort(why error) {
	unsent := l.Out.Unsent()
	l.mu.Lock()
	if l.err == nil && unsent > 0 && !l.finished {
		l.err = fmt.Errorf("qsocket: close: %d bytes that Send accepted could not be flushed: %w", unsent, why)
	}
	l.mu.Unlock()
	l.teardown()
}

// CloseWrite ends sending and waits until that is done, for CloseTimeout. In raw mode
// over a connection without a half-close it does nothing, and its error wraps
// errors.ErrUnsupported.
func (l *Link) CloseWrite() error {
	if l.sock.Half == nil && !l.named {
		return fmt.Errorf("qsocket: CloseWrite over %T: %w", l.sock.Conn, errors.ErrUnsupported)
	}
	l.endSending(errSendEnded, wire.GoodbyeHalf, "")
	timer := time.AfterFunc(l.closeTimeout, func() {
		l.mu.Lock()
		if l.named && l.flushed { // the goodbye will be taken with the next read of the peer
			l.sendEnded.FireLocked()
			l.mu.Unlock()
			return
		}
		late := !l.sendOver
		if late && l.err == nil && !l.finished {
			l.err = fmt.Errorf("qsocket: close write: CloseTimeout %v has passed: %w", l.closeTimeout, os.ErrDeadlineExceeded)
		}
		l.mu.Unlock()
		if late {
			l.teardown()
		}
	})
	defer timer.Stop()
	<-l.wait(&l.sendEnded)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil && !l.closed && l.halfErr != nil {
		return socket.NetworkError("close write", l.halfErr)
	}
	return l.err
}

// closeError returns, to the first that asks, why accepted messages were lost.
func (l *Link) closeError() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reported || l.flushed {
		return nil
	}
	l.reported = l.err != nil // a patient Close does not wait for the outcome
	return l.err
}

// shutdownError returns why the peer may not have taken everything.
func (l *Link) shutdownError() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.confirmed.FiredLocked():
		return nil
	case !l.flushed && l.err != nil:
		return fmt.Errorf("%w: %w", ErrUnconfirmed, l.err)
	case l.named, !l.flushed, l.reset, l.sock.Half == nil, !l.recvOver:
		return ErrUnconfirmed
	}
	return nil
}
