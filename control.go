package qsocket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Control frames are what two ends of a named protocol say to each other
// besides messages. The top bit of a frame's header marks one, the other bits
// are its length: that of the kind, a byte, and of the body.
const (
	kindGoodbye   = 0x01 // body: a map, see goodbye
	kindHeartbeat = 0x02 // body empty
	kindConfirm   = 0x03 // body empty
	kindTypes     = 0x80 // body: a part of the description of the message types, see compareTypes
	kindExtension = 0x80 // the first of the kinds that an end need not know

	controlBit = 1 << 31
	maxControl = 4096 // kind and body, bytes
	maxReason  = 1024 // bytes

	// maxNamedFrame is the longest payload that leaves the top bit free.
	maxNamedFrame = controlBit - 1
)

// weight is how much a goodbye ends.
type weight uint8

const (
	nothing weight = iota
	half           // no more messages come
	full           // ... and none are read
)

// goodbye is the body of the control frame by which an end says that no more
// messages come. Keys that are not known are ignored.
type goodbye struct {
	Reason string `msgpack:"reason,omitempty"` // empty: a clean end
	Full   bool   `msgpack:"full,omitempty"`   // nor are any read
}

func (g goodbye) weight() weight {
	if g.Full {
		return full
	}
	return half
}

// goodbyeCodec decodes as strictly as the default codec, within its limits.
var goodbyeCodec = Msgpack[goodbye]()

// controlFrame returns a whole frame.
func controlFrame(kind byte, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 5+len(body)), controlBit|uint32(1+len(body)))
	return append(append(b, kind), body...)
}

var (
	heartbeatFrame = controlFrame(kindHeartbeat, nil)
	confirmFrame   = controlFrame(kindConfirm, nil)
)

// goodbyeFrame returns the frame that says goodbye. What does not fit of the
// reason is cut off.
func goodbyeFrame(w weight, reason string) []byte {
	body, err := goodbyeCodec.NewEncoder().Append(nil, goodbye{Reason: cutReason(reason), Full: w == full})
	if err != nil {
		panic(err) // a short string and a bool can be encoded
	}
	return controlFrame(kindGoodbye, body)
}

// cutReason makes a reason of at most maxReason bytes that is UTF-8.
func cutReason(reason string) string {
	reason = strings.ToValidUTF8(reason, "\uFFFD")
	if len(reason) <= maxReason {
		return reason
	}
	n := maxReason
	for !utf8.RuneStart(reason[n]) {
		n--
	}
	return reason[:n]
}

// parseGoodbye returns ErrProtocol for what is no goodbye.
func parseGoodbye(body []byte) (goodbye, error) {
	g, err := goodbyeCodec.NewDecoder().Decode(body)
	if err != nil {
		return g, fmt.Errorf("%w: goodbye: %w", ErrProtocol, codecError("decode", "msgpack", err))
	}
	if len(g.Reason) > maxReason {
		return g, fmt.Errorf("%w: goodbye with a reason of %d bytes, want at most %d", ErrProtocol, len(g.Reason), maxReason)
	}
	return g, nil
}

// errGoodbye ends the receiving of messages: the peer has said goodbye.
var errGoodbye = errors.New("qsocket: the peer said goodbye")

// cutControl takes the control frame at the start of b off the buffer. It
// reports false if b ends before the frame does.
func (in *inbox) cutControl(b []byte) (whole bool, err error) {
	size := int(binary.BigEndian.Uint32(b) &^ controlBit)
	if size < 1 || size > maxControl {
		return false, fmt.Errorf("%w: control frame of %d bytes, want 1 to %d", ErrProtocol, size, maxControl)
	}
	if in.need = 4 + size; len(b) < in.need {
		return false, nil
	}
	frame := b[4:in.need]
	in.r += in.need
	in.need, in.frameLeft = 0, 0
	if in.r == in.w {
		in.publish()
	}
	return true, in.control(frame[0], frame[1:])
}

// control deals with a control frame of the peer. Its caller holds the inbox's
// token and no lock.
func (l *link) control(kind byte, body []byte) error {
	switch {
	case kind == kindGoodbye:
		g, err := parseGoodbye(body)
		if err != nil {
			return err
		}
		return l.heardGoodbye(g)
	case kind >= kindExtension:
		return nil
	case kind != kindHeartbeat && kind != kindConfirm:
		return fmt.Errorf("%w: control frame of the reserved kind %#02x", ErrProtocol, kind)
	case len(body) > 0:
		return fmt.Errorf("%w: control frame of kind %#02x with a body of %d bytes, want none", ErrProtocol, kind, len(body))
	case kind == kindConfirm:
		return l.heardConfirm()
	}
	return nil
}
