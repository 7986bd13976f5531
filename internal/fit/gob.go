package fit

import (
	"encoding"
	"encoding/gob"
	"reflect"

	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// Gob are the rules of encoding/gob.
var Gob Rules = gobRules{}

type gobRules struct{}

func (gobRules) Codec() string { return "gob" }

var (
	gobEncoder        = reflect.TypeFor[gob.GobEncoder]()
	gobDecoder        = reflect.TypeFor[gob.GobDecoder]()
	binaryMarshaler   = reflect.TypeFor[encoding.BinaryMarshaler]()
	binaryUnmarshaler = reflect.TypeFor[encoding.BinaryUnmarshaler]()
)

// gobPair returns the methods that gob calls. The two ends of a stream must have the same
// kind, as it says which it is.
func gobPair(t reflect.Type) (p Pair) {
	switch {
	case has(t, true, gobEncoder):
		p.Encode, p.Encoder = Stream, "GobEncode"
	case has(t, true, binaryMarshaler):
		p.Encode, p.Encoder = Binary, "MarshalBinary"
	}
	switch {
	case has(t, true, gobDecoder):
		p.Decode, p.Decoder = Stream, "GobDecode"
	case has(t, true, binaryUnmarshaler):
		p.Decode, p.Decoder = Binary, "UnmarshalBinary"
	}
	return p
}

func (gobRules) Judge(t reflect.Type, addressable bool) Verdict {
	switch t.Kind() {
	case reflect.Pointer:
		if isEndless(t) {
			return faulty("", endless(t))
		}
		return Verdict{Parts: []Part{{"", t.Elem(), true}}}
	case reflect.Interface:
		if p := gobPair(t); p != (Pair{}) {
			return faulty("", Name(t)+" is an interface with a method "+p.either()+", of which gob makes no use when it decodes; use a concrete type, or an interface without it")
		}
		return Verdict{} // gob.Register tells what it can hold
	}
	p := gobPair(t)
	switch {
	case p.Encode != p.Decode:
		if fault := Promotion(t, p, gobFields); fault != "" {
			return faulty("", fault)
		}
		return faulty("", p.Halves(t))
	case p.Encode == Plain:
		return gobParts(t, addressable)
	case !addressable && !has(t, false, gobEncoder) && !(p.Encode == Binary && has(t, false, binaryMarshaler)):
		return faulty("", unaddressable(t, p.Encoder))
	}
	return faulty("", Promotion(t, p, gobFields))
}

// either is the name of one of the methods.
func (p Pair) either() string {
	if p.Encode != Plain {
		return p.Encoder
	}
	return p.Decoder
}

// gobParts looks at a t without methods.
func gobParts(t reflect.Type, addressable bool) (v Verdict) {
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return faulty("", unsupported(t))
	case reflect.Slice:
		v.Parts = []Part{{"[]", t.Elem(), true}}
	case reflect.Array:
		v.Parts = []Part{{"[]", t.Elem(), addressable}}
	case reflect.Map:
		v.Parts = []Part{{"[key]", t.Key(), false}, {"[]", t.Elem(), false}}
	case reflect.Struct:
		fields := schema.GobFields(t)
		if len(fields) == 0 && t.NumField() > 0 {
			return faulty("", Name(t)+" has no fields that gob sends, and gob refuses such a struct; export fields, add methods, or unexport what has the type")
		}
		for _, index := range fields {
			f := t.FieldByIndex(index)
			v.Parts = append(v.Parts, Part{"." + f.Name, f.Type, addressable})
		}
	}
	return v
}

func gobFields(t reflect.Type) [][]int {
	if t.Kind() != reflect.Struct {
		return nil
	}
	return schema.GobFields(t)
}
