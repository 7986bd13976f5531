package deep

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/fb9bb4ed/qsocket/internal/oversize"
)

// Least says how short the encodings of a codec are: what certainly takes space, in bytes.
// Every element of a slice, an array or a map takes one byte at least, every character of a
// string, and every struct, slice, array and map.
type Least struct {
	Elem    int  // of an element of a slice or an array that is not one of bytes, with what separates it from the next
	Entry   int  // of an entry of a map
	Names   bool // fields have their names with them, and are there even if they are zero
	Nonzero int  // of a field with a number that is not zero
}

// sized is what is known of the encoding of a field.
type sized struct {
	name      int  // bytes of its name, and of what surrounds it, if it is written
	always    bool // it is written
	omitEmpty bool // as encoding/json understands it
	omitZero  bool
}

// field returns what is known of a field of t.
func (l *Least) field(t reflect.Type, index []int, sf reflect.StructField) (s sized) {
	s.always = true
	for i := 1; i < len(index); i++ { // behind a pointer, which may be nil
		s.always = s.always && t.FieldByIndex(index[:i]).Type.Kind() != reflect.Pointer
	}
	if !l.Names {
		return s
	}
	name, options, _ := strings.Cut(sf.Tag.Get("json"), ",")
	s.name = len(sf.Name)
	if name != "" {
		s.name = min(s.name, len(name)) // a bad one does not count
	}
	s.name += len(`"":`) + 1 // and the value
	for _, o := range strings.Split(options, ",") {
		s.omitEmpty = s.omitEmpty || o == "omitempty"
		s.omitZero = s.omitZero || o == "omitzero"
	}
	s.always = s.always && !s.omitEmpty && !s.omitZero
	return s
}

// size is what a Plan knows of the encodings of its values.
type size struct {
	fixed   bool    // they are independent of the value: unit counts all that is there
	omits   bool    // as a field, a value may be left out that nobody has asked to be
	inexact bool    // unit is less than what most values take
	unit    int     // what they take at least, but for the fields of a struct that are varied
	text    bool    // they are plain strings
	texts   []int   // of a struct: the fields that are plain strings, and always written; unit has them as empty ones
	varied  []field // of a struct: the other fields that unit does not contain
	refined []field // of a struct: those of which an exact count knows more than unit

	// growth bounds how often a byte of memory can be encoded, because several parts of a
	// value have it in common. It is endless for a slice of strings, each of which may be the
	// same long one.
	growth  int
	shared  int     // of a struct: the growth but for that of its endless fields
	sharing []field // of a struct: the endless ones
}

const (
	// maxGrowth is up to what growth values are not looked at.
	maxGrowth = 16

	endless = 1 << 20 // growth

	// fewElements is up to how many elements are looked at to see whether they are few.
	fewElements = 4

	maxUnit = 1 << 40

	// closer is the part of the limit from which on it is worth counting exactly.
	closer = 16
)

// measure fills in p.size.
func (p *Plan) measure() {
	p.measuring(make(map[*Plan]bool))
}

func (p *Plan) measuring(inside map[*Plan]bool) {
	if p.growth > 0 || inside[p] {
		return
	}
	inside[p] = true
	defer delete(inside, p)
	p.parts(func(part *Plan) { part.measuring(inside) })
	p.growth, p.unit = 1, 1
	if p.open {
		p.growth = endless
	}
	r := p.rules
	if p.typ == r.Leaf || p.leaf != nil || p.through {
		return
	}
	p.omits = !r.Least.Names && (p.isNumber() || !p.isPlain())
	switch k := p.typ.Kind(); {
	case p.itself && p.itselfAddressed:
		p.fixed = true
	case p.itselfAddressed:
	case k == reflect.Struct:
		p.measureStruct()
	case k == reflect.Array:
		p.fixed, p.inexact = p.elem.fixed, p.elem.inexact
		n := p.typ.Len()
		if p.elem.fixed {
			p.unit += p.counted(n)
		}
		if !p.fixed || p.typ.Size() == 0 && p.unit > maxGrowth {
			p.growth = min(max(times(n, p.elem.growth), 1), endless)
		}
	case k == reflect.Slice:
		if !p.elem.fixed || p.elem.typ.Size() == 0 {
			p.growth = endless
		}
	case k == reflect.Map:
		if !p.key.fixed || !p.elem.fixed {
			p.growth = endless
		}
	case k == reflect.Pointer:
		p.growth = p.elem.growth
	case k == reflect.String:
		p.text = p.typ != reflect.TypeFor[json.Number]() // which has no quotes
	case k == reflect.Interface:
	default:
		p.fixed = true
	}
	if p.open {
		p.growth = endless
	}
}

