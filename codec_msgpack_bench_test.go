package qsocket_test

import (
	"bytes"
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

// BenchmarkMsgpack compares the codec with v5. Compare within one run.
func BenchmarkMsgpack(b *testing.B) {
	codec, v5 := qsocket.Msgpack[benchOrder](), newBenchV5[benchOrder]()
	payload, err := codec.NewEncoder().Append(nil, benchSample)
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, 0, 256)
	encode := func(enc qsocket.Encoder[benchOrder]) func(b *testing.B) {
		return func(b *testing.B) {
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := enc.Append(dst, benchSample); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	decode := func(dec qsocket.Decoder[benchOrder]) func(b *testing.B) {
		return func(b *testing.B) {
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := dec.Decode(payload); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.Run("op=encode/impl=v5", encode(v5))
	b.Run("op=encode/impl=plan", encode(codec.NewEncoder()))
	b.Run("op=decode/impl=v5", decode(v5))
	b.Run("op=decode/impl=plan", decode(codec.NewDecoder()))
}
