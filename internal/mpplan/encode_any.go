package mpplan

import (
	"reflect"
	"time"
	"unsafe"
)

// maxHops is how many interfaces may hold each other. A value that consists of
// nothing but pointers and interfaces has no depth.
const maxHops = 10 * MaxDepth

// any appends what an interface holds.
func (e *Encoder) any(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, nilByte)
	case string:
		return e.string(b, v)
	case bool:
		return appendBool(b, v)
	case int:
		return appendInt(b, int64(v))
	case int64:
		return appendInt(b, v)
	case float64:
		return appendUint64(b, 0xcb, *(*uint64)(unsafe.Pointer(&v)))
	case []byte:
		return appendBytes(b, v)
	case time.Time:
		return appendTime(b, v)
	}
	if e.hops == maxHops {
		e.fail("%d interfaces hold each other", maxHops)
		return b
	}
	e.hops++
	b = e.inside(b, reflect.ValueOf(v))
	e.hops--
	return b
}

// inside appends a value of any type.
func (e *Encoder) inside(b []byte, v reflect.Value) []byte {
	n := nodeFor(v.Type())
	if n.enc >= opSlice {
		if err := n.heldFault(); err != nil {
			e.failErr(err)
			return b
		}
	}
	if n.enc == opPointer {
		if v.IsNil() {
			return append(b, nilByte)
		}
		return e.value(b, n.elem, v.UnsafePointer())
	}
	// An interface gives no access to what it holds; a copy does.
	c := reflect.New(n.typ)
	c.Elem().Set(v)
	return e.value(b, n, c.UnsafePointer())
}
