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
	var seen seen
	if len(fs.all) > fewFields && !seen.grow(d, len(fs.all)) {
		return failed
	}
	next := 0 // the field that comes now, if the sender has the same fields
	for left := count; ; left-- {
		var done int
		if done, i = d.inOrder(i, next, left, fs, &seen, p); i < 0 {
			return failed
		}
		if left -= done; left == 0 {
			d.depth--
			return i
		}
		next += done
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
		if !seen.add(fs, at, fs.hot[at].bits) {
			return d.twice(&fs.all[at])
		}
		if i = d.field(end, &fs.all[at], p); i < 0 {
			return failed
		}
		next = at + 1
	}
}

// inOrder decodes members to the struct at p, up to a number of them and as long as
// they come in the order in which the encoder writes them, beginning with the
// field next. It returns how many those were, and where they end. In an array they
// have no names, and seen is nil. The kinds that most fields have are done here,
// without a call for each.
func (d *Decoder) inOrder(i, next, most int, fs *fields, seen *seen, p unsafe.Pointer) (done, end int) {
	if next >= fs.written {
		return 0, i
	}
	b := d.b
	hot := fs.hot[next:min(next+most, fs.written)]
	for k := range hot {
		m := &hot[k]
		if seen != nil {
			size := int(m.size)
			if size == 0 || len(b)-i < 8 {
				key := fs.all[next+k].key
				if size = len(key); size == 0 || len(b)-i < size || string(b[i:i+size]) != key {
					return k, i
				}
			} else if binary.LittleEndian.Uint64(b[i:])&m.mask != m.short {
				return k, i
			}
			if !seen.add(fs, next+k, m.bits) {
				return 0, d.twice(&fs.all[next+k])
			}
			i += size
		}
		q := unsafe.Add(p, m.offset)
		switch m.dec {
		case opUint64, opInt64:
			if v, end := natural(b, i); end >= 0 && v <= m.max {
				*(*uint64)(q) = v
				i = end
				continue
			}
		case opUint32, opInt32:
			if v, end := natural(b, i); end >= 0 && v <= m.max {
				*(*uint32)(q) = uint32(v)
				i = end
				continue
			}
		case opUint8:
			if v, end := natural(b, i); end >= 0 && v <= m.max {
				*(*uint8)(q) = uint8(v)
				i = end
				continue
			}
		case opFloat64:
			if len(b)-i >= 9 && b[i] == 0xcb {
				*(*float64)(q) = math.Float64frombits(binary.BigEndian.Uint64(b[i+1:]))
				i += 9
				continue
			}
		case opString:
			if i = d.string(i, (*string)(q)); i < 0 {
				d.inField(&fs.all[next+k])
				return 0, failed
			}
			continue
		case opStrings:
			if i = d.stringSlice(i, (*[]string)(q)); i < 0 {
				d.inField(&fs.all[next+k])
				return 0, failed
			}
			continue
		}
		if i = d.field(i, &fs.all[next+k], p); i < 0 {
			return 0, failed
		}
	}
	return len(hot), i
}

// seen tells which fields of a struct have come.
type seen struct {
	few  uint64 // of structs with up to fewFields
	many []bool // of larger ones
}

func (s *seen) grow(d *Decoder, n int) bool {
	if !d.spend(mpscan.BytesCost(n)) {
		return false
	}
	s.many = make([]bool, n)
	return true
}

// add reports false if a field comes that overlaps with one that has come; clash has
// the bits of those.
func (s *seen) add(fs *fields, field int, clash uint64) bool {
	if s.many != nil {
		return s.addMany(field, &fs.all[field])
	}
	if s.few&clash != 0 {
		return false
	}
	s.few |= 1 << (uint(field) % fewFields)
	return true
}

func (s *seen) addMany(i int, f *field) bool {
	for _, j := range f.clash {
		if s.many[j] {
			return false
		}
	}
	s.many[i] = true
	return true
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

// natural reads the integer at b[i], unless it has one of the formats for negative
// ones.
func natural(b []byte, i int) (v uint64, end int) {
	if i >= len(b) {
		return 0, failed
	}
	c := b[i]
	if c <= 0x7f {
		return uint64(c), i + 1
	}
	b = b[i+1:]
	switch c {
	case 0xcf:
		if len(b) >= 8 {
			return binary.BigEndian.Uint64(b), i + 9
		}
	case 0xce:
		if len(b) >= 4 {
			return uint64(binary.BigEndian.Uint32(b)), i + 5
		}
	case 0xcd:
		if len(b) >= 2 {
			return uint64(binary.BigEndian.Uint16(b)), i + 3
		}
	case 0xcc:
		if len(b) >= 1 {
			return uint64(b[0]), i + 2
		}
	}
	return 0, failed
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
		if _, i = d.inOrder(i, 0, count, fs, nil, p); i < 0 {
			return failed
		}
	}
	d.depth--
	return i
}
