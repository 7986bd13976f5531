package codecs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"net"
	"reflect"
	"strings"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/schema"
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
	if ip, ok := valueOf[net.IP](a); ok {
		if other, _ := valueOf[net.IP](b); !ip.Equal(other) {
			return fmt.Sprintf("%s: %v became %v", path, ip, other)
		}
		return ""
	}
	if a.Type() == reflect.TypeFor[error]() && c.codec == "msgpack" {
		if x, y := a.Interface().(error), b.Interface().(error); x.Error() != y.Error() {
			return fmt.Sprintf("%s: %v became %v", path, x, y)
		}
		return ""
	}
	if n, ok := valueOf[json.Number](a); ok && c.codec == "json" && n == "" {
		if other, _ := valueOf[json.Number](b); other != "0" {
			return fmt.Sprintf("%s: no number became %v", path, b)
		}
		return ""
	}
	switch a.Kind() {
	case reflect.Interface:
		return c.held(a.Elem(), b.Elem(), path)
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return fmt.Sprintf("%s: %v became %v", path, inside(a), inside(b))
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

// inside is v for an error, without pointers.
func inside(v reflect.Value) string {
	s := ""
	for (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) && !v.IsNil() {
		s += "&"
		v = v.Elem()
	}
	return fmt.Sprintf("%s(%v)%v", s, v.Type(), v)
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
	if c.codec == "json" && !a.CanInterface() || c.codec == "json" && !schema.JSONItself(t, true) {
		return c.jsonFields(a, b, path)
	}
	exported, omit := 0, ""
	if f, ok := t.FieldByName("_msgpack"); ok && c.codec == "msgpack" {
		omit = f.Tag.Get("msgpack") // of all fields
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() && !(f.Anonymous && c.codec != "gob" && f.Type.Kind() == reflect.Struct) {
			continue // gob does not look into embedded structs that are not exported
		}
		exported++
		name, options, _ := strings.Cut(f.Tag.Get(c.codec), ",")
		if c.codec != "gob" && name == "-" {
			continue
		}
		if strings.Contains(options+omit, "omit") && empty(a.Field(i)) && empty(b.Field(i)) {
			continue // what is left out arrives as zero
		}
		if f.Anonymous && a.Field(i).Kind() == reflect.Pointer && a.Field(i).IsNil() && !b.Field(i).IsNil() && b.Field(i).Elem().IsZero() {
			continue // a nil pointer to an embedded struct arrives as one to a zero struct
		}
		if f.Anonymous && a.Field(i).Kind() == reflect.Pointer && b.Field(i).IsNil() && c.sendsNothing(a.Field(i)) {
			continue // and one to a struct of which nothing is sent as nil
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

// jsonFields compares the fields that encoding/json sends: of those with one name, that of the
// outer struct hides that of an embedded one.
func (c comparer) jsonFields(a, b reflect.Value, path string) string {
	for _, index := range schema.JSONFields(a.Type()) {
		f := a.Type().FieldByIndex(index)
		x, ok := reach(a, index)
		y, arrived := reach(b, index)
		switch {
		case !ok && !arrived:
			continue
		case !ok || !arrived:
			// What an embedded pointer leads to arrives if anything of it does.
			if options := f.Tag.Get("json"); ok && strings.Contains(options, "omit") && empty(x) || arrived && y.IsZero() {
				continue
			}
			return fmt.Sprintf("%s.%s: an embedded pointer has arrived: %v, and was there: %v", path, f.Name, arrived, ok)
		}
		if strings.Contains(f.Tag.Get("json"), "omit") && empty(x) && empty(y) {
			continue // what is left out arrives as zero
		}
		if d := c.different(x, y, path+"."+f.Name); d != "" {
			return d
		}
	}
	return ""
}

// reach is v.FieldByIndex, and reports false where a pointer on the way is nil.
func reach(v reflect.Value, index []int) (reflect.Value, bool) {
	f, err := v.FieldByIndexErr(index)
	return f, err == nil
}

// sendsNothing reports whether the codec has nothing to send of what an embedded pointer
// leads to, so that it cannot tell it from nil.
func (c comparer) sendsNothing(v reflect.Value) bool {
	if v.Kind() == reflect.Pointer {
		return v.IsNil() || c.sendsNothing(v.Elem())
	}
	if v.Kind() != reflect.Struct {
		return false
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, options, _ := strings.Cut(f.Tag.Get(c.codec), ",")
		if !f.IsExported() && !f.Anonymous || name == "-" || strings.Contains(options, "omit") && empty(v.Field(i)) || f.Anonymous && c.sendsNothing(v.Field(i)) {
			continue
		}
		return false
	}
	return true
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
	return apart(untyped(want), untyped(got), path)
}

// apart says where two values of no type differ.
func apart(x, y any, path string) string {
	switch x := x.(type) {
	case []any:
		if y, ok := y.([]any); ok && len(x) == len(y) {
			for i := range x {
				if d := apart(x[i], y[i], fmt.Sprintf("%s[%d]", path, i)); d != "" {
					return d
				}
			}
			return ""
		}
	case map[string]any:
		if y, ok := y.(map[string]any); ok && len(x) == len(y) {
			for k := range x {
				if d := apart(x[k], y[k], path+"["+k+"]"); d != "" {
					return d
				}
			}
			return ""
		}
	case []byte:
		if y == nil && string(x) == "null" {
			return "" // a nil slice or map with MarshalText on its pointer, which v5 calls
		}
	}
	if !reflect.DeepEqual(x, y) {
		return fmt.Sprintf("%s: %#v became %#v", path, x, y)
	}
	return ""
}

// reference returns what becomes of *p in an any.
func (c comparer) reference(p any) (v any, err error) {
	_, _, err = protect(func() (struct{}, error) {
		if c.codec == "json" {
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			err := enc.Encode(reflect.ValueOf(p).Elem().Interface()) // without methods of pointers
			if err == nil {
				err = json.Unmarshal(b.Bytes(), &v)
			}
			return struct{}{}, err
		}
		var b bytes.Buffer
		enc := msgpack.NewEncoder(&b)
		enc.UseCompactInts(true)
		enc.UseArrayEncodedStructs(c.arrays)
		err := enc.EncodeValue(reflect.ValueOf(p).Elem()) // addressable, and not a pointer
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
