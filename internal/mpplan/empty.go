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
		return e.emptyHeld(v.Elem())
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

// maxLooks is how many interfaces are looked at to see whether a struct is empty. Structs in
// interfaces that hold each other can be empty, and have parts without an end in common.
const maxLooks = 100_000

// emptyHeld is empty for what an interface holds.
func (e *Encoder) emptyHeld(v reflect.Value) bool {
	if e.looks--; e.looks < 0 || e.hops == maxHops {
		e.fail("%v has too many parts to see whether it is empty", v.Type())
		return false
	}
	e.hops++
	c := reflect.New(v.Type())
	c.Elem().Set(v)
	is := e.empty(nodeFor(v.Type()), c.UnsafePointer())
	e.hops--
	return is
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
