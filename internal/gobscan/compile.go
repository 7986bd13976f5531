package gobscan

import (
	"encoding"
	"encoding/gob"
	"reflect"
	"unicode"
	"unicode/utf8"
)

// fill compiles the fields of a struct as gob does: by name, into the fields of t
// that are exported, with one node for each Go type. The latter means that in a
// struct two fields of one Go type are decoded by the wire type of the first, even
// if the peer has defined two.
func (s *Scanner) fill(e *engine, t reflect.Type, d *definition, at int) error {
	e.fields = make([]*node, len(d.fields))
	e.offsets = make([]int, len(d.fields))
	seen := make(map[reflect.Type]*node)
	embeds := hasEmbedded(t)
	var taken []bool // fields of t that are in the definition
	if t != nil {
		taken = make([]bool, t.NumField())
	}
	for k, wf := range d.fields {
		f, found := field(t, wf.name)
		if embeds && len(f.Index) != 1 { // reflect has searched the embedded structs
			if err := s.compile(costSearch, at); err != nil {
				return err
			}
		}
		if !found {
			e.offsets[k] = skipped
			err := s.compile(costOp+uint64(s.reach(wf.id))*costSkipOp+2*uint64(len(wf.name)), at)
			if err == nil {
				e.fields[k], err = s.skip(wf.id, at)
			}
			if err != nil {
				return err
			}
			continue
		}
		n, err := s.build(f.Type, wf.id, place{t, wf.name}, seen, at)
		if err != nil {
			return err
		}
		e.fields[k] = n
		if first := f.Index[0]; len(f.Index) > 1 || taken[first] {
			e.offsets[k] = remote
		} else {
			e.offsets[k], taken[first] = int(f.Offset), true
		}
	}
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
	if err := s.compile(costOp, at); err != nil {
		return nil, err
	}
	d := s.defs[id]
	if d == nil && (id <= 0 || id > idInterface) {
		return nil, s.unknownType(id, at)
	}
	base, pointers := deref(t)
	if hasMethods(t) {
		if d == nil || d.kind != kindOpaque {
			return nil, s.mismatch(where, t, id)
		}
		n := &node{op: opBytes, fixed: pointers, methods: true}
		n.into(t)
		return n, nil
	}
	if n := seen[t]; n != nil {
		return n, nil
	}
	if want, isBasic := basic(base); isBasic {
		if id != want {
			return nil, s.mismatch(where, t, id)
		}
		n := &node{op: basicOps[id], fixed: pointers}
		n.into(t)
		return n, nil
	}

	if d == nil {
		return nil, s.mismatch(where, t, id)
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
		n.churn = costContainer
		n.size = uint64(base.Elem().Size())
		n.elem, err = s.build(base.Elem(), d.elem, where, seen, at)
	case base.Kind() == reflect.Array && d.kind == kindArray && base.Len() == d.len:
		n.op = opArray
		n.churn = costContainer
		n.len = d.len
		n.elem, err = s.build(base.Elem(), d.elem, where, seen, at)
	case base.Kind() == reflect.Map && d.kind == kindMap:
		n.op = opMap
		k, v := uint64(base.Key().Size()), uint64(base.Elem().Size())
		n.fixed += costMap
		n.churn = costMapState + sizeOf(base.Key()) + sizeOf(base.Elem())
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

var (
	gobDecoder        = reflect.TypeFor[gob.GobDecoder]()
	binaryUnmarshaler = reflect.TypeFor[encoding.BinaryUnmarshaler]()
)

// hasMethods reports whether values of t are decoded by methods of t, of what it
// points to, or of a pointer to it.
func hasMethods(t reflect.Type) bool {
	if t.Kind() != reflect.Pointer {
		t = reflect.PointerTo(t)
	}
	for range 100 {
		if t.Implements(gobDecoder) || t.Implements(binaryUnmarshaler) {
			return true
		}
		if t.Kind() != reflect.Pointer {
			return false
		}
		t = t.Elem()
	}
	return false
}
