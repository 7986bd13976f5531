package mpplan

import (
	"reflect"
	"time"
	"unsafe"
)

// empty reports whether the value at p is left out where it is to be omitted if it is empty:
// it arrives as the zero value, or as nil in an interface. v5 leaves out besides structs
// without exported fields, whatever their methods would make of them.
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
		if n.enc != opStruct && !v.IsZero() {
			return false // its methods know what is in it
		}
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
	if fs == nil { // v5 looks at the fields even of an extension
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
