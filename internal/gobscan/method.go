package gobscan

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"fmt"
	"reflect"
	"time"
	"unsafe"
)

var timeType = reflect.TypeFor[time.Time]()

// method lets the variable at p decode data.
func (n *node) method(data []byte, p unsafe.Pointer) error {
	if n.t == timeType { // keeps nothing of data
		return (*time.Time)(p).GobDecode(data)
	}
	if n.kind == reflect.Interface {
		return fmt.Errorf("a nil %s has no value that could decode itself", clip(n.t.String()))
	}
	data = bytes.Clone(data) // GobDecode may keep it
	switch v := reflect.NewAt(n.t, p).Interface().(type) {
	case gob.GobDecoder:
		return v.GobDecode(data)
	case encoding.BinaryUnmarshaler:
		return v.UnmarshalBinary(data)
	default:
		return fmt.Errorf("%T has no method to decode itself", v)
	}
}

var (
	gobDecoder        = reflect.TypeFor[gob.GobDecoder]()
	binaryUnmarshaler = reflect.TypeFor[encoding.BinaryUnmarshaler]()
)

// What wire types of values with methods say about them: numbers of fields in gob's wireType.
const (
	methodGob    = 4
	methodBinary = 5
)

// methods returns by which methods values of t are decoded: of t, of what it points to,
// or of a pointer to it. 0 means none.
func methods(t reflect.Type) uint8 {
	switch {
	case implements(t, gobDecoder):
		return methodGob
	case implements(t, binaryUnmarshaler):
		return methodBinary
	default:
		return 0
	}
}

func hasMethods(t reflect.Type) bool { return methods(t) != 0 }

func implements(t, methods reflect.Type) bool {
	if t.Kind() != reflect.Pointer {
		t = reflect.PointerTo(t)
	}
	for range 100 {
		if t.Implements(methods) {
			return true
		}
		if t.Kind() != reflect.Pointer {
			return false
		}
		t = t.Elem()
	}
	return false
}
