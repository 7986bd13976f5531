// Package deep looks at a value before an encoder follows it: how deep it is nested, how long
// its encoding is at least, and whether what it holds of a certain type can be encoded.
//
// encoding/json and encoding/gob call themselves for each level of a value, until the
// stack of the goroutine is exhausted, which ends the process: a list of some million
// nodes is enough for that, and so is a value that contains itself. And they encode what
// is shared as often as there are ways to it: sixty nodes, each with two pointers to the
// next, would take a million gigabytes. Most types cannot have such values, and cost
// nothing or little here.
package deep

import (
	"fmt"
	"reflect"
	"sync"
	"unsafe"
)

// Rules are what an encoder does with types.
type Rules struct {
	Codec string // for errors
	Max   int    // levels: structs, slices, arrays and maps that are open inside each other

	// Fields lists the fields that the encoder looks at, by their indexes as in
	// reflect.VisibleFields: of one that is promoted, the way to it.
	Fields func(t reflect.Type) [][]int

	// Itself reports whether a t encodes itself, by a method: then nobody else follows
	// what is in it. addressable says whether the methods of *t can be called.
	Itself func(t reflect.Type, addressable bool) bool

	// Least says how short encodings are.
	Least Least

	// Held returns why a value of type t cannot be sent in an interface, or nil. It may be
	// nil itself.
	Held func(t reflect.Type) error

	// Values of type Leaf are given to Judge, wherever they are; nil for none. LeafIn returns
	// the way to the one in a struct that encodes itself by the methods of the Leaf that is
	// embedded in it; nil if there is none.
	Leaf   reflect.Type
	LeafIn func(t reflect.Type) []int
	Judge  func(v reflect.Value) error

	// Meet reports whether two keys of type t may be one where they arrive, and Key returns
	// for a key what is equal for those that are. Both may be nil.
	Meet func(t reflect.Type) bool
	Key  func(v reflect.Value) (string, error)

	// Alone says that Key refuses keys by themselves: it is asked for that of a map with one entry, too,
	// and not for those of maps in interfaces, as what comes of these has other keys.
	Alone bool

	plans sync.Map // *Plan by reflect.Type
}

// itself is Itself, but for pointers to Leaf, which has methods.
func (r *Rules) itself(t reflect.Type, addressable bool) bool {
	if r.Leaf != nil && t.Kind() == reflect.Pointer && t.Elem() == r.Leaf {
		return false
	}
	return r.Itself(t, addressable)
}

// maxPointers bounds the pointers between two levels. Only pointers that lead in a circle
// are that many.
const maxPointers = 100

// Plan says what to look at in the values of a type. It is immutable.
type Plan struct {
	rules   *Rules
	typ     reflect.Type
	key     *Plan
	elem    *Plan
	fields  []field
	leaf    []int // the way to the Leaf whose methods the struct has
	through bool  // a pointer to such a struct: its methods are those of the Leaf as well
	meets   bool  // keys of the map may be one where they arrive
	open    bool  // the values may be nested deeper than the types are
	free    bool  // there may be interfaces in them
	judged  bool  // there may be Leafs in them
	levels  int   // how deep its values are at most, if it is not open
	flat    bool  // no value is nested too deep
	surely  int   // how deep all its values are that have anything in them, by what is in them without a pointer

	itself, itselfAddressed bool // Itself of the type, of values that cannot and that can be addressed

	size // of the encodings
}

type field struct {
	index []int
	plan  *Plan
	sized // what is known of its encoding
}

// For returns the plan for t, or nil if no value of it has to be looked at.
func (r *Rules) For(t reflect.Type) *Plan {
	p := r.plan(t)
	if p.flat && p.growth <= maxGrowth {
		return nil
	}
	return p
}

// Free reports whether p's values can hold others of any type.
func (p *Plan) Free() bool { return p != nil && p.free }

func (r *Rules) plan(t reflect.Type) *Plan {
	if p, ok := r.plans.Load(t); ok {
		return p.(*Plan)
	}
	b := builder{rules: r, plans: make(map[reflect.Type]*Plan)}
	p := b.plan(t)
	b.mark()
	actual, _ := r.plans.LoadOrStore(t, p)
	return actual.(*Plan)
}

// builder makes the plans of a type and of all that it consists of.
type builder struct {
	rules *Rules
	plans map[reflect.Type]*Plan
	order []*Plan
}

