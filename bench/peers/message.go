package peers

import (
	"encoding/binary"
	"fmt"
)

// Order is the message of most workloads: a few numbers and short strings,
// 113 bytes as MessagePack.
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

// Blob is the message of the workloads with larger sizes.
type Blob struct {
	TS   int64
	Data []byte
}

// Message says what is sent: an Order, or a Blob.
//
// The timestamp of a message is its field TS: Send sets it, Recv returns it.
// Contestants with codec "none" carry the same number of bytes, encoded
// beforehand as MessagePack, with the timestamp in the last 8 of them.
type Message struct {
	BlobSize   int  // bytes of Blob.Data; 0: an Order
	NewStrings bool // each Order has other strings than the many before it
}

// SampleOrder is what every contestant sends, unless NewStrings is set.
var SampleOrder = Order{
	ID: 8_812_345_678, Symbol: "BTC-USDT", Side: 1, Price: 64_123.5, Qty: 250_000,
	Client: "desk-7/algo-12", Tags: []string{"ioc", "eu-west-1"}, TS: 1_767_225_600_123_456_789,
}

// newOrders are as long as SampleOrder, and each has strings of its own.
var newOrders = func() []Order {
	all := make([]Order, 1000)
	for i := range all {
		o := SampleOrder
		o.Symbol, o.Client = fmt.Sprintf("BTC%05d", i), fmt.Sprintf("desk-7/al%05d", i)
		o.Tags = []string{fmt.Sprintf("%03d", i), fmt.Sprintf("eu-%06d", i)}
		all[i] = o
	}
	return all
}()

// order returns the Order to be sent with that timestamp. In a stream they are
// consecutive.
func (m Message) order(stamp int64) Order {
	o := SampleOrder
	if m.NewStrings {
		o = newOrders[uint64(stamp)%uint64(len(newOrders))]
	}
	o.TS = stamp
	return o
}

// blob returns the Blob to be sent.
func (m Message) blob() Blob {
	b := Blob{Data: make([]byte, m.BlobSize)}
	for i := range b.Data {
		b.Data[i] = byte(i * 7)
	}
	return b
}

// payload returns what contestants with codec "none" carry.
func (m Message) payload() ([]byte, error) {
	return newMsgpackCodec(m).append(nil, SampleOrder.TS)
}

// putStamp sets the timestamp of a payload of codec "none", getStamp returns it.
func putStamp(payload []byte, stamp int64) {
	binary.LittleEndian.PutUint64(payload[len(payload)-8:], uint64(stamp))
}

func getStamp(payload []byte) int64 {
	return int64(binary.LittleEndian.Uint64(payload[len(payload)-8:]))
}
