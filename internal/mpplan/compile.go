package mpplan

import (
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// builder has the nodes that are being compiled, so that a recursive type finds
// its own.
type builder struct {
	nodes map[reflect.Type]*node
}

func (b *builder) build(t reflect.Type) *node {
	if n, ok := nodes.Load(t); ok {
		return n.(*node)
	}
	if n, ok := b.nodes[t]; ok {
		return n
	}
	n := &node{typ: t, size: t.Size(), isZeroer: t.Implements(reflect.TypeFor[isZeroer]())}
	b.nodes[t] = n
	if t.Kind() != reflect.Pointer && registered(t) {
		n.enc, n.dec, n.extension = opV5, opV5, true
		return n
	}
	b.byKind(n)
	if m, ok := encodesItself(t); ok {
		n.enc = m
	}
	if m, ok := decodesItself(t); ok {
		n.dec = m
		n.direct = m == opV5 && !nilable(t.Kind()) // of those, v5 may call the method of the value
	}
	if n.enc >= opBinary || n.dec >= opBinary {
		n.pointer = typeIn(reflect.Zero(reflect.PointerTo(t)).Interface())
	}
	return n
}

// byKind fills in n for a type without methods.
func (b *builder) byKind(n *node) {
	t := n.typ
	switch t {
	case reflect.TypeFor[time.Time]():
		n.enc, n.dec = opTime, opTime
		return
	case reflect.TypeFor[msgpack.RawMessage]():
		n.enc, n.dec = opRaw, opRaw
		return
	case reflect.TypeFor[error]():
		n.enc, n.dec = opError, opError
		return
	}
	o := opUnsupported
	switch t.Kind() {
	case reflect.Bool:
		o = opBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		o = map[uintptr]op{1: opInt8, 2: opInt16, 4: opInt32, 8: opInt64}[n.size]
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		o = map[uintptr]op{1: opUint8, 2: opUint16, 4: opUint32, 8: opUint64}[n.size]
	case reflect.Float32:
		o = opFloat32
	case reflect.Float64:
		o = opFloat64
	case reflect.String:
		o = opString
	case reflect.Interface:
		o = opInterface
		if t.NumMethod() == 0 {
			o = opAny
		}
	case reflect.Pointer:
		o = opPointer
		n.elem = b.build(t.Elem())
		if turnsInCircles(t) {
			o, n.unfit = opUnsupported, fmt.Sprintf("%v points to nothing but itself", t)
		}
	case reflect.Slice:
		o = opSlice
		n.elem = b.build(t.Elem())
		if t.Elem().Kind() == reflect.Uint8 {
			o = opBytes
		}
	case reflect.Array:
		o = opArray
		n.elem, n.len = b.build(t.Elem()), t.Len()
		if t.Elem().Kind() == reflect.Uint8 {
			o = opByteArray
		}
	case reflect.Map:
		o = opMap
		n.key, n.elem = b.build(t.Key()), b.build(t.Elem())
		n.scratch = &sync.Pool{New: func() any { return newMapScratch(t) }}
		n.apart, n.always = hasPointers(t.Key()), alwaysKey(t.Key())
	case reflect.Struct:
		o = opStruct
		n.fields = b.fieldsOf(t)
		n.unfit = n.fields.unfit
		if n.unfit != "" {
			o = opUnsupported
		}
	}
	n.enc, n.dec = o, o
}

// turnsInCircles reports whether t is a pointer type like "type P *P".
func turnsInCircles(t reflect.Type) bool {
	seen := make(map[reflect.Type]bool)
	for ; t.Kind() == reflect.Pointer; t = t.Elem() {
		if seen[t] {
			return true
		}
		seen[t] = true
	}
	return false
}
