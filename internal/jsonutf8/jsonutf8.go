// Package jsonutf8 finds the strings of a value that encoding/json changes, because they are
// not UTF-8.
package jsonutf8

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"unicode/utf8"

	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// Check returns an error for the first string in v that is not UTF-8, of those that
// encoding/json encodes. What methods of types return is asked for again. It takes as long
// as to encode v, so it is for values in whose encoding there is a U+FFFD, in whatever form:
// how encoding/json shows that it has put one there differs from version to version.
//
// v must not be nested so deep that encoding/json could not follow it.
func Check(v reflect.Value) error {
	if !v.IsValid() {
		return nil
	}
	if itself, err := byMethod(v); itself {
		return err
	}
	switch v.Kind() {
	case reflect.String:
		return text(v.String())
	case reflect.Pointer, reflect.Interface:
		return Check(v.Elem())
	case reflect.Slice, reflect.Array:
		return elements(v)
	case reflect.Map:
		return entries(v)
	case reflect.Struct:
		return fields(v)
	}
	return nil
}

func text(s string) error {
	for i, r := range s {
		if r != utf8.RuneError {
			continue
		}
		if _, n := utf8.DecodeRuneInString(s[i:]); n <= 1 {
			return fmt.Errorf("json: string of %d bytes is not UTF-8: byte %#02x at offset %d", len(s), s[i], i)
		}
	}
	return nil
}

// byMethod checks what a method of v returns, if v encodes itself.
func byMethod(v reflect.Value) (itself bool, err error) {
	if !schema.JSONItself(v.Type(), v.CanAddr()) || v.Kind() == reflect.Pointer && v.IsNil() {
		return false, nil
	}
	if v.Kind() == reflect.Interface {
		return false, nil // its value will be asked
	}
	x := v.Interface()
	if _, ok := x.(json.Marshaler); !ok && v.CanAddr() {
		if _, ok := v.Addr().Interface().(json.Marshaler); ok {
			x = v.Addr().Interface()
		} else if _, ok := x.(encoding.TextMarshaler); !ok {
			x = v.Addr().Interface()
		}
	}
	var b []byte
	switch m := x.(type) {
	case json.Marshaler:
		b, err = m.MarshalJSON()
	case encoding.TextMarshaler:
		b, err = m.MarshalText()
	}
	if err != nil { // it has returned none before
		return true, err
	}
	return true, text(string(b))
}

func elements(v reflect.Value) (err error) {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		return nil // base64
	}
	for i := 0; i < v.Len() && err == nil; i++ {
		err = Check(v.Index(i))
	}
	return err
}

func entries(v reflect.Value) (err error) {
	for it := v.MapRange(); it.Next() && err == nil; {
		if err = Check(it.Key()); err == nil {
			err = Check(it.Value())
		}
	}
	return err
}

func fields(v reflect.Value) (err error) {
	for _, index := range schema.JSONFields(v.Type()) {
		f, e := v.FieldByIndexErr(index)
		if e == nil && err == nil { // an embedded pointer may be nil
			err = Check(f)
		}
	}
	return err
}
