package schema

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// TestSchemaIsReal compares each type with each, and what Compare says of them
// with what the codecs do. Breaking means that in one of the directions no sample
// can be decoded, or that one arrives as something else.
func TestSchemaIsReal(t *testing.T) {
	for _, codec := range schemaCodecs {
		t.Run(codec, func(t *testing.T) {
			breaking, pairs := 0, 0
			var schemas []*schema.Schema
			for _, c := range schemaCells {
				s, err := schema.Parse(c.text(codec))
				if err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
				schemas = append(schemas, s)
			}
			for i, a := range schemaCells {
				for j, b := range schemaCells {
					diffs := schema.Compare(schemas[i], schemas[j])
					says := len(diffs) > 0 && diffs[0].Breaking
					there, back := schemaTrip(codec, a, b), schemaTrip(codec, b, a)
					if is := there != "" || back != ""; says != is {
						t.Errorf("%s and %s: breaking is %v, but sent there: %q, and back: %q\n%v", a.name, b.name, says, there, back, diffs)
					}
					if mirrored := schema.Compare(schemas[j], schemas[i]); breakingPaths(diffs) != breakingPaths(mirrored) {
						t.Errorf("%s and %s: breaking %s, but from the other end %s", a.name, b.name, breakingPaths(diffs), breakingPaths(mirrored))
					}
					if i == j && len(diffs) > 0 {
						t.Errorf("%s differs from itself: %v", a.name, diffs)
					}
					pairs++
					if says {
						breaking++
					}
				}
			}
			t.Logf("%d pairs, %d of them breaking", pairs, breaking)
		})
	}
}

func breakingPaths(diffs []schema.Difference) string {
	var paths []string
	for _, d := range diffs {
		if d.Breaking {
			paths = append(paths, d.Path)
		}
	}
	slices.Sort(paths)
	return strings.Join(paths, " ")
}

// holding returns an any, or a field of one, that holds what the receiver wants.
func (c schemaCell) holding(to schemaCell) schemaCell {
	var values []any
	for i := range to.samples {
		switch {
		case c.inner == nil:
			values = append(values, to.outer(i))
		case to.inner != nil:
			values = append(values, to.inner(i))
		default:
			if v := reflect.ValueOf(to.outer(i)); v.Kind() == reflect.Struct && v.FieldByName("V").IsValid() {
				values = append(values, v.FieldByName("V").Interface())
			}
		}
	}
	switch {
	case c.name == "any":
		return schemaType(c.name, values...)
	case c.name == "{V any}" && len(values) > 0:
		return schemaField("any", values...)
	}
	return c
}

// schemaTrip sends all samples of one type to a receiver with the other, and
// returns what breaks: "" if at least one arrives and none arrives changed.
func schemaTrip(codec string, from, to schemaCell) (broken string) {
	if codec != "gob" {
		from = from.holding(to)
	}
	arrived := false
	for i := range from.samples {
		payload, sent, err := from.encode(codec, i)
		if err != nil {
			return fmt.Sprintf("not sent: %v", err)
		}
		got, err := to.decode(codec, payload)
		if err != nil {
			broken = err.Error()
			continue
		}
		// A map of which no key is the name of a field does not count.
		arrived = arrived || !strings.Contains(from.name, "map") || !schemaEmpty(got)
		if want, have := schemaPlain(reflect.ValueOf(sent), codec), schemaPlain(reflect.ValueOf(got), codec); !schemaKept(want, have, codec) {
			return fmt.Sprintf("%v arrives as %v", want, have)
		}
	}
	if arrived {
		return ""
	}
	return broken
}

// schemaEmpty reports whether nothing has arrived in a message but what stays.
func schemaEmpty(v any) bool {
	r := reflect.ValueOf(v)
	if r.Kind() == reflect.Struct && r.NumField() > 0 && r.Type().Field(0).Name == "Stays" {
		return r.Field(1).IsZero() || r.Field(1).Kind() == reflect.Pointer && r.Field(1).Elem().IsZero()
	}
	return r.IsZero()
}

// schemaStruct is a struct without its type.
type schemaStruct struct {
	names  []string
	values []any
	alias  bool // X is W, too
}

