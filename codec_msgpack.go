package qsocket

import (
	"reflect"

	"github.com/fb9bb4ed/qsocket/internal/mpplan"
	"github.com/vmihailenco/msgpack/v5"
)

// Msgpack encodes values as MessagePack (https://msgpack.org) with
// github.com/vmihailenco/msgpack/v5, whose struct tags (`msgpack:"name,omitempty"`)
// and interfaces (msgpack.CustomEncoder, msgpack.Marshaler, …) apply; tags named
// json do not. Unexported fields are not sent. It is the
// codec of a [Protocol] that names none, and the one for peers in other languages.
//
// # Payloads
//
// A payload is exactly one value. Structs are maps from field names to values,
// integers are as short as they can be, times are timestamps (extension -1),
// []byte is bin. Maps are sorted, so that equal values have equal payloads:
// string keys bytewise, false before true, numbers by value, keys of other
// types by their encoding.
//
// # Evolution
//
// Peers can have different versions of a struct: a field that only the sender
// has is skipped (see [DisallowUnknownFields]), one that only the receiver has
// is zero. Renaming a field is removing one and adding another. Structs sent as
// arrays cannot evolve (see [ArrayEncodedStructs]); one that arrives as an array
// is accepted if the number of elements is that of the fields, or is 0, which
// makes the zero struct.
//
// # What arrives changed
//
//   - A time.Time comes back in Local and without its monotonic clock: compare with Equal.
//   - In an any, integers arrive as the narrowest type that the payload shows
//     (int8 to int64, uint8 to uint64), slices as []any, maps as map[string]any,
//     and a map with other keys is an error. Structs in an any arrive as maps.
//   - A slice, map or []byte that is empty stays empty, and nil stays nil.
//   - What the tag omitempty left out arrives as zero, and a nil pointer to an
//     embedded struct as a pointer to a zero one.
//   - A field of an interface type with methods can be sent, but receiving
//     anything but nil for it is an error (except for the type error itself).
//
// # Errors
//
// Both ways, Msgpack refuses with an error: strings that are not UTF-8 (see
// [AllowInvalidUTF8]), arrays and maps nested deeper than 100 levels, and what a
// custom encoder made that is not one MessagePack value. The decoder refuses an
// empty payload, bytes after the value, and a payload that ends too early or
// announces more than it has (io.ErrUnexpectedEOF). Fields tagged "intern" are
// refused as soon as a string repeats. A value that contains itself through
// pointers must not be sent: it overflows the stack. For each type of struct that
// is embedded by pointer, v5 leaves one goroutine behind in the process.
//
// # Trust
//
// Payloads are checked before they are decoded: lengths and counts that lie,
// and nesting, cannot exhaust memory or the stack. What a stranger can still do:
//
//   - Send an integer that does not fit its field. It arrives cut to the
//     field's size: 300 in a uint8 as 44, -1 in a uint32 as 4294967295.
//   - Have memory allocated for as many elements as the payload has bytes. In an
//     any, in maps and in recursive types, a payload can cost about 150 times its
//     size; in a []struct{…} of 1 KiB each, one of 1 MiB costs up to 2 GiB. Keep
//     MaxFrame small where T has them: 1 MiB, the default, is not small then.
//   - Send a bin where a string is expected: it arrives without the check for UTF-8.
//
// An extension where the receiver expects a map is refused. An extension of
// your own (msgpack.RegisterExtDecoder) is refused if its decoder reads the
// payload with the msgpack.Decoder and the payload begins with nil or a map;
// one that takes the payload as bytes (msgpack.RegisterExt) sees everything.
func Msgpack[T any](opts ...MsgpackOption) Codec[T] {
	c := msgpackCodec[T]{
		unfit: halfBinary[T](func(t reflect.Type) bool {
			return t.Implements(reflect.TypeFor[msgpack.CustomDecoder]()) || t.Implements(reflect.TypeFor[msgpack.Unmarshaler]())
		}),
	}
	for _, opt := range opts {
		opt(&c.opts)
	}
	return c
}

// MsgpackOption changes what [Msgpack] does.
type MsgpackOption func(*msgpackOptions)

type msgpackOptions struct{ mpplan.Options }

// ArrayEncodedStructs sends structs as arrays of their fields in the order of
// declaration, without names: smaller and faster, but adding or removing a field
// is an error between the old and the new version in both directions, and
// exchanging two fields of like types is not even that. Decoding accepts both
// forms with or without this option.
func ArrayEncodedStructs() MsgpackOption {
	return func(o *msgpackOptions) { o.Arrays = true }
}

// DisallowUnknownFields makes it an error to receive a struct with a field that
// the receiver's type does not have. By default such fields are skipped.
func DisallowUnknownFields() MsgpackOption {
	return func(o *msgpackOptions) { o.Strict = true }
}

// AllowInvalidUTF8 sends and accepts strings that are not UTF-8, as Go allows
// them. By default they are an error on both sides, because peers in other
// languages refuse the payload or replace the bytes: MessagePack has bin, in Go
// []byte, for what is not text.
func AllowInvalidUTF8() MsgpackOption {
	return func(o *msgpackOptions) { o.InvalidUTF8 = true }
}

// MaxExpansion bounds the memory that decoding a payload may allocate: factor
// times the length of the payload and 64 KiB. Without it, factor is 64. Elements
// are counted with their size in Go before they are allocated, so a []struct{…} of
// 1 KiB each that arrives as empty maps is refused, and so is an array of a million
// small maps for an any. It panics if factor is less than 1.
func MaxExpansion(factor int) MsgpackOption {
	if factor < 1 {
		panic("qsocket: MaxExpansion of less than 1")
	}
	return func(o *msgpackOptions) { o.Expansion = factor }
}

type msgpackCodec[T any] struct {
	opts  msgpackOptions
	unfit error // why T cannot be sent
}

func (c msgpackCodec[T]) Name() string    { return "msgpack" }
func (c msgpackCodec[T]) Stateless() bool { return true }

// The plan is compiled here and not in Msgpack, which can run before the
// program has registered its extensions.

func (c msgpackCodec[T]) NewEncoder() Encoder[T] {
	return &msgpackEncoder[T]{plan: mpplan.For[T](), unfit: c.unfit, state: mpplan.Encoder{Options: c.opts.Options}}
}

func (c msgpackCodec[T]) NewDecoder() Decoder[T] {
	return &msgpackDecoder[T]{plan: mpplan.For[T](), state: mpplan.Decoder{Options: c.opts.Options}}
}

type msgpackEncoder[T any] struct {
	plan  mpplan.Plan[T]
	unfit error
	state mpplan.Encoder
	v     T // the value being encoded; here it costs no allocation of its own
}

func (e *msgpackEncoder[T]) Append(dst []byte, v T) ([]byte, error) {
	if e.unfit != nil {
		return dst, e.unfit
	}
	e.v = v
	b, err := e.plan.Append(&e.state, dst, &e.v)
	var zero T
	e.v = zero // holds on to nothing
	return b, err
}

type msgpackDecoder[T any] struct {
	plan  mpplan.Plan[T]
	state mpplan.Decoder
	v     T    // the value being decoded; zero between messages
	dirty bool // an error or a panic left something in v
}

func (d *msgpackDecoder[T]) Decode(payload []byte) (T, error) {
	var zero T
	if d.dirty {
		d.v = zero
	}
	d.dirty = true
	err := d.plan.Decode(&d.state, payload, &d.v)
	if err != nil {
		return zero, err
	}
	v := d.v
	d.v, d.dirty = zero, false
	return v, nil
}
