package codecs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// comparer compares a value that was sent with what arrived, and knows the differences that
// the documentation of each codec lists.
type comparer struct {
	codec  string
	arrays bool // structs in an any arrive as lists
}

// different returns where and how b, which arrived, differs from a, which was sent; "" if it
// does not.
func (c comparer) different(a, b reflect.Value, path string) string {
	if c.nothing(a) && c.nothing(b) {
		return ""
	}
	if a.Kind() != b.Kind() {
		return fmt.Sprintf("%s: %v became %v", path, a, b)
	}
	if c.codec == "gob" && a.Kind() == reflect.Pointer && (a.IsNil() || b.IsNil()) {
		// A pointer to a zero value arrives as nil.
		if p := a; p.IsNil() || zeroInGob(p.Elem()) {
			return ""
		}
	}
	if t, ok := valueOf[time.Time](a); ok && a.Kind() == reflect.Struct {
		if u, _ := valueOf[time.Time](b); !t.Equal(u) {
			return fmt.Sprintf("%s: %v became %v", path, t, u)
		}
		return ""
	}
	if n, ok := valueOf[big.Int](a); ok {
		if m, _ := valueOf[big.Int](b); n.Cmp(&m) != 0 {
			return fmt.Sprintf("%s: %v became %v", path, &n, &m)
		}
		return ""
	}
	if n, ok := valueOf[big.Rat](a); ok {
		if m, _ := valueOf[big.Rat](b); n.Cmp(&m) != 0 {
			return fmt.Sprintf("%s: %v became %v", path, &n, &m)
		}
		return ""
	}
	switch a.Kind() {
	case reflect.Interface:
		return c.held(a.Elem(), b.Elem(), path)
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return fmt.Sprintf("%s: %v became %v", path, a, b)
		}
		return c.different(a.Elem(), b.Elem(), path)
	case reflect.Float32, reflect.Float64:
		if x, y := a.Float(), b.Float(); x != y && !(math.IsNaN(x) && math.IsNaN(y)) {
			return fmt.Sprintf("%s: %v became %v", path, x, y)
		}
	case reflect.Slice, reflect.Array:
		if a.Len() != b.Len() {
			return fmt.Sprintf("%s: %d elements became %d", path, a.Len(), b.Len())
		}
		if c.codec != "gob" && a.Kind() == reflect.Slice && a.IsNil() != b.IsNil() {
			return fmt.Sprintf("%s: %#v became %#v", path, a, b)
		}
		for i := range a.Len() {
			if d := c.different(a.Index(i), b.Index(i), fmt.Sprintf("%s[%d]", path, i)); d != "" {
				return d
			}
		}
	case reflect.Map:
		return c.maps(a, b, path)
	case reflect.Struct:
		return c.structs(a, b, path)
	case reflect.Chan, reflect.Func, reflect.UnsafePointer:
		if !b.IsNil() {
			return fmt.Sprintf("%s: %v arrived", path, b)
		}
	default:
		if !a.Equal(b) {
			return fmt.Sprintf("%s: %v became %v", path, a, b)
		}
	}
	return ""
}

// nothing reports whether v is nil, or a pointer to that; in gob, or empty.
func (c comparer) nothing(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Slice:
		if raw, ok := valueOf[json.RawMessage](v); ok && c.codec == "json" && string(raw) == "null" {
			return true
		}
		if raw, ok := valueOf[msgpack.RawMessage](v); ok && c.codec == "msgpack" && string(raw) == "\xc0" {
			return true
		}
		return v.IsNil() || c.codec == "gob" && v.Len() == 0
	case reflect.Map:
		return v.IsNil() || c.codec == "gob" && v.Len() == 0
	case reflect.Pointer, reflect.Interface:
		return v.IsNil() || c.nothing(v.Elem())
	}
	return false
}

func (c comparer) maps(a, b reflect.Value, path string) string {
	if a.Len() != b.Len() {
		return fmt.Sprintf("%s: %d entries became %d", path, a.Len(), b.Len())
	}
	if c.codec != "gob" && a.IsNil() != b.IsNil() {
		return fmt.Sprintf("%s: %#v became %#v", path, a, b)
	}
	for it := a.MapRange(); it.Next(); {
		at := fmt.Sprintf("%s[%v]", path, it.Key())
		found := at + " is lost"
		for jt := b.MapRange(); jt.Next(); {
			if c.different(it.Key(), jt.Key(), at) == "" {
				if found = c.different(it.Value(), jt.Value(), at); found == "" {
					break
				}
			}
		}
		if found != "" {
			return found
		}
	}
	return ""
}

