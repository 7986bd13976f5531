package deep

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unsafe"
)

// The rules of the tests: all fields are encoded, and no type encodes itself.
func testRules(names bool) *Rules {
	return &Rules{
		Codec: "test",
		Max:   6,
		Fields: func(t reflect.Type) (all [][]int) {
			for i := range t.NumField() {
				all = append(all, []int{i})
			}
			return all
		},
		Itself: func(reflect.Type, bool) bool { return false },
		Least:  Least{Elem: 2, Entry: 5, Names: names, Nonzero: 2},
	}
}

type (
	quickInner struct {
		N    int
		Name string
		Tags []string
		Note string
	}
	quickOuter struct {
		quickInner
		A     string
		Inner quickInner
		Ints  map[int]string
		List  []quickText
		Array [2]quickInner
	}
	quickText struct{ A, B string }
)

// What is quick to find out is what reflection says: how many parts there are, and how long
// their strings.
func TestQuickCountsAreThoseOfReflection(t *testing.T) {
	quickly[quickInner](t)
	quickly[quickOuter](t)
	quickly[*quickOuter](t)
	quickly[[]string](t)
	quickly[[]quickText](t)
	quickly[map[string]string](t)
	quickly[struct {
		A int
		M map[string][]string
	}](t)
}

func quickly[T any](t *testing.T) {
	t.Helper()
	p := testRules(true).plan(reflect.TypeFor[T]())
	r := rand.New(rand.NewPCG(1, 2))
	small := 0
	for range 3000 {
		v := new(T)
		drawQuick(r, reflect.ValueOf(v).Elem())
		few := p.few(reflect.ValueOf(v).Elem(), maxGrowth) <= maxGrowth
		if p.isSmall(unsafe.Pointer(v)) {
			if small++; !few {
				t.Fatalf("%T: %+v is small, but has a growth of %d", *v, *v, p.few(reflect.ValueOf(v).Elem(), endless))
			}
		}
		w, slow := walk{rules: p.rules, root: p.typ, limit: 1 << 40}, walk{rules: p.rules, root: p.typ, limit: 1 << 40}
		if err := w.value(p, reflect.ValueOf(v).Elem(), 0, 0, false); err != nil {
			t.Fatal(err)
		}
		// What cannot be addressed is looked at by reflection, but for slices.
		if err := slow.value(p, reflect.ValueOf(*v), 0, 0, false); err != nil {
			t.Fatal(err)
		}
		if w.least != slow.least {
			t.Fatalf("%T: %+v has %d bytes at least, want %d", *v, *v, w.least, slow.least)
		}
	}
	if small == 0 && p.tallied {
		t.Errorf("%T: no value is small", *new(T))
	}
}

func drawQuick(r *rand.Rand, v reflect.Value) {
	if !v.CanSet() {
		return
	}
	switch v.Kind() {
	case reflect.Int:
		v.SetInt(int64(r.IntN(3)))
	case reflect.String:
		v.SetString(strings.Repeat("x", r.IntN(9)))
	case reflect.Pointer:
		if r.IntN(9) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			drawQuick(r, v.Elem())
		}
	case reflect.Slice:
		n := r.IntN(1 + r.IntN(30))
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			drawQuick(r, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range r.IntN(1 + r.IntN(20)) {
			key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			drawQuick(r, key)
			drawQuick(r, elem)
			v.SetMapIndex(key, elem)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			drawQuick(r, v.Field(i))
		}
	}
}

// Values of these types are looked at as those are that they are made of, by reflection.
type (
	listByReflection   []any
	objectByReflection map[string]any
	numberByReflection int
	textByReflection   string
)

// What interfaces hold is counted, and refused, alike with reflection and without.
func TestHeldValuesAreThoseOfReflection(t *testing.T) {
	for _, names := range []bool{true, false} {
		rules := testRules(names)
		p := rules.plan(reflect.TypeFor[any]())
		r := rand.New(rand.NewPCG(3, 4))
		deep := 0
		for range 5000 {
			x, y := drawHeld(r, r.IntN(10))
			for _, limit := range []int{1 << 40, 60} {
				a := walk{rules: rules, root: p.typ, limit: limit}
				b := walk{rules: rules, root: p.typ, limit: limit}
				errA := a.value(p, reflect.ValueOf(&x).Elem(), 0, 0, false)
				errB := b.value(p, reflect.ValueOf(&y).Elem(), 0, 0, false)
				if (errA == nil) != (errB == nil) || errA == nil && a.least != b.least {
					t.Fatalf("%#v: %d bytes, %v; want %d, %v", x, a.least, errA, b.least, errB)
				}
				if errA != nil && limit > 60 {
					deep++
				}
			}
		}
		if deep == 0 {
			t.Error("no value was nested too deep")
		}
	}
}

// drawHeld makes a value twice, of types that are known and of others.
func drawHeld(r *rand.Rand, depth int) (x, y any) {
	switch r.IntN(7) {
	case 0:
		return nil, nil
	case 1:
		n := r.IntN(2)
		return n, numberByReflection(n)
	case 2:
		s := strings.Repeat("x", r.IntN(9))
		return s, textByReflection(s)
	}
	if depth <= 0 {
		return true, true
	}
	n := r.IntN(3)
	if r.IntN(2) == 0 {
		list, other := make([]any, n), make(listByReflection, n)
		for i := range n {
			list[i], other[i] = drawHeld(r, depth-1)
		}
		return list, other
	}
	object, other := make(map[string]any), make(objectByReflection)
	for range n {
		key := strings.Repeat("k", r.IntN(5))
		object[key], other[key] = drawHeld(r, depth-1)
	}
	return object, other
}
