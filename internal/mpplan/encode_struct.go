package mpplan

import (
	"reflect"
	"time"
	"unsafe"
)

// structure appends the struct at p.
func (e *Encoder) structure(b []byte, n *node, p unsafe.Pointer) []byte {
	if !e.open(n) {
		return b
	}
	fs := n.fields
	if e.Arrays || fs.asArray {
		b = appendArray(b, fs.written)
		for i := range fs.written {
			b = e.field(b, &fs.all[i], p)
			if e.err != nil {
				return b
			}
		}
		e.depth--
		return b
	}
	if fs.twice != "" {
		e.fail("two fields of %v are named %q", n.typ, fs.twice)
		return b
	}

	count := fs.written
	var omitted uint64 // of the first 64 fields; the others are asked twice
	if fs.omits {
		for i := range fs.written {
			if e.omit(&fs.all[i], p) {
				count--
				omitted |= 1 << i
			}
		}
	}
	b = appendMap(b, count)
	for i := range fs.written {
		f := &fs.all[i]
		if omitted>>i&1 != 0 || i >= 64 && fs.omits && e.omit(f, p) {
			continue
		}
		b = append(b, f.key...)
		b = e.field(b, f, p)
		if e.err != nil {
			return b
		}
	}
	e.depth--
	return b
}

// field appends the field f of the struct at p. The kinds that most fields have
// are done here, without another call.
func (e *Encoder) field(b []byte, f *field, p unsafe.Pointer) []byte {
	if f.hops != nil {
		q, ok := f.of(p)
		if !ok {
			return append(b, 0xc0)
		}
		p = q
	} else {
		p = unsafe.Add(p, f.offset)
	}
	switch f.enc {
	case opInt64:
		return appendInt(b, *(*int64)(p))
	case opUint64:
		return appendUint(b, *(*uint64)(p))
	case opFloat64:
		return appendUint64(b, 0xcb, *(*uint64)(p))
	case opString:
		s := *(*string)(p)
		if validString(s) {
			return appendString(b, s)
		}
	}
	b = e.value(b, f.node, p)
	if e.err != nil {
		e.inField(f)
	}
	return b
}

// omit reports whether the field f of the struct at p is left out. It is asked
// only if some field of the struct has omitempty, and then for all of them.
func (e *Encoder) omit(f *field, p unsafe.Pointer) bool {
	q, ok := f.of(p)
	return !ok || f.omitEmpty && e.empty(f.node, q)
}

// empty reports whether v5 takes the value at p for empty.
func (e *Encoder) empty(n *node, p unsafe.Pointer) bool {
	if n.typ.Kind() == reflect.Interface {
		v := reflect.NewAt(n.typ, p).Elem()
		if v.IsNil() {
			return true
		}
		v = v.Elem()
		c := reflect.New(v.Type())
		c.Elem().Set(v)
		return e.empty(nodeFor(v.Type()), c.UnsafePointer())
	}
	if n.enc == opTime {
		return (*time.Time)(p).IsZero()
	}
	v := reflect.NewAt(n.typ, p).Elem()
	if n.isZeroer {
		return nilable(n.typ.Kind()) && v.IsNil() || v.Interface().(isZeroer).IsZero()
	}
	switch n.typ.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return e.emptyStruct(n, p)
	case reflect.Pointer:
		return v.IsNil()
	case reflect.Bool,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return v.IsZero()
	case reflect.Float32, reflect.Float64:
		return v.Float() == 0 // also the negative zero
	default:
		return false
	}
}

// emptyStruct reports whether no field of the struct at p would be written.
func (e *Encoder) emptyStruct(n *node, p unsafe.Pointer) bool {
	fs := n.fields
	if fs == nil { // v5 looks at the fields even of a struct that encodes itself
		compile.Lock()
		defer compile.Unlock()
		fs = (&builder{nodes: make(map[reflect.Type]*node)}).fieldsOf(n.typ)
	}
	if fs.written == 0 {
		return true
	}
	if !fs.omits {
		return false
	}
	for i := range fs.written {
		if !e.omit(&fs.all[i], p) {
			return false
		}
	}
	return true
}

func nilable(k reflect.Kind) bool {
	switch k {
	case reflect.Chan, reflect.Func, reflect.Interface, reflect.Map, reflect.Pointer, reflect.Slice:
		return true
	}
	return false
}
