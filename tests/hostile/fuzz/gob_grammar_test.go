package fuzz

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// FuzzGobGrammar writes streams that no encoder writes but that are close to what
// the decoder's types expect: random definitions with names that exist, several
// for one Go type, and values of them, with a lie here and there.
func FuzzGobGrammar(f *testing.F) {
	for seed := range uint64(300) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		fuzzGobDecode[any](t, newGobWriter(seed, reflect.TypeFor[any]()).payloads())
		fuzzGobDecode[gobNode](t, newGobWriter(seed, reflect.TypeFor[gobNode]()).payloads())
		fuzzGobDecode[gobTwins](t, newGobWriter(seed, reflect.TypeFor[gobTwins]()).payloads())
		fuzzGobDecode[[]testkit.Order](t, newGobWriter(seed, reflect.TypeFor[[]testkit.Order]()).payloads())
		fuzzGobDecode[gobEmbeds](t, newGobWriter(seed, reflect.TypeFor[gobEmbeds]()).payloads())
	})
}

// gobEmbeds has fields that gob finds in embedded structs.
type (
	gobEmbeds struct {
		GobIn
		*GobFar
		Name string
		More []gobEmbeds
		Pair map[string]*gobEmbeds
	}
	GobIn struct {
		X    int8
		List []GobFar
		By   map[string]gobKey
	}
	GobFar struct {
		Y    *int
		Text []string
		Raw  []byte
		Grid [2][]int
		Z    complex128
	}
)

// gobWriter writes random gob streams.
type gobWriter struct {
	r      *rand.Rand
	t      reflect.Type
	lies   int // one in so many numbers is one; 0: none
	defs   map[int]gobWireDef
	order  []int // ids in defs
	nextID int
	known  map[reflect.Type][]int // definitions that fit a Go type
	budget int                    // bytes that are still to be written
}

type gobWireDef struct {
	kind   int // field of wireType
	fields []gobWireField
	key    int
	elem   int
	len    int
}

type gobWireField struct {
	name string
	id   int
}

func newGobWriter(seed uint64, t reflect.Type) *gobWriter {
	r := rand.New(rand.NewPCG(seed, 1))
	return &gobWriter{r: r, t: t, lies: []int{0, 0, 300, 40}[r.IntN(4)], defs: map[int]gobWireDef{}, nextID: 65, known: map[reflect.Type][]int{}, budget: 3000}
}

func (w *gobWriter) payloads() (all [][]byte) {
	top := w.define(w.t, 6)
	sent := 0
	for range 1 + w.r.IntN(3) {
		var p []byte
		for ; sent < len(w.order); sent++ {
			p = w.message(p, w.definition(nil, w.order[sent]))
		}
		w.budget = 3000
		value := testkit.AppendGobInt(nil, top)
		if w.defs[top].kind != 2 {
			value = append(value, 0)
		}
		all = append(all, w.message(p, w.value(value, top, 8)))
	}
	return all
}

func (w *gobWriter) message(b, m []byte) []byte {
	return append(w.uint(b, len(m)), m...)
}

// define returns the id of a definition that fits t, mostly, and may make it.
func (w *gobWriter) define(t reflect.Type, deep int) int {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if w.lies > 0 && w.r.IntN(w.lies) == 0 {
		return w.r.IntN(80) - 2
	}
	switch t.Kind() {
	case reflect.Bool:
		return 1
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return 2
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return 3
	case reflect.Float32, reflect.Float64:
		return 4
	case reflect.String:
		return 6
	case reflect.Complex64, reflect.Complex128:
		return 7
	case reflect.Interface:
		return 8
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return 5
		}
	}
	if ids := w.known[t]; len(ids) > 0 && (deep <= 0 || w.r.IntN(3) > 0 || t == reflect.TypeFor[gobList]()) {
		return ids[w.r.IntN(len(ids))]
	}
	id := w.nextID
	w.nextID++
	w.known[t] = append(w.known[t], id)
	w.order = append(w.order, id)
	d := gobWireDef{}
	switch {
	case t.String() == "time.Time":
		d.kind = 4
	case t.Kind() == reflect.Array:
		d.kind, d.len, d.elem = 0, t.Len(), w.define(t.Elem(), deep-1)
	case t.Kind() == reflect.Slice:
		d.kind, d.elem = 1, w.define(t.Elem(), deep-1)
	case t.Kind() == reflect.Map:
		d.kind, d.key, d.elem = 3, w.define(t.Key(), deep-1), w.define(t.Elem(), deep-1)
	default:
		d.kind = 2
		visible := reflect.VisibleFields(t) // those of embedded structs, too
		for _, k := range w.r.Perm(len(visible)) {
			f := visible[k]
			switch w.r.IntN(12) {
			case 4: // gob decodes the second on top of the first
				d.fields = append(d.fields, gobWireField{f.Name, w.define(f.Type, deep-1)})
				fallthrough
			case 0, 2, 3:
			case 1: // one that the receiver does not have
				d.fields = append(d.fields, gobWireField{f.Name + "X", w.define(f.Type, deep-1)})
			default:
				d.fields = append(d.fields, gobWireField{f.Name, w.define(f.Type, deep-1)})
			}
		}
	}
	w.defs[id] = d
	return id
}

