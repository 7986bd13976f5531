package mpplan

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"unsafe"

	"github.com/fb9bb4ed/qsocket/internal/mpscan"
	"github.com/vmihailenco/msgpack/v5"
)

// hook appends the value at p by a method of its own or by v5.
func (e *Encoder) hook(b []byte, n *node, p unsafe.Pointer) []byte {
	if nilable(n.typ.Kind()) && reflect.NewAt(n.typ, p).Elem().IsNil() {
		return append(b, nilByte)
	}
	start := len(b)
	switch n.enc {
	case opRaw:
		return e.checked(append(b, *(*[]byte)(p)...), start, n)

	case opError:
		return e.string(b, (*(*error)(p)).Error())

	case opBinary:
		data, err := methodsAt(n, p).(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil {
			e.failErr(err)
		}
		return appendBytes(b, data)

	case opText:
		text, err := methodsAt(n, p).(encoding.TextMarshaler).MarshalText()
		if err != nil {
			e.failErr(err)
		}
		return appendBytes(b, text)

	case opMarshal:
		data, err := methodsAt(n, p).(msgpack.Marshaler).MarshalMsgpack()
		if err != nil {
			e.failErr(err)
			return b
		}
		return e.checked(append(b, data...), start, n)
	}

	// Taken out, and put back after a success: what state an error or a panic
	// leaves in it is undefined.
	enc := e.v5
	e.v5 = nil
	if enc == nil {
		enc = msgpack.NewEncoder(nil)
	}
	// A method of a type that v5 has called may have set anything, for the values that it
	// encodes; ResetWriter would leave it for those of the next message.
	enc.Reset(&e.w)
	enc.UseCompactInts(true)
	enc.SetSortMapKeys(true)
	enc.UseArrayEncodedStructs(e.Arrays)
	e.w.begin(b, e.depth)
	var err error
	if n.extension {
		err = enc.EncodeValue(reflect.NewAt(n.typ, p).Elem())
	} else {
		err = methodsAt(n, p).(msgpack.CustomEncoder).EncodeMsgpack(enc) // as v5 would, which has to look it up
	}
	b = e.w.take()
	if err != nil {
		e.failErr(err)
		return b
	}
	e.v5 = enc
	return e.checked(b, start, n)
}

// writer is what v5 writes to. It ends what does not come to an end: v5 calls itself for
// each level of a value, and so does a method of a type that has v5 encode a part of it.
// So from time to time the writer looks at what it has got, and returns an error if that
// is no longer the beginning of one value within the levels that are allowed.
type writer struct {
	b       []byte
	start   int             // of the value in b
	next    int             // length of b at which to look next
	outer   int             // levels that the value is in
	outline *mpscan.Outline // of the value, nil at first
}

// lookEvery is after how many bytes the writer looks. Each level of a value takes one at
// least, and v5 about 1 KiB of stack, of which there is 1 GiB.
const lookEvery = 64 << 10

// begin makes w ready for a value behind b.
func (w *writer) begin(b []byte, outer int) {
	*w = writer{b: b, start: len(b), next: len(b) + lookEvery, outer: outer}
}

func (w *writer) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	if len(w.b) > w.next {
		return len(p), w.look()
	}
	return len(p), nil
}

func (w *writer) WriteByte(c byte) error {
	w.b = append(w.b, c)
	if len(w.b) > w.next {
		return w.look()
	}
	return nil
}

func (w *writer) look() error {
	w.next = len(w.b) + lookEvery
	if w.outline == nil {
		w.outline = new(mpscan.Outline)
	}
	return w.outline.Grow(w.b[w.start:], w.outer)
}

// take returns what was written, and lets go of it.
func (w *writer) take() []byte {
	b := w.b
	*w = writer{}
	return b
}

// checked returns b if what was appended from i on is one value.
func (e *Encoder) checked(b []byte, i int, n *node) []byte {
	e.scan.AllowInvalidUTF8 = e.InvalidUTF8
	end, err := e.scan.Skip(b[e.start:], i-e.start, e.depth)
	switch {
	case err != nil:
		e.failErr(fmt.Errorf("what %v encodes as: %w", n.typ, err))
	case e.start+end != len(b):
		e.fail("%v encodes as a value and %d trailing bytes", n.typ, len(b)-e.start-end)
	case e.hops > 0 && holdsOthers(b[i]):
		e.arrives(b[i:], n)
	case e.Tally && n.enc != opRaw:
		e.held += mpscan.Cost(b[i:])
	}
	return b
}

// arrives refuses what a method has made of something in an interface if there is nothing
// that it could arrive as: a map whose keys are no strings.
func (e *Encoder) arrives(b []byte, n *node) {
	d := Decoder{Options: e.Options}
	d.Expansion = math.MaxInt // which is another question
	var v any
	if err := d.decode(b, nodeFor(reflect.TypeFor[any]()), unsafe.Pointer(&v)); err != nil {
		e.failErr(fmt.Errorf("what %v encodes as cannot arrive in an interface: %w", n.typ, err))
	}
	e.held += d.Spent(len(b))
}
