package codecbench

import (
	"fmt"
	"reflect"
	"slices"
)

// last returns the last field that is not zero in the sample, or -1: the absence of others would not
// be seen.
func (t *trial[T]) last() int {
	for i, f := range slices.Backward(t.fields) {
		if !t.value.FieldByIndex(f.Index).IsZero() {
			return i
		}
	}
	return -1
}

// without returns the sample with a field that is zero.
func (t *trial[T]) without(at int) reflect.Value { return t.with(at, reflect.Zero(t.fields[at].Type)) }

func (t *trial[T]) with(at int, field reflect.Value) reflect.Value {
	v := reflect.New(t.value.Type()).Elem()
	v.Set(t.value)
	v.FieldByIndex(t.fields[at].Index).Set(field)
	return v
}

func (t *trial[T]) added() outcome {
	return t.outcome(func(f []reflect.StructField, v []reflect.Value) ([]reflect.StructField, []reflect.Value) {
		return append(f, reflect.StructField{Name: "AddedByCodecbench", Type: reflect.TypeFor[int]()}), append(v, reflect.ValueOf(1))
	}, t.value)
}

func (t *trial[T]) removed(at int) outcome {
	return t.outcome(func(f []reflect.StructField, v []reflect.Value) ([]reflect.StructField, []reflect.Value) {
		return slices.Delete(f, at, at+1), slices.Delete(v, at, at+1)
	}, t.without(at))
}

func (t *trial[T]) renamed(at int) outcome {
	rename := func(f []reflect.StructField, v []reflect.Value) ([]reflect.StructField, []reflect.Value) {
		f[at].Name, f[at].Tag = "RenamedByCodecbench", ""
		return f, v
	}
	if o := t.outcome(rename, t.value); o != wrong {
		return o
	}
	if t.outcome(rename, t.without(at)) == works {
		return lost
	}
	return wrong
}

// Widths of numbers, from narrow to wide.
var widths = [][]reflect.Type{
	{reflect.TypeFor[int8](), reflect.TypeFor[int64]()},
	{reflect.TypeFor[uint8](), reflect.TypeFor[uint64]()},
	{reflect.TypeFor[float32](), reflect.TypeFor[float64]()},
}

// widened says what becomes of the number 1, whose type is widened at one end; "" if the sample has no
// numbers. Old peers are tried with a field that is narrower than the widest of its kind, and new ones with one that is
// wider than the narrowest: the kind that has both goes before one that has either.
func (t *trial[T]) widened() string {
	text := ""
	for _, w := range widths {
		narrow, wide := w[0], w[1]
		old := t.number(narrow, func(bits int) bool { return bits < wide.Bits() }, wide)
		fresh := t.number(narrow, func(bits int) bool { return bits > narrow.Bits() }, narrow)
		switch {
		case old != "" && fresh != "":
			return "number widened: " + both(old, fresh)
		case text != "":
		case old != "":
			text = fmt.Sprintf("number widened: %s for old peers", old)
		case fresh != "":
			text = fmt.Sprintf("number widened: %s for new ones", fresh)
		}
	}
	return text
}

// number returns what becomes of the number 1 in a field like another type, of a width that fits, if a
// peer has it with that type; "" if there is no such field.
func (t *trial[T]) number(like reflect.Type, fits func(bits int) bool, sent reflect.Type) outcome {
	for at, f := range t.fields {
		if family(f.Type) != family(like) || !fits(f.Type.Bits()) {
			continue
		}
		one := reflect.ValueOf(1)
		return t.outcome(func(f []reflect.StructField, v []reflect.Value) ([]reflect.StructField, []reflect.Value) {
			f[at].Type, v[at] = sent, one.Convert(sent)
			return f, v
		}, t.with(at, one.Convert(f.Type)))
	}
	return ""
}

// family returns a kind for all signed integers, one for the others, and one for floats; 0 for what is
// no number.
func family(t reflect.Type) reflect.Kind {
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return reflect.Int
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return reflect.Uint
	case reflect.Float32, reflect.Float64:
		return reflect.Float64
	}
	return 0
}
