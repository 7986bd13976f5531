package mpplan

import (
	"reflect"
	"slices"
	"sync"
	"unsafe"
)

// typed encodes and decodes maps of which the Go type is known here. Most are: those whose keys
// are strings or integers of 64 bits, and whose elements have the layout of one of a few types.
// All others need package reflect, which takes several times as long.
type typed interface {
	// entries appends the header and the entries of the map at p.
	entries(e *Encoder, b []byte, n *node, p unsafe.Pointer) []byte
	// decode decodes count entries at i to the map at p, which is nil.
	decode(d *Decoder, i, count int, n *node, p unsafe.Pointer) int
}

// typedFor returns what is typed for n, or nil.
func typedFor(n *node) typed {
	switch n.key.typ.Kind() {
	case reflect.String:
		if n.key.enc == opString && n.key.dec == opString {
			return typedBy[string](n.elem.typ)
		}
	case reflect.Int, reflect.Int64, reflect.Uint, reflect.Uint64:
		if n.key.size == 8 && n.key.enc == n.key.dec && n.key.enc <= opUint64 {
			return typedBy[uint64](n.elem.typ)
		}
	}
	return nil
}

// typedBy chooses the type of elements by the layout of t, in which the pointers are what
// matters to the collector. Methods of t are called as for any other value.
func typedBy[K string | uint64](t reflect.Type) typed {
	switch t.Kind() {
	case reflect.Bool, reflect.Int8, reflect.Uint8:
		return new(typedMap[K, uint8])
	case reflect.Int, reflect.Int64, reflect.Uint, reflect.Uint64, reflect.Float64:
		if t.Size() == 8 {
			return new(typedMap[K, uint64])
		}
		return new(typedMap[K, uint32])
	case reflect.Int32, reflect.Uint32, reflect.Float32:
		return new(typedMap[K, uint32])
	case reflect.String:
		return new(typedMap[K, string])
	case reflect.Slice:
		return new(typedMap[K, []byte])
	case reflect.Pointer, reflect.Map:
		return new(typedMap[K, unsafe.Pointer])
	case reflect.Interface:
		if t.NumMethod() == 0 {
			return new(typedMap[K, any])
		}
	}
	return nil
}

// typedMap is for maps that have the layout of a map[K]V.
type typedMap[K string | uint64, V any] struct {
	pool sync.Pool // of *typedScratch[K, V]
}

// typedScratch is where the entries of a map are put in order.
type typedScratch[K string | uint64, V any] struct {
	keys  []K
	elems []V
	order ranks
	last  [8]keyList // by the number of keys modulo 8
}

func (t *typedMap[K, V]) entries(e *Encoder, b []byte, n *node, p unsafe.Pointer) []byte {
	m := *(*map[K]V)(p)
	b = e.mapHeader(b, n, len(m))
	if len(m) == 0 {
		return b
	}
	s, ok := t.pool.Get().(*typedScratch[K, V])
	if !ok {
		s = new(typedScratch[K, V])
	}
	s.keys, s.elems = slices.Grow(s.keys, len(m)), slices.Grow(s.elems, len(m))
	s.order.list = slices.Grow(s.order.list, len(m))
	if !s.fillAsLast(m) {
		for k, v := range m {
			s.keys, s.elems = append(s.keys, k), append(s.elems, v)
		}
		s.rank(n.key.enc)
		s.order.sort()
		s.keep()
	}
	for i, r := range s.order.list {
		if text, ok := any(&s.keys[r.i]).(*string); ok {
			b = e.string(b, *text)
		} else {
			b = e.value(b, n.key, unsafe.Pointer(&s.keys[r.i]))
		}
		if e.err != nil {
			e.inKey(i)
			return b
		}
		if b = e.value(b, n.elem, unsafe.Pointer(&s.elems[r.i])); len(b) > e.stop {
			e.tooLong(b)
		}
		if e.err != nil {
			e.inEntry(reflect.NewAt(n.key.typ, unsafe.Pointer(&s.keys[r.i])).Elem())
			return b
		}
	}
	if cap(s.keys) <= maxScratch {
		s.clear()
		t.pool.Put(s)
	}
	return b
}

