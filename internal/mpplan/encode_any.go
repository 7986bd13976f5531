package mpplan

import (
	"reflect"
	"time"
	"unsafe"
)

// maxHops is how many interfaces may hold each other. A value that consists of
// nothing but pointers and interfaces has no depth.
const maxHops = 10 * MaxDepth

// any appends what the interface at p holds.
func (e *Encoder) any(b []byte, p *any) []byte {
	switch v := (*p).(type) {
	case nil:
		return append(b, nilByte)
	case string:
		return e.string(b, v)
	case bool:
		return appendBool(b, v)
	case int:
		return appendInt(b, int64(v))
	case int8:
		return appendInt(b, int64(v))
	case int16:
		return appendInt(b, int64(v))
	case int32:
		return appendInt(b, int64(v))
	case int64:
		return appendInt(b, v)
	case uint:
		return appendUint(b, uint64(v))
	case uint8:
		return appendUint(b, uint64(v))
	case uint16:
		return appendUint(b, uint64(v))
	case uint32:
		return appendUint(b, uint64(v))
	case uint64:
		return appendUint(b, v)
	case float32:
		return appendFloat32(b, v)
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
	b = e.inside(b, p)
	e.hops--
	return b
}

// inside appends what the interface at p holds, of any type.
func (e *Encoder) inside(b []byte, p *any) []byte {
	n := e.types.node(p)
	if n.enc >= opSlice {
		if err := n.heldFault(); err != nil {
			e.failErr(err)
			return b
		}
	}
	held := (*interfaceHeader)(unsafe.Pointer(p))
	switch n.inside {
	case insideWord:
		return e.value(b, n, unsafe.Pointer(&held.data))
	case insideMemory:
		return e.value(b, n, held.data)
	}
	c := reflect.New(n.typ)
	c.Elem().Set(reflect.ValueOf(*p))
	return e.value(b, n, c.UnsafePointer())
}

// interfaceHeader is the layout of an interface without methods.
type interfaceHeader struct {
	typ  unsafe.Pointer // identifies the type of what it holds
	data unsafe.Pointer // a pointer or a map itself; what else it holds is there, and is not to be written to
}

// place is where a value is that an interface holds.
type place uint8

const (
	insideCopy   place = iota // a copy has to be made: a method could write to what it is called for
	insideWord                // in the interface
	insideMemory              // where it points to
)

// placeOf says where values of n are in an interface.
func placeOf(n *node) place {
	switch k := n.typ.Kind(); {
	case k == reflect.Pointer || k == reflect.Map && n.enc == opMap:
		return insideWord
	case mayBeWord(n.typ) || writes(n):
		return insideCopy
	}
	return insideMemory
}

// mayBeWord reports whether a t may stand in an interface itself, as what consists of one
// pointer does.
func mayBeWord(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return true
	case reflect.Array:
		return t.Size() == unsafe.Sizeof(uintptr(0)) && mayBeWord(t.Elem())
	case reflect.Struct:
		for i := 0; t.Size() == unsafe.Sizeof(uintptr(0)) && i < t.NumField(); i++ {
			if mayBeWord(t.Field(i).Type) {
				return true
			}
		}
	}
	return false
}

// writes reports whether a method of the program is called with a pointer to a part of a value.
func writes(n *node) bool {
	switch n.enc {
	case opBinary, opText, opMarshal, opV5:
		return true
	case opArray:
		return writes(n.elem)
	case opStruct:
		for i := range n.fields.all[:n.fields.written] {
			if f := &n.fields.all[i]; len(f.hops) == 0 && writes(f.node) {
				return true
			}
		}
	}
	return false
}

// typeCache has the plans of types that interfaces held last.
type typeCache [8]struct {
	typ unsafe.Pointer
	n   *node
}

// node returns the plan for what the interface at p holds.
func (c *typeCache) node(p *any) *node {
	typ := (*interfaceHeader)(unsafe.Pointer(p)).typ
	at := uintptr(typ)
	known := &c[(at>>5^at>>9)%uintptr(len(c))]
	if known.typ != typ {
		known.typ, known.n = typ, nodeFor(reflect.TypeOf(*p))
	}
	return known.n
}