func (p *Plan) measureStruct() {
	p.fixed = true
	l := &p.rules.Least
	for _, f := range p.fields {
		switch {
		case f.plan.text && f.always && len(f.index) == 1:
			p.fixed = false
			p.texts = append(p.texts, f.index[0])
			p.unit += f.name
			p.shared++
			continue
		case !f.plan.fixed || !f.always && !f.plan.isNumber():
			p.fixed = false
			p.varied = append(p.varied, f)
			if f.always {
				p.unit += f.name
			}
			if f.plan.growth < endless {
				p.shared += f.plan.growth
			} else {
				p.sharing = append(p.sharing, f)
			}
			continue
		case f.always && !f.plan.omits:
			p.unit += f.name + f.plan.unit
			if l.Names {
				p.unit-- // of the value, which the name contains
			}
			if f.plan.inexact {
				p.refined = append(p.refined, f)
			}
		case f.plan.isNumber():
			p.refined = append(p.refined, f)
		}
		if f.plan.growth > maxGrowth {
			p.shared += f.plan.growth
		}
	}
	p.inexact = len(p.refined) > 0
	p.unit = min(p.unit, maxUnit)
	p.shared = min(p.shared, endless)
	p.growth = max(p.shared, 1)
	if len(p.sharing) > 0 {
		p.growth = endless
	}
}

// isNumber reports whether the values are single numbers.
func (p *Plan) isNumber() bool {
	k := p.typ.Kind()
	return k >= reflect.Bool && k <= reflect.Complex128 && !p.itselfAddressed
}

// isPlain reports whether no method encodes the values.
func (p *Plan) isPlain() bool { return !p.itselfAddressed }

// counted is what n fixed elements take.
func (p *Plan) counted(n int) int {
	return times(n, max(p.elem.unit, p.elemCost()))
}

// elemCost is what an element takes at least, whatever it is.
func (p *Plan) elemCost() int {
	if p.elem.typ.Kind() == reflect.Uint8 {
		return 1 // which may be bytes in base64
	}
	return p.rules.Least.Elem
}

// times is a product, but no more than maxUnit.
func times(a, b int) int {
	if a > 0 && b > maxUnit/a {
		return maxUnit
	}
	return a * b
}

// few bounds how often a byte of memory is encoded because parts of v have it in common; or
// it returns more than most, if it is not quick to find out.
func (p *Plan) few(v reflect.Value, most int) (n int) {
	if p.growth <= most {
		return p.growth
	}
	switch p.typ.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return 0
		}
		return p.elem.few(v.Elem(), most)
	case reflect.Slice:
		if p.elem.growth < endless || v.Len() > fewElements {
			return times(v.Len(), p.elem.growth)
		}
		for i := 0; i < v.Len() && n <= most; i++ {
			n += p.elem.few(v.Index(i), most-n)
		}
		return n
	case reflect.Map:
		return times(v.Len(), p.key.growth+p.elem.growth)
	case reflect.Struct:
		n = p.shared
		for i := 0; i < len(p.sharing) && n <= most; i++ {
			f := &p.sharing[i]
			if fv, ok := fieldByIndex(v, f.index); ok {
				n += f.plan.few(fv, most-n)
			}
		}
		return n
	}
	return p.growth
}

// count takes n bytes from what is left. counted says that one of them is counted already.
func (w *walk) count(n int, counted bool) error {
	if counted {
		n--
	}
	if w.least += n; w.least > w.limit {
		return &oversize.Error{Least: w.least}
	}
	return nil
}

// parts looks at what is in v, which is at that level.
func (w *walk) parts(p *Plan, v reflect.Value, level int, counted bool) error {
	switch v.Kind() {
	case reflect.Struct:
		return w.structure(p, v, level, counted)
	case reflect.Map:
		return w.entries(p, v, level, counted)
	}
	n := v.Len()
	if n == 0 && !counted && v.Kind() == reflect.Slice {
		return nil
	}
	if p.elem.fixed && !(w.exact && p.elem.inexact) {
		return w.count(1+p.counted(n), counted)
	}
	if err := w.count(1+times(n, p.elemCost()), counted); err != nil {
		return err
	}
	if e := p.elem; e.text || !w.exact && e.plain() && level+e.levels <= w.rules.Max {
		return w.plain(e, v, n)
	}
	for i := range n {
		if err := w.value(p.elem, v.Index(i), level, 0, true); err != nil {
			return err
		}
	}
	return nil
}

// plain reports whether the values are structs in which nothing but strings varies.
func (p *Plan) plain() bool {
	return len(p.texts) > 0 && len(p.varied) == 0 && !p.open
}

// plain counts the n elements of v, which are strings or structs that are plain.
func (w *walk) plain(e *Plan, v reflect.Value, n int) error {
	if p, ok := addressed[[]string](v); ok {
		for _, s := range *p {
			w.least += len(s)
		}
		return w.count(0, false)
	}
	for i := range n {
		x := v.Index(i)
		if e.text {
			w.least += x.Len()
			continue
		}
		w.least += e.unit - 1
		for _, k := range e.texts {
			w.least += x.Field(k).Len()
		}
	}
	return w.count(0, false)
}

