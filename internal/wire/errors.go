package wire

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
)

var (
	// ErrFrameTooLarge: a payload exceeds a limit.
	ErrFrameTooLarge = errors.New("qsocket: frame too large")

	// ErrProtocol: bytes that are no legal frame.
	ErrProtocol = errors.New("qsocket: protocol violation")
)

// SizeError is ErrFrameTooLarge with the numbers.
type SizeError struct {
	Size      uint64 // payload bytes
	Limit     uint64 // payload bytes
	LimitName string // the limit's name, and which end it belongs to
	AtLeast   bool   // Size is how much of the payload is known, not all of it
	Received  bool   // announced by the peer, so a protocol violation as well
	Found     string // what the peer seems to be instead; may be empty
}

func (e *SizeError) Error() string {
	atLeast := ""
	if e.AtLeast {
		atLeast = "at least "
	}
	s := fmt.Sprintf("qsocket: frame of %s%d bytes exceeds %s %d", atLeast, e.Size, e.LimitName, e.Limit)
	if e.Found != "" {
		s += ": " + excerpt.Text(e.Found, excerpt.MaxPart)
	}
	return s
}

// Is makes errors.Is find ErrFrameTooLarge, and ErrProtocol where the peer is at fault.
func (e *SizeError) Is(target error) bool {
	return target == ErrFrameTooLarge || e.Received && target == ErrProtocol
}

// TimeoutError is os.ErrDeadlineExceeded with the limit that has passed.
type TimeoutError struct {
	Name  string // of the limit
	After time.Duration
	What  string // what did not happen in that time
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("qsocket: %s within %s %v: %v", e.What, e.Name, e.After, os.ErrDeadlineExceeded)
}

func (e *TimeoutError) Unwrap() error { return os.ErrDeadlineExceeded }

// Mismatch is why two ends cannot talk, found in a hello or a description of types.
// The root package makes its HandshakeError of it, which has the same fields.
type Mismatch struct {
	Field string
	Local string // what this end has or wants
	Peer  string // what the peer has or sent
}

// maxSide bounds what a Mismatch says of each end, bytes, so that there is space for both.
const maxSide = 440

// Error shows an excerpt of what is long or not printable.
func (e *Mismatch) Error() string {
	local, peer := excerpt.Text(e.Local, maxSide), excerpt.Text(e.Peer, maxSide)
	switch e.Field {
	case "magic", "hello":
		return fmt.Sprintf("qsocket: handshake: want a hello (%s): %s", local, peer)
	case "heartbeat":
		return fmt.Sprintf("qsocket: handshake: the interval of heartbeats is too short: want %s, the peer asks for one every %s", local, peer)
	case "types":
		return fmt.Sprintf("qsocket: handshake: the message types do not match: %s here, %s at the peer", local, peer)
	}
	if end, known := deniers[e.Field]; known && e.Peer != "" {
		return "qsocket: handshake: " + end.peer + peer
	} else if known {
		return "qsocket: handshake: " + end.local + local
	}
	return fmt.Sprintf("qsocket: handshake: %s differs: %s here, %s at the peer",
		excerpt.Text(e.Field, maxField), excerpt.Quote(e.Local, excerpt.MaxName), excerpt.Quote(e.Peer, excerpt.MaxName))
}

// deniers are the fields of mismatches that are one end's will, with what comes before its words,
// by the end that it is.
var deniers = map[string]struct{ local, peer string }{
	"refused":  {"refused the peer: ", "refused by the peer: "},
	"full":     {"refused the peer: ", "the peer has no room: "},
	"internal": {"", "the peer has failed: "},
}

// maxField bounds the name of a field, bytes.
const maxField = 40

// BadHello is the Mismatch for a hello, or what follows it, that is malformed.
func BadHello(want, got string) error {
	return &Mismatch{Field: "hello", Local: want, Peer: got}
}
