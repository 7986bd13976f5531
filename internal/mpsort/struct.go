package mpsort

import (
	"reflect"
	"strings"
)

// structFields is how v5 sees a struct type.
type structFields struct {
	fields  []field
	names   map[string]bool // of fields, aliases and inlined structs
	asArray bool
}

// field is one field of a struct, or of a struct that is inlined in it.
type field struct {
	name      string
	index     []int // as in reflect.StructField; embedded pointers may be on the way
	typ       reflect.Type
	omitEmpty bool
	plan      *Plan
}

// structOf lists the fields of t by the rules of v5's getFields. ok is false
// for what is left to v5: interned strings and tags with quoted parts.
func structOf(t reflect.Type) (s structFields, ok bool) {
	s.names = make(map[string]bool)
	omitAll := false
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("msgpack")
		if strings.ContainsAny(tag, `'\(`) {
			return s, false
		}
		name, options := parseTag(tag)
		if name == "-" {
			continue
		}
		if _, ok := options["intern"]; ok {
			return s, false
		}
		_, omitEmpty := options["omitempty"]
		if f.Name == "_msgpack" {
			_, array := options["as_array"]
			_, camel := options["asArray"]
			s.asArray = array || camel
			omitAll = omitAll || omitEmpty
		}
		if !f.IsExported() && !f.Anonymous {
			continue
		}
		if name == "" {
			name = f.Name
		}
		if _, noinline := options["noinline"]; f.Anonymous && !noinline {
			_, forced := options["inline"]
			inlined, ok := s.inline(f, forced)
			if !ok {
				return s, false
			}
			if inlined {
				s.names[name] = true
				continue
			}
		}
		s.add(field{name: name, index: f.Index, typ: f.Type, omitEmpty: omitAll || omitEmpty})
		if alias, ok := options["alias"]; ok {
			s.names[alias] = true
		}
	}
	return s, true
}

func (s *structFields) add(f field) {
	s.names[f.name] = true
	s.fields = append(s.fields, f)
}

// inline adds the fields of the embedded struct f. Unless it is forced to, it
// leaves one that has a field of a name that s has already as it is: inlined
// is false then. ok is false where structOf says so.
func (s *structFields) inline(f reflect.StructField, forced bool) (inlined, ok bool) {
	t := f.Type
	if forced {
		if t.Kind() != reflect.Struct {
			return false, false // v5 panics on it
		}
	} else {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || encodesItself(t) || decodesItself(t) {
			return false, true
		}
	}
	inner, ok := structOf(t)
	if !ok {
		return false, false
	}
	if !forced {
		for _, g := range inner.fields {
			if s.names[g.name] {
				return false, true
			}
		}
	}
	for _, g := range inner.fields {
		if s.names[g.name] {
			continue
		}
		g.index = append(append([]int(nil), f.Index...), g.index...)
		s.add(g)
	}
	return true, true
}

// parseTag splits a tag without quotes: "name,option,option:value". A first
// part with a colon is an option, and the name is empty.
func parseTag(tag string) (name string, options map[string]string) {
	options = make(map[string]string)
	for i, part := range strings.Split(tag, ",") {
		key, value, _ := strings.Cut(part, ":")
		switch {
		case i == 0 && !strings.Contains(part, ":"):
			name = strings.TrimSpace(part)
		default:
			options[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return name, options
}

// encode appends the field of v. An embedded pointer that is nil on the way to
// it makes it nil.
func (f *field) encode(s *State, v reflect.Value) error {
	v, ok := f.of(v)
	if !ok {
		return s.Enc.EncodeNil()
	}
	return f.plan.Encode(s, v)
}

// of returns the field of v.
func (f *field) of(v reflect.Value) (_ reflect.Value, ok bool) {
	for i, n := range f.index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return v, false
			}
			v = v.Elem()
		}
		v = v.Field(n)
	}
	return v, true
}

// omit reports whether the field of v is left out. It is asked only if some
// field of the struct has omitempty, and then for all of them.
func (f *field) omit(v reflect.Value) bool {
	v, ok := f.of(v)
	return !ok || f.omitEmpty && isEmpty(v)
}

// isEmpty is v5's isEmptyValue.
func isEmpty(v reflect.Value) bool {
	for v.Kind() == reflect.Interface {
		if v.IsNil() {
			return true
		}
		v = v.Elem()
	}
	if z, ok := v.Interface().(interface{ IsZero() bool }); ok {
		switch v.Kind() {
		case reflect.Chan, reflect.Func, reflect.Map, reflect.Pointer, reflect.Slice:
			if v.IsNil() {
				return true
			}
		}
		return z.IsZero()
	}
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return emptyStruct(v)
	case reflect.Pointer:
		return v.IsNil()
	case reflect.Bool,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return v.IsZero()
	case reflect.Float32, reflect.Float64:
		return v.Float() == 0 // as v5: also the negative zero
	default:
		return false
	}
}

// emptyStruct reports whether v5 would write no field of v. A struct whose tags
// structOf does not read is never empty here: it is written rather than omitted.
func emptyStruct(v reflect.Value) bool {
	s, ok := structOf(v.Type())
	if !ok {
		return false
	}
	omits := false
	for i := range s.fields {
		omits = omits || s.fields[i].omitEmpty
	}
	for i := range s.fields {
		if !omits || !s.fields[i].omit(v) {
			return false
		}
	}
	return true
}
