package gobscan

// boxed reads the interface value at i up to the value in it, and returns the
// node for that. It is nil if there is nothing more to check. known says that
// there is a Go interface to decode into; otherwise gob skips what the peer calls
// the length of the value.
func (s *Scanner) boxed(known bool, i int) (*node, int, error) {
	at := i
	name, i, err := s.ifaceName(known, i)
	if err != nil {
		return nil, i, err
	}
	if s.churn += costBox; len(name) == 0 {
		s.boxes = append(s.boxes, box{at: i})
		return nil, i, nil
	}
	id, i, err := s.ifaceType(i)
	if err != nil {
		return nil, i, err
	}
	// gob does not look at the length of a value that it decodes, and its own
	// encoder gets it wrong where the value holds interfaces whose types are new.
	b := s.payload[:s.end]
	n, next := readUint(b, i)
	if next < 0 {
		return nil, i, s.badUint(b, i)
	}
	if !known {
		if n > uint64(len(b)-next) {
			return nil, i, s.short("interface value", "bytes", n, i, len(b)-next)
		}
		s.boxes = append(s.boxes, box{at: next + int(n)})
		return nil, next + int(n), nil
	}
	t, err := s.concrete(name, id, next, at)
	if err != nil {
		return nil, i, err
	}
	p, err := s.planFor(t, id, at)
	if err != nil {
		return nil, i, err
	}
	s.spent += p.boxed
	i, err = s.single(p, next)
	s.boxes = append(s.boxes, box{plan: p, at: i})
	return p.node, i, err
}

// ifaceName reads the name of a registered type. It is empty for a nil interface.
func (s *Scanner) ifaceName(known bool, i int) ([]byte, int, error) {
	b := s.payload[:s.end]
	n, next := readUint(b, i)
	if next < 0 {
		return nil, i, s.badUint(b, i)
	}
	if n > uint64(len(b)-next) {
		return nil, i, s.short("type name", "bytes", n, i, len(b)-next)
	}
	if n > maxName {
		return nil, i, s.errorf(i, "type name of %d bytes, want at most %d,", n, maxName)
	}
	if n == 0 && !known {
		// gob would go on to read a type and a value, which are not there.
		return nil, i, s.errorf(i, "nil interface in a field that the receiver does not have, which gob cannot skip,")
	}
	i = next + int(n)
	return b[next:i:i], i, nil
}

// maxName is how long the name of a registered type may be, in gob as well.
const maxName = 1024

// ifaceType reads the id of an interface's type, and definitions before it, if it
// is new. Where a message ends behind a definition, the id is in the next one,
// as is all that is left of the values around the interface.
func (s *Scanner) ifaceType(i int) (int32, int, error) {
	for {
		if i == s.end {
			var err error
			if i, err = s.message(i); err != nil {
				return 0, i, err
			}
		}
		id, next, err := s.typeID(i)
		if err != nil {
			return 0, i, err
		}
		if id >= 0 {
			return id, next, nil
		}
		if i, err = s.define(-id, next); err != nil {
			return 0, i, err
		}
		if i < s.end { // the length of what follows, at which gob does not look
			_, next := readUint(s.payload[:s.end], i)
			if next < 0 {
				return 0, i, s.badUint(s.payload[:s.end], i)
			}
			i = next
		}
	}
}