// structs compares the fields that the codec sends.
func (c comparer) structs(a, b reflect.Value, path string) string {
	t := a.Type()
	exported := 0
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() && !(f.Anonymous && c.codec != "gob" && f.Type.Kind() == reflect.Struct) {
			continue // gob does not look into embedded structs that are not exported
		}
		name, options, _ := strings.Cut(f.Tag.Get(c.codec), ",")
		if c.codec != "gob" && name == "-" {
			continue
		}
		exported++
		if strings.Contains(options, "omit") && empty(a.Field(i)) && empty(b.Field(i)) {
			continue // what is left out arrives as zero
		}
		if f.Anonymous && a.Field(i).Kind() == reflect.Pointer && a.Field(i).IsNil() && !b.Field(i).IsNil() && b.Field(i).Elem().IsZero() {
			continue // a nil pointer to an embedded struct arrives as one to a zero struct
		}
		if d := c.different(a.Field(i), b.Field(i), path+"."+f.Name); d != "" {
			return d
		}
	}
	if exported == 0 && t.NumField() > 0 && a.CanInterface() && b.CanInterface() && !reflect.DeepEqual(a.Interface(), b.Interface()) {
		return fmt.Sprintf("%s: %v became %v", path, a, b) // of the standard library
	}
	return ""
}

// empty reports whether omitempty leaves v out, or it is zero.
func empty(v reflect.Value) bool {
	if v.Kind() == reflect.Interface {
		return v.IsNil() || empty(v.Elem())
	}
	k := v.Kind()
	return v.IsZero() || (k == reflect.Slice || k == reflect.Map) && v.Len() == 0 || (k == reflect.Float32 || k == reflect.Float64) && v.Float() == 0
}

func valueOf[T any](v reflect.Value) (x T, ok bool) {
	if v.IsValid() && v.CanInterface() {
		x, ok = v.Interface().(T)
	}
	return x, ok
}

func zeroInGob(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer:
		return v.IsNil() || zeroInGob(v.Elem())
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	}
	return v.IsZero()
}

// held compares what an interface holds with what another one got. Gob has the same type
// again, without pointers; for the other codecs it is what their own encoding says to
// a reader that knows no types, and another package is asked what that is.
func (c comparer) held(a, b reflect.Value, path string) string {
	if !a.IsValid() {
		return fmt.Sprintf("%s: nil became %v", path, b)
	}
	if c.codec == "gob" {
		for a.Kind() == reflect.Pointer && b.IsValid() && a.Type() != b.Type() && !a.IsNil() {
			a = a.Elem()
		}
		if !b.IsValid() || a.Type() != b.Type() {
			return fmt.Sprintf("%s: %#v became %#v", path, a, b)
		}
		return c.different(a, b, path)
	}
	if t, ok := valueOf[time.Time](a); ok && c.codec == "msgpack" {
		if u, ok := valueOf[time.Time](b); !ok || !t.Equal(u) {
			return fmt.Sprintf("%s: %v became %v", path, t, b)
		}
		return ""
	}
	p := reflect.New(a.Type())
	p.Elem().Set(a)
	want, err := c.reference(p.Interface())
	if err != nil {
		return "" // which values may be refused is another question
	}
	var got any
	if b.IsValid() {
		got = b.Interface()
	}
	if x, y := untyped(want), untyped(got); !reflect.DeepEqual(x, y) {
		return fmt.Sprintf("%s: %#v became %#v", path, x, y)
	}
	return ""
}

// reference returns what becomes of *p in an any.
func (c comparer) reference(p any) (v any, err error) {
	_, _, err = protect(func() (struct{}, error) {
		if c.codec == "json" {
			b, err := json.Marshal(reflect.ValueOf(p).Elem().Interface()) // without methods of pointers
			if err == nil {
				err = json.Unmarshal(b, &v)
			}
			return struct{}{}, err
		}
		var b bytes.Buffer
		enc := msgpack.NewEncoder(&b)
		enc.UseCompactInts(true)
		enc.UseArrayEncodedStructs(c.arrays)
		err := enc.Encode(p)
		if err == nil {
			err = msgpack.Unmarshal(b.Bytes(), &v)
		}
		return struct{}{}, err
	})
	return v, err
}

// untyped is a value of no type in a form that reflect.DeepEqual compares: numbers by value.
func untyped(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.UTC().String()
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Sprint(v)
		}
		return big.NewFloat(v).Text('g', 40)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = untyped(v[i])
		}
		return list
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = untyped(e)
		}
		return m
	case nil, bool, string, []byte:
		return v
	}
	switch x := reflect.ValueOf(v); {
	case x.CanInt():
		return new(big.Float).SetInt64(x.Int()).Text('g', 40)
	case x.CanUint():
		return new(big.Float).SetUint64(x.Uint()).Text('g', 40)
	case x.CanFloat():
		return untyped(x.Float())
	}
	return fmt.Sprintf("%T", v)
}
