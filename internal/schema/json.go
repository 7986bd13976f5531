package schema

import (
	"encoding"
	"encoding/json"
	"reflect"
	"sync"
)

// JSON returns the text for messages of type t that encoding/json encodes.
func JSON(t reflect.Type) (string, error) {
	return Cached(Key{Codec: "json", Type: t}, func() (string, error) { return Build("json", nil, t, jsonRules{}) })
}

type jsonRules struct{}

var (
	textMethods = []reflect.Type{reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler]()}
	jsonMethods = append([]reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[json.Unmarshaler]()}, textMethods...)
)

func (jsonRules) Type(b *Builder, t reflect.Type) *Type {
	switch t {
	case timeType:
		return basics[Time]
	case reflect.TypeFor[json.RawMessage]():
		return basics[Any]
	case reflect.TypeFor[json.Number]():
		return OpaqueType(t)
	}
	if t.Kind() == reflect.Pointer {
		if endlessPointer(t) {
			return OpaqueType(t)
		}
		return PointerTo(b.Type(t.Elem()))
	}
	if hasOneOf(t, jsonMethods) {
		return OpaqueType(t)
	}
	if t.Kind() == reflect.Interface {
		if t.NumMethod() > 0 {
			return OpaqueType(t) // can be sent, but nothing can be received for it
		}
		return basics[Any]
	}
	if basic := Basic(t); basic != nil && basic.Kind != Complex {
		return basic
	}
	switch t.Kind() {
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 && !hasOneOf(t.Elem(), jsonMethods) {
			return basics[Bytes]
		}
		return &Type{Kind: Slice, Elem: b.Type(t.Elem())}
	case reflect.Array:
		return &Type{Kind: Array, Len: t.Len(), Elem: b.Type(t.Elem())}
	case reflect.Map:
		key := Basic(t.Key())
		switch {
		case hasOneOf(t.Key(), textMethods):
			key = OpaqueType(t.Key())
		case key == nil || !isInteger(key.Kind) && key.Kind != String:
			return OpaqueType(t)
		}
		return &Type{Kind: Map, Key: key, Elem: b.Type(t.Elem())}
	case reflect.Struct:
		return b.Struct(t)
	}
	return OpaqueType(t) // complex, chan, func: an error
}

// JSONItself reports whether encoding/json leaves the encoding of a t to a method. Those of
// *t are called where it is addressable.
func JSONItself(t reflect.Type, addressable bool) bool {
	for _, m := range []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler]()} {
		if t.Implements(m) || addressable && t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(m) {
			return true
		}
	}
	return false
}

// JSONUnique reports whether encoding/json writes no object of a t with a key twice: fields
// have different names, and so have the keys of a map of strings or numbers. What methods
// write, and what an interface holds, may be anything.
func JSONUnique(t reflect.Type) bool {
	unique, _ := uniqueTypes.Load(t)
	if unique == nil {
		unique = isUnique(t, make(map[reflect.Type]bool))
		uniqueTypes.Store(t, unique)
	}
	return unique.(bool)
}

var uniqueTypes sync.Map // bool by reflect.Type

func isUnique(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] || t == timeType {
		return true
	}
	seen[t] = true
	if hasOneOf(t, jsonMethods) {
		return false
	}
	switch t.Kind() {
	case reflect.Interface:
		return false
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return isUnique(t.Elem(), seen)
	case reflect.Map:
		return !hasOneOf(t.Key(), textMethods) && isUnique(t.Elem(), seen)
	case reflect.Struct:
		for _, index := range JSONFields(t) {
			if !isUnique(t.FieldByIndex(index).Type, seen) {
				return false
			}
		}
	}
	return true
}