// addressed returns a pointer to v, if that is a T and can be addressed.
func addressed[T any](v reflect.Value) (p *T, ok bool) {
	if !v.CanAddr() || v.Type() != reflect.TypeFor[T]() || !v.CanInterface() {
		return nil, false
	}
	p, ok = v.Addr().Interface().(*T)
	return p, ok
}

func (w *walk) structure(p *Plan, v reflect.Value, level int, counted bool) error {
	if err := w.count(p.unit, counted); err != nil {
		return err
	}
	for _, k := range p.texts {
		w.least += v.Field(k).Len()
	}
	names := w.rules.Least.Names
	for i := range p.varied {
		f := &p.varied[i]
		fv, ok := fieldByIndex(v, f.index)
		if !ok || f.omitted(fv) {
			continue
		}
		if !f.always {
			w.least += f.name
		}
		if isEmpty(fv) {
			continue
		}
		if err := w.value(f.plan, fv, level, 0, names); err != nil {
			return err
		}
	}
	if w.exact {
		return w.refine(p, v, level)
	}
	return nil
}

// refine counts what p.unit does not contain of the fields that are refined.
func (w *walk) refine(p *Plan, v reflect.Value, level int) error {
	for i := range p.refined {
		f := &p.refined[i]
		fv, ok := fieldByIndex(v, f.index)
		switch {
		case !ok || f.omitted(fv):
		case !f.plan.isNumber():
			w.least -= f.plan.unit
			if err := w.value(f.plan, fv, level, 0, false); err != nil {
				return err
			}
		case fv.IsZero() || fv.CanFloat() && fv.Float() == 0:
		case w.rules.Least.Names:
			w.least += f.name
		default:
			w.least += w.rules.Least.Nonzero
		}
	}
	return w.count(0, false)
}

// omitted reports whether the field v is left out by a tag.
func (f *field) omitted(v reflect.Value) bool {
	if f.omitEmpty {
		switch v.Kind() {
		case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
			if v.Len() == 0 {
				return true
			}
		case reflect.Interface, reflect.Pointer:
			if v.IsNil() {
				return true
			}
		}
	}
	return f.omitZero && isZero(v)
}

type isZeroer interface{ IsZero() bool }

// isZero is what omitzero goes by.
func isZero(v reflect.Value) bool {
	zeroer := reflect.TypeFor[isZeroer]()
	switch t := v.Type(); {
	case !v.CanInterface():
	case t.Kind() == reflect.Interface && t.Implements(zeroer):
		return v.IsNil() || v.Elem().Kind() == reflect.Pointer && v.Elem().IsNil() || v.Interface().(isZeroer).IsZero()
	case t.Kind() == reflect.Pointer && t.Implements(zeroer):
		return v.IsNil() || v.Interface().(isZeroer).IsZero()
	case t.Implements(zeroer):
		return v.Interface().(isZeroer).IsZero()
	case reflect.PointerTo(t).Implements(zeroer):
		if !v.CanAddr() {
			c := reflect.New(t).Elem()
			c.Set(v)
			v = c
		}
		return v.Addr().Interface().(isZeroer).IsZero()
	}
	return v.IsZero()
}

func (w *walk) entries(p *Plan, v reflect.Value, level int, counted bool) error {
	n := v.Len()
	if err := w.count(1+times(n, w.rules.Least.Entry), counted); err != nil {
		return err
	}
	switch {
	case p.key.fixed && p.elem.fixed && !p.meets:
	case p.key.text && (p.elem.fixed || p.elem.text) && !p.meets:
		return w.texts(p, v)
	default:
		for it := v.MapRange(); it.Next(); {
			if err := w.entry(p, it, level); err != nil {
				return err
			}
		}
		if p.meets && n > 1 {
			return w.distinct(v)
		}
	}
	return nil
}

// texts counts the entries of a map of strings.
func (w *walk) texts(p *Plan, v reflect.Value) error {
	if m, ok := addressed[map[string]string](v); ok {
		for k, e := range *m {
			w.least += len(k) + len(e)
		}
		return w.count(0, false)
	}
	var key, elem reflect.Value
	key = reflect.New(p.key.typ).Elem()
	if p.elem.text {
		elem = reflect.New(p.elem.typ).Elem()
	}
	for it := v.MapRange(); it.Next(); {
		key.SetIterKey(it)
		w.least += key.Len()
		if p.elem.text {
			elem.SetIterValue(it)
			w.least += elem.Len()
		}
	}
	return w.count(0, false)
}

func (w *walk) entry(p *Plan, it *reflect.MapIter, level int) error {
	if p.typ.Key().Kind() == reflect.Interface && !canBeKey(it.Key()) {
		return w.noKey(it.Key())
	}
	if err := w.value(p.key, it.Key(), level, 0, true); err != nil {
		return err
	}
	return w.value(p.elem, it.Value(), level, 0, true)
}
