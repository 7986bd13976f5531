package qsocket

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// CloseWrite ends sending and leaves receiving as it is: it flushes what Send
// accepted and tells the peer, whose Messages ends, that no more comes. In named
// mode it says half a goodbye; in raw mode it closes the write side of the socket
// (FIN, or close_notify under TLS). It waits for CloseTimeout at most; if
// accepted messages could not be flushed by then, the Conn is ended with an
// error that wraps os.ErrDeadlineExceeded. On a Conn that has failed it returns
// the failure; if the peer has closed with a reason, the [*RemoteError]. Calling it
// again sends nothing, and returns the failure if there is one.
//
// In raw mode over a net.Conn that has no method CloseWrite, such as that of
// net.Pipe, it does nothing and returns an error that wraps errors.ErrUnsupported.
func (c *Conn[T]) CloseWrite() error {
	if c.sock.half == nil && !c.named() {
		return fmt.Errorf("qsocket: CloseWrite over %T: %w", c.sock.Conn, errors.ErrUnsupported)
	}
	return c.halfClose()
}

// Close ends the Conn: it flushes what Send accepted, says goodbye (in raw mode:
// closes the write side of the socket) and returns, after CloseTimeout at most.
// In the background it
// discards what the peer still sends until the peer ends too or CloseTimeout
// is over, because closing a socket with unread data makes the kernel destroy
// messages that the peer has yet to read. Done tells when that is over.
//
// Every Send, Recv and Flush under way returns. Messages is closed; what is
// queued in it can still be received. Close does not wait for its consumer.
//
// The error says that accepted messages were lost: it wraps
// os.ErrDeadlineExceeded if they could not be flushed in time, and is the
// failed write otherwise. Err has it as well, and tells of what the peer sent, of
// which Close says nothing. Further calls return nil.
//
// Before the process exits, wait for Done or use Shutdown: when the process ends,
// so does the discarding.
//
// Over a net.Conn without CloseWrite (net.Pipe), Close waits for no more than
// 100 ms until the goodbye is taken, and in raw mode the connection is closed at
// once after the flush.
func (c *Conn[T]) Close() error {
	return c.CloseWithReason("")
}

// CloseWithReason is Close with a reason, which becomes the peer's Err as a
// [*RemoteError]. It is cut to 1,024 bytes at the end of a character, and bytes
// that are not UTF-8 become U+FFFD. Raw mode has no way to tell it to the peer.
// This end logs it at level Info. An empty reason is a Close.
func (c *Conn[T]) CloseWithReason(reason string) error {
	return c.closeWith(reason, false)
}

// closeWith is CloseWithReason, but if patient, a Shutdown under way goes on as
// long as its ctx allows.
func (c *Conn[T]) closeWith(reason string, patient bool) error {
	if reason != "" {
		c.log.Info("qsocket: closing connection", "peer", addr(c.RemoteAddr()), "reason", reason)
	}
	c.mu.Lock()
	patient = patient && c.awaiting
	if !patient {
		c.closeWithinLocked()
	}
	c.mu.Unlock()
	c.close(reason)
	c.awaitGoodbye(patient)
	return c.closeError()
}

// Shutdown closes the Conn as Close does, but waits for the peer, as long as ctx
// allows. In named mode nil means that the peer has confirmed that its reader took
// every message, which is not to say that its program has processed them; it
// returns as soon as that has come. [ErrUnconfirmed] means that the peer ended
// without confirming: it had closed itself and dropped something, or is gone.
//
// In raw mode nil means that everything was flushed and the peer
// ended without a reset, which is the most that TCP can tell. The peer has to end
// for that: typically it has received our last message and closes. If it had
// ended before, there is nothing to wait for, and nil says no more than Flush.
// ErrUnconfirmed means that the peer ended otherwise, that messages were
// lost, or that the net.Conn has no CloseWrite with which to wait for the peer.
//
// When ctx ends, the Conn is closed the hard way and ctx's error returned. Nothing
// else bounds the wait but the CloseTimeout of a Close or CloseWrite of the same
// Conn, so give it a deadline: a peer in which nobody receives never confirms. (The
// Close with which Serve ends a Conn does not bound it.)
func (c *Conn[T]) Shutdown(ctx context.Context) error {
	c.mu.Lock()
	c.awaiting = true
	c.mu.Unlock()
	c.close("")
	done, confirmed := c.wait(&c.done), c.wait(&c.confirmed)
	select {
	case <-confirmed: // before this call, perhaps: see heardConfirm
		c.closeWithin()
		return nil
	default:
	}
	select {
	case <-done:
		return c.shutdownError()
	default:
	}
	select {
	case <-confirmed:
		return nil
	case <-done:
		return c.shutdownError()
	case <-ctx.Done():
		c.kill(ctx.Err())
		return ctx.Err()
	}
}

// endSending refuses further messages with err and starts to flush what was
// accepted and, in named mode, the goodbye behind it. A failed write or finish
// ends the wait for that.
func (l *link) endSending(err error, w weight, reason string) {
	if l.named() {
		l.out.sayGoodbye(err, w, reason)
	} else {
		l.out.stop(err)
	}
	l.part()
}

// flushAndHalfClose is the goroutine that ends sending. In raw mode it flushes
// and closes the write side of the socket. In named mode that comes when
// nothing is left to say; the goroutine ends when it has flushed what there is,
// and part starts it again when there is more. It ends at the latest when
// finish closes the socket, and fires messagesSent, sendEnded and goodbyeSent.
func (l *link) flushAndHalfClose() {
	for {
		l.mu.Lock()
		parts := l.parts
		last := !l.named() || l.answered || l.recvOver
		l.mu.Unlock()
		said := l.out.goodbye()
		ok := l.flushGoodbye()
		if ok && last && l.out.seal() {
			l.halfCloseSocket()
			ok = false // there is no more to do
		}
		l.mu.Lock()
		l.messagesSent.fireLocked()
		l.sendEnded.fireLocked()
		if !ok || said == full {
			l.goodbyeSent.fireLocked()
		}
		if ok && !last && parts == l.parts {
			l.parting = false
			ok = false
		}
		l.mu.Unlock()
		if !ok {
			return
		}
	}
}

