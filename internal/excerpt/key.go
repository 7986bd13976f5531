package excerpt

import (
	"reflect"
	"strconv"
)

// maxKey is how much of a text that is a key is shown, bytes.
const maxKey = 40

// Key is what an error says of the key of a map. It calls no methods of the program, and does not
// repeat large keys.
func Key(key reflect.Value) string {
	for key.Kind() == reflect.Interface && !key.IsNil() {
		key = key.Elem()
	}
	switch {
	case key.Kind() == reflect.String:
		return Quote(key.String(), maxKey)
	case key.CanInt():
		return strconv.FormatInt(key.Int(), 10)
	case key.CanUint():
		return strconv.FormatUint(key.Uint(), 10)
	case key.CanFloat():
		return strconv.FormatFloat(key.Float(), 'g', -1, 64)
	case key.Kind() == reflect.Bool:
		return strconv.FormatBool(key.Bool())
	case key.Kind() == reflect.Interface:
		return "nil"
	}
	return "a " + key.Type().String()
}
