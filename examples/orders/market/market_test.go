package market_test

import (
	"testing"

	"github.com/fb9bb4ed/qsocket/examples/orders/market"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// Fails when a change of the messages would keep peers of the recorded version
// from talking to this one.
func TestProtocol(t *testing.T) { qsockettest.Golden(t, market.Protocol) }

// Every kind has a case, a name, and a type of its own.
func TestKinds(t *testing.T) {
	enc := market.Protocol.Codec.NewEncoder()
	messages := []market.Message{
		market.Order{}, market.Accepted{}, market.Rejected{}, market.Fill{}, market.Cancelled{}, market.Price{},
	}
	if len(messages) != int(market.NumKinds) {
		t.Fatalf("%d messages in the test, %d kinds", len(messages), market.NumKinds)
	}
	for i, m := range messages {
		kind, ok := market.KindOf(m)
		if !ok || kind != market.Kind(i) {
			t.Errorf("%T: got kind %v, %v, want %v", m, kind, ok, market.Kind(i))
		}
		if b, err := enc.Append(nil, m); err != nil || b[0] != byte(i+1) {
			t.Errorf("%T: got % x, %v, want the tag %d first", m, b, err, i+1)
		}
	}
	if kind, ok := market.KindOf(nil); ok {
		t.Errorf("nil: got kind %v, want none", kind)
	}
}
