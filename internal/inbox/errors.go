package inbox

import "errors"

var (
	// ErrStopped is what a receiver gets after Stop. The Inbox is as it was before the
	// call.
	ErrStopped = errors.New("qsocket: receiving was stopped")

	// ErrGoodbye ends the receiving of messages: the peer has said goodbye. OnControl
	// returns it, and so does the Next or Pump in which the goodbye was found.
	ErrGoodbye = errors.New("qsocket: the peer said goodbye")

	// ErrPeerDead: nothing came from the peer for twice the heartbeat interval.
	ErrPeerDead = errors.New("qsocket: peer is dead")

	// errInside is a control frame that Cut has come to inside the callback of a raw
	// read. It is handled once the callback has returned.
	errInside = errors.New("qsocket: control frame inside a read")

	// errBroken is the error of a read whose wait this end has not let begin, or that
	// is to be tried again; disarm knows which. A wait that was broken after it began
	// has the socket's own error, os.ErrDeadlineExceeded.
	errBroken = errors.New("qsocket: read was interrupted")
)
