package mpplan

import (
	"cmp"
	"math"
	"reflect"
	"slices"
	"strings"
	"unsafe"

	"github.com/fb9bb4ed/qsocket/internal/mpscan"
	"github.com/fb9bb4ed/qsocket/internal/oversize"
)

// mapScratch is where the entries of a map are put in order.
type mapScratch struct {
	iter      reflect.MapIter
	key, elem reflect.Value // slices
	order     []entry
	apart     bool // keys stay different, whatever they are encoded as
}

// entry is one entry of a map, with what its place among the others depends on.
type entry struct {
	n uint64 // for numbers and booleans, in the order of their values
	s string // for strings; for all other keys their encoding
	i int    // in key and elem
}

func newMapScratch(t reflect.Type) *mapScratch {
	return &mapScratch{
		key:  reflect.New(reflect.SliceOf(t.Key())).Elem(),
		elem: reflect.New(reflect.SliceOf(t.Elem())).Elem(),

		apart: hasPointers(t.Key()),
	}
}

// hasPointers reports whether values of t are, or contain, pointers: those that are
// decoded are different from each other.
func hasPointers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer:
		return true
	case reflect.Array:
		return hasPointers(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() && hasPointers(f.Type) {
				return true
			}
		}
	}
	return false
}

// maxScratch is for how many entries memory is kept.
const maxScratch = 1024

// fill copies the entries of m.
func (s *mapScratch) fill(m reflect.Value) {
	n := m.Len()
	for _, v := range []*reflect.Value{&s.key, &s.elem} {
		v.Grow(n)
		v.SetLen(n)
	}
	s.iter.Reset(m)
	for i := 0; s.iter.Next(); i++ {
		s.key.Index(i).SetIterKey(&s.iter)
		s.elem.Index(i).SetIterValue(&s.iter)
		s.order = append(s.order, entry{i: i})
	}
	s.iter.Reset(reflect.Value{})
}

// clear lets go of the entries, and reports whether s is worth keeping.
func (s *mapScratch) clear() bool {
	for _, v := range []*reflect.Value{&s.key, &s.elem} {
		v.Clear()
		v.SetLen(0)
	}
	clear(s.order)
	s.order = s.order[:0]
	return cap(s.order) <= maxScratch
}

// mapping appends the map at p, sorted by its keys.
func (e *Encoder) mapping(b []byte, n *node, p unsafe.Pointer) []byte {
	m := reflect.NewAt(n.typ, p).Elem()
	if m.IsNil() {
		return append(b, nilByte)
	}
	if !e.open(n) {
		return b
	}
	s := n.scratch.Get().(*mapScratch)
	s.fill(m)
	if e.hops > 0 {
		e.held += heldMap(len(s.order))
	}
	b = e.entries(appendMap(b, len(s.order)), n, s)
	if e.err != nil {
		return b // with s, whose entries the error may name
	}
	if s.clear() {
		n.scratch.Put(s)
	}
	e.depth--
	return b
}

func (e *Encoder) entries(b []byte, n *node, s *mapScratch) []byte {
	if len(s.order) == 0 {
		return b
	}
	keys, elems := s.key.UnsafePointer(), s.elem.UnsafePointer()
	if len(s.order) > 1 {
		ranked := len(b) // with the keys behind it
		for i := range s.order {
			e.rank(&s.order[i], n.key, unsafe.Add(keys, uintptr(i)*n.key.size), b)
			if ranked += len(s.order[i].s); ranked > e.stop && e.err == nil {
				e.failErr(&oversize.Error{Least: ranked - e.start})
			}
			if e.err != nil {
				e.inKey(i)
				return b
			}
		}
		slices.SortFunc(s.order, func(x, y entry) int {
			if c := cmp.Compare(x.n, y.n); c != 0 {
				return c
			}
			return strings.Compare(x.s, y.s)
		})
		if e.twice(n.key, s) {
			return b
		}
	}
	var names map[string]bool // of a map in an interface whose keys are no strings
	if e.hops > 0 && n.key.enc != opString {
		names = make(map[string]bool, len(s.order))
	}
	for i := range s.order {
		at, start := s.order[i].i, len(b)
		b = e.value(b, n.key, unsafe.Add(keys, uintptr(at)*n.key.size))
		if names != nil && e.err == nil {
			e.name(b[start:], names, s.key.Index(at))
		}
		if n.key.enc >= opAny && e.err == nil && n.key.typ.Kind() == reflect.Interface && noKey(b[start]) {
			e.fail("%s: %s cannot be the key of a map where it arrives", show(s.key.Index(at)), mpscan.Format(b[start]))
		}
		if e.err != nil {
			e.inKey(i)
			return b
		}
		b = e.value(b, n.elem, unsafe.Add(elems, uintptr(at)*n.elem.size))
		if len(b) > e.stop {
			e.tooLong(b)
		}
		if e.err != nil {
			e.inEntry(s.key.Index(at))
			return b
		}
	}
	return b
}

