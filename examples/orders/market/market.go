// Package market is the protocol between the order gateway and its clients:
// both import it, neither knows anything else of the other.
//
// A client sends any number of [Order] messages and then half-closes. The
// gateway answers every order exactly once, with [Accepted] or [Rejected].
// Between and after the answers come, at times of the gateway's choosing, a
// [Fill] for each trade of one of the client's orders and a [Price] for trades
// of any client. The end of a client's stream cancels what is left of its orders:
// one [Cancelled] each, and then the gateway ends its stream as well. So the
// quantities filled and cancelled of an accepted order add up to its quantity.
//
// A gateway that is to stop drains (qsocket.Listener.Drain). Its clients learn that from
// qsocket.Conn.GoingAway, send no more orders, and half-close.
package market

import "github.com/fb9bb4ed/qsocket"

// Protocol is what qsocket.Listen and qsocket.Dial are called with.
//
// A tag belongs to its message for ever: a new message gets the next one, and the
// tag of a message that is dropped is not given to another. What may change
// under the name orders/1 is what the test of the record in testdata allows;
// package next has such a change, and package v2 one that needs another name.
var Protocol = qsocket.Protocol[Message]{
	Name: "orders/1",
	Codec: qsocket.Union(
		// From clients.
		qsocket.Case[Message](1, qsocket.Msgpack[Order]()),

		// From the gateway.
		qsocket.Case[Message](2, qsocket.Msgpack[Accepted]()),
		qsocket.Case[Message](3, qsocket.Msgpack[Rejected]()),
		qsocket.Case[Message](4, qsocket.Msgpack[Fill]()),
		qsocket.Case[Message](5, qsocket.Msgpack[Cancelled]()),
		qsocket.Case[Message](6, qsocket.Msgpack[Price]()),

		// What a peer sends that is newer than this package. What must not be missed
		// comes under another name of the protocol.
		qsocket.SkipUnknown[Message](),
	),
}

// Message is any message of the protocol: one of the types in [Protocol], by value.
type Message interface{ isMessage() }

func (Order) isMessage()     {}
func (Accepted) isMessage()  {}
func (Rejected) isMessage()  {}
func (Fill) isMessage()      {}
func (Cancelled) isMessage() {}
func (Price) isMessage()     {}

// Order is a limit order: buy at Limit or below, sell at Limit or above.
type Order struct {
	ID       uint64 `msgpack:"id"` // chosen by the client, used once per connection
	Symbol   string `msgpack:"sym"`
	Side     Side   `msgpack:"side"`
	Quantity int64  `msgpack:"qty"`
	Limit    Cents  `msgpack:"limit"`
}

// Accepted answers an order that is now matched or waits in the book.
type Accepted struct {
	OrderID uint64 `msgpack:"id"`
}

// Rejected answers an order that the gateway does not take.
type Rejected struct {
	OrderID uint64 `msgpack:"id"`
	Reason  string `msgpack:"why"`
}

// Fill says that a part of an order, or the rest of it, has traded. The other
// party of the trade gets a Fill of its own order.
type Fill struct {
	OrderID  uint64 `msgpack:"id"`
	Side     Side   `msgpack:"side"`
	Quantity int64  `msgpack:"qty"` // of this trade
	Price    Cents  `msgpack:"px"`  // the limit of the order that was in the book first
}

// Cancelled says that the rest of an order has left the book without trading.
type Cancelled struct {
	OrderID  uint64 `msgpack:"id"`
	Quantity int64  `msgpack:"qty"`
}

// Price is the state of a symbol after trades. A client that reads slowly may
// miss older prices, never the newest.
type Price struct {
	Symbol string `msgpack:"sym"`
	Last   Cents  `msgpack:"last"`
	Bid    Cents  `msgpack:"bid,omitempty"` // highest open buy limit, 0 for none
	Ask    Cents  `msgpack:"ask,omitempty"` // lowest open sell limit, 0 for none
}
