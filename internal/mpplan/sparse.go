package mpplan

import "github.com/fb9bb4ed/qsocket/internal/mpscan"

// Sparse reports whether there are values of the type whose encoding is so short that a
// decoder may refuse it: they would take more than about factor bytes for each of the
// payload. Structs most of whose fields are omitted are like that, and large arrays that are
// short when they are empty. It is a property of the type, worked out once.
func (p Plan[T]) Sparse(factor int) bool {
	s := sparse{factor: factor, seen: make(map[*node]bool), least: make(map[*node]int)}
	return s.look(p.root)
}

type sparse struct {
	factor int
	seen   map[*node]bool
	least  map[*node]int // bytes of the shortest encoding
}

// look looks for a container whose elements take too much.
func (s *sparse) look(n *node) (found bool) {
	if n == nil || s.seen[n] {
		return false
	}
	s.seen[n] = true
	switch n.dec {
	case opSlice, opPointer:
		found = s.large(n.elem)
	case opMap:
		found = s.large(n.elem) || s.large(n.key) || mpscan.MapCost(1, slot(n.key)+slot(n.elem)) > s.factor*(s.bytes(n.key)+s.bytes(n.elem))
	}
	if found || s.look(n.elem) || s.look(n.key) {
		return true
	}
	if n.dec == opStruct {
		for i := range n.fields.all {
			if s.look(n.fields.all[i].node) {
				return true
			}
		}
	}
	return false
}

// large reports whether an element takes too much: itself, and what is there as soon as it
// is not nil.
func (s *sparse) large(n *node) bool {
	size := mpscan.BytesCost(int(n.size))
	if n.dec == opMap {
		size += mpscan.MapCost(0, 0)
	}
	return size > s.factor*s.bytes(n)
}

// bytes is how long the shortest encoding of an n is.
func (s *sparse) bytes(n *node) int {
	if b, ok := s.least[n]; ok {
		return b
	}
	s.least[n] = 1 // of a type in itself: nil, or nothing
	b := 1
	switch n.enc {
	case opFloat32:
		b = 5
	case opFloat64:
		b = 9
	case opTime:
		b = 6
	case opArray:
		b += n.len * s.bytes(n.elem)
	case opStruct:
		for i := range n.fields.all[:n.fields.written] {
			if f := &n.fields.all[i]; !f.omitEmpty && len(f.hops) == 0 {
				b += s.bytes(f.node) // and its name, unless it is sent as an array
			}
		}
	}
	s.least[n] = b
	return b
}
