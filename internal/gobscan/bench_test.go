package gobscan_test

import (
	"bytes"
	"encoding/gob"
	"reflect"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/gobscan"
)

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

type blobOrder struct {
	Order order
	Blob  []byte
}

var sample = order{
	ID: 8_812_345_678, Symbol: "BTC-USDT", Side: 1, Price: 64_123.5, Qty: 250_000,
	Client: "desk-7/algo-12", Tags: []string{"ioc", "eu-west-1"}, TS: 1_767_225_600_123_456_789,
}

// BenchmarkScan compares the check of a payload, and the check with decoding it,
// with decoding it by gob, all in the middle of a stream.
//
//	go test -run '^$' -bench Scan -count 6 ./internal/gobscan | tee scan.txt
//	benchstat -row /message -col /part scan.txt
func BenchmarkScan(b *testing.B) {
	benchScan(b, "order", sample)
	benchScan(b, "1KiB", blobOrder{sample, make([]byte, 1<<10)})
	benchScan(b, "64KiB", blobOrder{sample, make([]byte, 64<<10)})
	many := make([]order, 1000)
	for i := range many {
		many[i] = sample
	}
	benchScan(b, "1000orders", many)
	ints := make([]int, 1000)
	for i := range ints {
		ints[i] = i * i
	}
	benchScan(b, "1000ints", ints)
	complexes := make([]complex128, 1000)
	for i := range complexes {
		complexes[i] = complex(float64(i)/3, -float64(i))
	}
	benchScan(b, "1000complexes", complexes)
	benchScan(b, "any", any(map[string]any{"a": 1, "b": "text", "c": []any{true, 1.5}}))
}

func benchScan[T any](b *testing.B, name string, v T) {
	var buf bytes.Buffer
	enc := gob.NewEncoder(&buf)
	cut := func() []byte {
		buf.Reset()
		if err := enc.Encode(&v); err != nil {
			b.Fatal(err)
		}
		return bytes.Clone(buf.Bytes())
	}
	first, next := cut(), cut()

	b.Run("message="+name+"/part=scan", func(b *testing.B) {
		s := gobscan.New(reflect.TypeFor[T]())
		if err := s.Scan(first); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(next)))
		b.ReportAllocs()
		for b.Loop() {
			if err := s.Scan(next); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("message="+name+"/part=decode", func(b *testing.B) {
		s := newStream(reflect.TypeFor[T]())
		for _, p := range [][]byte{first, next} {
			if _, err := s.decode(p); err != nil {
				b.Fatal(err)
			}
		}
		b.SetBytes(int64(len(next)))
		b.ReportAllocs()
		var v, zero T
		for b.Loop() {
			v = zero
			if err := s.scan.Scan(next); err != nil {
				b.Fatal(err)
			}
			if err := s.scan.Decode(next, reflect.ValueOf(&v)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("message="+name+"/part=gob", func(b *testing.B) {
		r := bytes.NewReader(first)
		dec := gob.NewDecoder(r)
		var got T
		if err := dec.Decode(&got); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(next)))
		b.ReportAllocs()
		var zero T
		for b.Loop() {
			got = zero
			r.Reset(next)
			if err := dec.Decode(&got); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func init() {
	gob.Register(map[string]any{})
	gob.Register(map[string][]int{})
	gob.Register([2]complex64{})
	gob.Register(order{})
	gob.Register([]any{})
}
