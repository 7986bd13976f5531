// Package v2 is package market after a change that old peers do not survive: an
// [Order] has its limit as text with a currency, "101.50 EUR", and no longer as a number of
// cents. So it is another protocol, orders/2, with a record of its own.
//
// A gateway that serves clients of both kinds listens on two ports, one for each
// protocol, until the old clients are gone.
package v2

import (
	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/examples/orders/market"
)

// Protocol begins anew: what is no longer used is gone, and tags are given
// as if there had been no orders/1.
var Protocol = qsocket.Protocol[Message]{
	Name: "orders/2",
	Codec: qsocket.Union(
		qsocket.Case[Message](1, qsocket.Msgpack[Order]()),
		qsocket.Case[Message](2, qsocket.Msgpack[Accepted]()),
		qsocket.Case[Message](3, qsocket.Msgpack[Rejected]()),
		qsocket.Case[Message](4, qsocket.Msgpack[Fill]()),
		qsocket.Case[Message](5, qsocket.Msgpack[Cancelled]()),
		qsocket.SkipUnknown[Message](),
	),
}

// Message is any message of the protocol.
type Message interface{ isMessage() }

// Order is a limit order: buy at Limit or below, sell at Limit or above.
type Order struct {
	ID       uint64      `msgpack:"id"`
	Symbol   string      `msgpack:"sym"`
	Side     market.Side `msgpack:"side"`
	Quantity int64       `msgpack:"qty"`
	Limit    string      `msgpack:"limit"` // "101.50 EUR"
}

// Fill says that a part of an order, or the rest of it, has traded.
type Fill struct {
	OrderID  uint64      `msgpack:"id"`
	Side     market.Side `msgpack:"side"`
	Quantity int64       `msgpack:"qty"`
	Price    string      `msgpack:"px"` // "101.50 EUR"
}

// What is as it was.
type (
	Accepted  market.Accepted
	Rejected  market.Rejected
	Cancelled market.Cancelled
)

func (Order) isMessage()     {}
func (Accepted) isMessage()  {}
func (Rejected) isMessage()  {}
func (Fill) isMessage()      {}
func (Cancelled) isMessage() {}