// flushGoodbye waits until what was accepted, and what was said after it, is
// with the kernel. It reports false if a write has failed: the flusher has told
// writeFailed.
func (l *link) flushGoodbye() (ok bool) {
	if l.out.flushedMessages(context.Background()) != nil {
		return false
	}
	l.mu.Lock()
	l.flushed = true
	l.messagesSent.fireLocked()
	l.mu.Unlock()
	return l.out.flushed(context.Background()) == nil
}

// halfCloseSocket ends sending for good.
func (l *link) halfCloseSocket() {
	var err error
	if l.sock.half != nil {
		err = l.sock.half.CloseWrite()
	}
	l.mu.Lock()
	l.halfErr = err // in named mode CloseWrite may have returned by now
	l.sendOver = true
	over := l.recvOver || l.cannotHalfCloseLocked() && l.partedLocked()
	l.mu.Unlock()
	if over {
		l.finish()
	}
}

// cannotHalfCloseLocked reports whether the peer will see no end of file before
// the socket is closed.
func (l *link) cannotHalfCloseLocked() bool {
	return l.sock.half == nil || l.named() && l.halfErr != nil
}

// partedLocked reports whether an end that has sent its last byte and cannot
// half-close the socket may close it. In named mode it gives the peer the time
// to confirm. If the peer cannot, it is the one that closes, since what it has
// dropped keeps it from confirming; if neither can, both do.
func (l *link) partedLocked() bool {
	if l.named() {
		return l.confirmed.fired || l.declined && !l.awaiting
	}
	return l.closed
}

// close stops both directions: it starts to flush what was accepted, and
// meanwhile and afterwards discards what arrives. If both ends close with full
// buffers, this is what lets both flush. It does not wait; goodbyeSent and done
// tell how far it is.
func (l *link) close(reason string) {
	l.mu.Lock()
	first := !l.closed
	l.closed = true
	if first {
		l.closedFirst = l.err == nil && !l.peerEnded
	}
	over := l.sendOver && (l.recvOver || l.err != nil || l.sock.half == nil && l.partedLocked())
	discard := first && !l.recvOver && !over && !l.finished
	l.mu.Unlock()
	if !first {
		return
	}
	l.endSending(errClosed, full, reason)
	l.stopReceiving()
	switch {
	case over:
		l.finish()
	case discard && l.named():
		l.attend()
	case discard:
		go l.discard()
	}
}

// discard reads on until the peer's end, so that the kernel does not answer
// unread data with a reset that would destroy what the peer has yet to read.
// It ends at the latest when finish closes the socket.
func (l *link) discard() {
	err := l.in.discard()
	l.mu.Lock()
	if !l.finished { // else it is our own end that was read
		l.recvOver = true
		l.reset = l.reset || err != nil
	}
	over := l.sendOver
	l.mu.Unlock()
	if over {
		l.finish()
	}
}

// closeWithin ends the connection the hard way when CloseTimeout has passed.
func (l *link) closeWithin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeWithinLocked()
}

func (l *link) closeWithinLocked() {
	if l.timer == nil && !l.finished {
		l.timer = time.AfterFunc(l.opts.CloseTimeout, l.killLate)
	}
}

func (l *link) killLate() {
	l.kill(fmt.Errorf("CloseTimeout %v has passed: %w", l.opts.CloseTimeout, os.ErrDeadlineExceeded))
}

// kill ends the connection at once. It is a failure only if accepted messages
// are lost by it.
func (l *link) kill(why error) {
	unsent := l.out.unsent()
	l.mu.Lock()
	if l.err == nil && unsent > 0 && !l.finished {
		l.err = fmt.Errorf("qsocket: close: %d bytes that Send accepted could not be flushed: %w", unsent, why)
	}
	l.mu.Unlock()
	l.finish()
}

// halfClose ends sending and waits until that is done, for CloseTimeout.
func (l *link) halfClose() error {
	l.endSending(errSendEnded, half, "")
	timer := time.AfterFunc(l.opts.CloseTimeout, func() {
		l.mu.Lock()
		if l.named() && l.flushed { // the goodbye will be taken with the next read of the peer
			l.sendEnded.fireLocked()
			l.mu.Unlock()
			return
		}
		late := !l.sendOver
		if late && l.err == nil && !l.finished {
			l.err = fmt.Errorf("qsocket: close write: CloseTimeout %v has passed: %w", l.opts.CloseTimeout, os.ErrDeadlineExceeded)
		}
		l.mu.Unlock()
		if late {
			l.finish()
		}
	})
	defer timer.Stop()
	<-l.wait(&l.sendEnded)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil && !l.closed && l.halfErr != nil {
		return networkError("close write", l.halfErr)
	}
	return l.err
}

// closeError returns, to the first that asks, why accepted messages were lost.
func (l *link) closeError() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reported || l.flushed {
		return nil
	}
	l.reported = l.err != nil // a patient Close does not wait for what becomes of it
	return l.err
}

// shutdownError returns why the peer may not have taken everything.
func (l *link) shutdownError() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.confirmed.fired:
		return nil
	case !l.flushed && l.err != nil:
		return fmt.Errorf("%w: %w", ErrUnconfirmed, l.err)
	case l.named(), !l.flushed, l.reset, l.sock.half == nil, !l.recvOver:
		return ErrUnconfirmed
	}
	return nil
}
