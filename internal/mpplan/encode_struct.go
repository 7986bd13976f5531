package mpplan

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"unsafe"

	"github.com/fb9bb4ed/qsocket/internal/mpscan"
)

// structure appends the struct at p.
func (e *Encoder) structure(b []byte, n *node, p unsafe.Pointer) []byte {
	if e.depth == MaxDepth || len(b) > e.stop {
		return e.giveUp(b, n)
	}
	e.depth++
	fs := n.fields
	if e.Arrays || fs.asArray {
		b = appendArray(b, fs.written)
		if e.hops > 0 {
			e.held += heldSlice(fs.written)
		}
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

	if fs.omits {
		b = e.present(b, fs, p)
	} else {
		if e.hops > 0 {
			e.held += heldMap(fs.written)
		}
		b = e.members(appendMap(b, fs.written), fs, 0, fs.written, p)
	}
	e.depth--
	return b
}

// giveUp is for a struct that is nested too deep, or behind too many bytes.
//
//go:noinline
func (e *Encoder) giveUp(b []byte, n *node) []byte {
	if e.depth == MaxDepth {
		e.tooDeep(n.typ)
	} else {
		e.tooLong(b)
	}
	return b
}

// present appends the names and values of the fields of the struct at p that are
// not omitted.
func (e *Encoder) present(b []byte, fs *fields, p unsafe.Pointer) []byte {
	e.looks = maxLooks
	count := fs.written
	var omitted uint64 // of the first 64 fields; the others are asked twice
	for i := range fs.written {
		if e.omit(&fs.all[i], p) {
			count--
			omitted |= 1 << i
		}
	}
	if e.err != nil {
		return b
	}
	if e.hops > 0 {
		e.held += heldMap(count)
	}
	b = appendMap(b, count)
	for i := range fs.written {
		if omitted>>i&1 != 0 || i >= 64 && e.omit(&fs.all[i], p) {
			continue
		}
		if b = e.members(b, fs, i, i+1, p); e.err != nil {
			return b
		}
	}
	return b
}

// grow makes room. It is apart from where it is needed because it seldom is.
//
//go:noinline
func grow(b []byte) []byte { return slices.Grow(b, room) }

// members appends the names and values of the fields of the struct at p from
// one up to, but not including, the other.
func (e *Encoder) members(b []byte, fs *fields, from, to int, p unsafe.Pointer) []byte {
	hot := fs.hot[from:to]
	for i := range hot {
		f := &hot[i]
		if cap(b)-len(b) < room {
			b = grow(b)
		}
		n := len(b)
		if f.size == 0 {
			f := &fs.all[from+i]
			if b = e.field(append(b, f.key...), f, p); e.err != nil {
				return b
			}
			continue
		}

		// The kinds that most fields have are done here, without calls: name and
		// value are stored as whole words, of which only a part may count.
		w := (*[room]byte)(b[n : n+room])
		binary.LittleEndian.PutUint64(w[:8], f.short)
		k := uint(f.size) & 15 // at most 8
		q := unsafe.Add(p, f.offset)
		var v uint64
		switch f.enc {
		case opInt64:
			if v = *(*uint64)(q); int64(v) < 0 {
				b = appendInt(b[:n+int(k)], int64(v))
				continue
			}
		case opUint64:
			v = *(*uint64)(q)
		case opUint32:
			v = uint64(*(*uint32)(q))
		case opUint16:
			v = uint64(*(*uint16)(q))
		case opUint8:
			v = uint64(*(*uint8)(q))
		case opFloat64:
			w[k] = 0xcb
			binary.BigEndian.PutUint64(w[k+1:k+9], *(*uint64)(q))
			b = b[:n+int(k)+9]
			continue
		case opString:
			s := *(*string)(q)
			if len(s) < 32 && copyASCII(w[k+1:], s) {
				w[k] = 0xa0 | byte(len(s))
				b = b[:n+int(k)+1+len(s)]
				continue
			}
			if b = e.text(b[:n+int(k)], s); e.err != nil {
				e.inField(&fs.all[from+i])
				return b
			}
			continue
		case opStrings:
			if b = e.strings(b[:n+int(k)], *(*[]string)(q)); e.err != nil {
				e.inField(&fs.all[from+i])
				return b
			}
			continue
		default:
			if b = e.value(b[:n+int(k)], fs.all[from+i].node, q); e.err != nil {
				e.inField(&fs.all[from+i])
				return b
			}
			continue
		}
		if v < 0x80 {
			w[k] = byte(v)
			b = b[:n+int(k)+1]
			continue
		}
		log := widths[bits.Len64(v)]
		w[k] = 0xcc + log
		binary.BigEndian.PutUint64(w[k+1:k+9], v<<((64-8<<log)&63))
		b = b[:n+int(k)+1+1<<log]
	}
	return b
}

// room is for a short name, and a number or a short string, each with what is
// stored beyond its end.
const room = 64

// widths has the logarithm of the number of bytes for a number of bits.
var widths = func() (w [65]uint8) {
	for n := range w {
		switch {
		case n > 32:
			w[n] = 3
		case n > 16:
			w[n] = 2
		case n > 8:
			w[n] = 1
		}
	}
	return w
}()

// field appends the value of the field f of the struct at p.
func (e *Encoder) field(b []byte, f *field, p unsafe.Pointer) []byte {
	if e.Tally {
		for i := range f.hops { // each field counts them: too much is no fault
			e.held += mpscan.BytesCost(int(f.hops[i].typ.Size()))
		}
	}
	p, ok := f.of(p)
	if !ok {
		return append(b, nilByte)
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
