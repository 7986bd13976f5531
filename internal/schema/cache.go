package schema

import (
	"reflect"
	"sync"
)

// Key is what a text depends on.
type Key struct {
	Codec   string
	Type    reflect.Type
	Options any // comparable
}

// built is a text, or why there is none.
type built struct {
	text string
	err  error
}

var texts sync.Map // built by Key

// Cached returns the text for k, which build makes once. A Conn asks each time
// it opens.
func Cached(k Key, build func() (string, error)) (string, error) {
	b, ok := texts.Load(k)
	if !ok {
		text, err := build()
		b, _ = texts.LoadOrStore(k, built{text, err})
	}
	return b.(built).text, b.(built).err
}

// Binary returns the text for messages of type t that encode themselves.
func Binary(t reflect.Type) (string, error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return Cached(Key{Codec: "binary", Type: t}, func() (string, error) {
		return checked(&Schema{Codec: "binary", Root: OpaqueType(t)})
	})
}
