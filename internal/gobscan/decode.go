package gobscan

import (
	"encoding/binary"
	"math"
	"math/bits"
	"reflect"
	"strconv"
	"unsafe"

	"github.com/fb9bb4ed/qsocket/internal/intern"
)

// Decode decodes the payload that Scan has accepted last to what v points to, a zero
// value of the Scanner's type, as encoding/gob would. All that is left to go wrong is
// what does not show in the form of a payload: a number that does not fit its variable,
// a type that does not implement an interface, and what methods of the types object to.
// Those, and map keys of interface types, can panic. After an error or a panic the
// stream is lost, and v of no use.
//
// It works on memory through unsafe.Pointer, by offsets and types from reflect and by
// the rules of package mpplan. All counts, lengths and the depth have been checked by
// then.
func (s *Scanner) Decode(payload []byte, v reflect.Value) error {
	d := &s.out
	d.b, d.boxes = payload, s.boxes
	end := d.value(s.start, &s.top, v.UnsafePointer())
	d.b, d.boxes = nil, nil
	s.trim()
	if end < 0 {
		return d.failure(s.t)
	}
	return nil
}

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
	remote              // it is in an embedded struct behind a pointer
)

// decoder decodes what has been scanned. Its methods take the offset at which a value
// begins and return the one at which it ends, or refused.
type decoder struct {
	b     []byte
	boxes []box // interfaces still to come, in the order of the payload
	texts intern.Table

	// What was refused.
	err  error // nil: a number that does not fit
	eng  *engine
	when int // number of the field
}

// value decodes the value at i to p.
func (d *decoder) value(i int, n *node, p unsafe.Pointer) int {
	b := d.b
	for _, t := range n.chain {
		to := *(*unsafe.Pointer)(p)
		if to == nil {
			to = reflect.New(t).UnsafePointer()
			*(*unsafe.Pointer)(p) = to
		}
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
			if was := (*[]struct{})(p); len(*was) > 0 {
				*was = (*was)[:0]
			}
			return next
		}
		return d.slice(next, int(count), n, p)
	case opArray:
		_, next := quickUint(b, i)
		return d.elements(next, n.len, n, p)
	case opMap:
		return d.table(i, n, p)
	case opInterface:
		return d.boxed(n, p)
	default:
		return d.complex(i, n, p)
	}
}

// structure decodes the struct at i to p.
func (d *decoder) structure(i int, e *engine, p unsafe.Pointer) int {
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
			if offset == skipped {
				i = d.pass(next, f)
				continue
			}
			q := e.find(k, p)
			if q == nil {
				return d.lost(e, k)
			}
			if i = d.value(next, f, q); i < 0 {
				return d.where(e, k)
			}
			continue
		}
		q := unsafe.Add(p, offset)
		if f.op == opUint && f.chain == nil { // the most frequent, without another call
			var x uint64
			if x, i = quickUint(b, next); f.store(x, q) {
				continue
			}
			return d.where(e, k)
		}
		if i = d.value(next, f, q); i < 0 {
			return d.where(e, k)
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
		*(*float64)(p) = float(x)
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
		v := float(x)
		*(*float32)(p) = float32(v)
		return fits32(v)
	default:
		return false
	}
	return true
}

// bytes stores a string, bytes or what a method makes of them to p.
func (d *decoder) bytes(data []byte, end int, n *node, p unsafe.Pointer) int {
	switch {
	case n.methods:
		if d.err = n.method(data, p); d.err != nil {
			return refused
		}
	case n.kind == reflect.String:
		*(*string)(p) = d.texts.String(data)
	case len(data) > 0: // no bytes arrive as nil
		*(*[]byte)(p) = append(make([]byte, 0, len(data)), data...)
	default:
		*(*[]byte)(p) = (*(*[]byte)(p))[:0]
	}
	return end
}

