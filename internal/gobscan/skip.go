package gobscan

// skip returns the node for a value that has no place in the Go type.
func (s *Scanner) skip(id int32, at int) (*node, error) {
	if n := s.skips[id]; n != nil {
		return n, nil
	}
	if err := s.compile(costSlot, keptSkip, at); err != nil {
		return nil, err
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
	switch d.kind {
	case kindOpaque:
		n.op = opBytes
	case kindStruct:
		n.op = opStruct
		n.eng, err = s.engine(planKey{nil, id}, nil, at)
	case kindSlice:
		n.op = opSlice
		n.elem, err = s.skip(d.elem, at)
	case kindArray:
		n.op, n.len = opArray, d.len
		n.elem, err = s.skip(d.elem, at)
	case kindMap:
		n.op = opMap
		if n.key, err = s.skip(d.key, at); err == nil {
			n.elem, err = s.skip(d.elem, at)
		}
	}
	return err
}
