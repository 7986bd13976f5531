package main

import (
	"fmt"
	"time"

	"github.com/fb9bb4ed/qsocket/examples/orders/market"
)

// maxQuantity is the largest order that the gateway takes.
const maxQuantity = 20_000

// listed are the symbols that the gateway trades.
var listed = []string{"BARLEY", "CORN", "OATS", "RICE", "RYE", "WHEAT"}

// event is what match acts upon.
type event struct {
	what    eventKind
	session *session
	order   *market.Order // of ordered; no longer changed
}

type eventKind int

const (
	joined  eventKind = iota // a client has come
	ordered                  // it has sent an order
	left                     // it sends no more
	gone                     // it got everything, or cannot be reached
)

// match is the market: one event after the other, so the books need no lock.
// Nothing in it waits for a client.
func (g *gateway) match() {
	for ev := range g.events {
		s := ev.session
		switch ev.what {
		case joined:
			g.join(s)
		case ordered:
			g.order(s, ev.order)
		case left:
			for _, symbol := range listed {
				for _, e := range g.books[symbol].cancel(s) {
					s.put(market.Cancelled{OrderID: e.order.ID, Quantity: e.open})
				}
			}
			delete(g.sessions, s)
			s.end()
		case gone:
			g.leave(s)
		}
	}
}

func (g *gateway) join(s *session) {
	g.sessions[s] = true
	g.report.clients++
	if g.report.clients == 1 {
		g.report.first = time.Now()
	}
}

// leave takes what s has counted into the report.
func (g *gateway) leave(s *session) {
	g.report.last = time.Now()
	g.report.received.addAll(s.received)
	g.report.sent.addAll(s.sent)
	if s.err != nil {
		g.report.lost = append(g.report.lost, fmt.Sprintf("%v: %v", s.conn.RemoteAddr(), s.err))
	}
}

// order answers o, trades what can be traded, and tells everyone the price.
func (g *gateway) order(s *session, o *market.Order) {
	if reason := g.refuse(s, o); reason != "" {
		s.put(market.Rejected{OrderID: o.ID, Reason: reason})
		return
	}
	s.ids[o.ID] = true
	s.put(market.Accepted{OrderID: o.ID})

	b := g.books[o.Symbol]
	trades := b.add(&entry{owner: s, order: o, open: o.Quantity})
	for _, t := range trades {
		g.report.matched += t.quantity
		for _, e := range []*entry{t.maker, t.taker} {
			e.owner.put(market.Fill{
				OrderID: e.order.ID, Side: e.order.Side, Quantity: t.quantity, Price: t.price,
			})
		}
	}
	if len(trades) > 0 {
		var price market.Message = market.Price{
			Symbol: o.Symbol, Last: trades[len(trades)-1].price, Bid: b.bids.best(), Ask: b.asks.best(),
		}
		for s := range g.sessions {
			s.put(price)
		}
	}
}

// refuse says why the gateway does not take o, "" if it does.
func (g *gateway) refuse(s *session, o *market.Order) string {
	switch {
	case s.ids[o.ID]:
		return "id used before"
	case g.books[o.Symbol] == nil:
		return fmt.Sprintf("symbol %.12q is not traded here", o.Symbol)
	case o.Side != market.Buy && o.Side != market.Sell:
		return "neither buy nor sell"
	case o.Quantity < 1 || o.Quantity > maxQuantity:
		return fmt.Sprintf("quantity %d, want 1 to %d", o.Quantity, maxQuantity)
	case o.Limit <= 0:
		return "no price"
	}
	return ""
}
