package pickle_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/pickle"
)

// A protocol without a Name has nothing but frames on the wire, as Python's qsocket has.
func Example() {
	type Order struct {
		ID    int64          `pickle:"id"`
		Price pickle.Decimal `pickle:"price"`
		Tags  []string       `pickle:"tags,omitempty"`
	}
	protocol := qsocket.Protocol[Order]{Codec: pickle.Codec[Order]()}
	a, b, err := qsocket.Pipe(protocol, nil) // or Dial, or Listen
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	ctx := context.Background()
	if err := a.Send(ctx, Order{ID: 7, Price: "1.50"}); err != nil {
		log.Fatal(err)
	}
	order, err := b.Recv(ctx)
	fmt.Println(order, err)
	// Output: {7 1.50 []} <nil>
}

func ExampleCodec() {
	dec := pickle.Codec[any]().NewDecoder()
	// pickle.dumps({"id": 7, "tags": ("ioc", None)}, protocol=2)
	fmt.Println(dec.Decode([]byte("\x80\x02}(X\x02\x00\x00\x00idK\x07X\x04\x00\x00\x00tagsX\x03\x00\x00\x00iocN\x86u.")))
	_, err := dec.Decode([]byte("cos\nsystem\n(X\x02\x00\x00\x00lstR."))
	fmt.Println(err)
	// Output:
	// map[id:7 tags:[ioc <nil>]] <nil>
	// pickle: refused: os.system: not plain data
}

func ExampleProtocol3() {
	enc := pickle.Codec[map[string]struct{}](pickle.Protocol3()).NewEncoder()
	b, err := enc.Append(nil, map[string]struct{}{"a": {}})
	fmt.Printf("%q %v\n", b, err)
	// Output: "\x80\x03cbuiltins\nset\n](X\x01\x00\x00\x00ae\x85R." <nil>
}

func ExampleNaiveIn() {
	// pickle.dumps(datetime.datetime(2026, 7, 1, 12, 0), protocol=3)
	naive := []byte("\x80\x03cdatetime\ndatetime\nC\x0a\x07\xea\x07\x01\x0c\x00\x00\x00\x00\x00\x85R.")
	_, err := pickle.Codec[time.Time]().NewDecoder().Decode(naive)
	fmt.Println(err)
	fmt.Println(pickle.Codec[time.Time](pickle.NaiveIn(time.UTC)).NewDecoder().Decode(naive))
	// Output:
	// pickle: Time: datetime 2026-07-01 12:00:00.000000 without a timezone: send an aware one, or choose one with NaiveIn
	// 2026-07-01 12:00:00 +0000 UTC <nil>
}

func ExampleMaxExpansion() {
	nones := []byte("(NNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNt.")
	type Large struct{ Block [4096]byte }
	_, err := pickle.Codec[[]Large]().NewDecoder().Decode(nones)
	fmt.Println(err)
	large, err := pickle.Codec[[]Large](pickle.MaxExpansion(8192)).NewDecoder().Decode(nones)
	fmt.Println(len(large), err)
	// Output:
	// pickle: message: decoding takes more memory than MaxExpansion allows: a payload of 35 bytes
	// 32 <nil>
}

func ExampleDisallowUnknownFields() {
	type Order struct{ ID int }
	_, err := pickle.Codec[Order](pickle.DisallowUnknownFields()).NewDecoder().Decode([]byte("}\x8c\x03SizK\x01s."))
	fmt.Println(err)
	// Output: pickle: Order: unknown field "Siz"
}

func ExampleDate() {
	// pickle.dumps(datetime.date(2026, 2, 28), protocol=3)
	fmt.Println(pickle.Codec[pickle.Date]().NewDecoder().Decode([]byte("\x80\x03cdatetime\ndate\nC\x04\x07\xea\x02\x1c\x85R.")))
	// Output: 2026-02-28 <nil>
}

func ExampleTimeOfDay() {
	// pickle.dumps(datetime.time(12, 30), protocol=3)
	fmt.Println(pickle.Codec[pickle.TimeOfDay]().NewDecoder().Decode([]byte("\x80\x03cdatetime\ntime\nC\x06\x0c\x1e\x00\x00\x00\x00\x85R.")))
	// Output: 12:30:00.000000 <nil>
}

func ExampleDecimal() {
	// pickle.dumps(decimal.Decimal("1.50"), protocol=3)
	fmt.Println(pickle.Codec[pickle.Decimal]().NewDecoder().Decode([]byte("\x80\x03cdecimal\nDecimal\nX\x04\x00\x00\x001.50\x85R.")))
	// Output: 1.50 <nil>
}