func (b *builder) plan(t reflect.Type) *Plan {
	if p := b.plans[t]; p != nil {
		return p
	}
	p := &Plan{rules: b.rules, typ: t}
	b.plans[t] = p
	b.order = append(b.order, p)
	if t == b.rules.Leaf {
		p.judged = true
		return p
	}
	if e := t; b.rules.LeafIn != nil && e.Kind() == reflect.Pointer {
		for e.Kind() == reflect.Pointer && e.Name() == "" {
			e = e.Elem()
		}
		if e.Kind() == reflect.Struct && b.rules.LeafIn(e) != nil {
			p.through, p.elem = true, b.plan(t.Elem())
			return p
		}
	}
	p.itself, p.itselfAddressed = b.rules.itself(t, false), b.rules.itself(t, true)
	if p.itself && p.itselfAddressed {
		if b.rules.LeafIn != nil && t.Kind() == reflect.Struct {
			p.leaf = b.rules.LeafIn(t)
			p.open, p.judged = p.leaf != nil, p.leaf != nil
		}
		return p
	}
	switch t.Kind() {
	case reflect.Interface:
		p.open, p.free, p.judged = true, true, b.rules.Leaf != nil
	case reflect.Pointer, reflect.Slice, reflect.Array:
		p.elem = b.plan(t.Elem())
	case reflect.Map:
		p.key, p.elem = b.plan(t.Key()), b.plan(t.Elem())
		p.meets = b.rules.Meet != nil && b.rules.Meet(t.Key())
		p.open = p.meets
	case reflect.Struct:
		for _, index := range b.rules.Fields(t) {
			sf := t.FieldByIndex(index)
			p.fields = append(p.fields, field{index, b.plan(sf.Type), b.rules.Least.field(t, index, sf)})
		}
	}
	return p
}

// parts calls f for all that a p consists of.
func (p *Plan) parts(f func(*Plan)) {
	for _, part := range []*Plan{p.key, p.elem} {
		if part != nil {
			f(part)
		}
	}
	for _, fd := range p.fields {
		f(fd.plan)
	}
}

// mark finds the plans that are open: of interfaces, of types that contain themselves, and
// of what contains one of these; and those that are free or judged.
func (b *builder) mark() {
	for _, p := range b.order {
		p.open = p.open || b.containsItself(p)
	}
	for changed := true; changed; {
		changed = false
		for _, p := range b.order {
			p.parts(func(part *Plan) {
				if part.open && !p.open || part.free && !p.free || part.judged && !p.judged {
					p.open, p.free, p.judged = p.open || part.open, p.free || part.free, p.judged || part.judged
					changed = true
				}
			})
		}
	}
	for _, p := range b.order {
		p.levels = p.depth()
		p.surely = p.certain()
		p.flat = !p.open && !p.judged && p.levels <= b.rules.Max
	}
	for _, p := range b.order {
		p.measure()
	}
	for _, p := range b.order {
		p.tally()
	}
}

// depth is levels, for a p that contains nothing that is open.
func (p *Plan) depth() (n int) {
	if p.open || p.levels > 0 || p.typ == p.rules.Leaf {
		return p.levels
	}
	p.parts(func(part *Plan) { n = max(n, part.depth()) })
	switch p.typ.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map, reflect.Struct:
		n++
	}
	p.levels = n
	return n
}

// certain is surely: a struct or an array is a level, and contains those of its parts,
// whatever they hold. A slice or a map is one by itself, as it may be nil where it is a part.
func (p *Plan) certain() int {
	if p.surely > 0 {
		return p.surely
	}
	if p.typ == p.rules.Leaf || p.leaf != nil || p.through || p.itself || p.itselfAddressed {
		return 0
	}
	n := 0
	inner := func(part *Plan) {
		if k := part.typ.Kind(); k == reflect.Struct || k == reflect.Array {
			n = max(n, part.certain())
		}
	}
	switch p.typ.Kind() {
	case reflect.Slice, reflect.Map:
	case reflect.Array:
		if p.typ.Len() > 0 {
			inner(p.elem)
		}
	case reflect.Struct:
		for _, f := range p.fields {
			if f.always {
				inner(f.plan)
			}
		}
	default:
		return 0
	}
	return n + 1
}

func (b *builder) containsItself(p *Plan) bool {
	seen := make(map[*Plan]bool)
	var reaches func(*Plan) bool
	reaches = func(q *Plan) (found bool) {
		q.parts(func(part *Plan) {
			if part == p {
				found = true
			} else if !found && !seen[part] {
				seen[part] = true
				found = reaches(part)
			}
		})
		return found
	}
	return reaches(p)
}

// Check returns an error if *v, a value of p's type, is nested too deep or its encoding
// certainly takes more than limit bytes: a *oversize.Error.
func Check[T any](p *Plan, v *T, limit int) error {
	if p.flat && p.isSmall(unsafe.Pointer(v)) {
		return nil
	}
	if p.leafsKnown && p.levels <= p.rules.Max && p.isSmall(unsafe.Pointer(v)) {
		return p.judge(unsafe.Pointer(v))
	}
	return p.check(reflect.ValueOf(v).Elem(), limit)
}

func (p *Plan) check(v reflect.Value, limit int) error {
	if p.flat && p.few(v, maxGrowth) <= maxGrowth {
		return nil
	}
	w := walk{rules: p.rules, root: p.typ, limit: limit}
	err := w.value(p, v, 0, 0, false)
	if err == nil && w.least > limit/closer {
		w.least, w.exact = 0, true
		err = w.value(p, v, 0, 0, false)
	}
	return err
}

