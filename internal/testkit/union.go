package testkit

import (
	"github.com/fb9bb4ed/qsocket"
)

// Event is a sum type with a value case, a pointer case and others.
type Event interface{ IsEvent() }

// Placed is a case of Event that is a struct.
type Placed struct {
	ID     uint64
	Symbol string
}

// Filled is a case of Event that is a pointer.
type Filled struct {
	ID    uint64
	Legs  []int
	Price float64
}

// Reason is a case of Event that is a string.
type Reason string

// Tick is a case of Event without content. UnionOf leaves it out.
type Tick struct{}

// IsEvent marks the cases of Event.
func (Placed) IsEvent()  {}
func (*Filled) IsEvent() {}
func (Reason) IsEvent()  {}
func (Tick) IsEvent()    {}

// UnionOf makes the same union with any codec.
func UnionOf(placed qsocket.Codec[Placed], filled qsocket.Codec[*Filled], reason qsocket.Codec[Reason]) qsocket.Codec[Event] {
	return qsocket.Union(
		qsocket.Case[Event](300, reason),
		qsocket.Case[Event](1, placed),
		qsocket.Case[Event](2, filled),
	)
}
