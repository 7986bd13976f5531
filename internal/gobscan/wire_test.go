package gobscan_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"

	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// writer writes streams by hand, as no encoder of Go would. Its methods that define a type
// return its id; the definitions are in the next payload.
type writer struct {
	r    *rand.Rand
	last int
	defs []byte
	ids  []int // of what has been defined

	first int // see small
}

func newWriter(seed uint64) *writer {
	return &writer{r: rand.New(rand.NewPCG(seed, 7)), last: 64}
}

// What a definition defines: the number of the field in gob's wireType.
const (
	wireArray = iota
	wireSlice
	wireStruct
	wireMap
	wireGobEncoder
	wireBinaryMarshaler
	wireTextMarshaler
)

// define defines a type of that kind. rest has the numbers behind the name: of elements,
// keys, the length.
func (w *writer) define(kind int, name string, rest ...int) int {
	return w.write(kind, name, func(b []byte) []byte {
		for _, n := range rest {
			b = testkit.AppendGobInt(append(b, 1), n)
		}
		return b
	})
}

type wireField struct {
	name string
	id   int
}

// structure defines a struct.
func (w *writer) structure(name string, fields ...wireField) int {
	return w.write(wireStruct, name, func(b []byte) []byte {
		if len(fields) > 0 {
			b = testkit.AppendGobUint(append(b, 1), uint64(len(fields)))
		}
		for _, f := range fields {
			b = append(testkit.AppendGobUint(append(b, 1), uint64(len(f.name))), f.name...)
			b = append(testkit.AppendGobInt(append(b, 1), f.id), 0)
		}
		return b
	})
}

func (w *writer) write(kind int, name string, rest func([]byte) []byte) int {
	w.last++
	b := append(testkit.AppendGobInt(nil, -w.last), byte(kind+1), 1)
	if name != "" {
		b = append(testkit.AppendGobUint(append(b, 1), uint64(len(name))), name...)
	}
	b = append(rest(append(b, 0)), 0, 0)
	w.defs = message(w.defs, b)
	w.ids = append(w.ids, w.last)
	return w.last
}

func message(b, m []byte) []byte {
	return append(testkit.AppendGobUint(b, uint64(len(m))), m...)
}

// payload ends the payload with a value.
func (w *writer) payload(id int, value ...byte) []byte {
	p := message(w.defs, append(testkit.AppendGobInt(nil, id), value...))
	w.defs = nil
	return p
}

// boxed ends the payload with a value in an interface.
func (w *writer) boxed(name string, id int, value ...byte) []byte {
	b := append(testkit.AppendGobUint([]byte{0}, uint64(len(name))), name...)
	b = testkit.AppendGobUint(testkit.AppendGobInt(b, id), uint64(len(value)))
	return w.payload(8, append(b, value...)...)
}

// id returns any type.
func (w *writer) id() int {
	if len(w.ids) == 0 || w.r.IntN(3) == 0 {
		return 1 + w.r.IntN(8)
	}
	return w.ids[w.r.IntN(len(w.ids))]
}

// name returns a name of up to n bytes, mostly short.
func (w *writer) name(n int) string {
	if w.r.IntN(20) > 0 {
		n = min(n, 12)
	}
	return fmt.Sprintf("X%d%s", w.r.IntN(1000), strings.Repeat("x", w.r.IntN(n+1)))
}

// fields returns fields that the receiver does not have.
func (w *writer) fields(n, name int) (fields []wireField) {
	for range n {
		fields = append(fields, wireField{w.name(name), w.id()})
	}
	return fields
}

// any defines a type that nothing needs, of any kind.
func (w *writer) any(fields, name int) int {
	switch w.r.IntN(5) {
	case 0:
		return w.define(wireSlice, w.name(name), w.id())
	case 1:
		return w.define(wireMap, w.name(name), w.id(), w.id())
	case 2:
		return w.define(wireArray, w.name(name), w.id(), 1+w.r.IntN(3))
	case 3:
		return w.define(wireGobEncoder+w.r.IntN(3), w.name(name))
	default:
		return w.structure(w.name(name), w.fields(1+w.r.IntN(fields), name)...)
	}
}

// like defines a type that can be decoded into t, with extra fields in its structs that
// t does not have. known has types that may be used again.
func (w *writer) like(t reflect.Type, extra, name int, known map[reflect.Type]int) int {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if id, ok := known[t]; ok {
		return id
	}
	switch t.Kind() {
	case reflect.Bool:
		return 1
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return 2
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return 3
	case reflect.Float32, reflect.Float64:
		return 4
	case reflect.String:
		return 6
	case reflect.Complex64, reflect.Complex128:
		return 7
	case reflect.Interface:
		return 8
	case reflect.Map:
		return w.define(wireMap, "", w.like(t.Key(), extra, name, known), w.like(t.Elem(), extra, name, known))
	case reflect.Array:
		return w.define(wireArray, "", w.like(t.Elem(), extra, name, known), t.Len())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return 5
		}
		return w.define(wireSlice, "", w.like(t.Elem(), extra, name, known))
	}
	if t.String() == "time.Time" {
		return w.define(wireGobEncoder, "Time")
	}
	known[t] = 2 // for a struct in itself: an int, which is an error, unless it is left out
	var fields []wireField
	for i := range t.NumField() {
		f := t.Field(i)
		if in := behind(f.Type); f.IsExported() && in != t && (in.Kind() != reflect.Map || behind(in.Elem()) != t) && (in.Kind() != reflect.Slice || behind(in.Elem()) != t) {
			fields = append(fields, wireField{f.Name, w.like(f.Type, extra, name, known)})
		}
	}
	if extra > 0 {
		fields = append(fields, w.fields(w.r.IntN(extra), name)...)
	}
	delete(known, t)
	w.r.Shuffle(len(fields), func(i, k int) { fields[i], fields[k] = fields[k], fields[i] })
	return w.structure(w.name(name), fields...)
}

func behind(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}
