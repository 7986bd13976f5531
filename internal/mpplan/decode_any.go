package mpplan

import (
	"encoding/binary"
	"reflect"
	"unsafe"

	"github.com/fb9bb4ed/qsocket/internal/mpscan"
)

// any decodes whatever is at i, to the types that v5 makes of it.
func (d *Decoder) any(i int, p *any) int {
	b := d.b
	if i >= len(b) {
		return d.end(i)
	}
	c := b[i]
	switch {
	case c <= 0x7f || c >= 0xe0:
		*p = int8(c)
		return i + 1
	case c&0xf0 == 0x80 || c == 0xde || c == 0xdf:
		return d.anyMap(i, p)
	case c&0xf0 == 0x90 || c == 0xdc || c == 0xdd:
		return d.anySlice(i, p)
	case c&0xe0 == 0xa0 || c >= 0xd9 && c <= 0xdb:
		var s string
		if i = d.string(i, &s); i < 0 || !d.boxString(s, p) {
			return failed
		}
		return i
	case c >= 0xc4 && c <= 0xc6:
		var s []byte
		if !d.spend(sliceSize) {
			return failed
		}
		end := d.bytes(i, &s)
		*p = s
		return end
	case c >= 0xca && c <= 0xd3:
		return d.anyNumber(i, c, p)
	case c == 0xc0:
		*p = nil
	case c == 0xc2:
		*p = false
	case c == 0xc3:
		*p = true
	case c == 0xc1:
		return d.unexpected(i, "a value")
	default:
		return d.anyExtension(i, p)
	}
	return i + 1
}

// What an interface allocates for what it holds.
const (
	numberSize = 8
	stringSize = 16
	sliceSize  = 24
	timeSize   = 24
)

// anyNumber decodes the float or integer behind c.
func (d *Decoder) anyNumber(i int, c byte, p *any) int {
	n := [...]int{4, 8, 1, 2, 4, 8, 1, 2, 4, 8}[c-0xca]
	if len(d.b)-i <= n {
		return d.lacking(i, n)
	}
	b := d.b[i+1:]
	switch i += 1 + n; c {
	case 0xcc:
		*p = b[0] // which takes no memory
		return i
	case 0xd0:
		*p = int8(b[0])
		return i
	}
	box := d.boxNumber()
	if box == nil {
		return failed
	}
	var typ unsafe.Pointer
	switch c {
	case 0xca:
		typ = float32Type
		*(*uint32)(box) = binary.BigEndian.Uint32(b)
	case 0xcb:
		typ = float64Type
		*(*uint64)(box) = binary.BigEndian.Uint64(b)
	case 0xcd:
		typ = uint16Type
		*(*uint16)(box) = binary.BigEndian.Uint16(b)
	case 0xce:
		typ = uint32Type
		*(*uint32)(box) = binary.BigEndian.Uint32(b)
	case 0xcf:
		typ = uint64Type
		*(*uint64)(box) = binary.BigEndian.Uint64(b)
	case 0xd1:
		typ = int16Type
		*(*uint16)(box) = binary.BigEndian.Uint16(b)
	case 0xd2:
		typ = int32Type
		*(*uint32)(box) = binary.BigEndian.Uint32(b)
	case 0xd3:
		typ = int64Type
		*(*uint64)(box) = binary.BigEndian.Uint64(b)
	}
	*(*interfaceHeader)(unsafe.Pointer(p)) = interfaceHeader{typ, box}
	return i
}

func (d *Decoder) anySlice(i int, p *any) int {
	count, i := d.arrayHeader(i, "")
	if i < 0 || !d.open(i, count, 1, "array of elements") || !d.spend(mpscan.SliceCost(count, stringSize)+sliceSize) {
		return failed
	}
	s := anys(count, p)
	for k := range s {
		if i = d.any(i, &s[k]); i < 0 {
			d.inElement(k)
			return failed
		}
	}
	d.depth--
	return i
}

func (d *Decoder) anyMap(i int, p *any) int {
	count, i := d.mapHeader(i, "")
	if i < 0 || !d.open(i, count, 2, "map of entries") || !d.spend(mpscan.MapCost(count, 2*stringSize)) {
		return failed
	}
	m := make(map[string]any, count)
	*p = m
	if count == 0 {
		d.depth--
		return i
	}
	elem := new(any)
	for k := range count {
		var key string
		if i = d.string(i, &key); i < 0 {
			d.inKey(k)
			return failed
		}
		if i = d.any(i, elem); i < 0 {
			d.inEntry(reflect.ValueOf(key))
			return failed
		}
		m[key] = *elem
		*elem = nil
	}
	if i = d.distinct(i, len(m), count); i >= 0 {
		d.depth--
	}
	return i
}

func (d *Decoder) anyExtension(i int, p *any) int {
	id, data, end := d.extension(i, "a value")
	switch {
	case end < 0 || !d.spend(timeSize):
		return failed
	case id == -128:
		d.fail("extension of type -128: interned strings are not supported")
		return failed
	case id == -1:
		t, end := d.seconds(data, end)
		*p = t
		return end
	}
	return d.withV5(i, end, anyNode, unsafe.Pointer(p), true)
}

var anyNode = &node{typ: reflect.TypeFor[any]()}

// assign decodes the value at i to an interface with methods. v5 knows no type
// that has them, except for those of extensions.
func (d *Decoder) assign(i int, n *node, p unsafe.Pointer) int {
	var v any
	end := d.any(i, &v)
	if end < 0 || v == nil {
		return end
	}
	if !reflect.TypeOf(v).AssignableTo(n.typ) {
		d.fail("%T for %v", v, n.typ)
		return failed
	}
	reflect.NewAt(n.typ, p).Elem().Set(reflect.ValueOf(v))
	return end
}