func (w *gobWriter) definition(b []byte, id int) []byte {
	d := w.defs[id]
	b = w.uint(testkit.AppendGobInt(b, -id), d.kind+1)
	b = append(b, 1, 0) // CommonType without name and id
	switch d.kind {
	case 0:
		b = testkit.AppendGobInt(append(b, 1), d.elem)
		b = testkit.AppendGobInt(append(b, 1), d.len)
	case 1:
		b = testkit.AppendGobInt(append(b, 1), d.elem)
	case 2:
		if len(d.fields) > 0 {
			b = w.uint(append(b, 1), len(d.fields))
		}
		for _, f := range d.fields {
			b = append(append(append(b, 1), byte(len(f.name))), f.name...)
			b = append(testkit.AppendGobInt(append(b, 1), f.id), 0)
		}
	case 3:
		b = testkit.AppendGobInt(append(b, 1), d.key)
		b = testkit.AppendGobInt(append(b, 1), d.elem)
	}
	return append(b, 0, 0)
}

// uint writes n, or something else if it is time for a lie.
func (w *gobWriter) uint(b []byte, n int) []byte {
	if w.lies > 0 && w.r.IntN(w.lies) == 0 {
		return testkit.AppendGobUint(b, w.r.Uint64()>>w.r.IntN(64))
	}
	return testkit.AppendGobUint(b, uint64(n))
}

func (w *gobWriter) value(b []byte, id, deep int) []byte {
	n := w.r.IntN(4)
	if deep <= 0 || len(b) > w.budget {
		n = 0
	}
	d, defined := w.defs[id]
	if deep < -20 || len(b) > 2*w.budget { // a lie has made an array that holds itself
		return b
	}
	switch {
	case id == 5 || id == 6:
		return append(w.uint(b, n), "abcdef"[:n]...)
	case id == 7:
		return w.uint(w.uint(b, n), 5)
	case id == 8:
		return w.boxed(b, deep)
	case !defined:
		return w.uint(b, w.r.IntN(130))
	case d.kind == 0:
		b = w.uint(b, d.len)
		for range d.len {
			b = w.value(b, d.elem, deep-1)
		}
	case d.kind == 1:
		b = w.uint(b, n)
		for range n {
			b = w.value(b, d.elem, deep-1)
		}
	case d.kind == 2:
		last := -1
		for k, f := range d.fields {
			if n > 0 && w.r.IntN(3) > 0 {
				b = w.value(w.uint(b, k-last), f.id, deep-1)
				last = k
			}
		}
		b = append(b, 0)
	case d.kind == 3:
		b = w.uint(b, n)
		for range n {
			b = w.value(w.value(b, d.key, deep-1), d.elem, deep-1)
		}
	default:
		t := "\x01\x00\x00\x00\x0e\xbb\x4b\x37\xe5\x00\x00\x00\x00\xff\xff" // a time.Time
		b = append(w.uint(b, len(t)), t...)
	}
	return b
}

// boxed writes an interface value. Its definitions stand right in it.
func (w *gobWriter) boxed(b []byte, deep int) []byte {
	types := map[string]reflect.Type{
		"int": reflect.TypeFor[int](), "[]string": reflect.TypeFor[[]string](), "string": reflect.TypeFor[string](),
		"[]interface {}": reflect.TypeFor[[]any](), "map[string]interface {}": reflect.TypeFor[map[string]any](),
		corpusPackage + "gobNode": reflect.TypeFor[gobNode](), corpusPackage + "gobList": reflect.TypeFor[gobList](),
		"[3]qsocket_test.gobKey": reflect.TypeFor[[3]gobKey](), "time.Time": reflect.TypeFor[time.Time](), "*interface {}": reflect.TypeFor[any](),
	}
	names := []string{"int", "[]string", "string", "[]interface {}", "map[string]interface {}", corpusPackage + "gobNode",
		corpusPackage + "gobList", "[3]qsocket_test.gobKey", "time.Time", "*interface {}", "nobody"}
	name := names[w.r.IntN(len(names)-1)]
	if deep <= 0 || w.r.IntN(4) == 0 {
		return w.uint(b, 0)
	}
	before := len(w.order)
	id := w.define(types[name], deep-4)
	if w.lies > 0 && w.r.IntN(w.lies) == 0 {
		name = names[w.r.IntN(len(names))]
	}
	b = append(w.uint(b, len(name)), name...)
	for k, def := range w.order[before:] {
		if k > 0 {
			b = w.uint(b, 1)
		}
		b = w.definition(b, def)
	}
	if len(w.order) > before {
		b = w.uint(b, 1)
	}
	w.sent(before)
	var value []byte
	if w.defs[id].kind != 2 {
		value = append(value, 0)
	}
	value = w.value(value, id, deep-1)
	return append(w.uint(testkit.AppendGobInt(b, id), len(value)), value...)
}

// sent takes the definitions from the given one on out of those that stand before
// the next value: they are in this one.
func (w *gobWriter) sent(from int) { w.order = w.order[:from] }
