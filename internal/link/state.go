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
type state struct {
	// Immutable.
	named        bool
	hasHalfClose bool // the socket has one

	send   sendState
	recv   recvState
	socket socketState

	closed     bool  // this end has closed: it reads no more messages
	endedFirst end   // whose end of messages came first; nobody's if a failure did
	gaveUp     bool  // nothing is waited for: a failure, or a timeout
	err        error // the first failure, or the peer's reason
	lostWrite  error // a failed write by which no message was lost: no failure unless a Send meets it
	remote     bool  // err is the peer's reason
	readFailed bool  // after our close, receiving ended other than by a clean end
	halfErr    error // of the half-close
	flushed    bool  // every accepted message is with the kernel, and no more will come

	// Named mode.
	goodbyeReceived wire.GoodbyeKind
	reply           replyState // our answer to it
	confirmed       bool       // the peer took every message up to our goodbye
	shutdownWaiting bool       // Shutdown waits for confirmed
}

type (
	sendState   uint8
	recvState   uint8
	socketState uint8
	replyState  uint8
	end         uint8
)

const (
	sendOpen     sendState = iota // messages are accepted
	sendDraining                  // no more are accepted; those that were are being flushed
	sendEnded                     // all is flushed, and the write side of the socket is closed
	sendFailed                    // a write has failed
)

const (
	recvOpen     recvState = iota // messages arrive
	recvDraining                  // what still arrives is control frames, or dropped
	recvEnded                     // there is nothing more to read
)

const (
	socketOpen    socketState = iota
	socketClosing             // teardown has begun
	socketClosed              // teardown has released everything
)

const (
	replyNone      replyState = iota
	replyConfirmed            // with confirm
	replyRefused              // without: a message was dropped
)

const (
	nobody end = iota
	thisEnd
	thePeer
)

// event is something that happens to a connection.
type event struct {
	kind eventKind
	err  error // see the kinds

	harmless bool             // writeFailed: no message was lost by it
	goodbye  wire.GoodbyeKind // goodbyeReceived
	reply    replyState       // replied
}

type eventKind uint8

const (
	closeCalled     eventKind = iota // Close or Shutdown was called, the first of them
	sendingStopped                   // no more messages are accepted
	messagesFlushed                  // after sendingStopped: those that were are with the kernel
	halfClosed                       // all is written, and the write side of the socket closed; err: that failed
	writeFailed                      // err: why
	sendRefused                      // after that: a Send was refused because of it
	endOfFile                        // raw mode: a receiver has read the peer's end
	goodbyeReceived                  // named mode; err: the peer's reason, if it gave one
	replied                          // ... and our answer is in the outbox
	confirmReceived                  // named mode
	receiveFailed                    // err: a receiver cannot go on
	readToEnd                        // what drops and discards has come to the end; err: why
	abandoned                        // the end is not waited for; err: nil if nothing is lost
)

// advance applies an event, and reports whether the connection is over and the socket
// to be closed.
func (s *state) advance(e event) (over bool) {
	switch e.kind {
	case closeCalled:
		s.closed = true
		if s.err == nil {
			s.messagesEndBy(thisEnd)
		}
		s.recv = max(s.recv, recvDraining)
		if s.send >= sendEnded && s.err != nil {
			s.gaveUp = true // there is nothing to say, and nothing that is waited for
		}
	case sendingStopped:
		s.send = max(s.send, sendDraining)
	case messagesFlushed:
		s.flushed = true
	case halfClosed:
		s.send, s.halfErr = max(s.send, sendEnded), e.err
	case writeFailed:
		s.send = sendFailed
		if e.harmless || s.goodbyeReceived == wire.GoodbyeFull {
			s.lostWrite = e.err
		} else {
			s.record(e.err)
		}
		if s.closed || s.goodbyeReceived == wire.GoodbyeFull {
			s.gaveUp = true // neither end waits for messages
		}
	case sendRefused:
		if !s.closed && s.goodbyeReceived != wire.GoodbyeFull {
			s.record(s.lostWrite)
		}
	case endOfFile:
		s.messagesEndBy(thePeer)
		s.recv = recvEnded
	case goodbyeReceived:
		s.messagesEndBy(thePeer)
		s.goodbyeReceived = e.goodbye
		s.recv = max(s.recv, recvDraining)
		if e.err != nil && !s.closed {
			s.remote = s.record(e.err) || s.remote
		}
	case replied:
		s.reply = e.reply
	case confirmReceived:
		s.confirmed = true
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
	return errors.Is(err, io.EOF) && (!s.named || s.goodbyeReceived != wire.GoodbyeNone)
}

// isFailure reports whether it is a failure, in named mode, that there is nothing more
// to read because of err. It is none if this end has closed, if the peer has, or if both
// have said goodbye in halves.
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
// do, or what is left is not waited for.
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

// mayClose reports whether an end that has sent its last byte and cannot
// half-close the socket may close it. In named mode it gives the peer the time
// to confirm. If the peer cannot, it is the one that closes, since what it has
// dropped keeps it from confirming; if neither can, both do.
func (s *state) mayClose() bool {
	if s.named {
		return s.confirmed || s.reply == replyRefused && !s.shutdownWaiting
	}
	return s.closed
}

// record records a failure if it is the first, and reports whether it is.
func (s *state) record(err error) (first bool) {
	if err == nil || s.err != nil || s.socket != socketOpen {
		return false
	}
	s.err = err
	return true
}

// messagesEndBy notes whose end of messages came first.
func (s *state) messagesEndBy(who end) {
	if s.endedFirst == nobody && (who == thisEnd || !s.closed) {
		s.endedFirst = who
	}
}
