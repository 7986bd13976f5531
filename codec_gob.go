package qsocket

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/fb9bb4ed/qsocket/internal/deep"
	"github.com/fb9bb4ed/qsocket/internal/fit"
	"github.com/fb9bb4ed/qsocket/internal/gobscan"
	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// Gob encodes values with encoding/gob, in one continuous stream for each
// direction of a connection: the definition of a type travels with the first
// message that needs it, and no later one pays for it. It is for Go programs on
// both ends.
//
// # Trust
//
// The decoder of encoding/gob is documented as not hardened against hostile input: 23
// bytes can make it allocate gigabytes, a deeply nested value overflows the stack, and the
// process dies of either; and it keeps all that a peer defines, and the largest message. So
// Gob decodes by itself, with the result that gob has, and checks every payload before,
// against the types that the stream has defined and against T. It is refused if
//
//   - a length or a count is not covered by bytes that are there,
//   - structs, slices, arrays and maps are nested deeper than 100 levels,
//   - decoding it would allocate more than 512 times its size and 64 KiB, or need
//     more than 32 times its size and 64 MiB at once,
//   - what the connection has to keep of the stream, the types that the peer has
//     defined and how to decode them, would take more than 128 KiB, or, if that
//     is more, twice what T and the registered types that interfaces have held
//     need by themselves,
//   - its form is one that gob's own encoder does not write: types that are
//     defined twice, structs without an end, bytes left over.
//
// What is kept of a newer peer's types comes to 1 to 1.5 KiB for a struct of 8 fields that
// this end does not have: 60 of them are fine.
//
// That makes gob safe to accept from strangers within these limits, with an eye on
// three things. A MaxFrame of n bytes allows for 32 n + 64 MiB of memory on each
// connection. Methods of the types in T and of registered types (GobDecode,
// UnmarshalBinary) get what the peer sent, up to MaxFrame, and what they do with it
// is their own affair. And a peer can make an interface in T hold every type that
// the process has registered with gob.Register, by this package's user or by others.
//
// To know what a name in an interface stands for, the check lets gob decode a value
// of it, once for each name in the process. If the type, or an array of it, has a
// GobDecode or UnmarshalBinary method, that is called once more than otherwise.
//
// # Memory
//
// Short strings that come again share memory with those before them, and so do short
// slices of strings; docs/msgpack.md, "Memory", says what that keeps in memory.
//
// # Payloads
//
// A payload is the gob messages (see encoding/gob, "Encoding Details") that one
// Encode makes: definitions, if any, and the value. A payload that begins with the
// byte 00, as no gob message does, restarts the stream: both ends forget all
// types, and the rest of the payload begins a new one. The encoder restarts after
// an Encode that failed or panicked, and when the Conn tells it, through Reset,
// that a payload was not sent: the definitions in it would be missing.
//
// # Values
//
// T can be an interface type: the value travels with the name under which
// gob.Register knows its type on both ends.
//
// Fields are matched by name: one that only the sender has is skipped, one that
// only the receiver has is zero. Widths of integers may differ; a number that
// does not fit its field is an error, as is one kind of type where another is
// expected.
//
// A Protocol is refused (see [Protocol]) if T, or what is encoded of it, has a chan or func
// that is not a field, an unsafe.Pointer, a struct whose fields are all unexported (struct{}
// can be sent), GobEncode or MarshalBinary without its counterpart or the reverse, an
// interface with one of these, methods of *X for an X in a map, or methods of an embedded
// type beside fields that would be lost. A value of such a type in an interface is an error
// on Send.
//
// A map of which two keys are encoded alike, such as structs that differ in unexported fields, is
// an error on Send.
//
// A value that is nested deeper than 100 levels, or contains itself, is an error on Send;
// encoding/gob would follow it until the stack of the process is exhausted. Of what
// methods of types do (GobEncode, MarshalBinary) nothing is known.
//
// Arrives changed: a field that points to a zero value arrives as nil, and so
// do an empty slice and an empty map in a field; a nil map in a slice, array or map arrives as an empty one. A time.Time keeps its offset but not the name of its
// zone. Unexported fields are not sent, nor is
// an embedded struct whose type is unexported. A T that is a nil pointer, or an
// interface that holds one, is an error on Send, as are nil pointers in slices,
// arrays and maps; a nil interface is a value like others.
//
// The decoder refuses an empty payload, one that ends too early
// (io.ErrUnexpectedEOF), and bytes after the value. After an error it has lost
// the stream, and refuses everything up to the next restart.
//
// A field with interfaces that only the sender has can be an error: gob cannot skip
// a nil interface in a slice, nor an interface that holds others whose types are
// new to the stream. The table in docs/evolution.md has more.
func Gob[T any]() Codec[T] { return gobCodec[T]{} }

type gobCodec[T any] struct{}

func (gobCodec[T]) Name() string { return "gob" }
func (gobCodec[T]) unfit() error { return fit.Check(fit.Gob, reflect.TypeFor[T]()) }
func (gobCodec[T]) NewEncoder() Encoder[T] {
	k := reflect.TypeFor[T]().Kind()
	return &gobEncoder[T]{most: maxMaxFrame, deep: gobDepth.For(reflect.TypeFor[T]()), nilable: k == reflect.Pointer || k == reflect.Interface}
}
func (gobCodec[T]) NewDecoder() Decoder[T] {
	return &gobDecoder[T]{scan: gobscan.New(reflect.TypeFor[T]())}
}

