package gobscan

// skip returns the node for a value that has no place in the Go type.
func (s *Scanner) skip(id int32, at int) (*node, error) {
	if n := s.skips[id]; n != nil {
		return n, nil
	}
	n := &node{}
	if s.skips == nil {
		s.skips = make(map[int32]*node)
	}
	s.skips[id] = n
	if id > 0 && id < idInterface {
		n.op = basicOps[id]
		return n, nil
	}
	if id == idInterface {
		n.op = opSkipInterface
		return n, nil
	}
	if s.defs[id] == nil {
		return nil, s.unknownType(id, at)
	}
	s.todo = append(s.todo, job{node: n, id: id})
	return n, nil
}

// fillSkip compiles a node that skip made.
func (s *Scanner) fillSkip(n *node, id int32, at int) (err error) {
	d := s.defs[id]
	n.churn = costSkip
	switch d.kind {
	case kindOpaque:
		n.op, n.churn = opBytes, 0
	case kindStruct:
		n.op, n.churn = opStruct, 0
		n.eng, err = s.engine(planKey{nil, id}, nil, at)
	case kindSlice:
		n.op = opSlice
		n.elem, err = s.skip(d.elem, at)
	case kindArray:
		n.op, n.len = opArray, d.len
		n.elem, err = s.skip(d.elem, at)
	case kindMap:
		n.op, n.churn = opMap, 2*costSkip
		if n.key, err = s.skip(d.key, at); err == nil {
			n.elem, err = s.skip(d.elem, at)
		}
	}
	return err
}

// reach counts the types that gob goes through for each field of type id that is
// skipped, anew for each field: all that arrays, slices and maps lead to. Structs
// end it, because they are compiled once.
func (s *Scanner) reach(id int32) int {
	d := s.defs[id]
	if d == nil || d.kind == kindStruct || d.kind == kindOpaque {
		return 1
	}
	if d.reach > 0 {
		return d.reach
	}
	s.mark++
	n := 0
	open := []int32{id}
	for len(open) > 0 {
		id := open[len(open)-1]
		open = open[:len(open)-1]
		n++
		d := s.defs[id]
		if d == nil || d.mark == s.mark {
			continue
		}
		d.mark = s.mark
		switch d.kind {
		case kindMap:
			open = append(open, d.key, d.elem)
		case kindArray, kindSlice:
			open = append(open, d.elem)
		}
	}
	d.reach = n
	return n
}
