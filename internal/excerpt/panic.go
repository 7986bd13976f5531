package excerpt

import (
	"fmt"
	"reflect"
)

// Panic returns an excerpt of what fmt.Sprint says of v, a value with which something has
// panicked, of at most most bytes. Of a value that is large, or contains itself, only the
// type is shown: fmt would write all of it, and would not return from the other.
func Panic(v any, most int) string {
	switch v := v.(type) {
	case error:
		return Error(v, most)
	case fmt.Stringer:
		return Error(stringer{v}, most)
	case string:
		return Text(v, most)
	}
	budget := maxPanicValues
	if !isSmall(reflect.Indirect(reflect.ValueOf(v)), &budget) {
		return Text(fmt.Sprintf("a %T", v), most)
	}
	return Text(fmt.Sprint(v), most)
}

// stringer lets Words call String.
type stringer struct{ s fmt.Stringer }

func (e stringer) Error() string { return e.s.String() }

// maxPanicValues is how many values, and bytes of strings, fmt may be given to print.
const maxPanicValues = 256

// isSmall reports whether v, with what is in it, consists of no more than *budget values.
// Like fmt it does not follow the pointers inside. It takes from the budget what it
// has seen, so that what contains itself uses it up.
func isSmall(v reflect.Value, budget *int) bool {
	if *budget--; *budget < 0 {
		return false
	}
	switch v.Kind() {
	case reflect.String:
		*budget -= v.Len()
	case reflect.Interface:
		return v.IsNil() || isSmall(v.Elem(), budget)
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if !isSmall(v.Index(i), budget) {
				return false
			}
		}
	case reflect.Map:
		for _, key := range mapKeys(v, *budget) {
			if !isSmall(key, budget) || !isSmall(v.MapIndex(key), budget) {
				return false
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if !isSmall(v.Field(i), budget) {
				return false
			}
		}
	}
	return *budget >= 0
}

// mapKeys returns one key more than most, at most.
func mapKeys(m reflect.Value, most int) (keys []reflect.Value) {
	for iter := m.MapRange(); len(keys) <= most && iter.Next(); {
		keys = append(keys, iter.Key())
	}
	return keys
}
