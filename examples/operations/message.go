// Package operations has the code of docs/operations.md, and its tests. There is nothing to import: take
// over what you need.
package operations

import (
	"errors"

	"github.com/fb9bb4ed/qsocket"
)

// Message is what the two ends say to each other: a Call or an Answer.
type Message interface{ isMessage() }

// Call is a request.
type Call struct {
	ID    uint64 // chosen by the caller, used once per connection
	Trace string // the context of a trace, as in the header traceparent; empty for none
	Text  string
}

// Answer answers the Call with the same ID.
type Answer struct {
	ID    uint64
	Text  string
	Error string // empty: none
}

// failure is the Error as one.
func (a Answer) failure() error {
	if a.Error == "" {
		return nil
	}
	return errors.New(a.Error)
}

func (Call) isMessage()   {}
func (Answer) isMessage() {}

// Protocol is that of the page's client and server.
var Protocol = qsocket.Protocol[Message]{
	Name: "calls/1",
	Codec: qsocket.Union(
		qsocket.Case[Message](1, qsocket.Msgpack[Call]()),
		qsocket.Case[Message](2, qsocket.Msgpack[Answer]()),
		qsocket.SkipUnknown[Message](),
	),
}
