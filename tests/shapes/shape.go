package shapes

import (
	"bytes"
	"reflect"
	"slices"

	"github.com/fb9bb4ed/qsocket"
	"github.com/vmihailenco/msgpack/v5"
)

// A Shape is a type of messages, with a message.
type Shape struct {
	Name  string
	Kind  Kind
	Value any

	// Unsorted says that v5 does not sort the keys of a map in the value, so that its bytes
	// are different ones each time. Ours are always sorted.
	Unsorted bool

	// Loose says that it has interfaces, in which types change.
	Loose bool

	Own, V5 Coder
}

// Kind is what a goal depends on.
type Kind int

const (
	Plain    Kind = iota
	Methods       // types that encode and decode themselves
	Long          // strings of a kibibyte and more, which v5 does not check
	Document      // documents as they are found in the world
)

// A Coder encodes the message of a shape and decodes it, as often as it is told to, by an
// encoder and a decoder that are used again each time.
type Coder struct {
	Encode func(n int) ([]byte, error)            // returns the last encoding, until the next call
	Decode func(p []byte, n int) (v any, _ error) // returns the last value
}

type (
	encoder[T any] interface {
		Append(dst []byte, v T) ([]byte, error)
	}
	decoder[T any] interface {
		Decode(p []byte) (T, error)
	}
)

// NewCoder makes a Coder for v.
func NewCoder[T any](enc encoder[T], dec decoder[T], v T) Coder {
	var dst []byte
	return Coder{
		func(n int) (_ []byte, err error) {
			for range n {
				if dst, err = enc.Append(dst[:0], v); err != nil {
					return nil, err
				}
			}
			return dst, nil
		},
		func(p []byte, n int) (any, error) {
			var v T
			var err error
			for range n {
				if v, err = dec.Decode(p); err != nil {
					return nil, err
				}
			}
			return v, nil
		},
	}
}

// of makes a shape of v.
func of[T any](name string, v T) Shape {
	own, v5 := qsocket.Msgpack[T](), newV5[T]()
	return Shape{
		Name: name, Value: v, Loose: loosely(reflect.TypeFor[T](), make(map[reflect.Type]bool)),
		Own: NewCoder(own.NewEncoder(), own.NewDecoder(), v), V5: NewCoder(v5, v5, v),
	}
}

// unsorted is of for a value with maps that v5 does not sort.
func unsorted[T any](name string, v T) Shape {
	s := of(name, v)
	s.Unsorted = true
	return s
}

// as gives shapes a Kind.
func as(kind Kind, all ...Shape) []Shape {
	for i := range all {
		all[i].Kind = kind
	}
	return all
}

// loosely reports whether a t is or has an any.
func loosely(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Interface:
		return t.NumMethod() == 0
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return loosely(t.Elem(), seen)
	case reflect.Map:
		return loosely(t.Key(), seen) || loosely(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			if t.Field(i).IsExported() && loosely(t.Field(i).Type, seen) {
				return true
			}
		}
	}
	return false
}

// All returns all shapes, made anew.
func All() []Shape {
	return slices.Concat(scalars(), structs(), lists(), maps(), interfaces(), as(Methods, methods()...), documents())
}

// v5 has an encoder and a decoder in their best form: they are made once, write to a buffer and
// read from one that are used again, and write the bytes that qsocket writes.
type v5[T any] struct {
	buf bytes.Buffer
	r   bytes.Reader
	enc *msgpack.Encoder
	dec *msgpack.Decoder
	v   *T
}

func newV5[T any]() *v5[T] {
	c := new(v5[T])
	c.enc = msgpack.NewEncoder(&c.buf)
	c.enc.UseCompactInts(true)
	c.enc.SetSortMapKeys(true)
	c.dec = msgpack.NewDecoder(&c.r)
	c.v = new(T)
	return c
}

// Append encodes v. It returns the buffer instead of a copy of it.
func (c *v5[T]) Append(_ []byte, v T) ([]byte, error) {
	c.buf.Reset()
	*c.v = v
	err := c.enc.Encode(c.v)
	return c.buf.Bytes(), err
}

func (c *v5[T]) Decode(p []byte) (v T, err error) {
	var zero T
	*c.v = zero
	c.r.Reset(p)
	c.dec.ResetReader(&c.r)
	err = c.dec.Decode(c.v)
	return *c.v, err
}
