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
	KindSession   = 0x04 // body: a map, see Session
	KindAck       = 0x05 // body: a count, 8 bytes, see AckFrame
	KindAsk       = 0x06 // body empty: an ack is wanted
	KindTypes     = 0x80 // body: a part of the description of the message types
	KindGoingAway = 0x81 // body: a map, see GoingAway
	KindAdmitted  = 0x82 // body empty
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
	Reason string `msgpack:"reason,omitempty"` // empty, with no code: a clean end
	Full   bool   `msgpack:"full,omitempty"`   // nor are any read
	Code   uint16 `msgpack:"code,omitempty"`   // what kind of reason it is; 0: none of those with a number
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
	AdmittedFrame  = AppendControl(nil, KindAdmitted, nil)
	AskFrame       = AppendControl(nil, KindAsk, nil)
)

// Frame returns the frame that says g. What does not fit of the reason is cut off.
func (g Goodbye) Frame() []byte {
	g.Reason = cutReason(g.Reason)
	return mapFrame(KindGoodbye, (*goodbye)(&g))
}

// GoingAway is the body of the control frame by which an end says that it will end the
// connection before long, and goes on until then. Keys that are not known are ignored.
type GoingAway struct {
	Reason string `msgpack:"reason,omitempty"`
}

// goingAway is GoingAway under the name that errors of decoding show.
type goingAway GoingAway

// Frame returns the frame that says g. What does not fit of the reason is cut off.
func (g GoingAway) Frame() []byte {
	g.Reason = cutReason(g.Reason)
	return mapFrame(KindGoingAway, (*goingAway)(&g))
}

// mapFrame returns the control frame whose body is the map v, of short strings and numbers.
func mapFrame[T any](kind byte, v *T) []byte {
	body, err := mpplan.For[T]().Append(new(mpplan.Encoder), nil, v)
	if err != nil {
		panic(err) // such values can be encoded
	}
	return AppendControl(nil, kind, body)
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
func ParseGoodbye(body []byte) (g Goodbye, err error) {
	if err := parseMap(body, (*goodbye)(&g), goodbyeKeys); err != nil {
		return g, fmt.Errorf("%w: goodbye: qsocket: decode %w", ErrProtocol, err)
	}
	return g, checkReason("goodbye", g.Reason)
}

// ParseGoingAway returns ErrProtocol for a body that is none of that kind.
func ParseGoingAway(body []byte) (g GoingAway, err error) {
	if err := parseMap(body, (*goingAway)(&g), goingAwayKeys); err != nil {
		return g, fmt.Errorf("%w: going away: qsocket: decode %w", ErrProtocol, err)
	}
	return g, checkReason("going away", g.Reason)
}

// parseMap decodes body, which is to be a map with values of the right types, to v.
func parseMap[T any](body []byte, v *T, keys map[string]valueType) error {
	if len(body) > 0 { // an array would be decoded as well, or refused for what it lacks
		if _, _, ok := mapHeader(body); !ok {
			return notMap(body)
		}
	}
	if err := mpplan.For[T]().Decode(new(mpplan.Decoder), body, v); err != nil {
		return err
	}
	return checkMap(body, keys)
}

// checkReason returns ErrProtocol for a reason that is too long.
func checkReason(what, reason string) error {
	if len(reason) > MaxReason {
		return fmt.Errorf("%w: %s with a reason of %d bytes, want at most %d", ErrProtocol, what, len(reason), MaxReason)
	}
	return nil
}
