package mpplan

import (
	"math"
	"reflect"
	"unsafe"

	"github.com/fb9bb4ed/qsocket/internal/mpscan"
	"github.com/fb9bb4ed/qsocket/internal/oversize"
)

// mapScratch is where the entries of a map are put in order.
type mapScratch struct {
	iter      reflect.MapIter
	key, elem reflect.Value // slices
	texts     []string      // the keys that are strings, or the encodings of others
	encoded   bool          // they are encodings
	ends      []int         // of encodings, one behind the other
	order     ranks
}

func newMapScratch(t reflect.Type) *mapScratch {
	return &mapScratch{
		key:  reflect.New(reflect.SliceOf(t.Key())).Elem(),
		elem: reflect.New(reflect.SliceOf(t.Elem())).Elem(),
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
const maxScratch = 8192

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
	}
	s.iter.Reset(reflect.Value{})
}

// clear lets go of the entries, and reports whether s is worth keeping.
func (s *mapScratch) clear() bool {
	for _, v := range []*reflect.Value{&s.key, &s.elem} {
		v.Clear()
		v.SetLen(0)
	}
	clear(s.texts)
	s.texts, s.ends = s.texts[:0], s.ends[:0]
	s.order.clear()
	return s.key.Cap() <= maxScratch
}

// mapping appends the map at p, sorted by its keys.
func (e *Encoder) mapping(b []byte, n *node, p unsafe.Pointer) []byte {
	if *(*unsafe.Pointer)(p) == nil {
		return append(b, nilByte)
	}
	if !e.open(n) {
		return b
	}
	if n.typed != nil && (e.hops == 0 || n.key.enc == opString) {
		b = n.typed.entries(e, b, n, p)
	} else {
		b = e.anyEntries(b, n, p)
	}
	e.depth--
	return b
}

// mapHeader appends the header of a map of count entries.
func (e *Encoder) mapHeader(b []byte, n *node, count int) []byte {
	if e.hops > 0 {
		e.held += heldMap(count)
	} else if e.Tally {
		e.held += mpscan.MapCost(count, slot(n.key)+slot(n.elem)) + entryCost(n)
	}
	return appendMap(b, count)
}

// anyEntries appends the header and the entries of the map at p, of any type.
func (e *Encoder) anyEntries(b []byte, n *node, p unsafe.Pointer) []byte {
	m := reflect.NewAt(n.typ, p).Elem()
	b = e.mapHeader(b, n, m.Len())
	if m.Len() == 0 {
		return b
	}
	s := n.scratch.Get().(*mapScratch)
	s.fill(m)
	if b = e.sorted(b, n, s); e.err != nil {
		return b // with s, whose entries the error may name
	}
	if s.clear() {
		n.scratch.Put(s)
	}
	return b
}

func (e *Encoder) sorted(b []byte, n *node, s *mapScratch) []byte {
	if e.rank(b, n.key, s); e.err != nil {
		return b
	}
	s.order.sort()
	if e.twice(n, s) {
		return b
	}
	var names map[string]bool // of a map in an interface whose keys are no strings
	if e.hops > 0 && n.key.enc != opString {
		names = make(map[string]bool, s.key.Len())
	}
	keys, elems := s.key.UnsafePointer(), s.elem.UnsafePointer()
	for i, r := range s.order.list {
		start := len(b)
		if s.encoded {
			b = append(b, s.texts[r.i]...)
		} else {
			b = e.value(b, n.key, unsafe.Add(keys, uintptr(r.i)*n.key.size))
		}
		if names != nil && e.err == nil {
			e.name(b[start:], names, s.key.Index(r.i))
		}
		if n.key.enc >= opAny && e.err == nil && n.key.typ.Kind() == reflect.Interface && noKey(b[start]) {
			e.fail("%s: %s cannot be the key of a map where it arrives", show(s.key.Index(r.i)), mpscan.Format(b[start]))
		}
		if e.err != nil {
			e.inKey(i)
			return b
		}
		b = e.value(b, n.elem, unsafe.Add(elems, uintptr(r.i)*n.elem.size))
		if len(b) > e.stop {
			e.tooLong(b)
		}
		if e.err != nil {
			e.inEntry(s.key.Index(r.i))
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
func (e *Encoder) twice(n *node, s *mapScratch) bool {
	order := s.order.list
	for i := 1; i < len(order); i++ {
		x, y := order[i-1], order[i]
		if !s.order.same(x, y) || n.apart && !e.meet(n.key, s.texts[y.i]) {
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

// signBit is what the order of signed numbers differs by from that of unsigned ones.
const signBit = 1 << 63

// rank fills in what the keys in s are compared by: numbers and booleans by their value, strings
// as they are, and all others by their encoding. What is behind the end of b is free for use.
func (e *Encoder) rank(b []byte, key *node, s *mapScratch) {
	count, at := s.key.Len(), s.key.UnsafePointer()
	switch key.enc {
	case opBool, opUint8, opUint16, opUint32, opUint64, opInt8, opInt16, opInt32, opInt64, opFloat32, opFloat64:
		for i := range count {
			s.order.list = append(s.order.list, rank{numberRank(key.enc, unsafe.Add(at, uintptr(i)*key.size)), i})
		}
		return
	case opString:
		s.texts = append(s.texts, unsafe.Slice((*string)(at), count)...)
	default:
		s.encoded = true
		start := len(b)
		for i := range count {
			b = e.value(b, key, unsafe.Add(at, uintptr(i)*key.size))
			if len(b) > e.stop && e.err == nil {
				e.failErr(&oversize.Error{Least: len(b) - e.start})
			}
			if e.err != nil {
				e.inKey(i)
				return
			}
			s.ends = append(s.ends, len(b)-start)
		}
		all, from := string(b[start:]), 0
		for _, to := range s.ends {
			s.texts = append(s.texts, all[from:to])
			from = to
		}
	}
	s.order.byText(s.texts)
}

// numberRank returns the place of the number or boolean at p.
func numberRank(o op, p unsafe.Pointer) uint64 {
	switch o {
	case opBool, opUint8:
		return uint64(*(*uint8)(p))
	case opUint16:
		return uint64(*(*uint16)(p))
	case opUint32:
		return uint64(*(*uint32)(p))
	case opUint64:
		return *(*uint64)(p)
	case opInt8:
		return uint64(*(*int8)(p)) ^ signBit
	case opInt16:
		return uint64(*(*int16)(p)) ^ signBit
	case opInt32:
		return uint64(*(*int32)(p)) ^ signBit
	case opInt64:
		return uint64(*(*int64)(p)) ^ signBit
	case opFloat32:
		return floatRank(float64(*(*float32)(p)))
	default:
		return floatRank(*(*float64)(p))
	}
}

// floatRank makes an unsigned number of sign and magnitude: negative ones are mirrored. Not a
// number is beyond the infinities.
func floatRank(f float64) uint64 {
	n := math.Float64bits(f)
	if n&signBit != 0 {
		return ^n
	}
	return n | signBit
}
