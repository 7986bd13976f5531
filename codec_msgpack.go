package qsocket

import (
	"errors"
	"fmt"

	"github.com/fb9bb4ed/qsocket/internal/mpplan"
)

// Msgpack encodes values as MessagePack (https://msgpack.org), in the way of
// github.com/vmihailenco/msgpack/v5, whose struct tags (`msgpack:"name,omitempty"`)
// and interfaces (msgpack.CustomEncoder, msgpack.Marshaler, …) apply; tags named
// json do not. Unexported fields are not sent. It is the
// codec of a [Protocol] that names none, and the one for peers in other languages.
//
// T is compiled into a plan, once per process. v5 is left with values of types
// that have EncodeMsgpack or DecodeMsgpack, and with registered extensions.
//
// # Payloads
//
// A payload is exactly one value. Structs are maps from field names to values,
// integers are as short as they can be, times are timestamps (extension -1),
// []byte is bin. Maps are sorted, so that equal values have equal payloads: string
// keys bytewise, false before true, numbers by value, keys of other types by their
// encoding. (Maps that EncodeMsgpack of a type writes are in its hands.)
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
//     and sending a map with other keys in it is an error. Structs in an any arrive as maps, or as
//     []any if they are sent as arrays.
//   - A slice, map or []byte that is empty stays empty, and nil stays nil.
//   - What the tag omitempty left out arrives as zero, and a nil pointer to an
//     embedded struct as a pointer to a zero one.
//   - A field with the tag omitempty is left out if it is empty, as v5 has it: zero (by its
//     method IsZero, if there is one), an empty string, slice or map, or a struct of such
//     fields; in an interface, too, which arrives as nil. A type with methods of its own is
//     left out only if it is zero.
//
// # Values
//
// A Protocol is refused (see [Protocol]) if T, or what is encoded of it, has
//
//   - an interface with methods, except for error, for those of a time.Time, and where the
//     program has registered extensions: nothing can be received for it;
//   - a chan, func, complex number, uintptr or unsafe.Pointer;
//   - one half of a pair of methods (MarshalText without UnmarshalText, say) such that the
//     decoder refuses what the encoder writes; what EncodeMsgpack or MarshalMsgpack alone
//     write is tried with simple values;
//   - methods of an embedded type, such as a time.Time, beside fields that would be lost;
//   - an embedded pointer to an unexported type, a struct that embeds itself, or two fields
//     of one name, unless structs are arrays;
//   - a struct with unexported fields only and no methods, but for locks.
//
// A value in an any is an error on Send if something of it would be lost, for the same reasons.
//
// # Errors
//
// Both ways, Msgpack refuses with an error: strings that are not UTF-8 (see
// [AllowInvalidUTF8]), arrays and maps nested deeper than 100 levels, also those of
// a value that contains itself, and what a method of a type made that is not
// one MessagePack value.
//
// The decoder refuses an empty payload, bytes after the value, and a payload that
// ends too early or announces more than it has (io.ErrUnexpectedEOF). It refuses
// what would arrive changed: an integer that does not fit its field, or that
// a float cannot hold, and a field or key that is there twice. Errors say where:
//
//	Order.Tags[3]: 300 overflows uint8
//
// docs/msgpack.md lists where the decoder differs from v5.
//
// Short strings that come again share memory with those before them, and so do short
// slices of strings; docs/msgpack.md, "Memory", says what that keeps in memory.
//
// # Trust
//
// Payloads may come from strangers. Counts and lengths that lie, and nesting,
// cost nothing; decoding allocates at most 64 times the length of the payload and
// 64 KiB (see [MaxExpansion]), and its stack is bounded. What v5 decodes
// is checked before, and while it reads. What remains is what methods
// of types in T do with a payload; UnmarshalMsgpack gets bytes that are well-formed,
// but must not decode them with v5 to a map without looking: v5
// takes an extension for one. DecodeMsgpack is guarded against that.
func Msgpack[T any](opts ...MsgpackOption) Codec[T] {
	var c msgpackCodec[T]
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
// exchanging two fields of like types is not even that. (The ends of a named
// protocol find both when they connect.) Decoding accepts both
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
// small maps for an any. The encoder refuses what a receiver with the same factor would.
// It panics if factor is less than 1.
func MaxExpansion(factor int) MsgpackOption {
	if factor < 1 {
		panic("qsocket: MaxExpansion of less than 1")
	}
	return func(o *msgpackOptions) { o.Expansion = factor }
}

type msgpackCodec[T any] struct{ opts msgpackOptions }

func (c msgpackCodec[T]) Name() string    { return "msgpack" }
func (c msgpackCodec[T]) Stateless() bool { return true }
func (c msgpackCodec[T]) null() string    { return "\xc0" }
func (c msgpackCodec[T]) unfit() error    { return mpplan.For[T]().Fit(c.opts.Options) }

// The plan is compiled here and not in Msgpack, which can run before the
// program has registered its extensions.

func (c msgpackCodec[T]) NewEncoder() Encoder[T] {
	e := &msgpackEncoder[T]{plan: mpplan.For[T](), state: mpplan.Encoder{Options: c.opts.Options}}
	e.factor, e.free = (&mpplan.Decoder{Options: c.opts.Options}).Bound()
	// Half of what the receiver allows: the estimate is one of elements, not of whole values.
	e.state.Tally = e.plan.Sparse(e.factor / 2)
	if e.factor >= 3 {
		e.most = e.free / 2
	}
	return e
}

func (c msgpackCodec[T]) NewDecoder() Decoder[T] {
	return &msgpackDecoder[T]{plan: mpplan.For[T](), state: mpplan.Decoder{Options: c.opts.Options}}
}

type msgpackEncoder[T any] struct {
	plan         mpplan.Plan[T]
	state        mpplan.Encoder
	factor, free int // what the receiver allocates: see mpplan.Decoder.Bound
	most         int // what a receiver allocates before it may find a payload too short for it
	v            T   // the value being encoded; here it costs no allocation of its own
}

func (e *msgpackEncoder[T]) limitPayload(n int) { e.state.Limit = n }

func (e *msgpackEncoder[T]) Append(dst []byte, v T) ([]byte, error) {
	e.v = v
	b, err := e.plan.Append(&e.state, dst, &e.v)
	if err == nil && e.state.Held() > e.most {
		err = e.tryExpansion(b[len(dst):])
	}
	var zero T
	e.v = zero // holds on to nothing
	return b, err
}

// tryExpansion returns an error if the receiver, with the same MaxExpansion, would refuse
// payload, which is the encoding of v. Only where what becomes of v is so large that this may be,
// the payload is decoded to find out.
func (e *msgpackEncoder[T]) tryExpansion(payload []byte) error {
	limit := e.factor*len(payload) + e.free
	strings := len(payload) + len(payload)/4 // the bytes of them, with what an allocator adds
	if limit < 0 || e.state.Held() <= (limit-strings)/2 {
		return nil
	}
	trial := mpplan.Decoder{Options: e.state.Options}
	if err := e.plan.Decode(&trial, payload, new(T)); errors.Is(err, mpplan.ErrExpansion) {
		return fmt.Errorf("msgpack: the receiver would refuse it: %w (MaxExpansion is %d)", err, e.factor)
	}
	return nil
}

type msgpackDecoder[T any] struct {
	plan    mpplan.Plan[T]
	state   mpplan.Decoder
	scratch *T
}

func (d *msgpackDecoder[T]) Decode(payload []byte) (T, error) {
	return decodeNew(d, &d.scratch, payload)
}

func (d *msgpackDecoder[T]) decodeInto(payload []byte, v *T) error {
	return d.plan.Decode(&d.state, payload, v)
}

func (d *msgpackDecoder[T]) maxDecoded() (factor, free int)  { return d.state.Bound() }
func (d *msgpackDecoder[T]) decodedSize(_ any, n, _ int) int { return d.state.Spent(n) }
