package gobscan

import "reflect"

// op is what a value is on the wire.
type op uint8

const (
	opUint          op = iota // an integer, a float or a bool: one unsigned integer
	opComplex                 // two unsigned integers
	opBytes                   // a string, bytes or something with methods: length and bytes
	opStruct                  // fields, each behind the difference of field numbers, and 0
	opSlice                   // count and elements
	opArray                   // the same, with a count that is known
	opMap                     // count and pairs
	opInterface               // name of a registered type, its wire type, length and value
	opSkipInterface           // the same where no Go value is wanted: gob looks at the length alone
)

// node is the plan for a value: its form on the wire, and what decoding it costs.
type node struct {
	op    op
	fixed uint64 // memory apart from elements and bytes: pointers' targets and the like
	churn uint64 // what is allocated and dropped, for maps
	size  uint64 // memory of an element of a slice, or an entry of a map
	len   int    // elements of an array
	key   *node  // of a map
	elem  *node  // of a slice, array or map
	eng   *engine

	// For Decode. Where values are skipped, t is nil.
	t       reflect.Type   // behind all pointers
	kind    reflect.Kind   // of t; int and uint with their width
	chain   []reflect.Type // what the pointers on the way to it point to
	methods bool           // t decodes itself
}

// engine is the plan for a struct.
type engine struct {
	fields  []*node       // by number of the field in the wire type
	offsets []int         // in the Go struct, or skipped or remote; nil if there is none
	far     map[int][]int // of those that are remote, the way to them, by number of the field
	t       reflect.Type  // the Go struct, or nil
	def     *definition
}

// plan is the node for a value that stands alone: of a payload, or in an interface.
type plan struct {
	node     *node
	isStruct bool
	t        reflect.Type
	boxed    uint64 // memory for the value in an interface
}

// planKey is a combination of Go type and wire type. Without a Go type the value
// is skipped.
type planKey struct {
	t  reflect.Type
	id int32
}

// job is an engine whose fields are still to be compiled, or a node, for a value
// that is skipped, that is still empty.
type job struct {
	eng  *engine
	node *node
	id   int32 // of the node
}

// planTop makes the plan for payloads of wire type id. gob gets a pointer to the variable,
// and goes by the type of that: it tells a payload apart from values of the same Go type
// inside it, which can have another wire type.
func (s *Scanner) planTop(id int32, at int) error {
	p, err := s.planFor(reflect.PointerTo(s.t), id, at)
	if err != nil {
		return err
	}
	s.topPlan, s.topID, s.top = p, id, *p.node
	s.top.chain = s.top.chain[1:] // the variable is there
	s.top.fixed -= sizeOf(s.t)
	return nil
}

// planFor returns the plan for a value of wire type id that is decoded into a t. With it
// everything is compiled that the types reach, so the cost of that falls due here.
func (s *Scanner) planFor(t reflect.Type, id int32, at int) (*plan, error) {
	key := planKey{t, id}
	if p := s.plans.get(key); p != nil {
		return p, nil
	}
	if err := s.compile(costPlan, keptPlan, at); err != nil {
		return nil, err
	}
	p := &plan{t: t, boxed: 2*sizeOf(t) + costInterface}
	base, pointers := deref(t)
	var err error
	if base.Kind() == reflect.Struct && !hasMethods(t) {
		p.isStruct = true
		p.node = &node{op: opStruct, fixed: pointers}
		p.node.into(t)
		p.node.eng, err = s.engine(planKey{base, id}, base, at)
	} else if !s.compatible(t, id, make(map[reflect.Type]int32)) {
		err = s.mismatch(place{t: base}, base, id)
	} else {
		p.node, err = s.build(t, id, place{t: base}, make(map[reflect.Type]*node), at)
	}
	if err == nil {
		err = s.work(at)
	}
	if err == nil && p.isStruct && base.NumField() > 0 && p.node.eng.foreign() {
		err = s.errorf(at, "no fields matched: %q has none of those of %s, found", clip(base.Name()), s.typeName(id))
	}
	if err != nil {
		return nil, err
	}
	s.plans.put(key, p)
	return p, nil
}

// engine returns the plan for a struct of wire type key.id. base is the struct
// type at the end of the pointers of key.t, or nil to skip it.
func (s *Scanner) engine(key planKey, base reflect.Type, at int) (*engine, error) {
	if e := s.engines.get(key); e != nil {
		return e, nil
	}
	d := s.defs.get(key.id)
	if d == nil && (key.id > idInterface || key.id <= 0) {
		return nil, s.unknownType(key.id, at)
	}
	if d == nil || d.kind != kindStruct {
		return nil, s.mismatch(place{t: base}, base, key.id)
	}
	n := uint64(len(d.fields))
	if err := s.compile(costEngine+costSlot*n, keptEngine(n, base != nil), at); err != nil {
		return nil, err
	}
	e := &engine{t: base, def: d}
	s.engines.put(key, e)
	s.todo = append(s.todo, job{eng: e})
	return e, nil
}

// foreign reports whether a struct has fields, none of which is in the Go struct.
func (e *engine) foreign() bool {
	for _, offset := range e.offsets {
		if offset != skipped {
			return false
		}
	}
	return len(e.fields) > 0
}

// work compiles what has been put off, so that compiling is not recursive in the
// peer's types.
func (s *Scanner) work(at int) error {
	for len(s.todo) > 0 {
		j := s.todo[len(s.todo)-1]
		s.todo = s.todo[:len(s.todo)-1]
		var err error
		if j.eng != nil {
			err = s.fill(j.eng, at)
		} else {
			err = s.fillSkip(j.node, j.id, at)
		}
		if err != nil {
			s.todo = s.todo[:0]
			return err
		}
	}
	return nil
}
