package deep

import (
	"reflect"
	"unsafe"

	"github.com/fb9bb4ed/qsocket/internal/oversize"
)

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
	if list, ok := addressed[[]any](v); ok {
		return w.list(*list, level, counted)
	}
	n := v.Len()
	if n == 0 && !counted && v.Kind() == reflect.Slice {
		return nil
	}
	if p.elem.fixed && !(w.exact && p.elem.inexact) {
		if n > 0 && level+p.elem.surely > w.rules.Max {
			return w.tooDeep()
		}
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
	if !e.text {
		w.least += times(n, e.unit-1)
	}
	if p, ok := memory(v); ok {
		w.least += sumTexts(p, n, e.typ.Size(), e.offsets)
		return w.count(0, false)
	}
	for i := range n {
		x := v.Index(i)
		if e.text {
			w.least += x.Len()
			continue
		}
		for _, k := range e.texts {
			w.least += x.Field(k).Len()
		}
	}
	return w.count(0, false)
}

// memory returns where the elements of v are, or v itself if it is no slice; false if v is a copy.
func memory(v reflect.Value) (p unsafe.Pointer, ok bool) {
	switch {
	case v.Kind() == reflect.Slice:
		return v.UnsafePointer(), true
	case v.CanAddr():
		return v.Addr().UnsafePointer(), true
	}
	return nil, false
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
	if at, ok := memory(v); ok {
		w.least += sumTexts(at, 1, 0, p.offsets)
	} else {
		for _, k := range p.texts {
			w.least += v.Field(k).Len()
		}
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
	if m, ok := addressed[map[string]any](v); ok {
		return w.object(*m, level, counted)
	}
	n := v.Len()
	if err := w.count(1+times(n, w.rules.Least.Entry), counted); err != nil {
		return err
	}
	if n > 0 && level+max(p.key.surely, p.elem.surely) > w.rules.Max {
		return w.tooDeep()
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
		if w.asksKeys(p, n) {
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
