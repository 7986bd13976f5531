package gobscan

import (
	"encoding/binary"
	"math"
	"math/bits"
	"reflect"
	"strconv"
	"time"
	"unsafe"

	"github.com/fb9bb4ed/qsocket/internal/intern"
)

// Decode decodes the value of the payload that Scan has accepted last to what v
// points to, a zero value of the Scanner's type, and reports whether it has. If it
// has not, the payload is one for encoding/gob: one with definitions, which gob has
// to learn; the first value of a type, for which gob may find that it has no
// fields in common with v; a type with interfaces, complex numbers, methods other
// than those of time.Time, or fields of embedded structs; or a number that does not
// fit its variable, for which gob has the error. v is a zero value then.
//
// It works on memory through unsafe.Pointer, by offsets and types from reflect and by
// the rules of package mpplan; nothing is decoded to a place twice. All counts,
// lengths and the depth have been checked by then, so there is nothing left to be
// found out about the form of the payload.
func (s *Scanner) Decode(payload []byte, v reflect.Value) bool {
	if !s.top.direct || s.fresh > 0 {
		return false
	}
	s.out.b = payload
	end := s.out.value(s.start, s.top.node, v.UnsafePointer())
	s.out.b = nil
	if end < 0 {
		v.Elem().SetZero()
	}
	return end >= 0
}

// Decoded tells the Scanner that gob has decoded the payload that Scan has accepted
// last, so that Decode can do it from now on if it has the same type.
func (s *Scanner) Decoded() {
	if p := s.top; !p.decoded {
		p.decoded = true
		s.mark++
		p.direct = s.simple(p.node)
	}
}

// simple reports whether Decode can do without gob. It allocates nothing: a payload
// can make it go through all the types of a stream. Their number bounds its recursion.
func (s *Scanner) simple(n *node) bool {
	if n == nil || n.mark == s.mark {
		return true
	}
	n.mark = s.mark
	if s.visits++; s.visits > maxVisits {
		return false
	}
	switch n.op {
	case opInterface, opSkipInterface:
		return false
	case opComplex:
		return n.t == nil
	case opBytes:
		return n.t == nil || !n.methods || n.t == timeType
	case opStruct:
		for k, f := range n.eng.fields {
			if n.t != nil && n.eng.offsets[k] == remote || !s.simple(f) {
				return false
			}
		}
	}
	return s.simple(n.key) && s.simple(n.elem)
}

// maxVisits is how many nodes of plans simple looks at in a stream. Each of its
// types can be that of a value, and all of them can lead to all others.
const maxVisits = 100_000

var timeType = reflect.TypeFor[time.Time]()

// into notes the Go type that values of n are decoded to.
func (n *node) into(t reflect.Type) {
	for range 100 { // see deref
		if t.Kind() != reflect.Pointer {
			break
		}
		t = t.Elem()
		n.chain = append(n.chain, t)
	}
	n.t, n.kind = t, t.Kind()
	switch n.kind {
	case reflect.Int:
		n.kind = intKind
	case reflect.Uint, reflect.Uintptr:
		n.kind = uintKind
	}
}

// intKind and uintKind are what int and uint are on this machine.
var intKind, uintKind = func() (i, u reflect.Kind) {
	if strconv.IntSize == 32 {
		return reflect.Int32, reflect.Uint32
	}
	return reflect.Int64, reflect.Uint64
}()

// What stands in place of a field's offset.
const (
	skipped = -1 - iota // the Go type does not have the field
	remote              // it is in an embedded struct, or has two numbers: for gob
)

// direct decodes what has been scanned. Its methods take the offset at which a value
// begins and return the one at which it ends, or refused.
type direct struct {
	b     []byte
	texts intern.Table
}

// refused says that gob has to see the payload.
const refused = -1

// value decodes the value at i to p.
func (d *direct) value(i int, n *node, p unsafe.Pointer) int {
	b := d.b
	for _, t := range n.chain {
		to := reflect.New(t).UnsafePointer()
		*(*unsafe.Pointer)(p) = to
		p = to
	}
	switch n.op {
	case opUint:
		x, next := quickUint(b, i)
		if !n.store(x, p) {
			return refused
		}
		return next
	case opBytes:
		size, next := quickUint(b, i)
		end := next + int(size)
		return d.bytes(b[next:end], end, n, p)
	case opStruct:
		return d.structure(i, n.eng, p)
	case opSlice:
		count, next := quickUint(b, i)
		if count == 0 {
			return next
		}
		return d.slice(next, int(count), n, p)
	case opArray:
		_, next := quickUint(b, i)
		return d.elements(next, n.len, n, p)
	default:
		return d.table(i, n, p)
	}
}

// structure decodes the struct at i to p.
func (d *direct) structure(i int, e *engine, p unsafe.Pointer) int {
	b := d.b
	for k := -1; ; {
		delta, next := quickUint(b, i)
		if delta == 0 {
			return next
		}
		k += int(delta)
		f := e.fields[k]
		offset := e.offsets[k]
		if offset < 0 {
			i = pass(b, next, f)
			continue
		}
		q := unsafe.Add(p, offset)
		if f.op == opUint && f.chain == nil { // the most frequent, without another call
			var x uint64
			if x, i = quickUint(b, next); f.store(x, q) {
				continue
			}
			return refused
		}
		if i = d.value(next, f, q); i < 0 {
			return refused
		}
	}
}

