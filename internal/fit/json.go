package fit

import (
	"cmp"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"sync"

	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// JSON are the rules of encoding/json.
var JSON Rules = jsonRules{}

// HeldJSON are those for what an interface holds. Nothing of its type arrives, so it only
// counts what is written.
var HeldJSON Rules = jsonRules{held: true}

type jsonRules struct{ held bool }

func (jsonRules) Codec() string { return "json" }

var (
	jsonMarshaler   = reflect.TypeFor[json.Marshaler]()
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// jsonAppends reports whether encoding/json calls AppendText, as it does from Go 1.27 on.
var jsonAppends = sync.OnceValue(func() bool {
	b, err := json.Marshal(appends{})
	return err == nil && string(b) == `"a"`
})

type appends struct{}

func (appends) AppendText(b []byte) ([]byte, error) { return append(b, 'a'), nil }

// jsonPair returns the methods that encoding/json calls. What it decodes can always be
// addressed.
func jsonPair(t reflect.Type, addressable bool) (p Pair) {
	switch {
	case has(t, addressable, jsonMarshaler):
		p.Encode, p.Encoder = Value, "MarshalJSON"
	case has(t, addressable, textMarshaler):
		p.Encode, p.Encoder = Text, "MarshalText"
	case jsonAppends() && has(t, addressable, reflect.TypeFor[encoding.TextAppender]()):
		p.Encode, p.Encoder = Text, "AppendText"
	}
	switch {
	case has(t, true, jsonUnmarshaler):
		p.Decode, p.Decoder = Value, "UnmarshalJSON"
	case has(t, true, textUnmarshaler):
		p.Decode, p.Decoder = Text, "UnmarshalText"
	}
	return p
}

func (r jsonRules) Judge(t reflect.Type, addressable bool) Verdict {
	switch t.Kind() {
	case reflect.Pointer:
		if isEndless(t) {
			return faulty("", endless(t))
		}
		if p := jsonPair(t.Elem(), true); t.Name() != "" && t.Elem().Kind() != reflect.Pointer && p.Decode != Plain && !r.held {
			return faulty("", fmt.Sprintf("%s is a pointer type with a name, behind which Go before 1.27 does not find the %s of %s; use *%s", Name(t), p.Decoder, Name(t.Elem()), Name(t.Elem())))
		}
		return Verdict{Parts: []Part{{"", t.Elem(), true}}}
	case reflect.Interface:
		if t.NumMethod() > 0 && !r.held {
			return faulty("", WithMethods(t))
		}
		return Verdict{}
	}
	p := jsonPair(t, addressable)
	if r.held {
		if p.Encode != Plain {
			return faulty("", Promotion(t, p.only(p.Encoder), jsonFields))
		}
		return r.parts(t, addressable)
	}
	if p.Encode == Plain && !addressable {
		if q := jsonPair(t, true); q.Encode != Plain && jsonHalves(t, p, false) != "" {
			return faulty("", unaddressable(t, q.Encoder))
		}
	}
	if p != (Pair{}) {
		if fault := Promotion(t, p, jsonFields); fault != "" {
			return faulty("", fault)
		}
		return faulty("", jsonHalves(t, p, addressable))
	}
	return r.parts(t, addressable)
}

// jsonHalves says what is wrong with a t that has the methods p.
func jsonHalves(t reflect.Type, p Pair, addressable bool) string {
	isText := t.Kind() == reflect.String || t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
	switch {
	case p.Encode == p.Decode:
	case p.Encode == Text && p.Decode == Plain && isText:
	case p.Encode == Plain && p.Decode == Text && isText && AppendedBy(t, p.Decoder) == "":
	case p.Encode == Text && p.Decode == Plain, p.Encode == Plain && p.Decode == Text:
		return p.Halves(t)
	case p.Encode == Plain:
		// UnmarshalJSON may well take the fields, and add what is missing.
		if Hides(t) {
			return Hidden(t)
		}
		if err := tryJSON(t, addressable); takesAnotherKind(err) {
			return p.Halves(t)
		}
	case p.Decode == Plain && Hides(t):
		return p.Halves(t)
	default:
		if err := tryJSON(t, addressable); err != nil {
			return p.Halves(t)
		}
	}
	return ""
}

// takesAnotherKind reports whether err says that a method has found, say, a number where it
// wants a string. Any other error of a method may be about the value that was tried.
func takesAnotherKind(err error) bool {
	var other *json.UnmarshalTypeError
	return errors.As(err, &other) && other.Field == "" && other.Struct == ""
}

// tryJSON returns the error with which the decoder refuses what the encoder makes of simple
// values of type t, unless it takes one of them or there is none.
func tryJSON(t reflect.Type, addressable bool) error {
	return Try(t, func(v, into reflect.Value) (err, refused error) {
		x := v.Addr().Interface()
		if !addressable {
			x = v.Interface()
		}
		b, err := json.Marshal(x)
		if err != nil {
			return err, nil
		}
		return nil, json.Unmarshal(b, into.Interface())
	})
}

// parts looks at a t without methods.
func (r jsonRules) parts(t reflect.Type, addressable bool) (v Verdict) {
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		if r.held {
			return v // which is an error of the encoder
		}
		return faulty("", unsupported(t))
	case reflect.Slice:
		e := t.Elem()
		if e.Kind() == reflect.Uint8 && jsonPair(e, true).Encode == Plain {
			return v // a string of base64
		}
		v.Parts = []Part{{"[]", e, true}}
	case reflect.Array:
		v.Parts = []Part{{"[]", t.Elem(), addressable}}
	case reflect.Map:
		if fault := jsonKey(t.Key()); fault != "" && !r.held {
			return faulty("[key]", fault)
		}
		v.Parts = []Part{{"[]", t.Elem(), false}}
	case reflect.Struct:
		return r.structure(t, addressable)
	}
	return v
}

// jsonKey says what is wrong with t as the key of a map.
func jsonKey(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		if has(t, true, textUnmarshaler) && tryKey(t) != nil {
			return Name(t) + " is a string that Go before 1.27 writes as a key without MarshalText, and its UnmarshalText refuses that; use a struct with the string in it, or another key"
		}
		return ""
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if t.Implements(textMarshaler) && !has(t, true, textUnmarshaler) {
			return Pair{Encode: Text, Encoder: "MarshalText"}.keyHalves(t)
		}
		if has(t, true, textUnmarshaler) && !t.Implements(textMarshaler) {
			return Pair{Decode: Text, Decoder: "UnmarshalText"}.keyHalves(t)
		}
		return ""
	}
	if t.Implements(textMarshaler) && has(t, true, textUnmarshaler) && t.Kind() != reflect.Interface && t.Kind() != reflect.Pointer {
		return ""
	}
	// What other keys become depends on the version of Go: from 1.27 on some are strings.
	if tryKey(t) == nil {
		return ""
	}
	return fmt.Sprintf("%s cannot be the key of an object; use a string, an integer, or a type with MarshalText and, on its pointer, UnmarshalText", Name(t))
}