type walk struct {
	rules *Rules
	root  reflect.Type

	limit int  // of the encoding, bytes
	least int  // what the encoding takes at least, as far as the value has been looked at
	inner int  // interfaces that the value is in
	exact bool // count what costs more to count, too
}

// value looks at v, which is inside so many levels, and so many pointers since the last.
// counted says that the one byte is counted already that any element takes.
func (w *walk) value(p *Plan, v reflect.Value, level, pointers int, counted bool) error {
	if p.typ == w.rules.Leaf {
		return w.rules.Judge(v)
	}
	if p.leaf != nil {
		if leaf, ok := fieldByIndex(v, p.leaf); ok && leaf.Kind() != reflect.Pointer {
			return w.rules.Judge(leaf)
		}
		return nil
	}
	if p.fixed && !(w.exact && p.inexact) {
		if p.omits && !counted {
			return nil
		}
		if level+p.surely > w.rules.Max {
			return w.tooDeep()
		}
		return w.count(p.unit, counted)
	}
	if !p.through && (p.itself || p.itselfAddressed && v.CanAddr()) {
		return nil
	}
	switch p.typ.Kind() {
	case reflect.String:
		if p.text {
			counted = false // the quotes, or the length, are
		}
		if counted && v.Len() == 0 {
			return nil
		}
		return w.count(v.Len(), counted)
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		if pointers++; pointers > maxPointers {
			return fmt.Errorf("%s: %v has pointers that lead in a circle", w.rules.Codec, w.root)
		}
		if p.elem != nil {
			return w.value(p.elem, v.Elem(), level, pointers, counted)
		}
		return w.interfaced(v, level, pointers, counted)
	case reflect.Slice, reflect.Array, reflect.Map, reflect.Struct:
		// An itself of values that can be addressed has no surely, but this one cannot.
		if level+max(p.surely, 1) > w.rules.Max {
			return w.tooDeep()
		}
		return w.parts(p, v, level+1, counted)
	}
	return nil
}

// interfaced looks at what the interface v holds, which is not nil.
func (w *walk) interfaced(v reflect.Value, level, pointers int, counted bool) error {
	if x, ok := addressed[any](v); ok {
		if known, err := w.held(*x, level, counted); known {
			return err
		}
	}
	v = v.Elem()
	p, err := w.rules.heldPlan(v.Type())
	if err != nil {
		return err
	}
	w.inner++
	err = w.value(p, v, level, pointers, counted)
	w.inner--
	return err
}

func (w *walk) tooDeep() error {
	return fmt.Errorf("%s: %v is nested deeper than %d levels, or contains itself", w.rules.Codec, w.root, w.rules.Max)
}

// noKey refuses a map with a key that arrives without its pointers.
func (w *walk) noKey(key reflect.Value) error {
	return fmt.Errorf("%s: %v has a key that is a pointer to a %v, which cannot be the key of a map where it arrives", w.rules.Codec, w.root, pointee(key))
}

// asksKeys reports whether the keys of a map of n entries are to be looked at.
func (w *walk) asksKeys(p *Plan, n int) bool {
	if w.rules.Alone {
		return p.meets && w.inner == 0
	}
	return p.meets && n > 1
}

// distinct refuses a map of which two keys would be one where they arrive. Keys that are not
// equal to themselves, as no number is, never meet.
func (w *walk) distinct(m reflect.Value) error {
	known := make(map[string]bool, m.Len())
	for it := m.MapRange(); it.Next(); {
		key := it.Key()
		if !key.Equal(key) {
			continue
		}
		s, err := w.rules.Key(key)
		if err != nil {
			return err
		}
		if known[s] {
			return fmt.Errorf("%s: %v has a map with two keys of type %v that are encoded alike, so one of them would be lost", w.rules.Codec, w.root, m.Type().Key())
		}
		known[s] = true
	}
	return nil
}

// fieldByIndex is that of reflect, and reports false where a pointer on the way is nil.
func fieldByIndex(v reflect.Value, index []int) (reflect.Value, bool) {
	for i, k := range index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return v, false
			}
			v = v.Elem()
		}
		v = v.Field(k)
	}
	return v, true
}

// isEmpty reports whether v is a slice or map without anything in it. As fields, gob does
// not send them.
func isEmpty(v reflect.Value) bool {
	k := v.Kind()
	return (k == reflect.Slice || k == reflect.Map) && v.Len() == 0
}

// canBeKey reports whether what an interface holds can be the key of a map where it arrives
// without its pointers.
func canBeKey(v reflect.Value) bool {
	t := pointee(v)
	return t == nil || t.Comparable()
}

// pointee is the type of what v holds, behind all pointers; nil if there is none.
func pointee(v reflect.Value) reflect.Type {
	for v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer {
		if v = v.Elem(); !v.IsValid() {
			return nil
		}
	}
	return v.Type()
}
