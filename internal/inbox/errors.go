package inbox

import "errors"

var (
	// ErrStopped is what a receiver gets after Stop. Nothing has changed.
	ErrStopped = errors.New("qsocket: receiving was stopped")

	// ErrGoodbye ends the receiving of messages: the peer has said goodbye. OnControl
	// returns it, and so does the Next or Pump in which the goodbye was found.
	ErrGoodbye = errors.New("qsocket: the peer said goodbye")

	// ErrPeerDead: nothing came from the peer for twice the heartbeat interval.
	ErrPeerDead = errors.New("qsocket: peer is dead")

	// errInside is a control frame that Cut has come to inside the callback of a raw
	// read. It is handled once the callback has returned.
	errInside = errors.New("qsocket: control frame inside a read")

	// errBroken stands in a wait that this end has broken, or has not begun, for a
	// reason that disarm knows.
	errBroken = errors.New("qsocket: read was interrupted")
)
