package qsocket_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/vmihailenco/msgpack/v5"
)

// benchV5 is v5 as a codec in its best form: one encoder and one decoder for all
// messages, and none of the guards.
type benchV5[T any] struct {
	buf bytes.Buffer
	enc *msgpack.Encoder
	r   bytes.Reader
	dec *msgpack.Decoder
	v   T
}

func newBenchV5[T any]() *benchV5[T] {
	c := new(benchV5[T])
	c.enc, c.dec = msgpack.NewEncoder(&c.buf), msgpack.NewDecoder(&c.r)
	c.enc.UseCompactInts(true)
	c.enc.SetSortMapKeys(true)
	return c
}

func (c *benchV5[T]) Append(dst []byte, v T) ([]byte, error) {
	c.buf.Reset()
	c.v = v
	err := c.enc.Encode(&c.v)
	return append(dst, c.buf.Bytes()...), err
}

func (c *benchV5[T]) Decode(payload []byte) (T, error) {
	c.r.Reset(payload)
	c.dec.ResetReader(&c.r)
	var zero T
	c.v = zero
	err := c.dec.Decode(&c.v)
	return c.v, err
}

// BenchmarkMsgpack compares the codec with v5. Compare within one run. With
// strings=new the strings of each message are others than those of all before.
func BenchmarkMsgpack(b *testing.B) {
	codec, v5 := qsocket.Msgpack[benchOrder](), newBenchV5[benchOrder]()
	payloads := func(different int) (ps [][]byte) {
		for i := range different {
			v := benchSample
			if different > 1 {
				v.Symbol, v.Client = fmt.Sprintf("BTC%05d", i), fmt.Sprintf("desk-7/al%05d", i)
				v.Tags = []string{fmt.Sprintf("%03d", i), fmt.Sprintf("eu-%06d", i)}
			}
			p, err := codec.NewEncoder().Append(nil, v)
			if err != nil {
				b.Fatal(err)
			}
			ps = append(ps, p)
		}
		return ps
	}
	same, others := payloads(1), payloads(1000)
	dst := make([]byte, 0, 256)
	encode := func(enc qsocket.Encoder[benchOrder]) func(b *testing.B) {
		return func(b *testing.B) {
			b.SetBytes(int64(len(same[0])))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := enc.Append(dst, benchSample); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	decode := func(dec qsocket.Decoder[benchOrder], ps [][]byte) func(b *testing.B) {
		return func(b *testing.B) {
			b.SetBytes(int64(len(ps[0])))
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if _, err := dec.Decode(ps[n]); err != nil {
					b.Fatal(err)
				}
				if n++; n == len(ps) {
					n = 0
				}
			}
		}
	}
	b.Run("op=encode/impl=v5", encode(v5))
	b.Run("op=encode/impl=plan", encode(codec.NewEncoder()))
	b.Run("op=decode/strings=same/impl=v5", decode(v5, same))
	b.Run("op=decode/strings=same/impl=plan", decode(codec.NewDecoder(), same))
	b.Run("op=decode/strings=new/impl=v5", decode(v5, others))
	b.Run("op=decode/strings=new/impl=plan", decode(codec.NewDecoder(), others))
}