// name refuses the key of a map in an interface that b is the encoding of, unless it is a
// string where it arrives, and another one than all before it.
func (e *Encoder) name(b []byte, names map[string]bool, key reflect.Value) {
	d := Decoder{b: b, Options: e.Options}
	s, end := d.text(0, "a string")
	switch {
	case end < 0 || b[0] == nilByte:
		e.fail("%s: %s is the key of a map in an interface, want a string: the map arrives as a map[string]any", show(key), mpscan.Format(b[0]))
	case names[string(s)]:
		e.fail("two keys of a map in an interface arrive as the string %s", quote(string(s)))
	}
	names[string(s)] = true
}

// noKey reports whether what begins with c becomes something in an any that cannot be the
// key of a map: a slice or a map.
func noKey(c byte) bool {
	return holdsOthers(c) || c >= 0xc4 && c <= 0xc6
}

// holdsOthers reports whether c begins an array or a map.
func holdsOthers(c byte) bool { return c >= 0x80 && c <= 0x9f || c >= 0xdc && c <= 0xdf }

// twice refuses two keys that differ here and would not where they arrive, such as one
// time in two zones: the receiver would refuse the map. Keys that are not equal to
// themselves, as no number is, never meet.
func (e *Encoder) twice(key *node, s *mapScratch) bool {
	for i := 1; i < len(s.order); i++ {
		x, y := &s.order[i-1], &s.order[i]
		if x.n != y.n || x.s != y.s || s.apart && !e.meet(key, y.s) {
			continue
		}
		if a, b := s.key.Index(x.i), s.key.Index(y.i); a.Equal(a) {
			e.fail("keys %s and %s of a map are encoded alike, so one of them would be lost", show(a), show(b))
			return true
		}
	}
	return false
}

// meet reports whether keys with pointers that are encoded as s arrive as one: those of which
// all pointers do as nil, like a pointer to a nil slice.
func (e *Encoder) meet(key *node, s string) bool {
	if key.enc == opPointer {
		return s[0] == nilByte
	}
	a, b := reflect.New(key.typ), reflect.New(key.typ)
	for _, v := range []reflect.Value{a, b} {
		d := Decoder{Options: e.Options}
		if d.decode([]byte(s), key, v.UnsafePointer()) != nil {
			return false // which is another fault
		}
	}
	return a.Elem().Equal(b.Elem())
}

// rank fills in what the entry with the key at p is compared by. What is behind
// the end of b is free for use.
func (e *Encoder) rank(x *entry, key *node, p unsafe.Pointer, b []byte) {
	const sign = 1 << 63
	v := reflect.NewAt(key.typ, p).Elem()
	kind := v.Kind()
	if key.enc > opError { // a method says what is sent
		kind = reflect.Invalid
	}
	switch kind {
	case reflect.String:
		x.s = v.String()
	case reflect.Bool:
		if v.Bool() {
			x.n = 1
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		x.n = uint64(v.Int()) ^ sign
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		x.n = v.Uint()
	case reflect.Float32, reflect.Float64:
		// Sign and magnitude to an unsigned number: negative ones are mirrored.
		// Not a number is beyond the infinities.
		if x.n = math.Float64bits(v.Float()); x.n&sign != 0 {
			x.n = ^x.n
		} else {
			x.n |= sign
		}
	default:
		x.s = string(e.value(b, key, p)[len(b):])
	}
}
