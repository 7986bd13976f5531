package gobscan

// walk checks the value at i, of which top is the plan, and returns the offset
// behind it.
func (s *Scanner) walk(top *node, i int) (int, error) {
	b := s.payload[:s.end]
	spent := s.spent
	stack := s.stack[:0]
	depth := 0
	cur := frame{elem: top, n: 1, level: 1}
	for {
		// What comes next in cur, the innermost frame.
		var nd *node
		if cur.eng != nil {
			delta, next := readUint(b, i)
			if next < 0 {
				return i, s.badUint(b, i)
			}
			fields := cur.eng.fields
			if delta >= uint64(len(fields)-cur.n) {
				return i, s.errorf(i, "field %d + %d of a struct with %d fields", cur.n, delta, len(fields))
			}
			i = next
			if delta != 0 {
				cur.n += int(delta)
				nd = fields[cur.n]
			}
		} else if cur.n > 0 {
			cur.n--
			nd = cur.elem
			if cur.other != nil {
				cur.elem, cur.other = cur.other, nd
			}
		}
		if nd == nil {
			depth -= cur.level
			if len(stack) == 0 {
				s.stack, s.spent = stack, spent
				return i, nil
			}
			cur = stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			continue
		}

		spent += nd.fixed
		inner := frame{level: 1}
		switch nd.op {
		case opUint:
			if i < len(b) && b[i] <= 0x7f {
				i++
				continue
			}
			_, next := readLongUint(b, i)
			if next < 0 {
				return i, s.badUint(b, i)
			}
			i = next
			continue

		case opComplex:
			for range 2 {
				_, next := readUint(b, i)
				if next < 0 {
					return i, s.badUint(b, i)
				}
				i = next
			}
			continue

		case opBytes:
			n, next := readUint(b, i)
			if next < 0 {
				return i, s.badUint(b, i)
			}
			if n > uint64(len(b)-next) {
				return i, s.short("string", "bytes", n, i, len(b)-next)
			}
			if n > 0 {
				spent += roundUp(n)
				if n > growFrom {
					spent += n
					s.churn += 4 * n
				}
			}
			i = next + int(n)
			continue

		case opStruct:
			inner.eng, inner.n = nd.eng, -1

		case opSlice, opArray, opMap:
			n, next := readUint(b, i)
			if next < 0 {
				return i, s.badUint(b, i)
			}
			// Each element takes a byte at least. Those that hold interfaces can
			// be in later messages of the payload.
			left := uint64(len(s.payload) - next)
			s.spent = spent
			s.churn += nd.churn
			switch {
			case nd.op == opMap:
				if n > left/2 {
					return i, s.short("map", "entries", n, i, int(left))
				}
				s.table(n, nd.size)
				inner.elem, inner.other, inner.n = nd.key, nd.elem, 2*int(n)
			case nd.op == opArray && n != uint64(nd.len):
				return i, s.errorf(i, "array of %d elements, want %d", n, nd.len)
			case n > left:
				return i, s.short("slice or array", "elements", n, i, int(left))
			default:
				s.array(n, nd.size)
				inner.elem, inner.n = nd.elem, int(n)
			}
			if err := s.afford(i); err != nil {
				return i, err
			}
			spent = s.spent
			i = next
			if inner.other == nil && inner.elem.op == opUint { // the many of numbers
				spent += n * inner.elem.fixed
				for ; n > 0; n-- {
					if i < len(b) && b[i] <= 0x7f {
						i++
						continue
					}
					_, next := readLongUint(b, i)
					if next < 0 {
						return i, s.badUint(b, i)
					}
					i = next
				}
				if depth+1 > MaxDepth {
					return i, s.tooDeep(i)
				}
				continue
			}

		case opInterface, opSkipInterface:
			s.spent = spent
			elem, next, err := s.boxed(nd.op == opInterface, i)
			if err != nil {
				return i, err
			}
			spent, b, i = s.spent, s.payload[:s.end], next
			if elem == nil {
				continue
			}
			inner.elem, inner.n = elem, 1
			if cur.level > 0 { // what holds an interface has been counted
				inner.level = 0
			}
		}
		if depth += inner.level; depth > MaxDepth {
			return i, s.tooDeep(i)
		}
		stack = append(stack, cur)
		cur = inner
	}
}
