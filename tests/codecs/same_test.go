package codecs

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
	"time"
)

// comparer compares a value that was sent with what arrived, and knows the differences that
// the documentation of each codec lists.
type comparer struct{ codec string }

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
	switch a.Kind() {
	case reflect.Interface:
		x, y := c.loose(a.Elem()), c.loose(b.Elem())
		if !reflect.DeepEqual(x, y) {
			return fmt.Sprintf("%s: %#v became %#v", path, x, y)
		}
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
		for i := range a.Len() {
			if d := c.different(a.Index(i), b.Index(i), fmt.Sprintf("%s[%d]", path, i)); d != "" {
				return d
			}
		}
	case reflect.Map:
		return c.maps(a, b, path)
	case reflect.Struct:
		return c.structs(a, b, path)
	default:
		if !a.Equal(b) {
			return fmt.Sprintf("%s: %v became %v", path, a, b)
		}
	}
	return ""
}

// nothing reports whether v is nil, or empty, or a pointer to that: for codecs a nil.
func (c comparer) nothing(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Slice:
		if raw, ok := valueOf[json.RawMessage](v); ok && string(raw) == "null" {
			return true
		}
		return v.Len() == 0
	case reflect.Map:
		return v.Len() == 0
	case reflect.Pointer, reflect.Interface:
		return v.IsNil() || c.nothing(v.Elem())
	}
	return false
}

func (c comparer) maps(a, b reflect.Value, path string) string {
	if a.Len() != b.Len() {
		return fmt.Sprintf("%s: %d entries became %d", path, a.Len(), b.Len())
	}
	for it := a.MapRange(); it.Next(); {
		at := fmt.Sprintf("%s[%v]", path, it.Key())
		found := ""
		for jt := b.MapRange(); jt.Next(); {
			if c.different(it.Key(), jt.Key(), at) == "" {
				if found = c.different(it.Value(), jt.Value(), at); found == "" {
					break
				}
			} else if found == "" {
				found = at + " is lost"
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
		if !f.IsExported() && !f.Anonymous || c.codec != "gob" && strings.HasPrefix(f.Tag.Get(c.codec), "-") {
			continue
		}
		if !f.IsExported() && c.codec == "gob" {
			continue // gob does not look into embedded structs that are not exported
		}
		exported++
		if strings.Contains(f.Tag.Get(c.codec), "omitempty") && empty(a.Field(i)) && empty(b.Field(i)) {
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

// loose is what an any arrives as, in one form for what is sent and what arrives: numbers by
// value, lists and maps without their types.
func (c comparer) loose(v reflect.Value) any {
	if t, ok := valueOf[time.Time](v); ok {
		if c.codec == "json" {
			return t.Format(time.RFC3339Nano)
		}
		return t.UnixNano() // far enough, for the times that are drawn
	}
	switch v.Kind() {
	case reflect.Invalid:
		return nil
	case reflect.Interface, reflect.Pointer:
		return c.loose(v.Elem())
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return c.number(new(big.Float).SetInt64(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return c.number(new(big.Float).SetUint64(v.Uint()))
	case reflect.Float32, reflect.Float64:
		if math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0) {
			return fmt.Sprint(v.Float())
		}
		return c.number(big.NewFloat(v.Float()))
	case reflect.String:
		return v.String()
	case reflect.Slice, reflect.Array:
		if c.codec == "json" && v.Type().Elem().Kind() == reflect.Uint8 && v.Kind() == reflect.Slice {
			return base64.StdEncoding.EncodeToString(v.Bytes())
		}
		if v.Len() == 0 {
			return nil
		}
		list := make([]any, v.Len())
		for i := range list {
			list[i] = c.loose(v.Index(i))
		}
		return list
	case reflect.Map:
		if v.Len() == 0 {
			return nil
		}
		m := map[any]any{}
		for it := v.MapRange(); it.Next(); {
			m[c.loose(it.Key())] = c.loose(it.Value())
		}
		return m
	case reflect.Struct:
		m := map[any]any{}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				m[f.Name] = c.loose(v.Field(i))
			}
		}
		if c.codec == "gob" {
			return fmt.Sprint(m) // of the type that was registered
		}
		return m
	}
	return v.String()
}

// number is a number by value; JSON has them as float64.
func (c comparer) number(f *big.Float) any {
	if c.codec == "json" {
		x, _ := f.Float64()
		return x
	}
	return f.Text('g', 40)
}
