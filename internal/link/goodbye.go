package link

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/inbox"
	"github.com/fb9bb4ed/qsocket/internal/outbox"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// How two ends of a named protocol end their connection.
//
// Close and Shutdown send a full goodbye, CloseWrite sends a half one: no more messages
// come. It stands in the stream behind the last accepted message. The end that reads
// a goodbye answers with confirm if it has dropped no message before it; if it
// was a full one, the answer is a full goodbye as well. When an end has sent its
// goodbye and has answered the peer's, nothing is left to say, and it closes
// the write side of the socket. So, unlike in raw mode, the socket stays whole
// while there is only half a goodbye: heartbeats and answers still go over it.
//
//	the goodbye received   none, half or full; half may become full    state.goodbyeReceived
//	our answer to it       none, confirm, or without confirm           state.reply
//	the goodbye sent       none, half or full; half may become full    Out.GoodbyeSent
//	the peer's answer      none, or confirm                            state.confirmed
//
// In a session the end of a connection must not leave one end waiting for the other to come back, so there each end is
// told that its last word was heard: every goodbye is confirmed, also a full one behind half a one, two half goodbyes
// are followed by full ones, and the write side is closed only behind the answer to a full goodbye. See EndFully.
//
// docs/wire.md has the table of what is sent in which of these states.
//
// After the peer's goodbye, and after our own Close, the socket is still read,
// for what control frames may come. That is the last thing that the reader goroutine
// does, see DrainControl; it is started for this if the program has only used Recv.
//
// Control frames are handled by the receiver, one after the other, with the inbox's
// lock held. So onGoodbye and onConfirm never run beside each other or beside
// DrainControl's end, but they do beside Close, closeLoop and the writer.

// goodbyeGrace is how long Close waits for a goodbye to be taken on a
// connection without a half-close. Over net.Pipe it is only taken if the peer is
// reading just then, and often it is not.
const goodbyeGrace = 90 * time.Millisecond // so that Close takes less than 100

// onGoodbye is called by the receiver that has read the peer's goodbye. It
// answers, and returns inbox.ErrGoodbye.
//
// goodbyeReceived is recorded before the answer is queued and reply after it, because
// closeLoop takes reply for "the answer is in the outbox", and would half-close before it
// otherwise. Outside of sessions the answer to the first goodbye is the only confirm; to a full one that follows a
// half one the answer is only our own full goodbye.
func (l *Link) onGoodbye(g wire.Goodbye) error {
	e := event{kind: goodbyeReceived, goodbye: g.Kind()}
	if g.Reason != "" || g.Code != 0 {
		e.err = l.owner.RemoteError(g.Code, g.Reason)
	}
	l.mu.Lock()
	before, fully := l.state.goodbyeReceived, l.state.endsFully
	if before == wire.GoodbyeFull || before == g.Kind() {
		l.mu.Unlock()
		return fmt.Errorf("%w: goodbye after goodbye", wire.ErrProtocol)
	}
	l.state.advance(e) // it is not over: the answer is missing
	cause := l.state.err
	l.mu.Unlock()

	reply := replyConfirmed
	if l.In.Dropped() { // after our Close: the peer must not take the message for received
		reply = replyRefused
	} else if before == wire.GoodbyeNone || fully {
		l.Out.SendControl(wire.ConfirmFrame)
	}
	if g.Full { // it reads no messages, so what Send would accept from here on is lost
		l.closeWithin()
		refusal := errPeerClosed
		if cause != nil {
			refusal = &outbox.EndedError{Cause: cause}
		}
		l.Out.SendGoodbye(refusal, wire.Goodbye{Full: true})
	}
	l.advance(event{kind: replied, reply: reply})
	// With goodbyes in both directions nothing may be left to say.
	if l.Out.GoodbyeSent() != wire.GoodbyeNone {
		l.kickCloser()
	}
	return inbox.ErrGoodbye
}

// onConfirm is called by the receiver that has read the peer's confirm. Over a connection
// without a half-close it may be what the end has waited for, see state.mayClose. It fires
// confirmed in any case, before or after the Shutdown that asks for it.
func (l *Link) onConfirm() error {
	said, first := l.Out.GoodbyeSent(), l.Out.FirstGoodbye()
	if said == wire.GoodbyeNone {
		return fmt.Errorf("%w: confirm before our goodbye", wire.ErrProtocol)
	}
	l.mu.Lock()
	// The second one is that of a full goodbye behind half a one.
	full := said == wire.GoodbyeFull && (first == wire.GoodbyeFull || l.state.confirmed)
	over := l.state.advance(event{kind: confirmReceived, full: full})
	l.confirmed.FireLocked()
	if l.state.shutdownWaiting { // it need not stay for the rest
		l.closeWithinLocked()
	}
	l.mu.Unlock()
	if over {
		l.teardown()
	}
	return nil
}

// EndFully says that the connection is one of a session. It is called before either end has said a goodbye.
func (l *Link) EndFully() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.endsFully = true
}

// awaitGoodbye waits for the goodbye that Close has queued, or CloseTimeout, which
// ends the connection; if patient, it only ends the wait.
//
// Without a half-close the goodbye is given up after goodbyeGrace: then Close returns
// when the messages are with the peer, and closeLoop goes on in the background.
func (l *Link) awaitGoodbye(patient bool) {
	var late <-chan time.Time
	if patient {
		timer := time.NewTimer(l.owner.CloseTimeout())
		defer timer.Stop()
		late = timer.C
	}
	sent := &l.fullSent
	if !l.state.hasHalfClose {
		sent = &l.messagesSent
	}
	select {
	case <-l.wait(sent):
	case <-late:
		return
	}
	if l.state.hasHalfClose {
		return
	}
	timer := time.NewTimer(goodbyeGrace)
	defer timer.Stop()
	select {
	case <-l.wait(&l.fullSent):
	case <-timer.C:
	}
}

// DrainControl is the last duty of the reader goroutine in named mode: it drops what
// messages still come, and handles control frames, until the socket's end. dropped
// says that the reader has a message that it could not deliver. The reader calls it
// with the inbox's lock held, also after a failure: then there is nothing to read, and it
// returns soon.
func (l *Link) DrainControl(dropped bool) {
	err := l.In.DrainControl(dropped)
	goodbyeSent := l.Out.GoodbyeSent()
	l.mu.Lock()
	failure := l.state.isFailure(err, goodbyeSent)
	// gone: a reset, for example, while there was something to flush. After an end of file
	// the peer may still read.
	gone := !errors.Is(err, io.EOF) && l.state.socket == socketOpen && l.state.send < sendEnded
	l.mu.Unlock()
	if failure {
		if err == io.EOF {
			err = errNoGoodbye
		}
		l.Fail(err)
		return
	}
	l.mu.Lock()
	over := l.state.advance(event{kind: readToEnd, err: err})
	l.mu.Unlock()
	switch {
	case over:
		l.teardown()
	case gone: // nothing takes what is left to send, so there is no waiting for that
		l.abandon(err)
	case goodbyeSent != wire.GoodbyeNone: // no answer can come that the half-close waits for
		l.kickCloser()
	}
}
