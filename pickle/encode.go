package pickle

import (
	"encoding"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"time"
	"unicode/utf8"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/oversize"
)

// encoder writes pickles. It uses no memo: what is shared is written each time.
type encoder struct {
	trail
	protocol int // 3 or 4
	limit    int // the longest payload that can be sent
	start    int // of the payload, in the slice
	depth    int // containers that are open
	hops     int // pointers and interfaces that are open
	err      error
	keys     []entry // of the maps that are open
}

// maxHops bounds the pointers and interfaces between two containers, which may lead in circles.
const maxHops = 1000

func (e *encoder) encode(dst []byte, p *plan, v reflect.Value) ([]byte, error) {
	e.start, e.depth, e.hops, e.err, e.trail, e.keys = len(dst), 0, 0, nil, nil, e.keys[:0]
	defer e.forget()
	b, ok := e.value(append(dst, opProto, byte(e.protocol)), p, v)
	if _, large := e.err.(*oversize.Error); large {
		return dst, e.err
	}
	if !ok {
		return dst, e.wrap(p.typ, e.err)
	}
	return append(b, opStop), nil
}

// forget lets go of the keys and elements of maps.
func (e *encoder) forget() {
	if cap(e.keys) > 64 {
		e.keys = nil
	}
	clear(e.keys[:cap(e.keys)])
}

func (e *encoder) fail(format string, args ...any) bool {
	return e.failErr(fmt.Errorf(format, args...))
}

func (e *encoder) failErr(err error) bool {
	if e.err == nil {
		e.err = err
	}
	return false
}

// fits gives up a value whose encoding b is too long already.
func (e *encoder) fits(b []byte) bool {
	return len(b)-e.start <= e.limit || e.failErr(&oversize.Error{Least: len(b) - e.start})
}

// value appends the opcodes that leave v on the stack.
func (e *encoder) value(b []byte, p *plan, v reflect.Value) ([]byte, bool) {
	switch p.form {
	case formBool:
		if v.Bool() {
			return append(b, opNewTrue), true
		}
		return append(b, opNewFalse), true
	case formInt:
		return appendInt(b, v.Int()), true
	case formUint:
		return appendUint(b, v.Uint()), true
	case formFloat:
		b = append(b, opBinFloat)
		return binary.BigEndian.AppendUint64(b, math.Float64bits(v.Float())), true
	case formString:
		return e.string(b, v.String())
	case formStruct:
		return e.structure(b, p, v)
	case formSlice:
		if v.IsNil() {
			return append(b, opNone), true
		}
		return e.list(b, p, v)
	case formArray:
		return e.tuple(b, p, v)
	case formMap, formSet:
		if v.IsNil() {
			return append(b, opNone), true
		}
		return e.mapping(b, p, v)
	case formPointer:
		return e.pointer(b, p, v)
	case formAny:
		return e.any(b, v)
	case formBytes:
		if v.IsNil() {
			return append(b, opNone), true
		}
		b = e.appendBytes(b, v.Bytes())
		return b, e.fits(b)
	case formByteArray:
		return e.appendBytes(b, addressable(v).Bytes()), true
	case formText:
		return e.textMethod(b, v)
	case formTime:
		return e.time(b, v.Interface().(time.Time))
	case formDuration:
		return e.duration(b, v.Interface().(time.Duration))
	case formDate:
		return e.date(b, v.Interface().(Date))
	case formTimeOfDay:
		return e.timeOfDay(b, v.Interface().(TimeOfDay))
	case formDecimal:
		return e.decimal(b, v.Interface().(Decimal))
	case formBigInt:
		return appendBig(b, addressable(v).Addr().Interface().(*big.Int)), true
	}
	if p.unfit != "" {
		return b, e.fail("%s", p.unfit)
	}
	return b, e.fail("%v cannot be encoded", p.typ)
}

// addressable returns v, or a copy of it that can be addressed.
func addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v
	}
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	return c
}

// open begins a container.
func (e *encoder) open() bool {
	if e.depth == maxDepth {
		return e.fail("nested deeper than %d levels, or a value that contains itself", maxDepth)
	}
	e.depth++
	return true
}

