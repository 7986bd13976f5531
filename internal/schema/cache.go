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

var texts sync.Map // string by Key

// Cached returns the text for k, which build makes once. A Conn asks each time
// it opens.
func Cached(k Key, build func() string) string {
	if text, ok := texts.Load(k); ok {
		return text.(string)
	}
	text, _ := texts.LoadOrStore(k, build())
	return text.(string)
}

// Binary returns the text for messages of type t that encode themselves.
func Binary(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return Cached(Key{Codec: "binary", Type: t}, func() string {
		return checked(&Schema{Codec: "binary", Root: OpaqueType(t)})
	})
}
