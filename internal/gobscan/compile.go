package gobscan

import (
	"reflect"
	"sync"
	"unicode"
	"unicode/utf8"
)

// fill compiles the fields of a struct as gob does: by name, into the fields of t
// that are exported, with one node for each Go type. The latter means that in a
// struct two fields of one Go type are decoded by the wire type of the first, even
// if the peer has defined two.
func (s *Scanner) fill(e *engine, at int) error {
	t := e.t
	e.fields = make([]*node, len(e.def.fields))
	if t == nil {
		return s.fillSkipped(e, at)
	}
	e.offsets = make([]int, len(e.fields))
	seen := make(map[reflect.Type]*node)
	open := make(map[reflect.Type]int32)
	embeds := hasEmbedded(t)
	for k, wf := range e.def.fields {
		f, found := field(t, wf.name)
		if embeds && len(f.Index) != 1 { // reflect has searched the embedded structs
			if err := s.compile(costSearch, 0, at); err != nil {
				return err
			}
		}
		var err error
		if !found {
			e.offsets[k] = skipped
			e.fields[k], err = s.skip(wf.id, at)
		} else if clear(open); !s.compatible(f.Type, wf.id, open) {
			err = s.mismatch(place{t, wf.name}, f.Type, wf.id)
		} else if e.fields[k], err = s.build(f.Type, wf.id, place{t, wf.name}, seen, at); err == nil {
			err = s.locate(e, k, f, at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fillSkipped compiles the fields of a struct that is skipped.
func (s *Scanner) fillSkipped(e *engine, at int) (err error) {
	for k, wf := range e.def.fields {
		if e.fields[k], err = s.skip(wf.id, at); err != nil {
			return err
		}
	}
	return nil
}

// locate notes where field k of a struct is: f.
func (s *Scanner) locate(e *engine, k int, f reflect.StructField, at int) error {
	offset, t := 0, e.t
	for _, i := range f.Index {
		if t.Kind() == reflect.Pointer {
			if err := s.compile(costSlot, keptFar+kept(8*uint64(len(f.Index))), at); err != nil {
				return err
			}
			if e.far == nil {
				e.far = make(map[int][]int)
			}
			e.offsets[k], e.far[k] = remote, f.Index
			return nil
		}
		in := t.Field(i)
		offset, t = offset+int(in.Offset), in.Type
	}
	e.offsets[k] = offset
	return nil
}

func hasEmbedded(t reflect.Type) bool {
	if t == nil {
		return false
	}
	for i := range t.NumField() {
		if t.Field(i).Anonymous {
			return true
		}
	}
	return false
}

// field returns the field of t into which gob decodes one of the given name.
func field(t reflect.Type, name string) (f reflect.StructField, found bool) {
	if t == nil {
		return f, false
	}
	if first, _ := utf8.DecodeRuneInString(name); !unicode.IsUpper(first) {
		return f, false
	}
	return t.FieldByName(name)
}

// place is where a type is used, for errors.
type place struct {
	t     reflect.Type
	field string // of t, unless t itself is meant
}

func (p place) String() string {
	if p.field == "" {
		return clip(p.t.String())
	}
	return clip(p.t.String()) + "." + clip(p.field)
}

// build compiles a node for wire type id and Go type t.
func (s *Scanner) build(t reflect.Type, id int32, where place, seen map[reflect.Type]*node, at int) (*node, error) {
	if err := s.compile(costOp, 0, at); err != nil {
		return nil, err
	}
	d := s.defs.get(id)
	if d == nil && (id <= 0 || id > idInterface) {
		return nil, s.unknownType(id, at)
	}
	base, pointers := deref(t)
	if method := methods(t); method != 0 {
		if d == nil || d.kind != kindOpaque || d.method != method {
			return nil, s.mismatch(where, t, id)
		}
		return shared(t, node{op: opBytes, methods: true, fixed: pointers}), nil
	}
	if want, isBasic := basic(base); isBasic {
		if id != want {
			return nil, s.mismatch(where, t, id)
		}
		return shared(t, node{op: basicOps[id], fixed: pointers}), nil
	}
	if n := seen[t]; n != nil {
		return n, nil
	}
	if d == nil {
		return nil, s.mismatch(where, t, id)
	}
	if err := s.keep(keptNode(t), at); err != nil {
		return nil, err
	}
	n := &node{fixed: pointers}
	n.into(t)
	seen[t] = n
	var err error
	switch {
	case base.Kind() == reflect.Struct && d.kind == kindStruct:
		n.op = opStruct
		n.eng, err = s.engine(planKey{base, id}, base, at)
	case base.Kind() == reflect.Slice && d.kind == kindSlice:
		n.op = opSlice
		n.size = uint64(base.Elem().Size())
		n.elem, err = s.build(base.Elem(), d.elem, where, seen, at)
	case base.Kind() == reflect.Array && d.kind == kindArray && base.Len() == d.len:
		n.op = opArray
		n.len = d.len
		n.elem, err = s.build(base.Elem(), d.elem, where, seen, at)
	case base.Kind() == reflect.Map && d.kind == kindMap:
		n.op = opMap
		k, v := uint64(base.Key().Size()), uint64(base.Elem().Size())
		n.fixed += costMap
		n.churn = sizeOf(base.Key()) + sizeOf(base.Elem())
		n.size = 9 + slot(k) + slot(v) // with padding
		n.key, err = s.build(base.Key(), d.key, where, seen, at)
		if err == nil {
			n.elem, err = s.build(base.Elem(), d.elem, where, seen, at)
		}
	default:
		err = s.mismatch(where, t, id)
	}
	if err != nil {
		return nil, err
	}
	return n, nil
}

// leaves has the nodes of types that need no definition, or have methods. They are the same
// in all streams, and there are no more than the program has types.
var leaves sync.Map // map[reflect.Type]*node

// shared returns the node for t that all Scanners share. n is what it is but for t.
func shared(t reflect.Type, n node) *node {
	if old, ok := leaves.Load(t); ok {
		return old.(*node)
	}
	n.into(t)
	old, _ := leaves.LoadOrStore(t, &n)
	return old.(*node)
}

// compatible reports whether gob takes wire type id for t, as far as it looks before it
// compiles: not into structs. open has the types that it is looking at.
func (s *Scanner) compatible(t reflect.Type, id int32, open map[reflect.Type]int32) bool {
	if was, ok := open[t]; ok {
		return was == id
	}
	open[t] = id
	d := s.defs.get(id)
	if method := methods(t); method != 0 || d != nil && d.kind == kindOpaque {
		return d != nil && d.kind == kindOpaque && d.method == method
	}
	base, _ := deref(t)
	if want, isBasic := basic(base); isBasic {
		return id == want
	}
	switch base.Kind() {
	case reflect.Struct:
		return true
	case reflect.Array:
		return d != nil && d.kind == kindArray && d.len == base.Len() && s.compatible(base.Elem(), d.elem, open)
	case reflect.Slice:
		elem, _ := deref(base.Elem())
		return d != nil && d.kind == kindSlice && s.compatible(elem, d.elem, open)
	case reflect.Map:
		return d != nil && d.kind == kindMap && s.compatible(base.Key(), d.key, open) && s.compatible(base.Elem(), d.elem, open)
	default:
		return false
	}
}

// slot is what a key or an element of n bytes takes in a map, which allocates those
// above 128 bytes for themselves. They are charged in full at each place that
// they could be in: it keeps the sums simple.
func slot(n uint64) uint64 {
	if n > 128 {
		return 8 + n/2
	}
	return n
}

// basicOps is how types that need no definition look on the wire.
var basicOps = [...]op{
	idBool: opUint, idInt: opUint, idUint: opUint, idFloat: opUint, idBytes: opBytes,
	idString: opBytes, idComplex: opComplex, idInterface: opInterface,
}

// basic returns the wire type of a Go type whose wire type needs no definition.
func basic(t reflect.Type) (id int32, ok bool) {
	switch t.Kind() {
	case reflect.Bool:
		return idBool, true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return idInt, true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return idUint, true
	case reflect.Float32, reflect.Float64:
		return idFloat, true
	case reflect.Complex64, reflect.Complex128:
		return idComplex, true
	case reflect.String:
		return idString, true
	case reflect.Interface:
		return idInterface, true
	case reflect.Slice:
		return idBytes, t.Elem().Kind() == reflect.Uint8
	default:
		return 0, false
	}
}

// deref follows the pointers of t to what is no pointer, and returns the memory
// for what they point to. A type of pointers without end stays a pointer, which
// nothing on the wire matches.
func deref(t reflect.Type) (base reflect.Type, size uint64) {
	for range 100 {
		if t.Kind() != reflect.Pointer {
			break
		}
		t = t.Elem()
		size = min(size+sizeOf(t), 1<<31)
	}
	return t, size
}
