package codecbench

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
)

// maxDepth ends a comparison of values that contain themselves.
const maxDepth = 100

// difference returns where got, a sample that has been encoded and decoded,
// first differs from want, in a sentence such as "Order.Tags was [] and came
// back as nil"; "" if nowhere. It is reflect.DeepEqual but for what says nothing
// about a codec: values of a type with a method Equal, such as time.Time, are
// the same if that says so, NaN is the same as NaN, and unexported fields, which
// most codecs do not carry and some types use as caches, count only in structs
// that have no others.
func difference[T any](want, got T) string {
	t := reflect.TypeFor[T]()
	name := t.Name()
	if t.Kind() == reflect.Pointer {
		name = t.Elem().Name()
	}
	if name == "" {
		name = "value"
	}
	// By pointer, because a T that is an interface would lose its type.
	return compareValues(name, reflect.ValueOf(&want).Elem(), reflect.ValueOf(&got).Elem(), 0)
}

// compareValues compares two values of the same static type. path is what the
// sentence calls them.
func compareValues(path string, want, got reflect.Value, depth int) string {
	if depth > maxDepth {
		return ""
	}
	if equal, ok := callEqual(want, got); ok {
		if equal {
			return ""
		}
		return changed(path, want, got)
	}

	switch want.Kind() {
	case reflect.Pointer, reflect.Interface:
		if want.IsNil() || got.IsNil() || want.Elem().Type() != got.Elem().Type() {
			return unlessNil(path, want, got)
		}
		return compareValues(path, want.Elem(), got.Elem(), depth+1)
	case reflect.Struct:
		return compareStructs(path, want, got, depth)
	case reflect.Slice:
		if want.IsNil() || got.IsNil() {
			return unlessNil(path, want, got)
		}
		return compareElems(path, want, got, depth)
	case reflect.Array:
		return compareElems(path, want, got, depth)
	case reflect.Map:
		if want.IsNil() || got.IsNil() {
			return unlessNil(path, want, got)
		}
		return compareMaps(path, want, got, depth)
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return unlessNil(path, want, got) // no codec can carry more than nil
	case reflect.Float32, reflect.Float64:
		if want.Float() == got.Float() || math.IsNaN(want.Float()) && math.IsNaN(got.Float()) {
			return ""
		}
		return changed(path, want, got)
	}
	if want.Equal(got) {
		return ""
	}
	return changed(path, want, got)
}

func compareStructs(path string, want, got reflect.Value, depth int) string {
	t := want.Type()
	carried := func(i int) bool { return t.Field(i).IsExported() || t.Field(i).Anonymous }
	opaque := true
	for i := range t.NumField() {
		opaque = opaque && !carried(i)
	}
	for i := range t.NumField() {
		if !opaque && !carried(i) {
			continue
		}
		if s := compareValues(path+"."+t.Field(i).Name, want.Field(i), got.Field(i), depth+1); s != "" {
			return s
		}
	}
	return ""
}

func compareElems(path string, want, got reflect.Value, depth int) string {
	if want.Len() != got.Len() {
		return fmt.Sprintf("%s had %d elements and came back with %d", path, want.Len(), got.Len())
	}
	if want.Kind() == reflect.Slice && want.Type().Elem().Kind() == reflect.Uint8 && bytes.Equal(want.Bytes(), got.Bytes()) {
		return "" // a blob of a megabyte should not take a second
	}
	for i := range want.Len() {
		if s := compareValues(fmt.Sprintf("%s[%d]", path, i), want.Index(i), got.Index(i), depth+1); s != "" {
			return s
		}
	}
	return ""
}

func compareMaps(path string, want, got reflect.Value, depth int) string {
	if want.Len() != got.Len() {
		return fmt.Sprintf("%s had %d elements and came back with %d", path, want.Len(), got.Len())
	}
	for it := want.MapRange(); it.Next(); {
		at := fmt.Sprintf("%s[%s]", path, show(it.Key()))
		elem := got.MapIndex(it.Key())
		if !elem.IsValid() {
			return at + " did not come back"
		}
		if s := compareValues(at, it.Value(), elem, depth+1); s != "" {
			return s
		}
	}
	return ""
}

// callEqual calls the method want.Equal(got) if there is one that may be called.
func callEqual(want, got reflect.Value) (equal, ok bool) {
	if !want.CanInterface() || want.Kind() == reflect.Interface || want.Kind() == reflect.Pointer && (want.IsNil() || got.IsNil()) {
		return false, false
	}
	m := want.MethodByName("Equal")
	if !m.IsValid() {
		return false, false
	}
	if t := m.Type(); t.IsVariadic() || t.NumIn() != 1 || t.In(0) != got.Type() || t.NumOut() != 1 || t.Out(0).Kind() != reflect.Bool {
		return false, false
	}
	return m.Call([]reflect.Value{got})[0].Bool(), true
}

// unlessNil is for values that cannot both be looked into: they are the same if
// both are nil.
func unlessNil(path string, want, got reflect.Value) string {
	if want.IsNil() && got.IsNil() {
		return ""
	}
	return changed(path, want, got)
}

func changed(path string, want, got reflect.Value) string {
	return fmt.Sprintf("%s was %s and came back as %s", path, show(want), show(got))
}

// show prints v with its type where the value alone could be mistaken.
func show(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Interface:
		if v.IsNil() {
			return "nil"
		}
		return show(v.Elem())
	case reflect.String:
		return shorten(fmt.Sprintf("%q", v.String()))
	case reflect.Slice, reflect.Map, reflect.Pointer, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		if v.IsNil() {
			return "nil"
		}
		return shorten(fmt.Sprintf("%v %v", v.Type(), v))
	}
	return shorten(fmt.Sprintf("%v %v", v.Type(), v))
}

func shorten(s string) string {
	const limit = 60 // bytes
	if len(s) > limit {
		return s[:limit] + "…"
	}
	return s
}
