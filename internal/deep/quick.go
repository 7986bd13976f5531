package deep

import (
	"reflect"
	"unsafe"
)

// What follows reads lengths of strings and slices in memory, because reflection takes several
// times as long for each, and most messages are looked at for nothing else. Pointers are made
// as package mpplan says; nothing is written, and nothing but lengths is read.

// tally is a slice or a map in a value, whose growth is known by the number of its elements.
type tally struct {
	offset uintptr      // of the slice or the map
	growth int          // of an element
	typ    reflect.Type // of a map; nil for a slice
}

// tallies is the growth of values that consist of what is at one place in memory, and of slices
// and maps there: base and that of all in list.
type tallies struct {
	base    int
	list    []tally
	tallied bool // else it takes more to find out

	leafs      []uintptr // where the Leafs are
	leafsKnown bool      // in all values at the same places; else it takes more to find them
}

// tally fills in p.tallies, for a p that is not open.
func (p *Plan) tally() {
	if p.tallied || p.open {
		return
	}
	p.parts((*Plan).tally)
	p.findLeafs()
	if p.growth < endless {
		p.base, p.tallied = p.growth, true
		return
	}
	switch p.typ.Kind() {
	case reflect.Slice:
		if p.elem.growth < endless {
			p.list, p.tallied = []tally{{growth: p.elem.growth}}, true
		}
	case reflect.Map:
		p.list, p.tallied = []tally{{growth: p.key.growth + p.elem.growth, typ: p.typ}}, true
	case reflect.Struct:
		p.base, p.tallied = p.shared, true
		for _, f := range p.sharing {
			offset, ok := offsetOf(p.typ, f.index)
			if !ok || !f.plan.tallied {
				p.list, p.tallied = nil, false
				return
			}
			p.base += f.plan.base
			for _, t := range f.plan.list {
				t.offset += offset
				p.list = append(p.list, t)
			}
		}
	}
}

// findLeafs fills in leafs.
func (p *Plan) findLeafs() {
	p.leafsKnown = true
	switch {
	case p.typ == p.rules.Leaf:
		p.leafs = []uintptr{0}
	case !p.judged:
	case p.typ.Kind() == reflect.Struct:
		p.leafs = nil
		for _, f := range p.fields {
			if !f.plan.judged {
				continue
			}
			offset, ok := offsetOf(p.typ, f.index)
			if !ok || !f.always || !f.plan.leafsKnown {
				p.leafs, p.leafsKnown = nil, false
				return
			}
			for _, at := range f.plan.leafs {
				p.leafs = append(p.leafs, offset+at)
			}
		}
	default:
		p.leafsKnown = false
	}
}

// judge has all Leafs judged that are in the value at that place, which has them where leafs says.
func (p *Plan) judge(at unsafe.Pointer) error {
	for _, offset := range p.leafs {
		if err := p.rules.Judge(reflect.NewAt(p.rules.Leaf, unsafe.Add(at, offset)).Elem()); err != nil {
			return err
		}
	}
	return nil
}

// offsetOf is where a field of the struct t is, unless a pointer leads to it.
func offsetOf(t reflect.Type, index []int) (offset uintptr, ok bool) {
	for _, i := range index {
		if t.Kind() != reflect.Struct {
			return 0, false
		}
		f := t.Field(i)
		offset += f.Offset
		t = f.Type
	}
	return offset, true
}

// isSmall reports whether no byte of the value at that place is encoded more often than
// maxGrowth times. It may say that this is not so of one for which it is.
func (p *Plan) isSmall(at unsafe.Pointer) bool {
	if p.typ.Kind() == reflect.Pointer {
		if at = *(*unsafe.Pointer)(at); at == nil {
			return true
		}
		p = p.elem
	}
	if !p.tallied {
		return false
	}
	n := p.base
	for i := range p.list {
		t := &p.list[i]
		count := t.len(at)
		if count > maxGrowth { // each of which is encoded
			return false
		}
		n += count * t.growth
	}
	return n <= maxGrowth
}

func (t *tally) len(at unsafe.Pointer) int {
	at = unsafe.Add(at, t.offset)
	if t.typ != nil {
		return reflect.NewAt(t.typ, at).Elem().Len()
	}
	return (*sliceHeader)(at).len
}

// sliceHeader is the layout of a slice.
type sliceHeader struct {
	_   unsafe.Pointer
	len int
	_   int
}

// sumTexts is the length of all strings that are in n elements of some size at that place, at
// the same offsets in each.
func sumTexts(at unsafe.Pointer, n int, size uintptr, offsets []uintptr) (sum int) {
	switch len(offsets) {
	case 1:
		at = unsafe.Add(at, offsets[0])
		for i := range n {
			sum += len(*(*string)(unsafe.Add(at, uintptr(i)*size)))
		}
	default:
		for i := range n {
			e := unsafe.Add(at, uintptr(i)*size)
			for _, offset := range offsets {
				sum += len(*(*string)(unsafe.Add(e, offset)))
			}
		}
	}
	return sum
}