// slice decodes elements to the slice at p.
func (d *decoder) slice(i, count int, n *node, p unsafe.Pointer) int {
	if e := n.elem; e.kind == reflect.String && e.chain == nil && !e.methods {
		return d.strings(i, count, (*[]string)(p))
	}
	s := reflect.NewAt(n.t, p).Elem()
	if s.Cap() < count {
		s.SetZero()
		s.Grow(count)
		s.SetLen(count)
		s.SetCap(count) // where a field comes twice, gob looks at it
	} else {
		s.SetLen(count)
	}
	return d.elements(i, count, n, s.UnsafePointer())
}

// strings decodes a number of strings to the slice at p.
func (d *decoder) strings(i, count int, p *[]string) int {
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
func (d *decoder) elements(i, count int, n *node, p unsafe.Pointer) int {
	size := n.t.Elem().Size()
	e := n.elem
	if e.op == opUint && e.chain == nil {
		return d.numbers(i, count, e, p, size)
	}
	if e.op == opComplex && e.chain == nil && e.kind == reflect.Complex128 {
		return d.complexes(i, unsafe.Slice((*complex128)(p), count))
	}
	for k := range count {
		if i = d.value(i, e, unsafe.Add(p, uintptr(k)*size)); i < 0 {
			return refused
		}
	}
	return i
}

// numbers is elements for numbers of that size.
func (d *decoder) numbers(i, count int, e *node, p unsafe.Pointer, size uintptr) int {
	b := d.b
	for k := range count {
		var x uint64
		if x, i = quickUint(b, i); !e.store(x, unsafe.Add(p, uintptr(k)*size)) {
			return refused
		}
	}
	return i
}

// complexes is elements for numbers that have two parts.
func (d *decoder) complexes(i int, s []complex128) int {
	b := d.b
	for k := range s {
		var x, y uint64
		x, i = quickUint(b, i)
		y, i = quickUint(b, i)
		s[k] = complex(float(x), float(y))
	}
	return i
}

// table decodes the map at i to p.
func (d *decoder) table(i int, n *node, p unsafe.Pointer) int {
	count, i := quickUint(d.b, i)
	m := reflect.NewAt(n.t, p).Elem()
	if m.IsNil() {
		m.Set(reflect.MakeMapWithSize(n.t, int(count)))
	}
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

// complex decodes the two numbers at i to p.
func (d *decoder) complex(i int, n *node, p unsafe.Pointer) int {
	x, i := quickUint(d.b, i)
	y, i := quickUint(d.b, i)
	re, im := float(x), float(y)
	if n.kind == reflect.Complex128 {
		*(*complex128)(p) = complex(re, im)
		return i
	}
	*(*complex64)(p) = complex(float32(re), float32(im))
	if !fits32(re) || !fits32(im) {
		return refused
	}
	return i
}

// float returns the number that gob sends as x: with its bytes in reverse, because
// those that are often zero are at the end then.
func float(x uint64) float64 {
	return math.Float64frombits(bits.ReverseBytes64(x))
}

// fits32 reports whether gob stores v to a float32.
func fits32(v float64) bool {
	return !(math.Abs(v) > math.MaxFloat32) || math.IsInf(v, 0)
}

// find returns the variable for field k of the struct at p. It is nil if a pointer on
// the way to it is: gob makes none there.
func (e *engine) find(k int, p unsafe.Pointer) unsafe.Pointer {
	t := e.t
	for _, i := range e.far[k] {
		if t.Kind() == reflect.Pointer {
			if p = *(*unsafe.Pointer)(p); p == nil {
				return nil
			}
			t = t.Elem()
		}
		f := t.Field(i)
		p, t = unsafe.Add(p, f.Offset), f.Type
	}
	return p
}

// pass returns where the value at i ends, which is decoded to nothing.
func (d *decoder) pass(i int, n *node) int {
	b := d.b
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
			i = d.pass(next, n.eng.fields[k])
		}
	case opSkipInterface:
		return d.unbox().at
	}
	count, i := quickUint(b, i)
	for range count {
		if n.op == opMap {
			i = d.pass(i, n.key)
		}
		i = d.pass(i, n.elem)
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
