package link

import (
	"errors"
	"io"

	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// state is where a connection stands on the way to its end. It is pure: it is told what
// has happened, and says whether the connection is over. All decisions about the end are
// made in advance and over; what they lead to (frames, timers, the socket) is done by
// Link. docs/design.md has the table.
//
// Each direction goes one way:
//
//	sending    open ── CloseWrite, Close ──► draining ── half-closed ──► ended
//	             └──── a write fails ──────────┴─────────────────────► failed
//	receiving  open ── goodbye, Close ──► draining ── end of file, failed read ──► ended
//	             └──── end of file (raw mode) ────────────────────────────────►
//
// In named mode the goodbyes say where each end stands, and in which order the socket's
// directions end: see goodbye.go.
//
// A direction only moves to the right, so an event that arrives late, or twice, never
// takes it back. The same holds for the goodbyes and for the socket.
//
// The Link's mu guards it, but for the two fields that never change.
type state struct {
	// Immutable.
	named        bool
	hasHalfClose bool // the socket has one

	send   sendState
	recv   recvState
	socket socketState
	gaveUp bool // nothing is waited for: a failure, or a timeout

	// This end has closed, by Close or Shutdown: it reads no more messages, and what the peer
	// does wrong from here on is no failure.
	closed bool

	// Whose end of messages came first, for what receivers report: ErrClosed or io.EOF.
	// It is neither's if a failure came before our own.
	endedFirst end

	// Every accepted message is with the kernel, and no more will come. A Close then has
	// lost nothing, whatever fails later.
	flushed bool

	// After our close, receiving ended other than by a clean end. In raw mode Shutdown then
	// cannot say that the peer took everything.
	readFailed bool

	// Named mode.
	goodbyeReceived wire.GoodbyeKind
	reply           replyState // our answer to it
	confirmed       bool       // the peer took every message up to our goodbye
	fullConfirmed   bool       // and has heard that this end has closed
	shutdownWaiting bool       // a Shutdown was called: it waits for confirmed
	endsFully       bool       // it is a session's, see EndFully

	remote  bool  // err is the peer's reason, so the socket is closed without a reset
	err     error // the first failure, or the peer's reason; see record
	halfErr error // of the half-close
}

type (
	sendState   uint8
	recvState   uint8
	socketState uint8
	replyState  uint8
	end         uint8
)

// In named mode sending stays draining after CloseWrite until the peer's goodbye has been
// answered: the answer, and heartbeats, still go over the socket.
const (
	sendOpen     sendState = iota // messages are accepted
	sendDraining                  // no more are accepted; those that were are being flushed
	sendEnded                     // all is flushed, and the write side of the socket is closed
	sendFailed                    // a write has failed
)

// Receiving is draining after our own Close in both modes. In raw mode the peer's end ends
// it at once; in named mode the peer's goodbye leaves it draining until the socket's end.
const (
	recvOpen     recvState = iota // messages arrive
	recvDraining                  // what still arrives is control frames, or dropped
	recvEnded                     // there is nothing more to read
)

// When the connection is over, teardown closes the socket, or leaves it to a farewell.
const (
	socketOpen    socketState = iota
	socketClosing             // teardown has begun
	socketClosed              // teardown has released everything; a farewell may go on
)

const (
	replyNone      replyState = iota
	replyConfirmed            // with confirm
	replyRefused              // without: a message was dropped
)

// The ends of a connection, for endedFirst.
const (
	neither end = iota
	thisEnd
	thePeer
)

// event is something that happens to a connection. The events come from the caller of
// Close or CloseWrite (closeCalled, sendingStopped), closeLoop (messagesFlushed,
// halfClosed), the writer (writeFailed), the receiver (endOfFile, goodbyeReceived,
// replied, confirmReceived, receiveFailed), discard and DrainControl (readToEnd), and
// from timers, Shutdown and DrainControl (abandoned). Link.Fail reports receiveFailed
// for a Group and the outbox as well.
type event struct {
	kind eventKind
	err  error // see the kinds

	goodbye wire.GoodbyeKind // goodbyeReceived
	reply   replyState       // replied
	full    bool             // confirmReceived: it is that of our full goodbye
}

type eventKind uint8

const (
	closeCalled     eventKind = iota // Close or Shutdown was called, the first of them
	sendingStopped                   // no more messages are accepted
	messagesFlushed                  // after sendingStopped: those that were are with the kernel
	halfClosed                       // all is written, and the write side of the socket closed; err: that failed
	writeFailed                      // err: nil if no message was lost by it
	sendRefused                      // after that: a Send was refused because of it; err: the write that failed
	endOfFile                        // raw mode: a receiver has read the peer's end
	goodbyeReceived                  // named mode; err: the peer's reason, if it gave one
	replied                          // ... and our answer is in the outbox
	confirmReceived                  // named mode
	receiveFailed                    // err: a receiver cannot go on
	readToEnd                        // what drops and discards has come to the end; err: why
	abandoned                        // the end is not waited for; err: nil if nothing is lost
)

// advance applies an event, and reports whether the connection is over and the socket
// to be closed. Until teardown has begun it may report that for several events, and the
// first call of teardown does it; later events change nothing about the end.
func (s *state) advance(e event) (over bool) {
	switch e.kind {
	case closeCalled:
		s.closed = true
		if s.err == nil {
			s.messagesEndBy(thisEnd)
		}
		s.recv = max(s.recv, recvDraining)
		// Nothing can be sent. After a failed write the connection was kept for what
		// the peer had sent; that is dropped from now on, so nothing is waited for.
		if s.send >= sendEnded && s.err != nil {
			s.gaveUp = true
		}
	case sendingStopped:
		s.send = max(s.send, sendDraining)
	case messagesFlushed:
		s.flushed = true
	case halfClosed:
		s.send, s.halfErr = max(s.send, sendEnded), e.err
	case writeFailed:
		s.send = sendFailed
		// After its full goodbye the peer reads no messages: what is lost was not wanted.
		if s.goodbyeReceived != wire.GoodbyeFull {
			s.record(e.err)
		}
		if s.closed || s.goodbyeReceived == wire.GoodbyeFull {
			s.gaveUp = true // neither end waits for messages
		}
	case sendRefused:
		if s.send == sendFailed && !s.closed && s.goodbyeReceived != wire.GoodbyeFull {
			s.record(e.err)
		}
	case endOfFile:
		s.messagesEndBy(thePeer)
		s.recv = recvEnded
	case goodbyeReceived:
		s.messagesEndBy(thePeer)
		s.goodbyeReceived = e.goodbye
		if s.endsFully { // each has an answer of its own
			s.reply = replyNone
		}
		s.recv = max(s.recv, recvDraining)
		// After our own Close it is too late for a reason: Err stays nil.
		if e.err != nil && !s.closed {
			s.remote = s.record(e.err) || s.remote
		}
	case replied:
		s.reply = e.reply
	case confirmReceived:
		s.confirmed = true
		s.fullConfirmed = s.fullConfirmed || e.full
	case receiveFailed:
		if s.closed { // the end is under way, and no message is received
			s.readFailed = true
			break
		}
		s.record(e.err)
		s.gaveUp = true
	case readToEnd:
		if s.socket != socketOpen { // it is our own end that was read
			break
		}
		s.recv = recvEnded
		s.readFailed = s.readFailed || !s.isCleanEnd(e.err)
	case abandoned:
		s.record(e.err)
		s.gaveUp = true
	}
	return s.over()
}

// isCleanEnd reports whether err is the end of a peer that has said all it had to say.
func (s *state) isCleanEnd(err error) bool {
	if !s.named {
		return err == io.EOF
	}
	return errors.Is(err, io.EOF) && s.goodbyeReceived != wire.GoodbyeNone
}

// isFailure reports whether it is a failure, in named mode, that there is nothing more
// to read because of err. It is none if this end has closed, if the peer has, or if both
// have sent half goodbyes and err is an end of file. An end that has sent no goodbye
// itself may have messages yet to send, so for it the socket has ended too early.
func (s *state) isFailure(err error, goodbyeSent wire.GoodbyeKind) bool {
	switch {
	case s.closed, s.goodbyeReceived == wire.GoodbyeFull:
		return false
	case goodbyeSent == wire.GoodbyeNone:
		return true
	}
	return !s.isCleanEnd(err)
}

// over reports whether the connection is over: neither direction has anything left to
// do, or what is left is not waited for. It is the only place that decides this.
//
// With sending over, receiving has to end too. A peer that waits for our end of file
// before it ends would wait for ever where there is no half-close: there the socket is
// closed as soon as mayClose allows. That does not go for a failed write, after which
// what the peer has sent is still received, to its end.
func (s *state) over() bool {
	switch {
	case s.socket != socketOpen: // it has been over
		return false
	case s.gaveUp:
		return true
	case s.send < sendEnded:
		return false
	case s.recv == recvEnded:
		return true
	}
	// After a failed write an end that has not closed may still receive messages.
	return (s.send == sendEnded || s.closed) && s.peerSeesNoEnd() && s.mayClose()
}

// peerSeesNoEnd reports whether the peer will see no end of file before the socket is
// closed.
func (s *state) peerSeesNoEnd() bool {
	return !s.hasHalfClose || s.named && s.halfErr != nil
}

// isLast reports whether nothing that is still to come calls for an answer, so that the write side may be closed
// behind what there is to say now: the peer's goodbye is answered, or none can come. A half-close before that would be
// a promise not to answer.
func (s *state) isLast() bool {
	switch {
	case !s.named, s.recv == recvEnded:
		return true
	case s.endsFully && s.goodbyeReceived != wire.GoodbyeFull:
		return false
	}
	return s.reply != replyNone
}

// mayClose reports whether an end that has sent its last byte and cannot
// half-close the socket may close it. In named mode it gives the peer the time
// to confirm. An end that has dropped a message (replyRefused) sends no confirm and does not
// wait for one, so it is the one that closes; if both have, both do. An end whose Shutdown
// waits for the confirm closes only with it.
func (s *state) mayClose() bool {
	if s.named {
		return s.confirmed && (s.fullConfirmed || !s.endsFully) || s.reply == replyRefused && !s.shutdownWaiting
	}
	return s.closed
}

// record records a failure if it is the first, and reports whether it is. Once teardown has
// begun, what fails is a consequence of it.
func (s *state) record(err error) (first bool) {
	if err == nil || s.err != nil || s.socket != socketOpen {
		return false
	}
	s.err = err
	return true
}

// messagesEndBy notes whose end of messages came first. Once this end has closed, the
// peer's is not noted: either ours is noted already, or a failure came before it.
func (s *state) messagesEndBy(who end) {
	if s.endedFirst == neither && (who == thisEnd || !s.closed) {
		s.endedFirst = who
	}
}
