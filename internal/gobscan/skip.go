package gobscan

// passed has the nodes for values of types that need no definition, where they are skipped.
var passed = [...]node{
	idBool: {op: opUint}, idInt: {op: opUint}, idUint: {op: opUint}, idFloat: {op: opUint}, idBytes: {op: opBytes},
	idString: {op: opBytes}, idComplex: {op: opComplex}, idInterface: {op: opSkipInterface},
}

// skip returns the node for a value that has no place in the Go type.
func (s *Scanner) skip(id int32, at int) (*node, error) {
	if id > 0 && id <= idInterface {
		return &passed[id], nil
	}
	if n := s.skips.get(id); n != nil {
		return n, nil
	}
	if err := s.compile(costSlot, keptSkip, at); err != nil {
		return nil, err
	}
	n := &node{}
	s.skips.put(id, n)
	if s.defs.get(id) == nil {
		return nil, s.unknownType(id, at)
	}
	s.todo = append(s.todo, job{node: n, id: id})
	return n, nil
}

// fillSkip compiles a node that skip made.
func (s *Scanner) fillSkip(n *node, id int32, at int) (err error) {
	d := s.defs.get(id)
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