// gobRestart, as a payload's first byte, begins a new stream. A gob message
// begins with its length, which is not 0.
const gobRestart = 0x00

// gobDepth keeps encoding/gob from exhausting the stack and the memory, and values from Send
// that the decoder refuses.
var gobDepth = &deep.Rules{
	Codec:  "gob",
	Max:    gobscan.MaxDepth,
	Fields: schema.GobFields,
	Least:  deep.Least{Elem: 1, Entry: 2, Nonzero: 2},
	Itself: func(t reflect.Type, _ bool) bool { return schema.GobItself(t) },
	Meet:   schema.GobMeet,
	Key:    gobKey,
	Held:   func(t reflect.Type) error { return fit.Held(fit.Gob, t) },
}

// gobKey is the encoding of the key of a map by itself.
func gobKey(v reflect.Value) (string, error) {
	p := reflect.New(v.Type()) // lets gob see the type itself where it is an interface
	p.Elem().Set(v)
	var b appender
	err := gob.NewEncoder(&b).EncodeValue(p)
	return string(b), err
}

type gobEncoder[T any] struct {
	enc     *gob.Encoder // nil: the next payload begins a stream
	restart bool         // that stream replaces another
	nilable bool         // T is a pointer, or an interface that can hold one
	deep    *deep.Plan   // nil: no value can be too deep for encoding/gob, or too large for its memory
	most    int          // the largest payload that can be sent
	buf     appender
	v       T // the value being encoded; here it costs no allocation of its own
}

func (e *gobEncoder[T]) limitPayload(n int) { e.most = n }

// Reset makes the next payload independent of all before it.
func (e *gobEncoder[T]) Reset() {
	e.enc, e.restart = nil, true
}

func (e *gobEncoder[T]) Append(dst []byte, v T) (b []byte, err error) {
	intact := false // what was sent, the peer knows
	e.v = v
	defer func() {
		var zero T
		e.buf, e.v = nil, zero
		if intact {
			return
		}
		// gob counts the definitions it has written as sent, whether or not
		// the value could follow.
		e.Reset()
		b = dst
		if r := recover(); r != nil { // a nil pointer, or a method of v
			err = panicked(r)
		}
	}()

	if e.deep != nil {
		if err := deep.Check(e.deep, &e.v, e.most); err != nil {
			intact = true
			return dst, err
		}
	}
	if e.nilable && hasNil(reflect.ValueOf(v)) { // which ends, after the check
		intact = true
		return dst, fmt.Errorf("gob: nil %T has no encoding", v) // gob would write nothing for it
	}
	e.buf = dst
	if e.restart {
		e.buf = append(e.buf, gobRestart)
	}
	if e.enc == nil {
		e.enc = gob.NewEncoder(&e.buf)
	}
	// The pointer lets gob see T itself where T is an interface.
	if err := e.enc.Encode(&e.v); err != nil {
		return dst, err
	}
	intact, e.restart = true, false
	return e.buf, nil
}

// hasNil reports whether the pointer v, or one that it points to, is nil.
func hasNil(v reflect.Value) bool {
	for ; v.Kind() == reflect.Pointer; v = v.Elem() {
		if v.IsNil() {
			return true
		}
	}
	return false
}

type gobDecoder[T any] struct {
	scan    *gobscan.Scanner
	lost    bool // an error came: only a restart can be decoded
	scratch *T
}

var errGobLost = errors.New("gob: stream was lost by an earlier error and has not been restarted")

func (d *gobDecoder[T]) Decode(payload []byte) (T, error) {
	return decodeNew(d, &d.scratch, payload)
}

func (d *gobDecoder[T]) decodeInto(payload []byte, v *T) (err error) {
	if len(payload) > 0 && payload[0] == gobRestart {
		payload = payload[1:]
		d.scan.Reset()
		d.lost = false
	}
	if d.lost {
		return errGobLost
	}
	d.lost = true // until all has gone well
	defer func() {
		if !d.lost {
			return
		}
		d.scan.Reset()                // to keep nothing of it
		if r := recover(); r != nil { // a method of v, or a map's key that cannot be one
			err = panicked(r)
		}
	}()
	if len(payload) == 0 {
		return fmt.Errorf("gob: empty payload, want one value: %w", io.ErrUnexpectedEOF)
	}
	if payload[0] == gobRestart {
		return errors.New("gob: stream begins with a second byte 00")
	}
	if err := d.scan.Scan(payload); err != nil {
		return err
	}
	if err := d.scan.Decode(payload, reflect.ValueOf(v)); err != nil {
		return err
	}
	d.lost = false
	return nil
}

func (d *gobDecoder[T]) maxDecoded() (factor, free int) { return gobscan.MaxExpansion, gobscan.Slack }
func (d *gobDecoder[T]) decodedSize(any, int, int) int  { return d.scan.DecodedSize() }
