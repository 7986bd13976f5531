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
	if n.isZeroer {
		v := reflect.NewAt(n.typ, p).Elem()
		return nilable(n.typ.Kind()) && v.IsNil() || v.Interface().(isZeroer).IsZero()
	}
	switch n.typ.Kind() {
	case reflect.String:
		return len(*(*string)(p)) == 0
	case reflect.Slice:
		return (*sliceHeader)(p).len == 0
	case reflect.Array:
		return n.typ.Len() == 0
	case reflect.Map:
		return *(*unsafe.Pointer)(p) == nil || reflect.NewAt(n.typ, p).Elem().Len() == 0
	case reflect.Pointer:
		return *(*unsafe.Pointer)(p) == nil
	case reflect.Struct:
		if n.enc != opStruct && !reflect.NewAt(n.typ, p).Elem().IsZero() {
			return false // its methods know what is in it
		}
		return e.emptyStruct(n, p)
	case reflect.Bool, reflect.Int8, reflect.Uint8:
		return *(*uint8)(p) == 0
	case reflect.Int16, reflect.Uint16:
		return *(*uint16)(p) == 0
	case reflect.Int32, reflect.Uint32:
		return *(*uint32)(p) == 0
	case reflect.Int64, reflect.Uint64:
		return *(*uint64)(p) == 0
	case reflect.Int, reflect.Uint:
		return *(*uint)(p) == 0
	case reflect.Float32:
		return *(*float32)(p) == 0 // also the negative zero
	case reflect.Float64:
		return *(*float64)(p) == 0
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
