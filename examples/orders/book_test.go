package main

import (
	"testing"

	"github.com/fb9bb4ed/qsocket/examples/orders/market"
	"github.com/google/go-cmp/cmp"
)

// placed is an order of a test; ids count from 1.
type placed struct {
	side     market.Side
	quantity int64
	limit    market.Cents
}

// traded is a trade by the ids of its orders.
type traded struct {
	Maker, Taker uint64
	Quantity     int64
	Price        market.Cents
}

func TestBook(t *testing.T) {
	const buy, sell = market.Buy, market.Sell
	for _, tt := range []struct {
		name     string
		orders   []placed
		want     []traded
		bid, ask market.Cents // at the end
	}{
		{"nothing crosses", []placed{{buy, 10, 99}, {sell, 10, 101}}, nil, 99, 101},
		{"equal limits", []placed{{buy, 10, 100}, {sell, 10, 100}}, []traded{{1, 2, 10, 100}}, 0, 0},
		{"price of the maker, a bid", []placed{{buy, 10, 105}, {sell, 10, 100}}, []traded{{1, 2, 10, 105}}, 0, 0},
		{"price of the maker, an ask", []placed{{sell, 10, 95}, {buy, 10, 100}}, []traded{{1, 2, 10, 95}}, 0, 0},
		{"price priority of asks", []placed{{sell, 5, 102}, {sell, 5, 100}, {sell, 5, 101}, {buy, 12, 102}},
			[]traded{{2, 4, 5, 100}, {3, 4, 5, 101}, {1, 4, 2, 102}}, 0, 102},
		{"price priority of bids", []placed{{buy, 5, 98}, {buy, 5, 100}, {buy, 5, 99}, {sell, 12, 98}},
			[]traded{{2, 4, 5, 100}, {3, 4, 5, 99}, {1, 4, 2, 98}}, 98, 0},
		{"time priority of asks", []placed{{sell, 5, 100}, {sell, 6, 100}, {sell, 7, 100}, {buy, 12, 100}},
			[]traded{{1, 4, 5, 100}, {2, 4, 6, 100}, {3, 4, 1, 100}}, 0, 100},
		{"time priority of bids", []placed{{buy, 5, 100}, {buy, 6, 100}, {buy, 7, 100}, {sell, 12, 100}},
			[]traded{{1, 4, 5, 100}, {2, 4, 6, 100}, {3, 4, 1, 100}}, 100, 0},
		{"price before time", []placed{{sell, 5, 101}, {sell, 5, 100}, {buy, 5, 101}}, []traded{{2, 3, 5, 100}}, 0, 101},
		{"a partial fill keeps its time", []placed{{sell, 10, 100}, {sell, 10, 100}, {buy, 4, 100}, {buy, 8, 100}},
			[]traded{{1, 3, 4, 100}, {1, 4, 6, 100}, {2, 4, 2, 100}}, 0, 100},
		{"the rest of a taker waits", []placed{{sell, 4, 100}, {buy, 10, 101}, {sell, 6, 101}},
			[]traded{{1, 2, 4, 100}, {2, 3, 6, 101}}, 0, 0},
		{"a limit stops the taker", []placed{{sell, 5, 100}, {sell, 5, 103}, {buy, 10, 102}}, []traded{{1, 3, 5, 100}}, 102, 103},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBook()
			var got []traded
			for i, p := range tt.orders {
				o := &market.Order{ID: uint64(i + 1), Side: p.side, Quantity: p.quantity, Limit: p.limit}
				for _, tr := range b.add(&entry{order: o, open: o.Quantity}) {
					got = append(got, traded{tr.maker.order.ID, tr.taker.order.ID, tr.quantity, tr.price})
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("trades (-want +got):\n%s", diff)
			}
			if bid, ask := b.bids.best(), b.asks.best(); bid != tt.bid || ask != tt.ask {
				t.Errorf("got bid %v ask %v, want bid %v ask %v", bid, ask, tt.bid, tt.ask)
			}
		})
	}
}

func TestBookCancel(t *testing.T) {
	b := newBook()
	mine, theirs := new(session), new(session)
	for i, e := range []*entry{
		{owner: mine, order: &market.Order{Side: market.Sell, Limit: 103}, open: 10},
		{owner: mine, order: &market.Order{Side: market.Buy, Limit: 98}, open: 10},
		{owner: theirs, order: &market.Order{Side: market.Sell, Limit: 105}, open: 10},
		{owner: mine, order: &market.Order{Side: market.Sell, Limit: 101}, open: 10},
		{owner: theirs, order: &market.Order{Side: market.Sell, Limit: 104}, open: 10},
		{owner: theirs, order: &market.Order{Side: market.Buy, Limit: 101}, open: 4}, // from the sell at 101
	} {
		e.order.ID = uint64(i + 1)
		b.add(e)
	}
	type gone struct {
		ID   uint64
		Open int64
	}
	var got []gone
	for _, e := range b.cancel(mine) {
		got = append(got, gone{e.order.ID, e.open})
	}
	if diff := cmp.Diff([]gone{{1, 10}, {2, 10}, {4, 6}}, got); diff != "" {
		t.Errorf("cancelled (-want +got):\n%s", diff)
	}
	if bid, ask := b.bids.best(), b.asks.best(); bid != 0 || ask != 104 {
		t.Errorf("got bid %v ask %v, want bid 0.00 ask 1.04", bid, ask)
	}
	if again := b.cancel(mine); len(again) > 0 {
		t.Errorf("got %d orders from a second cancel, want none", len(again))
	}
}
