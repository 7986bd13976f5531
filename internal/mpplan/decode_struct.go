package mpplan

import (
	"encoding/binary"
	"math"
	"reflect"
	"unsafe"

	"github.com/fb9bb4ed/qsocket/internal/mpscan"
)

// mapHeader reads the header of a map at i. The count of nil is -1.
func (d *Decoder) mapHeader(i int, want string) (count, end int) {
	b := d.b
	if i >= len(b) {
		return 0, d.end(i)
	}
	switch c := b[i]; {
	case c&0xf0 == 0x80:
		return int(c & 0xf), i + 1
	case c == nilByte:
		return -1, i + 1
	case c == 0xde:
		if len(b)-i < 3 {
			return 0, d.lacking(i, 2)
		}
		return int(binary.BigEndian.Uint16(b[i+1:])), i + 3
	case c == 0xdf:
		return d.count32(i)
	}
	return 0, d.unexpected(i, want)
}

// structure decodes the map or array at i to the struct at p.
func (d *Decoder) structure(i int, n *node, p unsafe.Pointer) int {
	if i < len(d.b) && (d.b[i]&0xf0 == 0x90 || d.b[i] == 0xdc || d.b[i] == 0xdd) {
		return d.structFromArray(i, n, p)
	}
	count, i := d.mapHeader(i, "a map or array")
	if i < 0 || count < 0 {
		return i
	}
	if !d.open(i, count, 2, "map of entries") {
		return failed
	}
	fs := n.fields
	next := 0 // the field that comes now, if the sender has the same fields
	var seen uint64
	var more []bool // as seen, for structs with more fields
	if len(fs.all) > 64 {
		more = make([]bool, len(fs.all))
		if !d.spend(mpscan.BytesCost(len(more))) {
			return failed
		}
	}
	for range count {
		if next < fs.written && fs.begins(next, d.b, i) {
			if i += int(fs.hot[next].size); fs.hot[next].size == 0 {
				i += len(fs.all[next].key)
			}
		} else {
			name, end := d.text(i, "the name of a field")
			if end < 0 {
				return failed
			}
			at, ok := fs.index[string(name)]
			if !ok {
				if i = d.unknown(end, name); i < 0 {
					return failed
				}
				continue
			}
			next, i = at, end
		}
		if more == nil {
			if seen&fs.hot[next].bits != 0 {
				return d.twice(&fs.all[next])
			}
			seen |= 1 << next
		} else {
			for _, j := range fs.all[next].clash {
				if more[j] {
					return d.twice(&fs.all[next])
				}
			}
			more[next] = true
		}
		if i = d.member(i, fs, next, p); i < 0 {
			return failed
		}
		next++
	}
	d.depth--
	return i
}

// begins reports whether the name of a field, as it is encoded, is at b[i].
func (fs *fields) begins(field int, b []byte, i int) bool {
	if m := &fs.hot[field]; len(b)-i >= 8 && m.size != 0 {
		return binary.LittleEndian.Uint64(b[i:])&m.mask == m.short
	}
	key := fs.all[field].key
	return len(b)-i >= len(key) && string(b[i:i+len(key)]) == key
}

func (d *Decoder) twice(f *field) int {
	d.fail("field is there twice")
	d.inField(f)
	return failed
}

// unknown skips the value of a field that the struct does not have.
func (d *Decoder) unknown(i int, name []byte) int {
	if d.Strict {
		d.fail("unknown field %s", quote(string(name)))
		return failed
	}
	if i = d.skip(i); i < 0 {
		d.in("[" + quote(string(name)) + "]")
	}
	return i
}

// member decodes the value at i to a field of the struct at p. The kinds that
// most fields have are done here, without another call.
func (d *Decoder) member(i int, fs *fields, field int, p unsafe.Pointer) int {
	f := &fs.hot[field]
	if f.size == 0 {
		return d.field(i, &fs.all[field], p)
	}
	q := unsafe.Add(p, f.offset)
	switch f.dec {
	case opUint64:
		if v, negative, end := d.integer(i); !negative && end >= 0 {
			*(*uint64)(q) = v
			return end
		}
	case opInt64:
		if v, negative, end := d.integer(i); (negative || v <= math.MaxInt64) && end >= 0 {
			*(*int64)(q) = int64(v)
			return end
		}
	case opFloat64:
		if b := d.b; len(b)-i >= 9 && b[i] == 0xcb {
			*(*float64)(q) = math.Float64frombits(binary.BigEndian.Uint64(b[i+1:]))
			return i + 9
		}
	case opString:
		if end := d.string(i, (*string)(q)); end >= 0 {
			return end
		}
	}
	if i = d.value(i, fs.all[field].node, q); i < 0 {
		d.inField(&fs.all[field])
	}
	return i
}

// field decodes the value at i to the field f of the struct at p.
func (d *Decoder) field(i int, f *field, p unsafe.Pointer) int {
	if p = d.reach(f, p); p == nil {
		return failed
	}
	if i = d.value(i, f.node, p); i < 0 {
		d.inField(f)
	}
	return i
}

// reach returns where the field f of the struct at p is, and makes the structs
// on the way to it.
func (d *Decoder) reach(f *field, p unsafe.Pointer) unsafe.Pointer {
	for i := range f.hops {
		h := &f.hops[i]
		to := (*unsafe.Pointer)(unsafe.Add(p, h.offset))
		if *to == nil {
			if h.hidden {
				d.fail("embedded pointer to %v is not exported", h.typ)
				d.inField(f)
				return nil
			}
			if !d.spend(mpscan.BytesCost(int(h.typ.Size()))) {
				d.inField(f)
				return nil
			}
			*to = reflect.New(h.typ).UnsafePointer()
		}
		p = *to
	}
	return unsafe.Add(p, f.offset)
}

// structFromArray decodes the array at i to the fields of the struct at p, in order.
func (d *Decoder) structFromArray(i int, n *node, p unsafe.Pointer) int {
	count, i := d.arrayHeader(i, "a map or array")
	if i < 0 {
		return failed
	}
	if !d.open(i, count, 1, "array of elements") {
		return failed
	}
	if count > 0 {
		fs := n.fields
		if count != fs.written {
			d.fail("array of %d for the %d fields of %v", count, fs.written, n.typ)
			return failed
		}
		for k := range fs.written {
			if i = d.member(i, fs, k, p); i < 0 {
				return failed
			}
		}
	}
	d.depth--
	return i
}
