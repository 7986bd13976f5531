package schema

import (
	"encoding"
	"encoding/gob"
	"reflect"
	"unicode"
	"unicode/utf8"
)

// Gob returns the text for messages of type t that encoding/gob encodes.
func Gob(t reflect.Type) (string, error) {
	return Cached(Key{Codec: "gob", Type: t}, func() (string, error) { return Build("gob", nil, t, gobRules{}) })
}

type gobRules struct{}

var gobMethods = []reflect.Type{
	reflect.TypeFor[gob.GobEncoder](), reflect.TypeFor[gob.GobDecoder](),
	reflect.TypeFor[encoding.BinaryMarshaler](), reflect.TypeFor[encoding.BinaryUnmarshaler](),
}

// Type follows pointers, which gob does not send.
func (gobRules) Type(b *Builder, t reflect.Type) *Type {
	if endlessPointer(t) {
		return OpaqueType(t)
	}
	base := t
	for base.Kind() == reflect.Pointer {
		base = base.Elem()
	}
	if base == timeType {
		return basics[Time]
	}
	for u := t; ; u = u.Elem() {
		if hasOneOf(u, gobMethods) {
			return OpaqueType(base)
		}
		if u.Kind() != reflect.Pointer {
			break
		}
	}
	if base != t {
		return b.Type(base)
	}
	if basic := Basic(t); basic != nil {
		return basic
	}
	switch t.Kind() {
	case reflect.Interface:
		return basics[Any]
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return basics[Bytes]
		}
		return &Type{Kind: Slice, Elem: b.Type(t.Elem())}
	case reflect.Array:
		return &Type{Kind: Array, Len: t.Len(), Elem: b.Type(t.Elem())}
	case reflect.Map:
		return &Type{Kind: Map, Key: b.Type(t.Key()), Elem: b.Type(t.Elem())}
	case reflect.Struct:
		return b.Struct(t)
	}
	return OpaqueType(t) // chan, func: an error
}

// Fields lists the fields of t as encoding/gob does.
func (gobRules) Fields(t reflect.Type) (fields []GoField, _ DefKind) {
	for _, index := range GobFields(t) {
		f := t.Field(index[0])
		fields = append(fields, GoField{Name: f.Name, Type: f.Type})
	}
	return fields, StructDef
}

// GobFields lists the fields that encoding/gob encodes of t, by their indexes: exported
// ones but channels and functions. An embedded struct is a field like others.
func GobFields(t reflect.Type) (indexes [][]int) {
	for i := range t.NumField() {
		f := t.Field(i)
		if first, _ := utf8.DecodeRuneInString(f.Name); !unicode.IsUpper(first) {
			continue
		}
		base := f.Type
		if !endlessPointer(base) {
			for base.Kind() == reflect.Pointer {
				base = base.Elem()
			}
		}
		if k := base.Kind(); k != reflect.Chan && k != reflect.Func {
			indexes = append(indexes, []int{i})
		}
	}
	return indexes
}

// hasOneOf reports whether t, or a pointer to it, has one of the methods.
func hasOneOf(t reflect.Type, methods []reflect.Type) bool {
	for _, m := range methods {
		if t.Implements(m) || t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface && reflect.PointerTo(t).Implements(m) {
			return true
		}
	}
	return false
}

// GobItself reports whether encoding/gob leaves the encoding of a t, or of what it points
// to, to a method.
func GobItself(t reflect.Type) bool {
	return hasOneOf(t, []reflect.Type{reflect.TypeFor[gob.GobEncoder](), reflect.TypeFor[encoding.BinaryMarshaler]()})
}

// GobMeet reports whether two keys of a map that are different may be encoded alike by
// encoding/gob, and be one where they arrive. Pointers arrive as different ones.
func GobMeet(key reflect.Type) bool {
	if GobItself(key) {
		return key.Kind() != reflect.Pointer
	}
	switch key.Kind() {
	case reflect.Interface:
		return true
	case reflect.Array:
		return GobMeet(key.Elem())
	case reflect.Struct:
		fields := GobFields(key)
		if len(fields) < key.NumField() {
			return true // what else there is may differ
		}
		for _, index := range fields {
			if t := key.FieldByIndex(index).Type; t.Kind() == reflect.Pointer || GobMeet(t) {
				return true // a pointer to zero arrives as nil
			}
		}
	}
	return false
}
