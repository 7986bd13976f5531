package codecbench

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"reflect"

	"github.com/fb9bb4ed/qsocket"
)

// A format writes values of any type.
type format func(v reflect.Value) ([]byte, error)

var formats = []format{
	msgpackFormat(),
	msgpackFormat(qsocket.ArrayEncodedStructs()),
	func(v reflect.Value) ([]byte, error) { return json.Marshal(v.Interface()) },
	func(v reflect.Value) ([]byte, error) {
		var b bytes.Buffer
		err := gob.NewEncoder(&b).EncodeValue(v)
		return b.Bytes(), err
	},
}

func msgpackFormat(opts ...qsocket.MsgpackOption) format {
	codec := qsocket.Msgpack[any](opts...)
	return func(v reflect.Value) ([]byte, error) { return codec.NewEncoder().Append(nil, v.Interface()) }
}

// isTree reports whether a format can write v: package gob would go on for ever if v contained itself, and
// all of them for very long if parts of it had parts in common, level by level.
func isTree(v reflect.Value) bool {
	values := 1 << 20
	return walk(v, maxDepth, &values)
}

// walk reports whether v has no more levels and values than that.
func walk(v reflect.Value, levels int, values *int) bool {
	if *values--; levels == 0 || *values < 0 {
		return false
	}
	below := func(v reflect.Value) bool { return walk(v, levels-1, values) }
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return v.IsNil() || below(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && !below(v.Field(i)) {
				return false
			}
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return true
		}
		for i := range v.Len() {
			if !below(v.Index(i)) {
				return false
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if !below(it.Key()) || !below(it.Value()) {
				return false
			}
		}
	}
	return true
}
