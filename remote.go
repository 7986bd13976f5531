package qsocket

import (
	"fmt"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/link"
)

// RemoteError is the reason that the peer gave for ending a connection of a
// named protocol. Raw mode cannot carry a reason and never returns one.
type RemoteError struct {
	Reason string // in words, for people
	Code   Code   // what to branch on; 0 if the peer gave none, as CloseWithReason does
}

// Error shows an excerpt of a Reason that is long or not printable.
func (e *RemoteError) Error() string {
	text := "qsocket: closed by peer: "
	if e.Code != 0 && e.Reason != e.Code.String() {
		text += e.Code.String() + ": "
	}
	return text + excerpt.Text(e.Reason, maxReasonShown)
}

// maxReasonShown leaves space, in an error of MaxText bytes, for what else it says.
const maxReasonShown = excerpt.MaxText - 128

// newRemoteError returns the error for a goodbye with a code or words.
func newRemoteError(code uint16, words string) *RemoteError {
	if words == "" {
		words = Code(code).String()
	}
	return &RemoteError{Reason: words, Code: Code(code)}
}

// Code says what kind of reason an end of a named protocol has for ending a connection, in
// a number on which the other end's program can branch. Those below 1,000 are the library's,
// of which 11 to 999 are reserved; from 1,000 on they are the program's own, see
// [Conn.CloseWithCode]. One that this version of the library does not know is kept as it is. The
// numbers never change.
type Code uint16

// The codes of the library. The last words tell what the end that gets one may do.
const (
	CodeGoingAway    Code = iota + 1 // 1: the end drains and its time is over, see Listener.Drain: dial again
	CodeBadMessage                   // 2: a message could not be decoded, or is of an unknown case: a fault in one of the programs
	CodeProtocol                     // 3: bytes that are no legal frame: a fault in an implementation, or on the way
	CodeTooLarge                     // 4: a message above the end's MaxFrame
	CodeSlowConsumer                 // 5: a Group with policy Disconnect had more for this end than it took
	CodeTimeout                      // 6: FrameTimeout or WriteTimeout has passed
	CodePanic                        // 7: the handler panicked
	CodeRefused                      // 8: Options.Admit refused this end: dialing again will not help
	CodeFull                         // 9: the end is at its MaxConns: dial again later
	CodeInternal                     // 10: a failure of the end's own
)

// firstOwnCode is the first of those that are the program's.
const firstOwnCode Code = 1000

var codeNames = [...]string{
	CodeGoingAway:    "going away",
	CodeBadMessage:   "bad message",
	CodeProtocol:     "protocol violation",
	CodeTooLarge:     "message too large",
	CodeSlowConsumer: "slow consumer",
	CodeTimeout:      "timeout",
	CodePanic:        "panic",
	CodeRefused:      "refused",
	CodeFull:         "full",
	CodeInternal:     "internal error",
}

// String returns the code's name, and "code 1000" for one that has none.
func (c Code) String() string {
	if c > 0 && int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("code %d", uint16(c))
}

func (c Code) isReserved() bool { return c > CodeInternal && c < firstOwnCode }

// newReason returns what an end says that closes with a code. A goodbye with a code has words
// too, since an end that knows no codes takes one without words for a clean end.
func newReason(code Code, words string) link.Reason {
	if words == "" && code != 0 {
		words = code.String()
	}
	return link.Reason{Code: uint16(code), Words: words}
}
