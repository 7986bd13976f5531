// Package ordermsgp is the message of the benchmark with methods that msgp
// generates.
package ordermsgp

//go:generate go run github.com/tinylib/msgp@v1.6.5 -io=false -tests=false

// Order has the fields of peers.Order, so that a pointer to either converts to
// one to the other: the generator sees the types of this package only.
type Order struct {
	ID     uint64
	Symbol string
	Side   uint8
	Price  float64
	Qty    int64
	Client string
	Tags   []string
	TS     int64
}
