package gobscan

import (
	"reflect"
	"unsafe"
)

// Spent returns how much memory the last payload was estimated to cost.
func (s *Scanner) Spent() uint64 { return s.spent + s.churn }

// Kept returns how much memory is estimated to be kept, and how much may be.
func (s *Scanner) Kept() (kept, limit uint64) {
	limit = MaxKept
	if s.needs != nil {
		limit = s.keepable()
	}
	return s.kept, limit
}

// KeptAlways is what is charged for a Scanner that has seen nothing.
const KeptAlways = keptAlways

// Weight adds up all memory that can be reached from s, but for types of Go and what the
// allocator rounds up.
func (s *Scanner) Weight() uint64 {
	w := weigher{seen: make(map[unsafe.Pointer]bool)}
	w.value(reflect.ValueOf(s))
	return w.sum
}

type weigher struct {
	seen map[unsafe.Pointer]bool
	sum  uint64
}

// add adds n bytes that begin at p, and reports false if they have been added.
func (w *weigher) add(p unsafe.Pointer, n uintptr) bool {
	if p == nil || w.seen[p] {
		return false
	}
	w.seen[p] = true
	w.sum += uint64(n)
	return true
}

// value adds what v leads to. v itself is part of something that has been added.
func (w *weigher) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if w.add(v.UnsafePointer(), v.Type().Elem().Size()) {
			w.value(v.Elem())
		}
	case reflect.String:
		w.add(unsafe.Pointer(unsafe.StringData(v.String())), uintptr(v.Len()))
	case reflect.Slice:
		if v.Cap() > 0 && w.add(v.UnsafePointer(), uintptr(v.Cap())*v.Type().Elem().Size()) {
			for i := range v.Len() {
				w.value(v.Index(i))
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			w.value(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			w.value(v.Field(i))
		}
	case reflect.Map:
		slot := v.Type().Key().Size() + v.Type().Elem().Size() + 1
		if v.Len() > 0 && w.add(v.UnsafePointer(), slot*uintptr(max(8, v.Len()*8/7))) {
			for r := v.MapRange(); r.Next(); {
				w.value(r.Key())
				w.value(r.Value())
			}
		}
	}
}
