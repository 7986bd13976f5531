// Package next is package market after a change that old peers survive. So its
// protocol keeps the name orders/1, and services of the two versions talk to each
// other while they are updated one by one:
//
//   - [Fill] has a field Venue: old clients skip it, and from old gateways it
//     comes empty;
//   - [Halted] is new, with a tag of its own: old clients skip it.
//
// In a project the change is made in package market itself. Here it is a package
// beside it, so that one test can be both versions.
package next

import (
	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/examples/orders/market"
)

// Protocol is the one of package market and one case more.
var Protocol = qsocket.Protocol[Message]{
	Name: "orders/1",
	Codec: qsocket.Union(
		qsocket.Case[Message](1, qsocket.Msgpack[Order]()),
		qsocket.Case[Message](2, qsocket.Msgpack[Accepted]()),
		qsocket.Case[Message](3, qsocket.Msgpack[Rejected]()),
		qsocket.Case[Message](4, qsocket.Msgpack[Fill]()),
		qsocket.Case[Message](5, qsocket.Msgpack[Cancelled]()),
		qsocket.Case[Message](6, qsocket.Msgpack[Price]()),
		qsocket.Case[Message](7, qsocket.Msgpack[Halted]()),
		qsocket.SkipUnknown[Message](),
	),
}

// Message is any message of the protocol.
type Message interface{ isMessage() }

// Fill is market.Fill with the place of the trade.
type Fill struct {
	OrderID  uint64       `msgpack:"id"`
	Side     market.Side  `msgpack:"side"`
	Quantity int64        `msgpack:"qty"`
	Price    market.Cents `msgpack:"px"`
	Venue    string       `msgpack:"venue,omitempty"` // empty: the gateway does not say
}

// Halted says that a symbol is not traded for the time being.
type Halted struct {
	Symbol string `msgpack:"sym"`
}

// What is as it was.
type (
	Order     market.Order
	Accepted  market.Accepted
	Rejected  market.Rejected
	Cancelled market.Cancelled
	Price     market.Price
)

func (Order) isMessage()     {}
func (Accepted) isMessage()  {}
func (Rejected) isMessage()  {}
func (Fill) isMessage()      {}
func (Cancelled) isMessage() {}
func (Price) isMessage()     {}
func (Halted) isMessage()    {}
