package mpplan

import (
	"encoding"
	"errors"
	"io"
	"reflect"
	"slices"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// isZeroer is what v5 asks about emptiness.
type isZeroer interface{ IsZero() bool }

// method is an interface by which v5 lets a type encode or decode itself.
type method struct {
	typ reflect.Type
	op  op
}

// In the order in which v5 looks for them.
var (
	encoders = []method{
		{reflect.TypeFor[msgpack.CustomEncoder](), opV5},
		{reflect.TypeFor[msgpack.Marshaler](), opMarshal},
		{reflect.TypeFor[encoding.BinaryMarshaler](), opBinary},
		{reflect.TypeFor[encoding.TextMarshaler](), opText},
	}
	decoders = []method{
		{reflect.TypeFor[msgpack.CustomDecoder](), opV5},
		{reflect.TypeFor[msgpack.Unmarshaler](), opMarshal},
		{reflect.TypeFor[encoding.BinaryUnmarshaler](), opBinary},
		{reflect.TypeFor[encoding.TextUnmarshaler](), opText},
	}
)

// Interfaces have methods of others. There is nothing in a zero one that could decode, and what
// it holds is encoded as it is anywhere else, unlike by v5: a time.Time in an
// encoding.TextMarshaler would be a text there, of which no TextMarshaler comes again.

func encodesItself(t reflect.Type) (op, bool) { return find(t, encoders) }
func decodesItself(t reflect.Type) (op, bool) { return find(t, decoders) }

// find looks for the first of methods that t has, and then for the first that a
// pointer to it has. What a pointer type has, its element is asked for.
func find(t reflect.Type, methods []method) (op, bool) {
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface || t == reflect.TypeFor[time.Time]() || t == reflect.TypeFor[msgpack.RawMessage]() {
		return 0, false
	}
	for _, m := range methods {
		if t.Implements(m.typ) {
			return m.op, true
		}
	}
	for _, m := range methods {
		if reflect.PointerTo(t).Implements(m.typ) {
			return m.op, true
		}
	}
	return 0, false
}

// plainStruct reports whether t is a struct of which v5 sees only the fields.
func plainStruct(t reflect.Type) bool {
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() {
		return false
	}
	_, e := encodesItself(t)
	_, d := decodesItself(t)
	return !e && !d && !registered(t)
}

// registered reports whether v5 has an extension for t. There is no function
// that says so, so v5 is asked to decode the beginning of one, and to encode the
// zero value. Neither gets as far as code of the program unless t is registered.
func registered(t reflect.Type) bool {
	if t == reflect.TypeFor[time.Time]() || t.Kind() == reflect.Interface {
		return false
	}
	if o, ok := decodesItself(t); !ok || o != opV5 {
		for _, id := range []byte{0x5d, 0x5e} { // one of them is not the right one
			if probeDecoder(t, []byte{0xc7, 0, id}) {
				return true
			}
		}
	}
	if _, ok := encodesItself(t); !ok && !embedsItself(t, nil) && !holdsCircle(t, make(map[reflect.Type]bool)) {
		return probeEncoder(t)
	}
	return false
}

// embedsItself reports whether t is a struct like "type N struct{ *N }", on whose
// fields v5 never comes to an end. outer are the structs in which t is embedded.
func embedsItself(t reflect.Type, outer []reflect.Type) bool {
	for t.Kind() == reflect.Pointer && len(outer) > 0 {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return false
	}
	if slices.Contains(outer, t) {
		return true
	}
	outer = append(outer, t)
	for i := range t.NumField() {
		if f := t.Field(i); f.Anonymous && embedsItself(f.Type, outer) {
			return true
		}
	}
	return false
}

// holdsCircle reports whether a field of the struct t, or of one in it, is a pointer like
// "type P *P", which v5 follows for ever as soon as it looks at the fields.
func holdsCircle(t reflect.Type, seen map[reflect.Type]bool) bool {
	if turnsInCircles(t) {
		return true
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || seen[t] {
		return false
	}
	seen[t] = true
	for i := range t.NumField() {
		if holdsCircle(t.Field(i).Type, seen) {
			return true
		}
	}
	return false
}

func probeDecoder(t reflect.Type, header []byte) (extension bool) {
	defer func() { _ = recover() }()
	err := msgpack.NewDecoder(&probe{b: header}).DecodeValue(reflect.New(t).Elem())
	return err != nil && len(err.Error()) > len(extensionError) && err.Error()[:len(extensionError)] == extensionError
}

// extensionError is how v5 begins when it finds another extension than it wants.
const extensionError = "msgpack: got ext type="

func probeEncoder(t reflect.Type) (extension bool) {
	defer func() { _ = recover() }()
	var p probe
	enc := msgpack.NewEncoder(&p)
	enc.UseCompactInts(true)
	_ = enc.EncodeValue(reflect.New(t).Elem())
	return len(p.b) > 0 && (p.b[0] >= 0xc7 && p.b[0] <= 0xc9 || p.b[0] >= 0xd4 && p.b[0] <= 0xd8)
}

// probe gives single bytes, but no content, and takes one write.
type probe struct {
	b []byte
	i int
}

var errProbe = errors.New("probe")

func (p *probe) Read([]byte) (int, error) { return 0, errProbe }

func (p *probe) ReadByte() (byte, error) {
	if p.i == len(p.b) {
		return 0, io.ErrUnexpectedEOF
	}
	p.i++
	return p.b[p.i-1], nil
}

func (p *probe) UnreadByte() error { p.i--; return nil }

func (p *probe) Write(b []byte) (int, error) {
	p.b = append(p.b, b...)
	return 0, errProbe
}

func (p *probe) WriteByte(c byte) error {
	p.b = append(p.b, c)
	return errProbe
}
