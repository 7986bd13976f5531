package mpplan

import (
	"encoding/binary"
	"reflect"
	"unsafe"

	"github.com/fb9bb4ed/qsocket/internal/intern"
	"github.com/fb9bb4ed/qsocket/internal/mpscan"
)

// arrayHeader reads the header of an array at i. The count of nil is -1.
func (d *Decoder) arrayHeader(i int, want string) (count, end int) {
	b := d.b
	if i >= len(b) {
		return 0, d.end(i)
	}
	switch c := b[i]; {
	case c&0xf0 == 0x90:
		return int(c & 0xf), i + 1
	case c == nilByte:
		return -1, i + 1
	case c == 0xdc:
		if len(b)-i < 3 {
			return 0, d.lacking(i, 2)
		}
		return int(binary.BigEndian.Uint16(b[i+1:])), i + 3
	case c == 0xdd:
		return d.count32(i)
	}
	return 0, d.unexpected(i, want)
}

// empty is where slices without elements point to.
var empty uint64

// slice decodes the array at i to the slice at p, which is nil.
func (d *Decoder) slice(i int, n *node, p unsafe.Pointer) int {
	if n.elem.dec == opString {
		return d.stringSlice(i, (*[]string)(p))
	}
	count, i := d.arrayHeader(i, "an array")
	if i < 0 {
		return failed
	}
	s := (*sliceHeader)(p)
	if count < 0 {
		return i
	}
	if !d.open(i, count, 1, "array of elements") || count > 0 && !d.spend(mpscan.SliceCost(count, int(n.elem.size))) {
		return failed
	}
	if count == 0 {
		*s = sliceHeader{data: unsafe.Pointer(&empty)}
		d.depth--
		return i
	}
	v := reflect.NewAt(n.typ, p).Elem()
	v.Grow(count)
	v.SetLen(count)
	return d.elements(i, n, s.data, count)
}

// stringSlice decodes the array at i to the slice at p, which is nil.
func (d *Decoder) stringSlice(i int, p *[]string) int {
	count, i := d.arrayHeader(i, "an array")
	if i < 0 || count < 0 {
		return i
	}
	if !d.open(i, count, 1, "array of elements") {
		return failed
	}
	if count == 0 {
		*p = []string{}
		d.depth--
		return i
	}
	if !d.spend(mpscan.SliceCost(count, int(unsafe.Sizeof("")))) {
		return failed
	}
	ss, shared := d.names.Slice(count)
	for k := range ss {
		if i = d.string(i, &ss[k]); i < 0 {
			d.inElement(k)
			return failed
		}
		if shared && len(ss[k]) > intern.MaxLen {
			if !d.spend(mpscan.SliceCost(count, int(unsafe.Sizeof("")))) {
				return failed
			}
			ss, shared = intern.Own(ss), false
		}
	}
	*p = ss
	d.depth--
	return i
}

// elements decodes count elements to p, and ends their array.
func (d *Decoder) elements(i int, n *node, p unsafe.Pointer, count int) int {
	elem, most := n.elem, n.elem.most()
	for k := range count {
		at := unsafe.Add(p, uintptr(k)*elem.size)
		switch elem.dec { // what many lists have, without a call for each
		case opInt64, opUint64:
			if v, end := natural(d.b, i); end >= 0 && v <= most {
				*(*uint64)(at) = v
				i = end
				continue
			}
		case opInt32, opUint32:
			if v, end := natural(d.b, i); end >= 0 && v <= most {
				*(*uint32)(at) = uint32(v)
				i = end
				continue
			}
		case opFloat64:
			if b := d.b; len(b)-i >= 9 && b[i] == 0xcb {
				*(*uint64)(at) = binary.BigEndian.Uint64(b[i+1:])
				i += 9
				continue
			}
		case opStruct:
			if i = d.structure(i, elem, at); i >= 0 {
				continue
			}
			d.inElement(k)
			return failed
		}
		if i = d.value(i, elem, at); i < 0 {
			d.inElement(k)
			return failed
		}
	}
	d.depth--
	return i
}

// array decodes the array at i to the Go array at p. It may have less elements.
func (d *Decoder) array(i int, n *node, p unsafe.Pointer) int {
	count, i := d.arrayHeader(i, "an array")
	if i < 0 || count < 0 {
		return i
	}
	if count > n.len {
		d.fail("%d elements for %v", count, n.typ)
		return failed
	}
	if !d.open(i, count, 1, "array of elements") {
		return failed
	}
	return d.elements(i, n, p, count)
}
