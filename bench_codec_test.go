package qsocket_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"testing"

	"github.com/fb9bb4ed/qsocket"
)

// benchOrder is the message of all benchmarks: a few numbers and short strings.
type benchOrder struct {
	ID     uint64
	Symbol string
	Side   uint8
	Price  float64
	Qty    int64
	Client string
	Tags   []string
	TS     int64
}

// benchBlobOrder is the message of those with larger sizes.
type benchBlobOrder struct {
	Order benchOrder
	Blob  []byte
}

var benchSample = benchOrder{
	ID: 8_812_345_678, Symbol: "BTC-USDT", Side: 1, Price: 64_123.5, Qty: 250_000,
	Client: "desk-7/algo-12", Tags: []string{"ioc", "eu-west-1"}, TS: 1_767_225_600_123_456_789,
}

// benchBinary and benchBlobBinary are the same messages with the methods that
// codec=binary needs. The other codecs would see them, too, and use them.
type (
	benchBinary     benchOrder
	benchBlobBinary benchBlobOrder
)

func (o benchBinary) AppendBinary(b []byte) ([]byte, error) {
	b = binary.AppendUvarint(b, o.ID)
	b = benchAppend(b, o.Symbol)
	b = append(b, o.Side)
	b = binary.BigEndian.AppendUint64(b, math.Float64bits(o.Price))
	b = binary.AppendVarint(b, o.Qty)
	b = benchAppend(b, o.Client)
	b = binary.AppendUvarint(b, uint64(len(o.Tags)))
	for _, tag := range o.Tags {
		b = benchAppend(b, tag)
	}
	return binary.AppendVarint(b, o.TS), nil
}

func (o *benchBinary) UnmarshalBinary(data []byte) error {
	r := benchReader{rest: data}
	o.read(&r)
	return r.end()
}

func (o *benchBinary) read(r *benchReader) {
	o.ID = r.uvarint()
	o.Symbol = string(r.bytes())
	o.Side = r.uint8()
	o.Price = math.Float64frombits(r.uint64())
	o.Qty = r.varint()
	o.Client = string(r.bytes())
	o.Tags = nil
	if n := r.uvarint(); n > uint64(len(r.rest)) { // a tag takes a byte at least
		r.fail()
	} else if n > 0 {
		o.Tags = make([]string, n)
		for i := range o.Tags {
			o.Tags[i] = string(r.bytes())
		}
	}
	o.TS = r.varint()
}

func (o benchBlobBinary) AppendBinary(b []byte) ([]byte, error) {
	b, err := benchBinary(o.Order).AppendBinary(b)
	return append(binary.AppendUvarint(b, uint64(len(o.Blob))), o.Blob...), err
}

func (o *benchBlobBinary) UnmarshalBinary(data []byte) error {
	r := benchReader{rest: data}
	(*benchBinary)(&o.Order).read(&r)
	o.Blob = append([]byte(nil), r.bytes()...)
	return r.end()
}

func benchAppend(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// benchReader reads what the AppendBinary methods wrote. Once something is
// missing it returns zeros, and end says so.
type benchReader struct {
	rest   []byte
	failed bool
}

func (r *benchReader) fail() { r.rest, r.failed = nil, true }

func (r *benchReader) end() error {
	if r.failed {
		return io.ErrUnexpectedEOF
	}
	if len(r.rest) > 0 {
		return fmt.Errorf("%d bytes left over", len(r.rest))
	}
	return nil
}

func (r *benchReader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.fail()
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *benchReader) bytes() []byte { return r.take(r.uvarint()) }

func (r *benchReader) uint8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *benchReader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *benchReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *benchReader) varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// benchNone carries bytes and does next to nothing: it appends what it is given
// and returns the same value for every payload.
type benchNone struct{ value []byte }

func (c benchNone) Name() string                        { return "none" }
func (c benchNone) NewEncoder() qsocket.Encoder[[]byte] { return c }
func (c benchNone) NewDecoder() qsocket.Decoder[[]byte] { return c }
func (c benchNone) Stateless() bool                     { return true }

func (c benchNone) Append(dst, v []byte) ([]byte, error) { return append(dst, v...), nil }

func (c benchNone) Decode(payload []byte) ([]byte, error) {
	if len(payload) != len(c.value) {
		return nil, fmt.Errorf("%d bytes, want %d", len(payload), len(c.value))
	}
	return c.value, nil
}

// benchFresh makes an encoder or a decoder of the Codec it wraps for each message.
type benchFresh[T any] struct{ qsocket.Codec[T] }

func (c benchFresh[T]) NewEncoder() qsocket.Encoder[T] { return c }
func (c benchFresh[T]) NewDecoder() qsocket.Decoder[T] { return c }