// store stores x, as an integer is encoded, to p. It reports false if it does not fit.
func (n *node) store(x uint64, p unsafe.Pointer) bool {
	switch n.kind {
	case reflect.Int64:
		*(*int64)(p) = signed(x)
	case reflect.Uint64:
		*(*uint64)(p) = x
	case reflect.Float64:
		*(*float64)(p) = math.Float64frombits(bits.ReverseBytes64(x))
	case reflect.Bool:
		*(*bool)(p) = x != 0
	case reflect.Uint8:
		*(*uint8)(p) = uint8(x)
		return x <= math.MaxUint8
	case reflect.Uint16:
		*(*uint16)(p) = uint16(x)
		return x <= math.MaxUint16
	case reflect.Uint32:
		*(*uint32)(p) = uint32(x)
		return x <= math.MaxUint32
	case reflect.Int8:
		*(*int8)(p) = int8(signed(x))
		return int64(int8(signed(x))) == signed(x)
	case reflect.Int16:
		*(*int16)(p) = int16(signed(x))
		return int64(int16(signed(x))) == signed(x)
	case reflect.Int32:
		*(*int32)(p) = int32(signed(x))
		return int64(int32(signed(x))) == signed(x)
	case reflect.Float32:
		v := math.Float64frombits(bits.ReverseBytes64(x))
		*(*float32)(p) = float32(v)
		return !(math.Abs(v) > math.MaxFloat32) || math.IsInf(v, 0)
	default:
		return false
	}
	return true
}

// bytes stores a string, bytes or a time to p.
func (d *direct) bytes(data []byte, end int, n *node, p unsafe.Pointer) int {
	switch {
	case n.methods:
		if (*time.Time)(p).GobDecode(data) != nil {
			return refused
		}
	case n.kind == reflect.String:
		*(*string)(p) = d.texts.String(data)
	case len(data) > 0: // no bytes arrive as nil
		*(*[]byte)(p) = append(make([]byte, 0, len(data)), data...)
	}
	return end
}

// slice decodes elements to the slice at p.
func (d *direct) slice(i, count int, n *node, p unsafe.Pointer) int {
	if e := n.elem; e.kind == reflect.String && e.chain == nil && !e.methods {
		return d.strings(i, count, (*[]string)(p))
	}
	s := reflect.NewAt(n.t, p).Elem()
	s.Grow(count)
	s.SetLen(count)
	return d.elements(i, count, n, s.UnsafePointer())
}

// strings decodes a number of strings to the slice at p.
func (d *direct) strings(i, count int, p *[]string) int {
	ss, shared := d.texts.Slice(count)
	for k := range ss {
		size, next := quickUint(d.b, i)
		i = next + int(size)
		ss[k] = d.texts.String(d.b[next:i])
		if shared && size > intern.MaxLen {
			ss, shared = intern.Own(ss), false
		}
	}
	*p = ss
	return i
}

// elements decodes a number of elements to p.
func (d *direct) elements(i, count int, n *node, p unsafe.Pointer) int {
	size := n.t.Elem().Size()
	e := n.elem
	if e.op == opUint && e.chain == nil {
		return d.numbers(i, count, e, p, size)
	}
	for k := range count {
		if i = d.value(i, e, unsafe.Add(p, uintptr(k)*size)); i < 0 {
			return refused
		}
	}
	return i
}

// numbers is elements for numbers of that size.
func (d *direct) numbers(i, count int, e *node, p unsafe.Pointer, size uintptr) int {
	b := d.b
	for k := range count {
		var x uint64
		if x, i = quickUint(b, i); !e.store(x, unsafe.Add(p, uintptr(k)*size)) {
			return refused
		}
	}
	return i
}

// table decodes the map at i to p.
func (d *direct) table(i int, n *node, p unsafe.Pointer) int {
	count, i := quickUint(d.b, i)
	m := reflect.MakeMapWithSize(n.t, int(count))
	reflect.NewAt(n.t, p).Elem().Set(m)
	key, elem := reflect.New(n.t.Key()), reflect.New(n.t.Elem())
	for range count {
		if i = d.value(i, n.key, key.UnsafePointer()); i < 0 {
			return refused
		}
		if i = d.value(i, n.elem, elem.UnsafePointer()); i < 0 {
			return refused
		}
		m.SetMapIndex(key.Elem(), elem.Elem())
		key.Elem().SetZero()
		elem.Elem().SetZero()
	}
	return i
}

// pass returns where the value at b[i] ends, which is decoded to nothing.
func pass(b []byte, i int, n *node) int {
	switch n.op {
	case opUint:
		return skipUint(b, i)
	case opComplex:
		return skipUint(b, skipUint(b, i))
	case opBytes:
		size, next := quickUint(b, i)
		return next + int(size)
	case opStruct:
		for k := -1; ; {
			delta, next := quickUint(b, i)
			if delta == 0 {
				return next
			}
			k += int(delta)
			i = pass(b, next, n.eng.fields[k])
		}
	}
	count, i := quickUint(b, i)
	for range count {
		if n.op == opMap {
			i = pass(b, i, n.key)
		}
		i = pass(b, i, n.elem)
	}
	return i
}

// quickUint is readUint where there is an integer.
func quickUint(b []byte, i int) (uint64, int) {
	c := b[i]
	if c <= 0x7f {
		return uint64(c), i + 1
	}
	return longUint(b, i)
}

func longUint(b []byte, i int) (uint64, int) {
	if n := -int(int8(b[i])); len(b)-i > 8 && n <= 8 {
		return binary.BigEndian.Uint64(b[i+1:]) >> (uint(64-8*n) & 63), i + 1 + n
	}
	return readLongUint(b, i)
}