// keyHalves says what is wrong with a number as a key that is written as a text, unless
// that text is the one of a number.
func (p Pair) keyHalves(t reflect.Type) string {
	if tryKey(t) == nil {
		return ""
	}
	return p.Halves(t)
}

// tryKey returns an error if no simple value of type t gets across as the key of a map.
func tryKey(t reflect.Type) (last error) {
	m := reflect.MapOf(t, reflect.TypeFor[int]())
	last = errors.New("no key can be encoded")
	refused := Try(t, func(v, _ reflect.Value) (err, refused error) {
		in := reflect.MakeMap(m)
		if v.Kind() == reflect.Interface && v.NumMethod() == 0 {
			v = reflect.ValueOf("a")
		}
		in.SetMapIndex(v, reflect.ValueOf(1))
		b, err := json.Marshal(in.Interface())
		if err != nil {
			return err, nil
		}
		if err = json.Unmarshal(b, reflect.New(m).Interface()); err == nil {
			last = nil
		}
		return nil, err
	})
	return cmp.Or(refused, last)
}

func (r jsonRules) structure(t reflect.Type, addressable bool) (v Verdict) {
	if schema.JSONEmbedsItself(t) {
		return faulty("", embedsItself(t))
	}
	if name, clash := schema.JSONClash(t); clash != nil {
		return faulty("", fmt.Sprintf("%s and %s are both named %q, so neither is sent; rename one, or leave one out by the tag json:\"-\"", pathTo(t, clash[0]), pathTo(t, clash[1]), name))
	}
	fields := jsonFields(t)
	for _, index := range fields {
		if at := unsettable(t, index); at != "" && !r.held {
			return faulty(at, HiddenPointer)
		}
		f := t.FieldByIndex(index)
		if f.Type == reflect.TypeFor[*url.Userinfo]() {
			continue // of a url.URL, where it is nil in all but a few
		}
		v.Parts = append(v.Parts, Part{"." + f.Name, f.Type, addressable || throughPointer(t, index)})
	}
	if len(fields) == 0 && Hides(t) {
		return faulty("", Hidden(t))
	}
	return v
}

func jsonFields(t reflect.Type) [][]int {
	if t.Kind() != reflect.Struct {
		return nil
	}
	return schema.JSONFields(t)
}

const HiddenPointer = "an embedded pointer to an unexported type cannot be set when something arrives; embed the struct itself, or export the type"

// unsettable returns the path to the embedded pointer on the way to a field that only the
// program itself may set.
func unsettable(t reflect.Type, index []int) string {
	var path strings.Builder
	for _, i := range index {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		f := t.Field(i)
		path.WriteString("." + f.Name)
		if f.Type.Kind() == reflect.Pointer && !f.IsExported() {
			return path.String()
		}
		t = f.Type
	}
	return ""
}

// throughPointer reports whether the way to a field leads through an embedded pointer.
func throughPointer(t reflect.Type, index []int) bool {
	for _, i := range index[:len(index)-1] {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t = t.Field(i).Type; t.Kind() == reflect.Pointer {
			return true
		}
	}
	return false
}

// pathTo names a field of t, "A.B" if it is in an embedded struct.
func pathTo(t reflect.Type, index []int) string {
	var names []string
	for _, i := range index {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		names = append(names, t.Field(i).Name)
		t = t.Field(i).Type
	}
	return strings.Join(names, ".")
}
