// Package market is the protocol between the order gateway and its clients:
// both import it, neither knows anything else of the other.
//
// A client sends any number of [Order] messages and then half-closes. The
// gateway answers every order exactly once, with [Accepted] or [Rejected].
// Between and after the answers come, at times of the gateway's choosing, a
// [Fill] for each trade of one of the client's orders and a [Price] for trades
// of anybody. The end of a client's stream cancels what is left of its orders:
// one [Cancelled] each, and then the gateway ends its stream as well. So the
// quantities filled and cancelled of an accepted order add up to its quantity.
package market

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fb9bb4ed/qsocket"
)

// Protocol is what qsocket.Listen and qsocket.Dial are called with: msgpack
// payloads in frames with a 4-byte length, readable by any language.
var Protocol = qsocket.Protocol[Message]{}

// Message is any message of the protocol: exactly one field is not nil, and
// only that one is on the wire. The pointed-to values are not changed once sent.
type Message struct {
	// From clients.
	Order *Order `msgpack:"order,omitempty"`

	// From the gateway.
	Accepted  *Accepted  `msgpack:"accepted,omitempty"`
	Rejected  *Rejected  `msgpack:"rejected,omitempty"`
	Fill      *Fill      `msgpack:"fill,omitempty"`
	Cancelled *Cancelled `msgpack:"cancelled,omitempty"`
	Price     *Price     `msgpack:"price,omitempty"`
	Closing   *Closing   `msgpack:"closing,omitempty"`
}

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

// Closing says that the gateway wants to end: it rejects orders that it reads
// from now on and waits for the client to half-close.
type Closing struct{}

// Kind numbers the kinds of messages, for counting them.
type Kind int

// The kinds, in the order of the fields of [Message].
const (
	KindOrder Kind = iota
	KindAccepted
	KindRejected
	KindFill
	KindCancelled
	KindPrice
	KindClosing
	NumKinds
)

// String returns the name of the kind's type.
func (k Kind) String() string {
	names := [NumKinds]string{"Order", "Accepted", "Rejected", "Fill", "Cancelled", "Price", "Closing"}
	if k < 0 || k >= NumKinds {
		return fmt.Sprintf("Kind(%d)", int(k))
	}
	return names[k]
}

// Kind returns the kind of m. It is false unless exactly one field is set.
func (m Message) Kind() (kind Kind, ok bool) {
	set := 0
	for k, isSet := range [NumKinds]bool{
		m.Order != nil, m.Accepted != nil, m.Rejected != nil, m.Fill != nil,
		m.Cancelled != nil, m.Price != nil, m.Closing != nil,
	} {
		if isSet {
			kind = Kind(k)
			set++
		}
	}
	return kind, set == 1
}

// Side is what an order wants to do. The zero Side is none, so that a message
// without the field is no order to buy.
type Side uint8

// The sides.
const (
	Buy Side = iota + 1
	Sell
)

func (s Side) String() string {
	switch s {
	case Buy:
		return "buy"
	case Sell:
		return "sell"
	}
	return fmt.Sprintf("Side(%d)", uint8(s))
}

// ParseSide reads what String writes.
func ParseSide(s string) (Side, error) {
	switch s {
	case "buy":
		return Buy, nil
	case "sell":
		return Sell, nil
	}
	return 0, fmt.Errorf("side %q, want buy or sell", s)
}

// Cents is a price in hundredths of the currency: an integer, because equal
// prices must be equal.
type Cents int64

func (c Cents) String() string {
	sign := ""
	if c < 0 {
		sign, c = "-", -c
	}
	return fmt.Sprintf("%s%d.%02d", sign, int64(c/100), int64(c%100))
}

// ParseCents reads a price with at most two decimals, such as 101.5.
func ParseCents(s string) (Cents, error) {
	whole, fraction, _ := strings.Cut(s, ".")
	if len(fraction) > 2 {
		return 0, fmt.Errorf("price %q, want at most two decimals", s)
	}
	digits := strings.TrimPrefix(whole, "-") + (fraction + "00")[:2]
	n, err := strconv.ParseUint(digits, 10, 48)
	if err != nil || strings.TrimPrefix(whole, "-") == "" {
		return 0, fmt.Errorf("price %q, want a number such as 101.50", s)
	}
	if strings.HasPrefix(whole, "-") {
		return -Cents(n), nil
	}
	return Cents(n), nil
}
