package mpsort

import (
	"encoding"
	"reflect"
	"sync"

	"github.com/vmihailenco/msgpack/v5"
)

// Plan says how to encode the values of one type. The nil Plan leaves them to v5.
type Plan struct {
	kind    reflect.Kind
	elem    *Plan   // of pointers, slices, arrays, maps
	fields  []field // of structs, in the order in which v5 writes them
	asArray bool    // the struct asks to be an array
	omits   bool    // some field is omitted if empty
}

var plans sync.Map // reflect.Type to *Plan

// For returns the Plan for t: nil if no value of t can hold a map that v5
// writes in random order. It is worked out once for each type.
func For(t reflect.Type) *Plan {
	if p, ok := plans.Load(t); ok {
		return p.(*Plan)
	}
	b := builder{}
	p, _ := plans.LoadOrStore(t, b.build(t))
	return p.(*Plan)
}

// builder has the plans of the types that have been met, so that a recursive
// type finds its own.
type builder map[reflect.Type]*Plan

func (b builder) build(t reflect.Type) *Plan {
	if p, ok := b[t]; ok {
		return p
	}
	if !needsPlan(t, map[reflect.Type]bool{}) {
		return nil
	}
	p := &Plan{kind: t.Kind()}
	b[t] = p
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		p.elem = b.build(t.Elem())
	case reflect.Struct:
		s, _ := structOf(t)
		p.fields, p.asArray = s.fields, s.asArray
		for i := range p.fields {
			f := &p.fields[i]
			f.plan = b.build(f.typ)
			p.omits = p.omits || f.omitEmpty
		}
	}
	return p
}

// needsPlan reports whether a value of t can hold a map that v5 does not sort.
// seen has the types that are being looked at.
func needsPlan(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] || encodesItself(t) {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Interface:
		return t != reflect.TypeFor[error]() // v5 writes its text
	case reflect.Pointer:
		return needsPlan(t.Elem(), seen)
	case reflect.Slice, reflect.Array:
		return t.Elem().Kind() != reflect.Uint8 && needsPlan(t.Elem(), seen)
	case reflect.Map:
		str := reflect.TypeFor[string]()
		return t.Key() != str || t.Elem() != str && t.Elem() != reflect.TypeFor[bool]()
	case reflect.Struct:
		s, ok := structOf(t)
		if !ok {
			return false
		}
		for _, f := range s.fields {
			if needsPlan(f.typ, seen) {
				return true
			}
		}
	}
	return false
}

// The methods by which v5 lets a type encode or decode itself.
var (
	encoders = []reflect.Type{
		reflect.TypeFor[msgpack.CustomEncoder](),
		reflect.TypeFor[msgpack.Marshaler](),
		reflect.TypeFor[encoding.BinaryMarshaler](),
		reflect.TypeFor[encoding.TextMarshaler](),
	}
	decoders = []reflect.Type{
		reflect.TypeFor[msgpack.CustomDecoder](),
		reflect.TypeFor[msgpack.Unmarshaler](),
		reflect.TypeFor[encoding.BinaryUnmarshaler](),
		reflect.TypeFor[encoding.TextUnmarshaler](),
	}
)

func encodesItself(t reflect.Type) bool { return implementsAny(t, encoders) }
func decodesItself(t reflect.Type) bool { return implementsAny(t, decoders) }

// implementsAny reports whether t or a pointer to it has one of the interfaces.
func implementsAny(t reflect.Type, interfaces []reflect.Type) bool {
	for _, i := range interfaces {
		if t.Implements(i) || t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(i) {
			return true
		}
	}
	return false
}
