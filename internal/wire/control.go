package wire

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/fb9bb4ed/qsocket/internal/mpplan"
)

// Control frames are what two ends of a named protocol say to each other
// besides messages. The top bit of a frame's header marks one, the other bits
// are its length: that of the kind, a byte, and of the body.
const (
	KindGoodbye   = 0x01 // body: a map, see Goodbye
	KindHeartbeat = 0x02 // body empty
	KindConfirm   = 0x03 // body empty
	KindTypes     = 0x80 // body: a part of the description of the message types
	KindExtension = 0x80 // the first of the kinds that an end need not know

	ControlBit = 1 << 31
	MaxControl = 4096 // kind and body, bytes
	MaxReason  = 1024 // of a goodbye, bytes

	// MaxNamedFrame is the longest payload that leaves the top bit free.
	MaxNamedFrame = ControlBit - 1
)

// GoodbyeKind is how much a goodbye ends. A greater one includes the lesser.
type GoodbyeKind uint8

const (
	GoodbyeNone GoodbyeKind = iota // none was sent or received
	GoodbyeHalf                    // its sender sends no more messages
	GoodbyeFull                    // ... and reads none
)

// Goodbye is the body of the control frame by which an end says that no more
// messages come. Keys that are not known are ignored.
type Goodbye struct {
	Reason string `msgpack:"reason,omitempty"` // empty: a clean end
	Full   bool   `msgpack:"full,omitempty"`   // nor are any read
}

// goodbye is Goodbye under the name that errors of decoding show.
type goodbye Goodbye

// Kind returns how much g ends.
func (g Goodbye) Kind() GoodbyeKind {
	if g.Full {
		return GoodbyeFull
	}
	return GoodbyeHalf
}

// AppendControl appends a whole control frame.
func AppendControl(dst []byte, kind byte, body []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, ControlBit|uint32(1+len(body)))
	return append(append(dst, kind), body...)
}

// The control frames that are always the same. They must not be changed.
var (
	HeartbeatFrame = AppendControl(nil, KindHeartbeat, nil)
	ConfirmFrame   = AppendControl(nil, KindConfirm, nil)
)

// GoodbyeFrame returns the frame that says goodbye. What does not fit of the reason
// is cut off.
func GoodbyeFrame(kind GoodbyeKind, reason string) []byte {
	g := goodbye{Reason: cutReason(reason), Full: kind == GoodbyeFull}
	body, err := mpplan.For[goodbye]().Append(new(mpplan.Encoder), nil, &g)
	if err != nil {
		panic(err) // a short string and a bool can be encoded
	}
	return AppendControl(nil, KindGoodbye, body)
}

// cutReason makes a reason of at most MaxReason bytes that is UTF-8.
func cutReason(reason string) string {
	reason = strings.ToValidUTF8(reason, "\uFFFD")
	if len(reason) <= MaxReason {
		return reason
	}
	n := MaxReason
	for !utf8.RuneStart(reason[n]) {
		n--
	}
	return reason[:n]
}

// ParseGoodbye returns ErrProtocol for what is no goodbye.
func ParseGoodbye(body []byte) (Goodbye, error) {
	var g Goodbye
	err := mpplan.For[goodbye]().Decode(new(mpplan.Decoder), body, (*goodbye)(&g))
	if err == nil {
		err = checkMap(body, goodbyeKeys)
	}
	if err != nil {
		return g, fmt.Errorf("%w: goodbye: qsocket: decode %w", ErrProtocol, err)
	}
	if len(g.Reason) > MaxReason {
		return g, fmt.Errorf("%w: goodbye with a reason of %d bytes, want at most %d", ErrProtocol, len(g.Reason), MaxReason)
	}
	return g, nil
}
