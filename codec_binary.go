package qsocket

import (
	"encoding"
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/fb9bb4ed/qsocket/internal/fit"
)

// Binary encodes values by their own methods: AppendBinary (encoding.BinaryAppender)
// or, for a type without it, MarshalBinary, and UnmarshalBinary. It is the codec
// for generated code and for formats of your own, and adds nothing to what these
// methods cost.
//
// The methods can belong to T or to *T. T can also be a pointer *X: the decoder
// allocates the X, and sending a nil *X is an error. Binary panics if a method is
// missing, or if T is an interface type, of which the decoder could make no value.
//
// A Protocol is refused (see [Protocol]) if the methods are those of a type that is embedded in
// X, beside exported fields, which would be lost, or by a pointer, which is nil when
// something arrives.
//
// A payload is what the method made, and nothing is added. An empty one is an
// error on both sides. Evolution, bytes left over, what arrives changed, and
// whether a stranger's payload is safe to decode are the business of
// UnmarshalBinary: it gets the whole payload, and it must copy what it keeps.
func Binary[T any]() Codec[T] {
	t := reflect.TypeFor[T]()
	p := t // the type whose methods are called
	if t.Kind() != reflect.Pointer {
		p = reflect.PointerTo(t)
	}
	if t.Kind() == reflect.Interface {
		panic(fmt.Sprintf("qsocket: Binary cannot decode into %v: want a type that has UnmarshalBinary, not an interface", t))
	}
	if !p.Implements(reflect.TypeFor[encoding.BinaryAppender]()) && !p.Implements(reflect.TypeFor[encoding.BinaryMarshaler]()) {
		panic(fmt.Sprintf("qsocket: Binary needs a method AppendBinary or MarshalBinary, which %v does not have", p))
	}
	if !p.Implements(reflect.TypeFor[encoding.BinaryUnmarshaler]()) {
		panic(fmt.Sprintf("qsocket: Binary needs a method UnmarshalBinary, which %v does not have", p))
	}
	return binaryCodec[T]{
		pointer: t.Kind() == reflect.Pointer,
		appends: p.Implements(reflect.TypeFor[encoding.BinaryAppender]()),
	}
}

type binaryCodec[T any] struct {
	pointer bool // T itself is a pointer
	appends bool // there is an AppendBinary
}

func (c binaryCodec[T]) Name() string    { return "binary" }
func (c binaryCodec[T]) Stateless() bool { return true }
func (c binaryCodec[T]) unfit() error    { return fit.Check(fit.OwnBinary, reflect.TypeFor[T]()) }

func (c binaryCodec[T]) NewEncoder() Encoder[T] {
	if c.pointer {
		return binaryPointerEncoder[T]{appends: c.appends}
	}
	e := &binaryEncoder[T]{}
	if c.appends {
		e.appender = any(&e.v).(encoding.BinaryAppender)
	} else {
		e.marshaler = any(&e.v).(encoding.BinaryMarshaler)
	}
	return e
}

func (c binaryCodec[T]) NewDecoder() Decoder[T] {
	if c.pointer {
		return binaryPointerDecoder[T]{elem: reflect.TypeFor[T]().Elem()}
	}
	d := &binaryDecoder[T]{}
	d.unmarshaler = any(&d.v).(encoding.BinaryUnmarshaler)
	return d
}

// binaryEncoder is for a T that is no pointer. *T has the methods of T as well,
// so that one interface made at the beginning serves all messages.
type binaryEncoder[T any] struct {
	v         T                        // the value being encoded
	appender  encoding.BinaryAppender  // &v, or nil
	marshaler encoding.BinaryMarshaler // &v where appender is nil
}

func (e *binaryEncoder[T]) Append(dst []byte, v T) ([]byte, error) {
	e.v = v
	b, err := appendBinary(dst, e.appender, e.marshaler)
	var zero T
	e.v = zero
	return b, err
}

// binaryPointerEncoder is for a T that is a pointer: making an interface of it
// costs nothing.
type binaryPointerEncoder[T any] struct {
	appends bool // there is an AppendBinary
}

func (e binaryPointerEncoder[T]) Append(dst []byte, v T) ([]byte, error) {
	if reflect.ValueOf(v).IsNil() {
		return dst, fmt.Errorf("nil %T has no encoding", v)
	}
	if e.appends {
		return appendBinary(dst, any(v).(encoding.BinaryAppender), nil)
	}
	return appendBinary(dst, nil, any(v).(encoding.BinaryMarshaler))
}

// appendBinary appends what a makes, or m if a is nil.
func appendBinary(dst []byte, a encoding.BinaryAppender, m encoding.BinaryMarshaler) ([]byte, error) {
	var b []byte
	var err error
	room := dst[len(dst):] // dst itself is other messages: not for a method to see
	if a != nil {
		b, err = a.AppendBinary(room)
	} else {
		b, err = m.MarshalBinary()
	}
	if err != nil {
		return dst, err
	}
	if len(b) == 0 {
		return dst, errors.New("encoding is empty, want at least one byte")
	}
	if a != nil && cap(room) > 0 && &room[:1][0] == &b[0] {
		return dst[:len(dst)+len(b)], nil // written in place
	}
	return append(dst, b...), nil
}

// binaryDecoder is for a T that is no pointer.
type binaryDecoder[T any] struct {
	v           T                          // the value being decoded; zero between messages
	unmarshaler encoding.BinaryUnmarshaler // &v
}

func (d *binaryDecoder[T]) Decode(payload []byte) (T, error) {
	var zero T
	if len(payload) == 0 {
		return zero, errBinaryEmpty
	}
	d.v = zero // what a panic left
	err := d.unmarshaler.UnmarshalBinary(payload)
	v := d.v
	d.v = zero
	if err != nil {
		return zero, err
	}
	return v, nil
}

// binaryPointerDecoder is for a T that is a pointer.
type binaryPointerDecoder[T any] struct {
	elem reflect.Type // what T points to
}

func (d binaryPointerDecoder[T]) Decode(payload []byte) (T, error) {
	var zero T
	if len(payload) == 0 {
		return zero, errBinaryEmpty
	}
	v := reflect.New(d.elem).Interface().(T)
	if err := any(v).(encoding.BinaryUnmarshaler).UnmarshalBinary(payload); err != nil {
		return zero, err
	}
	return v, nil
}

var errBinaryEmpty = fmt.Errorf("empty payload, want at least one byte: %w", io.ErrUnexpectedEOF)
