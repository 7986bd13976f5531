package qsocket

import (
	"fmt"
	"io"
	"reflect"

	"github.com/fb9bb4ed/qsocket/internal/mpscan"
	"github.com/fb9bb4ed/qsocket/internal/mpsort"
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
		plan: mpsort.For(reflect.TypeFor[T]()),
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

type msgpackOptions struct {
	arrays      bool // structs as arrays
	strict      bool // unknown fields are errors
	invalidUTF8 bool // strings may be any bytes
}

// ArrayEncodedStructs sends structs as arrays of their fields in the order of
// declaration, without names: smaller and faster, but adding or removing a field
// is an error between the old and the new version in both directions, and
// exchanging two fields of like types is not even that. Decoding accepts both
// forms with or without this option.
func ArrayEncodedStructs() MsgpackOption {
	return func(o *msgpackOptions) { o.arrays = true }
}

// DisallowUnknownFields makes it an error to receive a struct with a field that
// the receiver's type does not have. By default such fields are skipped.
func DisallowUnknownFields() MsgpackOption {
	return func(o *msgpackOptions) { o.strict = true }
}

// AllowInvalidUTF8 sends and accepts strings that are not UTF-8, as Go allows
// them. By default they are an error on both sides, because peers in other
// languages refuse the payload or replace the bytes: MessagePack has bin, in Go
// []byte, for what is not text.
func AllowInvalidUTF8() MsgpackOption {
	return func(o *msgpackOptions) { o.invalidUTF8 = true }
}

type msgpackCodec[T any] struct {
	opts msgpackOptions
	plan *mpsort.Plan // nil: v5 alone encodes T with sorted keys

	unfit error // why T cannot be sent
}

func (c msgpackCodec[T]) Name() string    { return "msgpack" }
func (c msgpackCodec[T]) Stateless() bool { return true }

func (c msgpackCodec[T]) NewEncoder() Encoder[T] {
	e := &msgpackEncoder[T]{msgpackCodec: c}
	e.scan.AllowInvalidUTF8 = c.opts.invalidUTF8
	return e
}

func (c msgpackCodec[T]) NewDecoder() Decoder[T] {
	d := &msgpackDecoder[T]{msgpackCodec: c}
	d.scan.AllowInvalidUTF8 = c.opts.invalidUTF8
	return d
}

// msgpackEncoder reuses one v5 encoder until an error: what state that leaves
// it in is undefined.
type msgpackEncoder[T any] struct {
	msgpackCodec[T]
	state *mpsort.State // nil: to be made
	scan  mpscan.Scanner
	buf   mpsort.Buffer
	v     T // the value being encoded; here it costs no allocation of its own
}

func (e *msgpackEncoder[T]) Append(dst []byte, v T) ([]byte, error) {
	if e.unfit != nil {
		return dst, e.unfit
	}
	// Taken out, and put back after a success: an error leaves none behind, nor
	// does a panic.
	state := e.state
	e.state = nil
	if state == nil {
		enc := msgpack.NewEncoder(&e.buf)
		enc.UseCompactInts(true)
		enc.SetSortMapKeys(true)
		enc.UseArrayEncodedStructs(e.opts.arrays)
		state = &mpsort.State{Enc: enc, Buf: &e.buf, Arrays: e.opts.arrays}
	}
	state.Enc.ResetWriter(&e.buf) // forgets interned strings
	defer e.release()
	e.buf.B, e.v = dst, v

	var err error
	if e.plan == nil {
		err = state.Enc.Encode(&e.v)
	} else {
		err = e.plan.Encode(state, reflect.ValueOf(&e.v).Elem())
	}
	b := e.buf.B
	if err != nil {
		return dst, err
	}

	// The peer's scan would refuse the same, and end the connection for it.
	if err := e.scan.Scan(b[len(dst):]); err != nil {
		return dst, err
	}
	e.state = state
	return b, nil
}

// release lets go of the value and of the Conn's buffer, also after a panic.
func (e *msgpackEncoder[T]) release() {
	var zero T
	e.buf.B, e.v = nil, zero
}

// msgpackDecoder reuses one v5 decoder until an error: after one it can go on
// recording everything it reads.
type msgpackDecoder[T any] struct {
	msgpackCodec[T]
	dec  *msgpack.Decoder // nil: to be made
	scan mpscan.Scanner
	r    msgpackReader
	v    T // the value being decoded; zero between messages
}

// A v5 decoder keeps a buffer as large as the longest string it has read. One
// that has read a payload larger than this is not kept.
const msgpackKeep = 64 << 10 // bytes

func (d *msgpackDecoder[T]) Decode(payload []byte) (T, error) {
	var zero T
	defer d.release()
	if err := d.scan.Scan(payload); err != nil {
		return zero, err
	}
	dec := d.dec
	d.dec = nil // as in Append
	if dec == nil {
		dec = msgpack.NewDecoder(nil)
		dec.DisallowUnknownFields(d.opts.strict)
	}
	d.r = msgpackReader{b: payload, traps: d.scan.Traps}
	dec.ResetReader(&d.r)

	err := dec.Decode(&d.v)
	v, read := d.v, d.r.i
	if err == nil && read != len(payload) {
		err = fmt.Errorf("msgpack: decoder of %T took %d bytes of a value of %d", v, read, len(payload))
	}
	if err != nil {
		return zero, err
	}
	if len(payload) <= msgpackKeep {
		d.dec = dec
	}
	return v, nil
}

// release lets go of the payload and of what was decoded, also after a panic.
// A payload full of traps must not cost memory for as long as the connection
// idles afterwards.
func (d *msgpackDecoder[T]) release() {
	var zero T
	d.v, d.r = zero, msgpackReader{}
	if cap(d.scan.Traps) > maxTrapsKept {
		d.scan.Traps = nil
	}
}

const maxTrapsKept = 256

// msgpackReader is what v5 reads a payload from. After its end there is
// io.ErrUnexpectedEOF: io.EOF would look like the clean end of a connection.
type msgpackReader struct {
	b     []byte
	i     int   // next byte
	traps []int // offsets at which ReadByte fails, see mpscan.Scanner.Traps
}

func (r *msgpackReader) Read(p []byte) (int, error) {
	if r.i == len(r.b) && len(p) > 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(p, r.b[r.i:])
	r.i += n
	return n, nil
}

func (r *msgpackReader) ReadByte() (byte, error) {
	if r.i == len(r.b) {
		return 0, io.ErrUnexpectedEOF
	}
	for len(r.traps) > 0 && r.traps[0] <= r.i {
		if r.traps[0] == r.i {
			return 0, fmt.Errorf("msgpack: extension with its data at byte %d, where a map is expected", r.i)
		}
		r.traps = r.traps[1:]
	}
	r.i++
	return r.b[r.i-1], nil
}

func (r *msgpackReader) UnreadByte() error {
	if r.i == 0 {
		return fmt.Errorf("msgpack: nothing to unread")
	}
	r.i--
	return nil
}
