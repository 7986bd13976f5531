package gobscan

// frame is a struct, array, slice, map or interface that the walk is inside of.
type frame struct {
	eng   *engine // of a struct
	elem  *node   // what comes next, otherwise
	other *node   // what alternates with it in a map
	n     int     // number of the last field, or elements still to come
	level int     // what it adds to the depth
}

// walk checks the value at i, of which top is the plan, and returns the offset
// behind it.
func (s *Scanner) walk(top *node, i int) (int, error) {
	b := s.payload[:s.end]
	spent, churn := s.spent, uint64(0)
	stack := s.stack[:0]
	depth := 0
	// The innermost frame. In single variables the compiler keeps it in registers.
	var eng *engine
	elem, other := top, (*node)(nil)
	n, level := 1, 1
	for {
		var nd *node // what comes next
		if eng != nil {
			if i >= len(b) {
				return i, s.badUint(b, i)
			}
			delta, next := uint64(b[i]), i+1
			if delta > 0x7f {
				if delta, next = readLongUint(b, i); next < 0 {
					return i, s.badUint(b, i)
				}
			}
			if delta != 0 {
				if delta >= uint64(len(eng.fields)-n) {
					return i, s.errorf(i, "field %d + %d of a struct with %d fields", n, delta, len(eng.fields))
				}
				n += int(delta)
				nd = eng.fields[n]
			}
			i = next
		} else if n > 0 {
			n--
			nd = elem
			if other != nil {
				elem, other = other, nd
			}
		}
		if nd == nil { // this frame is done
			depth -= level
			if len(stack) == 0 {
				s.stack, s.spent = stack, spent
				s.churn += churn
				return i, nil
			}
			f := &stack[len(stack)-1]
			eng, elem, other, n, level = f.eng, f.elem, f.other, f.n, f.level
			stack = stack[:len(stack)-1]
			continue
		}

		spent += nd.fixed
		switch nd.op {
		case opUint:
			next := skipUint(b, i)
			if next > len(b) {
				return i, s.badUint(b, i)
			}
			i = next
			continue

		case opComplex:
			for range 2 {
				next := skipUint(b, i)
				if next > len(b) {
					return i, s.badUint(b, i)
				}
				i = next
			}
			continue

		case opBytes:
			if i >= len(b) {
				return i, s.badUint(b, i)
			}
			size, next := uint64(b[i]), i+1
			if size > 0x7f {
				if size, next = readLongUint(b, i); next < 0 {
					return i, s.badUint(b, i)
				}
			}
			if size > uint64(len(b)-next) {
				return i, s.short("string", "bytes", size, i, len(b)-next)
			}
			spent += size + size>>2 + 16
			if nd.methods { // a copy for the method
				churn += size + size>>2 + 64
			}
			i = next + int(size)
			continue
		}

		// The others have values in them: another frame.
		stack = append(stack, frame{eng, elem, other, n, level})
		if level > 0 && nd.op >= opInterface {
			level = 0 // what holds the interface has been counted
		} else {
			level = 1
		}
		if depth += level; depth > MaxDepth {
			return i, s.errorf(i, "value nested deeper than %d levels", MaxDepth)
		}
		switch nd.op {
		case opStruct:
			eng, n = nd.eng, -1

		case opSlice, opArray, opMap:
			s.spent = spent
			count, next, err := s.count(nd, i)
			if err != nil {
				return i, err
			}
			spent, i = s.spent, next
			eng, elem, other, n = nil, nd.elem, nil, count
			if nd.op == opMap {
				elem, other, n = nd.key, nd.elem, 2*count
			} else if elem.op == opUint || elem.op == opComplex {
				spent += uint64(n) * elem.fixed
				if elem.op == opComplex {
					n *= 2
				}
				for ; n > 0; n-- {
					next := skipUint(b, i)
					if next > len(b) {
						return i, s.badUint(b, i)
					}
					i = next
				}
			}

		case opInterface, opSkipInterface:
			s.spent = spent
			inner, next, err := s.boxed(nd.op == opInterface, i)
			if err != nil {
				return i, err
			}
			spent, b, i = s.spent, s.payload[:s.end], next
			eng, elem, other, n = nil, inner, nil, 1
			if inner == nil {
				n = 0
			}
		}
	}
}

// count reads how many elements or entries the slice, array or map at i has, and
// charges the memory for them.
func (s *Scanner) count(nd *node, i int) (int, int, error) {
	n, next := readUint(s.payload[:s.end], i)
	if next < 0 {
		return 0, i, s.badUint(s.payload[:s.end], i)
	}
	// Each element takes a byte at least. Those that hold interfaces can be in
	// later messages of the payload.
	left := len(s.payload) - next
	s.churn += nd.churn
	switch {
	case nd.op == opMap:
		if n > uint64(left)/2 {
			return 0, i, s.short("map", "entries", n, i, left)
		}
		s.table(n, nd.size)
	case nd.op == opArray && n != uint64(nd.len):
		return 0, i, s.errorf(i, "array of %d elements, want %d,", n, nd.len)
	case n > uint64(left):
		return 0, i, s.short("slice or array", "elements", n, i, left)
	default:
		s.array(n, nd.size)
	}
	return int(n), next, s.afford(i)
}