// hop begins what a pointer points to, or an interface holds.
func (e *encoder) hop() bool {
	if e.hops == maxHops {
		return e.fail("more than %d pointers and interfaces, or a value that contains itself", maxHops)
	}
	e.hops++
	return true
}

func (e *encoder) pointer(b []byte, p *plan, v reflect.Value) ([]byte, bool) {
	if v.IsNil() {
		return append(b, opNone), true
	}
	if !e.hop() {
		return b, false
	}
	b, ok := e.value(b, p.elem, v.Elem())
	e.hops--
	return b, ok
}

func (e *encoder) any(b []byte, v reflect.Value) ([]byte, bool) {
	if v.IsNil() {
		return append(b, opNone), true
	}
	v = v.Elem()
	p := planFor(v.Type())
	if err := p.heldFault(); err != nil {
		return b, e.failErr(err)
	}
	if !e.hop() {
		return b, false
	}
	b, ok := e.value(b, p, v)
	e.hops--
	return b, ok
}

func (e *encoder) list(b []byte, p *plan, v reflect.Value) ([]byte, bool) {
	b = append(b, opEmptyList)
	if !e.open() {
		return b, false
	}
	if v.Len() > 0 {
		var ok bool
		if b, ok = e.items(append(b, opMark), p, v); !ok {
			return b, false
		}
		b = append(b, opAppends)
	}
	e.depth--
	return b, true
}

func (e *encoder) items(b []byte, p *plan, v reflect.Value) (_ []byte, ok bool) {
	for i := range v.Len() {
		if b, ok = e.value(b, p.elem, v.Index(i)); !ok {
			return b, e.inElement(i)
		}
		if !e.fits(b) {
			return b, false
		}
	}
	return b, true
}

// tuple writes an array.
func (e *encoder) tuple(b []byte, p *plan, v reflect.Value) ([]byte, bool) {
	if !e.open() {
		return b, false
	}
	n := v.Len()
	if n > 3 {
		b = append(b, opMark)
	}
	b, ok := e.items(b, p, v)
	e.depth--
	if n > 3 {
		return append(b, opTuple), ok
	}
	return append(b, [...]byte{opEmptyTuple, opTuple1, opTuple2, opTuple3}[n]), ok
}

func (e *encoder) structure(b []byte, p *plan, v reflect.Value) (_ []byte, ok bool) {
	b = append(b, opEmptyDict)
	if !e.open() {
		return b, false
	}
	empty := len(b)
	for i := range p.fields.all {
		f := &p.fields.all[i]
		fv := v.FieldByIndex(f.index)
		if f.omitEmpty && isEmpty(fv) {
			continue
		}
		if len(b) == empty {
			b = append(b, opMark)
		}
		b = append(b, f.key[e.protocol-3]...)
		if b, ok = e.value(b, f.plan, fv); !ok {
			return b, e.inField(f.goName)
		}
	}
	if len(b) > empty {
		b = append(b, opSetItems)
	}
	e.depth--
	return b, e.fits(b)
}

func (e *encoder) string(b []byte, s string) ([]byte, bool) {
	if !utf8.ValidString(s) {
		return b, e.failErr(notUTF8(s))
	}
	b = e.appendText(b, s)
	return b, e.fits(b)
}

func (e *encoder) textMethod(b []byte, v reflect.Value) ([]byte, bool) {
	text, err := addressable(v).Addr().Interface().(encoding.TextMarshaler).MarshalText()
	if err != nil {
		return b, e.failErr(err)
	}
	return e.string(b, string(text))
}

func (e *encoder) decimal(b []byte, d Decimal) ([]byte, bool) {
	if d == "" {
		return append(b, opNone), true
	}
	if !isDecimal(d) {
		return b, e.fail("Decimal %s, which Python would refuse", excerpt.Quote(string(d), maxName))
	}
	b = e.appendGlobal(b, "decimal", "Decimal")
	b = e.appendText(b, string(d))
	return append(b, opTuple1, opReduce), true
}
