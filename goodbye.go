package qsocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// How two ends of a named protocol part.
//
// Close and Shutdown say a full goodbye, CloseWrite half a one: no more messages
// come. It stands in the stream behind the last accepted message. Whoever reads
// a goodbye answers with confirm if it has discarded no message before it; if it
// was a full one, the answer is a full goodbye as well. When an end has said
// goodbye and has answered the peer's, nothing is left to say, and it closes
// the write side of the socket. So, unlike in raw mode, the socket stays whole
// while there is only half a goodbye: heartbeats and answers still go over it.
//
// After the peer's goodbye, and after our own Close, the socket is still read,
// for what control frames may come. That is the reader goroutine's last duty,
// see seeOff; it is started for that where Recv has done the reading.

// errPeerClosed is what Send returns after the peer's full goodbye.
var errPeerClosed = fmt.Errorf("qsocket: the peer has closed the connection: %w", net.ErrClosed)

// errNoGoodbye is the end of a connection on which more was to come.
var errNoGoodbye = fmt.Errorf("qsocket: the connection ended without a goodbye: %w", io.ErrUnexpectedEOF)

// goodbyeGrace is how long Close waits for a goodbye to be taken on a
// connection without a half-close. Over net.Pipe it is only taken if the peer is
// reading just then, and often nobody is.
const goodbyeGrace = 90 * time.Millisecond // so that Close takes less than 100

// heardGoodbye is called by the receiver that has read the peer's goodbye. It
// answers, and returns errGoodbye.
func (l *link) heardGoodbye(g goodbye) error {
	l.mu.Lock()
	if l.heard == full || l.heard == g.weight() {
		l.mu.Unlock()
		return fmt.Errorf("%w: goodbye after goodbye", ErrProtocol)
	}
	first := l.heard == nothing
	l.heard = g.weight()
	l.peerEnded = l.peerEnded || !l.closed
	if g.Reason != "" && l.err == nil && !l.closed && !l.finished {
		l.err = &RemoteError{Reason: g.Reason}
		l.remote = true
	}
	cause := l.err
	l.mu.Unlock()

	l.in.parted = true
	confirm := !l.in.discarded
	if first && confirm {
		l.out.control(confirmFrame)
	}
	if g.Full {
		l.closeWithin()
		refusal := errPeerClosed
		if cause != nil {
			refusal = &endedError{cause}
		}
		l.out.sayGoodbye(refusal, full, "")
	}
	l.mu.Lock()
	l.answered, l.declined = true, !confirm
	l.mu.Unlock()
	if l.out.goodbye() != nothing {
		l.part()
	}
	return errGoodbye
}

// heardConfirm is called by the receiver that has read the peer's confirm.
func (l *link) heardConfirm() error {
	if l.out.goodbye() == nothing {
		return fmt.Errorf("%w: confirm before our goodbye", ErrProtocol)
	}
	l.mu.Lock()
	l.confirmed.fireLocked()
	if l.awaiting { // Shutdown need not stay to see to the rest
		l.closeWithinLocked()
	}
	over := l.sendOver && l.cannotHalfCloseLocked()
	l.mu.Unlock()
	if over {
		l.finish()
	}
	return nil
}

// part sees to it that part of the parting that is due now, see
// flushAndHalfClose, is done.
func (l *link) part() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.parts++
	if !l.parting {
		l.parting = true
		go l.flushAndHalfClose()
	}
}

// awaitGoodbye waits for the goodbye that Close has queued, or CloseTimeout, which
// ends the Conn; if patient, it only ends the wait.
func (l *link) awaitGoodbye(patient bool) {
	var late <-chan time.Time
	if patient {
		timer := time.NewTimer(l.opts.CloseTimeout)
		defer timer.Stop()
		late = timer.C
	}
	sent := &l.goodbyeSent
	if l.sock.half == nil {
		sent = &l.messagesSent
	}
	select {
	case <-l.wait(sent):
	case <-late:
		return
	}
	if l.sock.half != nil {
		return
	}
	timer := time.NewTimer(goodbyeGrace)
	defer timer.Stop()
	select {
	case <-l.wait(&l.goodbyeSent):
	case <-timer.C:
	}
}

// seeOff is the reader goroutine's duty after the last message: to drop what
// else comes, and to deal with control frames, until the socket's end.
func (c *Conn[T]) seeOff() {
	var zero T
	if c.holding {
		c.next, c.holding = zero, false
		c.in.discarded = true
	}
	c.in.attend()
	for {
		_, err := c.in.next(context.Background())
		switch err {
		case nil:
			c.in.discarded = true
		case errGoodbye:
			c.in.err = nil
		default:
			c.attended(err)
			return
		}
	}
}

// attended is called when there is nothing more to read.
func (l *link) attended(err error) {
	said := l.out.goodbye()
	l.mu.Lock()
	clean := l.heard != nothing && errors.Is(err, io.EOF)
	if !l.closed && l.heard != full && !(clean && said != nothing) {
		l.mu.Unlock()
		if err == io.EOF {
			err = errNoGoodbye
		}
		l.fail(err)
		return
	}
	gone := !errors.Is(err, io.EOF) && !l.finished && !l.sendOver
	if !l.finished { // else it is our own end that was read
		l.recvOver = true
		l.reset = l.reset || !clean
	}
	over := l.sendOver
	l.mu.Unlock()
	if gone { // nobody takes what is left, so there is no waiting for that
		l.kill(err)
		return
	}
	if over {
		l.finish()
	} else if said != nothing {
		l.part()
	}
}
