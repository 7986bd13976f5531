package main

import (
	"fmt"
	"time"

	"github.com/fb9bb4ed/qsocket/examples/orders/market"
)

// ledger is what a client knows of its orders. The receiving goroutine owns it.
type ledger struct {
	orders       []market.Order
	states       map[uint64]*orderState // by order id
	sent         int                    // that many of orders; set by the end
	received     counts
	bought, sold int64    // quantities
	odd          []string // messages that the protocol does not allow
}

// orderState is what became of one order.
type orderState struct {
	order             *market.Order
	answers           int
	rejected          bool
	filled, cancelled int64 // quantities
}

func newLedger(orders []market.Order) *ledger {
	l := &ledger{orders: orders, states: make(map[uint64]*orderState, len(orders))}
	for i := range orders {
		l.states[orders[i].ID] = &orderState{order: &orders[i]}
	}
	return l
}

// record notes m.
func (l *ledger) record(m market.Message) {
	l.received.add(m)
	switch m := m.(type) {
	case market.Accepted:
		l.update(m, m.OrderID, func(s *orderState) bool {
			s.answers++
			return true
		})
	case market.Rejected:
		l.update(m, m.OrderID, func(s *orderState) bool {
			s.answers++
			s.rejected = true
			return true
		})
	case market.Fill:
		l.update(m, m.OrderID, func(s *orderState) bool {
			s.filled += m.Quantity
			worse := m.Price > s.order.Limit
			if s.order.Side == market.Buy {
				l.bought += m.Quantity
			} else {
				l.sold += m.Quantity
				worse = m.Price < s.order.Limit
			}
			return s.answers == 1 && !s.rejected && m.Side == s.order.Side && m.Quantity > 0 && !worse
		})
	case market.Cancelled:
		l.update(m, m.OrderID, func(s *orderState) bool {
			s.cancelled += m.Quantity
			return s.answers == 1 && !s.rejected
		})
	case market.Order:
		l.odd = append(l.odd, "an order from the gateway")
	case market.Price: // about no order
	}
}

// update applies f to the state of an order; f says whether m fits it.
func (l *ledger) update(m market.Message, id uint64, f func(*orderState) bool) {
	kind, _ := market.KindOf(m)
	s := l.states[id]
	if s == nil {
		l.odd = append(l.odd, fmt.Sprintf("%v for order %d, which is not ours", kind, id))
		return
	}
	if !f(s) {
		l.odd = append(l.odd, fmt.Sprintf("%v for order %d, which does not fit %+v", kind, id, *s))
	}
}

// clientReport is what the clients of a run found out together.
type clientReport struct {
	sent, received           counts
	once, missing, duplicate int   // orders by number of answers: 1, 0, more
	unsettled                int   // accepted orders whose fills and cancellation do not add up
	bought, sold             int64 // quantities
	odd                      []string
	errs                     []error
	elapsed                  time.Duration
}

// add checks l, which is complete, and adds what it says.
func (r *clientReport) add(l *ledger, err error) {
	if err != nil {
		r.errs = append(r.errs, err)
	}
	r.sent[market.KindOrder] += l.sent
	r.received.addAll(l.received)
	r.bought += l.bought
	r.sold += l.sold
	r.odd = append(r.odd, l.odd...)
	for i, o := range l.orders {
		s := l.states[o.ID]
		if i >= l.sent {
			if s.answers > 0 {
				r.odd = append(r.odd, fmt.Sprintf("an answer for order %d, which was not sent", o.ID))
			}
			continue
		}
		switch s.answers {
		case 0:
			r.missing++
		case 1:
			r.once++
		default:
			r.duplicate++
		}
		if s.answers > 0 && !s.rejected && s.filled+s.cancelled != o.Quantity {
			r.unsettled++
		}
	}
}

// problems lists what keeps the run of the clients from being verified.
func (r *clientReport) problems() []string {
	var p []string
	for _, err := range r.errs {
		p = append(p, err.Error())
	}
	if r.missing+r.duplicate > 0 {
		p = append(p, fmt.Sprintf("%d orders without an answer, %d with more than one", r.missing, r.duplicate))
	}
	if r.unsettled > 0 {
		p = append(p, fmt.Sprintf("%d orders whose fills and cancellation are not their quantity", r.unsettled))
	}
	if r.bought != r.sold {
		p = append(p, fmt.Sprintf("bought %d, sold %d", r.bought, r.sold))
	}
	if n := len(r.odd); n > 0 {
		p = append(p, fmt.Sprintf("%d unexpected messages, first: %s", n, r.odd[0]))
	}
	return p
}