func (c benchFresh[T]) Append(dst []byte, v T) ([]byte, error) {
	return c.Codec.NewEncoder().Append(dst, v)
}

func (c benchFresh[T]) Decode(payload []byte) (T, error) {
	return c.Codec.NewDecoder().Decode(payload)
}

// A benchSubject is one codec with one message, or frames without the library.
// Its fields hide the type of the message.
type benchSubject struct {
	codec, size string
	run         func(b *testing.B, w benchWork, transport, mode string)
	codecAlone  func(b *testing.B, op string) // nil for raw
}

// benchSubjects returns all codecs, by size.
func benchSubjects() []benchSubject {
	var all []benchSubject
	all = append(all, benchSized("100B", benchSample, benchBinary(benchSample))...)
	for _, size := range []struct {
		name  string
		bytes int
	}{
		{"1KiB", 1 << 10},
		{"64KiB", 64 << 10},
	} {
		blob := make([]byte, size.bytes)
		for i := range blob {
			blob[i] = byte(i * 7)
		}
		v := benchBlobOrder{benchSample, blob}
		all = append(all, benchSized(size.name, v, benchBlobBinary(v))...)
	}
	return all
}

// benchSized returns all codecs for the message v, which is binary for
// codec=binary. Those without an encoding of their own send as many bytes as the
// default codec makes of v.
func benchSized[T, B any](size string, v T, binary B) []benchSubject {
	payload, err := qsocket.Msgpack[T]().NewEncoder().Append(nil, v)
	if err != nil {
		panic(err)
	}
	return []benchSubject{
		newBenchRaw(size, payload),
		newBenchSubject(size, benchNone{payload}, payload),
		newBenchSubject(size, qsocket.Msgpack[T](), v),
		newBenchSubject(size, qsocket.Gob[T](), v),
		newBenchSubject(size, qsocket.JSON[T](), v),
		newBenchSubject(size, qsocket.Binary[B](), binary),
	}
}

func newBenchSubject[T any](size string, codec qsocket.Codec[T], v T) benchSubject {
	return benchSubject{
		codec: codec.Name(),
		size:  size,
		run: func(b *testing.B, w benchWork, transport, mode string) {
			runBenchConns(b, w, transport, mode, codec, v)
		},
		codecAlone: func(b *testing.B, op string) { runBenchCodec(b, op, codec, v) },
	}
}

func newBenchRaw(size string, payload []byte) benchSubject {
	frame := binary.BigEndian.AppendUint32(nil, uint32(len(payload)))
	frame = append(frame, payload...)
	return benchSubject{
		codec: "raw",
		size:  size,
		run: func(b *testing.B, w benchWork, transport, _ string) {
			runBenchRaw(b, w, transport, frame)
		},
	}
}

// BenchmarkCodec is the time of encoders and decoders alone, in the steady state
// of a connection: after the first message, with a buffer that is used again.
func BenchmarkCodec(b *testing.B) {
	run := func(s benchSubject) {
		for _, op := range []string{"encode", "decode"} {
			b.Run(fmt.Sprintf("codec=%s/size=%s/op=%s", s.codec, s.size, op), func(b *testing.B) {
				s.codecAlone(b, op)
			})
		}
	}
	for _, s := range benchSubjects() {
		if s.codecAlone != nil && s.codec != "none" {
			run(s)
		}
	}
	fresh := newBenchSubject("100B", benchFresh[benchOrder]{qsocket.Gob[benchOrder]()}, benchSample)
	fresh.codec = "gob-fresh"
	run(fresh)
}

// benchPayloads returns the first payload of a connection that sends v, and one
// of those that follow it.
func benchPayloads[T any](b *testing.B, codec qsocket.Codec[T], v T) (first, next []byte) {
	b.Helper()
	enc := codec.NewEncoder()
	first, err := enc.Append(nil, v)
	if err != nil {
		b.Fatal(err)
	}
	next, err = enc.Append(nil, v)
	if err != nil {
		b.Fatal(err)
	}
	return first, next
}

func runBenchCodec[T any](b *testing.B, op string, codec qsocket.Codec[T], v T) {
	first, next := benchPayloads(b, codec, v)
	b.ReportAllocs()
	b.SetBytes(int64(4 + len(next)))
	switch op {
	case "encode":
		enc := codec.NewEncoder()
		buf, err := enc.Append(nil, v)
		for b.Loop() {
			if err != nil {
				b.Fatal(err)
			}
			buf, err = enc.Append(buf[:0], v)
		}
	case "decode":
		dec := codec.NewDecoder()
		_, err := dec.Decode(first)
		for b.Loop() {
			if err != nil {
				b.Fatal(err)
			}
			_, err = dec.Decode(next)
		}
	}
}
