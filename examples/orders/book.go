package main

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/fb9bb4ed/qsocket/examples/orders/market"
)

// book is the order book of one symbol, with price-time priority: the best
// price trades first and, at one price, the order that came first. It has no
// lock: the matching goroutine owns it.
type book struct {
	bids, asks side
	arrivals   uint64 // orders added so far: the time in price-time priority
}

// entry is an order in the book, or on its way into it.
type entry struct {
	owner   *session
	order   *market.Order
	open    int64  // quantity neither filled nor cancelled
	arrival uint64 // set by book.add
}

// trade is a match: the taker came last, the maker waited in the book.
type trade struct {
	maker, taker *entry
	quantity     int64
	price        market.Cents // the maker's limit
}

func newBook() *book {
	return &book{bids: side{sign: -1}, asks: side{sign: +1}}
}

// add matches e against the other side of the book and keeps what is left of it.
func (b *book) add(e *entry) []trade {
	b.arrivals++
	e.arrival = b.arrivals
	own, other := &b.bids, &b.asks
	if e.order.Side == market.Sell {
		own, other = other, own
	}
	var trades []trade
	for e.open > 0 && len(other.entries) > 0 {
		maker := other.entries[0]
		if other.worse(maker.order.Limit, e.order.Limit) {
			break
		}
		quantity := min(e.open, maker.open)
		e.open -= quantity
		maker.open -= quantity
		trades = append(trades, trade{maker: maker, taker: e, quantity: quantity, price: maker.order.Limit})
		if maker.open == 0 {
			heap.Pop(other)
		}
	}
	if e.open > 0 {
		heap.Push(own, e)
	}
	return trades
}

// cancel takes all orders of owner out of the book and returns them, oldest first.
func (b *book) cancel(owner *session) []*entry {
	var gone []*entry
	for _, s := range []*side{&b.bids, &b.asks} {
		s.entries = slices.DeleteFunc(s.entries, func(e *entry) bool {
			if e.owner == owner {
				gone = append(gone, e)
			}
			return e.owner == owner
		})
		heap.Init(s)
	}
	slices.SortFunc(gone, func(a, b *entry) int { return cmp.Compare(a.arrival, b.arrival) })
	return gone
}

// side is one side of a book: a heap (see container/heap) with the next entry
// to trade first.
type side struct {
	entries []*entry
	sign    int // +1 where the lowest limit is best (asks), -1 where the highest is (bids)
}

// best returns the limit of the next entry to trade, 0 if there is none.
func (s *side) best() market.Cents {
	if len(s.entries) == 0 {
		return 0
	}
	return s.entries[0].order.Limit
}

// worse reports whether limit a on this side is worse than b for the other party.
func (s *side) worse(a, b market.Cents) bool {
	return cmp.Compare(a, b) == s.sign
}

func (s *side) Len() int { return len(s.entries) }

func (s *side) Less(i, j int) bool {
	a, b := s.entries[i], s.entries[j]
	if a.order.Limit != b.order.Limit {
		return s.worse(b.order.Limit, a.order.Limit)
	}
	return a.arrival < b.arrival
}

func (s *side) Swap(i, j int) { s.entries[i], s.entries[j] = s.entries[j], s.entries[i] }

func (s *side) Push(x any) { s.entries = append(s.entries, x.(*entry)) }

func (s *side) Pop() any {
	last := len(s.entries) - 1
	e := s.entries[last]
	s.entries[last] = nil // or the array would keep it from being collected
	s.entries = s.entries[:last]
	return e
}
