// Package treesize measures the memory of decoded values.
package treesize

import (
	"encoding"
	"encoding/json"
	"reflect"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/mpscan"
)

// Of returns about how many bytes v refers to, without v itself. It stops soon after
// limit: nobody needs to know by how much more it is, and a value that contains itself
// comes to an end. One that is nested deeper than maxDepth counts as if it took the limit, since
// methods of types may build what no payload could, a list for example whose elements lead on to the next.
// What two parts of v share counts twice.
func Of(v reflect.Value, limit int) int {
	m := measure{left: limit}
	m.value(v)
	return limit - m.left
}

type measure struct {
	left  int
	depth int // calls of value that have not returned
}

// maxDepth bounds the stack.
const maxDepth = 4000

// value takes what v refers to from left.
func (m *measure) value(v reflect.Value) {
	if m.depth == maxDepth {
		m.left = -1
	}
	if m.left < 0 {
		return
	}
	m.depth++
	switch v.Kind() {
	case reflect.String:
		m.left -= v.Len()
	case reflect.Pointer:
		m.pointer(v)
	case reflect.Interface:
		if !v.IsNil() {
			e := v.Elem()
			if k := e.Kind(); k != reflect.Pointer && k != reflect.Map {
				m.allocated(int(e.Type().Size()))
			}
			m.value(e)
		}
	case reflect.Slice:
		m.left -= v.Cap() * int(v.Type().Elem().Size())
		m.elements(v)
	case reflect.Array:
		m.elements(v)
	case reflect.Struct:
		for i := range v.NumField() {
			m.value(v.Field(i))
		}
	case reflect.Map:
		m.entries(v)
	}
	m.depth--
}

// fixedZone is what a time.Location of one offset takes, as time.Parse makes it for an offset
// that is not that of time.Local.
const fixedZone = 256

var locationType = reflect.TypeFor[*time.Location]()

// pointer takes what v points to. Each time.Time has such a pointer. To walk what is
// behind time.Local, kilobytes of its history that all times share, would take
// many times as long as to decode the times.
func (m *measure) pointer(v reflect.Value) {
	switch {
	case v.IsNil():
	case v.Type() != locationType:
		m.allocated(int(v.Type().Elem().Size()))
		m.value(v.Elem())
	case v.Pointer() != reflect.ValueOf(time.Local).Pointer() && v.Pointer() != reflect.ValueOf(time.UTC).Pointer():
		m.left -= fixedZone
	}
}

// allocated takes n bytes from left, and what the allocator rounds them up to.
func (m *measure) allocated(n int) { m.left -= n + n/8 }

func (m *measure) elements(v reflect.Value) {
	if !refers(v.Type().Elem().Kind()) {
		return
	}
	for i := 0; i < v.Len() && m.left >= 0; i++ {
		m.left-- // so that elements of no size come to an end as well
		m.value(v.Index(i))
	}
}

func (m *measure) entries(v reflect.Value) {
	if v.IsNil() {
		return
	}
	t := v.Type()
	m.left -= mpscan.MapCost(v.Len(), m.slot(t.Key(), v.Len())+m.slot(t.Elem(), v.Len()))
	if !refers(t.Key().Kind()) && !refers(t.Elem().Kind()) {
		return
	}
	for it := v.MapRange(); it.Next() && m.left >= 0; {
		m.value(it.Key())
		m.value(it.Value())
	}
}

// slot is the space for a key or an element in a map of n. Those of more than 128 bytes
// are allocated by themselves.
func (m *measure) slot(t reflect.Type, n int) int {
	if t.Size() <= 128 {
		return int(t.Size())
	}
	m.left -= n * int(t.Size())
	return 8
}

// refers reports whether values of that kind can refer to memory of their own.
func refers(k reflect.Kind) bool {
	switch k {
	case reflect.String, reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Array, reflect.Struct, reflect.Map:
		return true
	}
	return false
}

// JSONFactor bounds how many bytes encoding/json allocates and keeps for each byte of a
// payload that it decodes into a t. Of what methods of types do (UnmarshalJSON,
// UnmarshalText) it knows nothing.
func JSONFactor(t reflect.Type) int {
	f := factors{seen: make(map[reflect.Type]bool), factor: 8}
	f.look(t)
	return f.factor
}

type factors struct {
	seen   map[reflect.Type]bool
	factor int
}

// mapFactor is for {"":0}, a map of any with one entry in space for eight.
const mapFactor = 100

// need raises the factor to that of a value of size bytes, in Go, for each few bytes of
// the payload. Slices grow to up to twice what they need.
func (f *factors) need(size, each int) { f.factor = max(f.factor, 5*size/(2*each)) }

func (f *factors) look(t reflect.Type) {
	if f.seen[t] {
		return
	}
	f.seen[t] = true
	if p := reflect.PointerTo(t); p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return
	}
	switch t.Kind() {
	case reflect.Pointer: // {}, or 0
		f.need(int(t.Elem().Size()), 2)
		f.look(t.Elem())
	case reflect.Slice: // 0,0,0
		f.need(int(t.Elem().Size()), 2)
		f.look(t.Elem())
	case reflect.Array:
		f.look(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			f.look(t.Field(i).Type)
		}
	case reflect.Map:
		f.need(8*int(min(t.Key().Size(), 128)+min(t.Elem().Size(), 128)), 5)
		f.need(int(t.Elem().Size()), 5)
		f.look(t.Elem())
	case reflect.Interface:
		f.factor = max(f.factor, mapFactor)
	}
}
