package pickle_test

import (
	"fmt"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/pickle"
)

// order is the message of the benchmarks of the root.
type order struct {
	ID     uint64
	Symbol string
	Side   uint8
	Price  float64
	Qty    int64
	Client string
	Tags   []string
	TS     int64
}

var sample = order{
	ID: 8_812_345_678, Symbol: "BTC-USDT", Side: 1, Price: 64_123.5, Qty: 250_000,
	Client: "desk-7/algo-12", Tags: []string{"ioc", "eu-west-1"}, TS: 1_767_225_600_123_456_789,
}

// BenchmarkCodec compares pickle with Msgpack, with a type and with an any.
func BenchmarkCodec(b *testing.B) {
	benchCodec(b, "order", qsocket.Msgpack[order](), sample)
	benchCodec(b, "order", pickle.Codec[order](), sample)
	var loose any = map[string]any{
		"ID": int64(sample.ID), "Symbol": sample.Symbol, "Side": int64(sample.Side), "Price": sample.Price, "Qty": sample.Qty,
		"Client": sample.Client, "Tags": []any{"ioc", "eu-west-1"}, "TS": sample.TS,
	}
	benchCodec(b, "any", qsocket.Msgpack[any](), loose)
	benchCodec(b, "any", pickle.Codec[any](), loose)
}

func benchCodec[T any](b *testing.B, name string, c qsocket.Codec[T], v T) {
	payload, err := c.NewEncoder().Append(nil, v)
	if err != nil {
		b.Fatal(err)
	}
	b.Run(fmt.Sprintf("op=encode/type=%s/codec=%s", name, c.Name()), func(b *testing.B) {
		enc, buf := c.NewEncoder(), []byte(nil)
		b.ReportAllocs()
		b.SetBytes(int64(len(payload)))
		for b.Loop() {
			if buf, err = enc.Append(buf[:0], v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(fmt.Sprintf("op=decode/type=%s/codec=%s", name, c.Name()), func(b *testing.B) {
		dec := c.NewDecoder()
		b.ReportAllocs()
		b.SetBytes(int64(len(payload)))
		for b.Loop() {
			if _, err := dec.Decode(payload); err != nil {
				b.Fatal(err)
			}
		}
	})
}