// fillAsLast fills s with the entries of m, in order, if its keys are those of the last map with as many.
func (s *typedScratch[K, V]) fillAsLast(m map[K]V) bool {
	list := &s.last[len(m)%len(s.last)]
	if list.wait > 0 || len(list.ends) != len(m) {
		return false
	}
	from := 0
	for i, end := range list.ends {
		text := unsafe.String(unsafe.SliceData(list.text[from:]), end-from)
		from = end
		key := *(*K)(unsafe.Pointer(&text)) // lists are kept for strings only
		v, ok := m[key]
		if !ok {
			clear(s.elems)
			s.keys, s.elems, s.order.list = s.keys[:0], s.elems[:0], s.order.list[:0]
			return false
		}
		s.keys, s.elems = append(s.keys, key), append(s.elems, v)
		s.order.list = append(s.order.list, rank{i: i})
	}
	list.misses = 0
	return true
}

// keep keeps the keys in s for the next map with as many.
func (s *typedScratch[K, V]) keep() {
	if texts, ok := any(&s.keys).(*[]string); ok {
		s.last[len(s.keys)%len(s.last)].set(*texts, s.order.list)
	}
}

// keyList are the keys of a map, in order. Objects of a document often have the same ones, and to look them up takes less time
// than to put others in order.
type keyList struct {
	text   []byte // the keys, one behind the other
	ends   []int  // where each of them ends
	misses int    // how often in a row it was set and of no use
	wait   int    // maps to let pass before the next try
}

// What is kept of a map.
const (
	maxKeptKeys = 32
	maxKeptText = 1 << 10 // bytes
)

func (l *keyList) set(texts []string, order []rank) {
	if len(texts) > maxKeptKeys {
		return
	}
	if l.wait > 0 {
		l.wait--
		return
	}
	l.misses = min(l.misses+1, 8)
	l.wait = 1<<l.misses - 2
	l.text, l.ends = l.text[:0], l.ends[:0]
	for _, r := range order {
		if len(l.text)+len(texts[r.i]) > maxKeptText {
			l.ends = l.ends[:0]
			return
		}
		l.text = append(l.text, texts[r.i]...)
		l.ends = append(l.ends, len(l.text))
	}
}

func (s *typedScratch[K, V]) rank(key op) {
	switch keys := any(&s.keys).(type) { // a pointer takes no memory
	case *[]string:
		s.order.byText(*keys)
	case *[]uint64:
		sign := uint64(0)
		if key == opInt64 {
			sign = signBit
		}
		for i, n := range *keys {
			s.order.list = append(s.order.list, rank{n ^ sign, i})
		}
	}
}

func (s *typedScratch[K, V]) clear() {
	clear(s.keys)
	clear(s.elems)
	s.keys, s.elems = s.keys[:0], s.elems[:0]
	s.order.clear()
}

func (t *typedMap[K, V]) decode(d *Decoder, i, count int, n *node, p unsafe.Pointer) int {
	m := make(map[K]V, count)
	*(*map[K]V)(p) = m
	if count == 0 {
		return i
	}
	x := new(struct {
		key  K
		elem V
	})
	for k := range count {
		if text, ok := any(&x.key).(*string); ok {
			i = d.string(i, text)
		} else {
			i = d.value(i, n.key, unsafe.Pointer(&x.key))
		}
		if i < 0 {
			d.inKey(k)
			return failed
		}
		if i = d.value(i, n.elem, unsafe.Pointer(&x.elem)); i < 0 {
			d.inEntry(reflect.NewAt(n.key.typ, unsafe.Pointer(&x.key)).Elem())
			return failed
		}
		m[x.key] = x.elem
		var none V
		x.elem = none
	}
	return d.distinct(i, len(m), count)
}
