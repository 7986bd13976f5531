package codecs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/bench/peers"
)

// HandWritten is what a programmer writes who knows the message and wants nothing but
// speed. In a program these methods belong to the message itself, and the codec
// is qsocket.Binary[Order](). Here the message has none, because all codecs of
// qsocket would use them.
func HandWritten() qsocket.Codec[peers.Order] {
	return handWritten{qsocket.Binary[binaryOrder]()}
}

// binaryOrder is the message with methods.
type binaryOrder peers.Order

// AppendBinary writes the fields in their order: numbers that are mostly small
// as varints, strings after their lengths.
func (o binaryOrder) AppendBinary(b []byte) ([]byte, error) {
	b = binary.AppendUvarint(b, o.ID)
	b = appendString(b, o.Symbol)
	b = append(b, o.Side)
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(o.Price))
	b = binary.AppendVarint(b, o.Qty)
	b = appendString(b, o.Client)
	b = binary.AppendUvarint(b, uint64(len(o.Tags)))
	for _, tag := range o.Tags {
		b = appendString(b, tag)
	}
	return binary.AppendVarint(b, o.TS), nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func (o *binaryOrder) UnmarshalBinary(payload []byte) error {
	in := fields{rest: payload}
	o.ID = in.uvarint()
	o.Symbol = in.string()
	if b := in.next(1); b != nil {
		o.Side = b[0]
	}
	if b := in.next(8); b != nil {
		o.Price = math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	o.Qty = in.varint()
	o.Client = in.string()
	// A tag takes a byte at least: a count that lies must not cost memory.
	if n := in.uvarint(); n > uint64(len(in.rest)) {
		in.fail(io.ErrUnexpectedEOF)
	} else if n > 0 {
		o.Tags = make([]string, n)
		for i := range o.Tags {
			o.Tags[i] = in.string()
		}
	}
	o.TS = in.varint()
	if in.err == nil && len(in.rest) > 0 {
		return fmt.Errorf("%d bytes after the message", len(in.rest))
	}
	return in.err
}

// fields reads a payload. After the first error it returns zeros.
type fields struct {
	rest []byte
	err  error
}

func (f *fields) fail(err error) {
	if f.err == nil {
		f.err = err
	}
	f.rest = nil
}

// next returns the next n bytes, or nil if there are not as many.
func (f *fields) next(n uint64) []byte {
	if n > uint64(len(f.rest)) {
		f.fail(io.ErrUnexpectedEOF)
		return nil
	}
	b := f.rest[:n]
	f.rest = f.rest[n:]
	return b
}

func (f *fields) string() string { return string(f.next(f.uvarint())) }

func (f *fields) uvarint() uint64 {
	v, n := binary.Uvarint(f.rest)
	f.skip(n)
	return v
}

func (f *fields) varint() int64 {
	v, n := binary.Varint(f.rest)
	f.skip(n)
	return v
}

// skip passes over a varint of n bytes, as package binary reports n.
func (f *fields) skip(n int) {
	switch {
	case n > 0:
		f.rest = f.rest[n:]
	case n == 0:
		f.fail(io.ErrUnexpectedEOF)
	default:
		f.fail(errors.New("number above 64 bits"))
	}
}

// handWritten converts between the message and the type with the methods, which
// costs nothing.
type handWritten struct{ codec qsocket.Codec[binaryOrder] }

func (c handWritten) Name() string    { return c.codec.Name() }
func (c handWritten) Stateless() bool { return true }

func (c handWritten) NewEncoder() qsocket.Encoder[peers.Order] {
	return handWrittenEncoder{c.codec.NewEncoder()}
}

func (c handWritten) NewDecoder() qsocket.Decoder[peers.Order] {
	return handWrittenDecoder{c.codec.NewDecoder()}
}

type handWrittenEncoder struct{ enc qsocket.Encoder[binaryOrder] }

func (e handWrittenEncoder) Append(dst []byte, o peers.Order) ([]byte, error) {
	return e.enc.Append(dst, binaryOrder(o))
}

type handWrittenDecoder struct{ dec qsocket.Decoder[binaryOrder] }

func (d handWrittenDecoder) Decode(payload []byte) (peers.Order, error) {
	o, err := d.dec.Decode(payload)
	return peers.Order(o), err
}