// schemaPlain takes the Go type out of a value: numbers are float64, bytes and
// times what they can be taken for, pointers what they point to.
func schemaPlain(v reflect.Value, codec string) any {
	if !v.IsValid() {
		return nil
	}
	if t, ok := v.Interface().(time.Time); ok {
		if t.IsZero() {
			return nil
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return schemaPlain(v.Elem(), codec)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return float64(v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return float64(v.Uint())
	case reflect.Float32, reflect.Float64:
		return v.Float()
	case reflect.Slice, reflect.Array:
		var list []any
		for i := range v.Len() {
			list = append(list, schemaPlain(v.Index(i), codec))
		}
		return list
	case reflect.Map:
		m := make(map[string]any)
		for it := v.MapRange(); it.Next(); {
			m[fmt.Sprint(it.Key())] = schemaPlain(it.Value(), codec)
		}
		return m
	case reflect.Struct:
		var s schemaStruct
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if v.Type() == reflect.TypeFor[schLower]() && codec != "json" && codec != "gob" {
				name = strings.ToLower(name)
			}
			s.alias = v.Type() == reflect.TypeFor[schAlias]() && codec != "json" && codec != "gob"
			s.names = append(s.names, name)
			s.values = append(s.values, schemaPlain(v.Field(i), codec))
		}
		return s
	}
	return v.Interface()
}

// schemaKept reports whether have is want, as far as have has a place for it.
func schemaKept(want, have any, codec string) bool {
	if schemaZero(want) && schemaZero(have) {
		return true
	}
	switch have := have.(type) {
	case schemaStruct:
		switch want := want.(type) {
		case schemaStruct:
			for i, name := range have.names {
				j := want.place(name)
				if codec == "arrays" && i < len(want.names) && j < 0 && have.place(want.names[i]) < 0 {
					j = i // renamed
				}
				if name == "W" && j < 0 && have.alias && codec != "arrays" {
					j = want.place("X")
				}
				if j < 0 && !schemaZero(have.values[i]) || j >= 0 && !schemaKept(want.values[j], have.values[i], codec) {
					return false
				}
			}
			return true
		case map[string]any:
			for i, name := range have.names {
				if w, ok := want[name]; ok && !schemaKept(w, have.values[i], codec) {
					return false
				}
			}
			return true
		case []any: // a list for a tuple
			return len(want) == len(have.values) && schemaKept(want, have.values, codec)
		}
	case map[string]any:
		if s, ok := want.(schemaStruct); ok {
			for i, name := range s.names {
				if h, ok := have[name]; ok && !schemaKept(s.values[i], h, codec) {
					return false
				}
			}
			return true
		}
		if m, ok := want.(map[string]any); ok && len(m) == len(have) {
			for k, h := range have {
				if w, ok := m[k]; !ok || !schemaKept(w, h, codec) {
					return false
				}
			}
			return true
		}
	case []any:
		if s, ok := want.(schemaStruct); ok {
			want = s.values
		}
		if s, ok := want.(string); ok { // bytes
			var list []any
			for _, c := range []byte(s) {
				list = append(list, float64(c))
			}
			want = list
		}
		if list, ok := want.([]any); ok && len(list) <= len(have) {
			for i := range have {
				if i < len(list) && !schemaKept(list[i], have[i], codec) || i >= len(list) && !schemaZero(have[i]) {
					return false
				}
			}
			return true
		}
	case string:
		switch want := want.(type) {
		case []any: // bytes
			var b []byte
			for _, c := range want {
				n, ok := c.(float64)
				if !ok {
					return false
				}
				b = append(b, byte(n))
			}
			return have == string(b)
		case float64, bool: // quoted
			return have == fmt.Sprint(want)
		case string:
			if a, err := time.Parse(time.RFC3339Nano, want); err == nil {
				b, err := time.Parse(time.RFC3339Nano, have)
				return err == nil && a.Equal(b)
			}
			return have == want
		}
	case float64, bool:
		if s, ok := want.(string); ok { // quoted
			return s == fmt.Sprint(have)
		}
		if a, ok := want.(float64); ok {
			b, ok := have.(float64)
			return ok && math.Abs(a-b) <= math.Abs(a)/1e6
		}
	}
	return reflect.DeepEqual(want, have)
}

func (s schemaStruct) place(name string) int {
	for i, n := range s.names {
		if n == name {
			return i
		}
	}
	return -1
}

// schemaZero reports whether nothing but zeros are in a plain value.
func schemaZero(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case schemaStruct:
		return schemaZero(v.values)
	case []any:
		for _, e := range v {
			if !schemaZero(e) {
				return false
			}
		}
		return true
	}
	return reflect.ValueOf(v).IsZero() || reflect.ValueOf(v).Kind() == reflect.Map && reflect.ValueOf(v).Len() == 0
}
