package wire

import (
	"encoding/binary"
	"fmt"
)

// SessionIDSize is the length of what names a session, bytes.
const SessionIDSize = 16

// SessionState is what a server says to a client that asks for a session.
type SessionState uint8

const (
	SessionCreated SessionState = iota + 1 // it begins
	SessionResumed                         // it goes on: each end sends what the other has not got
	SessionOver                            // it has ended well; Got is final
	SessionLost                            // there is no such session: it has expired, or belongs to another
	SessionStale                           // a later attempt of the client has it
	SessionBusy                            // there is no room for another: try later
)

// Session is the body of the control frame by which a server answers a client that asks
// for a session. Keys that are not known are ignored.
type Session struct {
	State  SessionState `msgpack:"st"`
	Got    uint64       `msgpack:"got,omitempty"` // messages of the client that the server has read in this session
	Expiry uint64       `msgpack:"exp,omitempty"` // how long it waits for a lost connection, ms
	Why    string       `msgpack:"why,omitempty"` // for people
}

// session is Session under the name that errors of decoding show.
type session Session

// Frame returns the frame that says s. What does not fit of the words is cut off.
func (s Session) Frame() []byte {
	s.Why = cutReason(s.Why)
	return mapFrame(KindSession, (*session)(&s))
}

// ParseSession returns ErrProtocol for a body that is none of that kind.
func ParseSession(body []byte) (s Session, err error) {
	if err := parseMap(body, (*session)(&s), sessionKeys); err != nil {
		return s, fmt.Errorf("%w: session: qsocket: decode %w", ErrProtocol, err)
	}
	if s.State < SessionCreated || s.State > SessionBusy {
		return s, fmt.Errorf("%w: session in the state %d, want %d to %d", ErrProtocol, s.State, SessionCreated, SessionBusy)
	}
	return s, checkReason("session", s.Why)
}

const ackSize = 8 // bytes

// AckFrameSize is the length of an AckFrame, bytes.
const AckFrameSize = 4 + 1 + ackSize

// AppendAck appends the frame by which an end says how many messages of the other its program
// has taken since the session began.
func AppendAck(dst []byte, taken uint64) []byte {
	dst = binary.BigEndian.AppendUint32(dst, ControlBit|(1+ackSize))
	return binary.BigEndian.AppendUint64(append(dst, KindAck), taken)
}

// ParseAck reads the body of such a frame.
func ParseAck(body []byte) (taken uint64, err error) {
	if len(body) != ackSize {
		return 0, fmt.Errorf("%w: ack of %d bytes, want %d", ErrProtocol, len(body), ackSize)
	}
	return binary.BigEndian.Uint64(body), nil
}
