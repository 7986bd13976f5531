// Package jsonfold finds members of JSON objects that encoding/json takes for one field of a
// struct: it matches names without regard to case, and the last one counts.
package jsonfold

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"unicode"

	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// Plan says where in the payloads of a type there are structs. It is immutable.
type Plan struct {
	elem   *Plan            // of pointers, slices, arrays and maps
	fields map[string]field // of a struct, by name
	folded map[string]field // by fold(name): the first of such a name
	typ    reflect.Type
}

type field struct {
	name string
	plan *Plan
}

var plans sync.Map // *Plan by reflect.Type

// For returns the plan for t, or nil if there are no structs in its values.
func For(t reflect.Type) *Plan {
	p, ok := plans.Load(t)
	if !ok {
		b := builder{}
		p, _ = plans.LoadOrStore(t, b.plan(t))
	}
	if !p.(*Plan).reaches(make(map[*Plan]bool)) {
		return nil
	}
	return p.(*Plan)
}

// reaches reports whether p is a struct, or there is one in it.
func (p *Plan) reaches(seen map[*Plan]bool) bool {
	if p == nil || seen[p] {
		return false
	}
	seen[p] = true
	return p.fields != nil || p.elem.reaches(seen)
}

type builder map[reflect.Type]*Plan

var (
	unmarshaler     = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func (b builder) plan(t reflect.Type) *Plan {
	if p := b[t]; p != nil {
		return p
	}
	p := &Plan{typ: t}
	b[t] = p
	if q := reflect.PointerTo(t); q.Implements(unmarshaler) || q.Implements(textUnmarshaler) {
		return p
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		p.elem = b.plan(t.Elem())
	case reflect.Struct:
		p.fields, p.folded = make(map[string]field), make(map[string]field)
		for _, index := range schema.JSONFields(t) {
			sf := t.FieldByIndex(index)
			name := nameOf(sf)
			f := field{name, b.plan(sf.Type)}
			p.fields[name] = f
			if _, ok := p.folded[fold(name)]; !ok {
				p.folded[fold(name)] = f
			}
		}
	}
	return p
}

// nameOf is the name of a field that encoding/json encodes.
func nameOf(sf reflect.StructField) string {
	name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
	for _, c := range name {
		if !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", c) && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return sf.Name
		}
	}
	if name == "" {
		return sf.Name
	}
	return name
}

// fold returns what is equal for names that bytes.EqualFold finds equal.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		for {
			next := unicode.SimpleFold(r)
			if next <= r {
				return next
			}
			r = next
		}
	}, name)
}

// Check returns an error if two members of an object in payload are for one field. A payload
// that is no JSON is left to the decoder. Payload must not be nested so deep that a function
// could not call itself for each level.
func (p *Plan) Check(payload []byte) error {
	c := checker{json.NewDecoder(bytes.NewReader(payload))}
	c.UseNumber()
	return c.value(p)
}

type checker struct{ *json.Decoder }

var nothing = new(Plan)

func (c checker) value(p *Plan) error {
	for range maxPointers {
		if p.typ == nil || p.typ.Kind() != reflect.Pointer || p.elem == nil {
			break
		}
		p = p.elem
	}
	elem := p.elem
	if elem == nil {
		elem = nothing
	}
	token, err := c.Token()
	if err != nil {
		return nil
	}
	switch token {
	case json.Delim('{'):
		err = c.object(p, elem)
	case json.Delim('['):
		for c.More() && err == nil {
			err = c.value(elem)
		}
	default:
		return nil
	}
	if err == nil {
		_, _ = c.Token()
	}
	return err
}

// maxPointers is more than types have, but for those that point to themselves.
const maxPointers = 100

func (c checker) object(p, elem *Plan) error {
	var seen map[string]string // keys by the names of their fields
	for c.More() {
		token, err := c.Token()
		if err != nil {
			return nil
		}
		key, _ := token.(string)
		next := elem
		if f, ok := p.field(key); ok {
			next = f.plan
			if other, ok := seen[f.name]; ok {
				return fmt.Errorf("json: keys %.40q and %.40q of one object are both for the field %.40q of %v", other, key, f.name, p.typ)
			}
			if seen == nil {
				seen = make(map[string]string)
			}
			seen[f.name] = key
		}
		if err := c.value(next); err != nil {
			return err
		}
	}
	return nil
}

// field returns the field that a key is for.
func (p *Plan) field(key string) (field, bool) {
	if f, ok := p.fields[key]; ok {
		return f, true
	}
	f, ok := p.folded[fold(key)]
	return f, ok
}
