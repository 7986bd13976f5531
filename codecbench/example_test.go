package codecbench_test

import (
	"fmt"
	"log"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/codecbench"
)

// What messages take on the wire is the same everywhere, unlike times, which
// codecbench.Compare would print with it.
func Example() {
	type Order struct {
		ID     uint64
		Symbol string
		Price  float64
		Qty    int64
	}
	orders := []Order{
		{8_812_345_678, "BTC-USDT", 64_123.5, 250_000},
		{8_812_345_679, "ETH-USDT", 3_210.25, 4_000},
	}

	results, err := codecbench.Measure(orders,
		qsocket.Msgpack[Order](),
		codecbench.Named("msgpack-arrays", qsocket.Msgpack[Order](qsocket.ArrayEncodedStructs())),
		qsocket.Gob[Order](),
		qsocket.JSON[Order](),
	)
	if err != nil {
		log.Fatal(err)
	}
	first := func(r codecbench.Result) bool { return r.FirstBytes > 0 }
	for _, r := range results {
		fmt.Printf("%s: %.0f bytes", r.Codec, r.WireBytes)
		if first(r) {
			fmt.Printf(", at first %d", r.FirstBytes)
		}
		fmt.Println()
	}
	// Output:
	// msgpack: 56 bytes
	// msgpack-arrays: 36 bytes
	// gob: 36 bytes, at first 92
	// json: 69 bytes
}
