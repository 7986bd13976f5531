// Package fit judges whether what a type holds can get across in a codec: by the type alone,
// once, before anything is sent.
//
// Refused is what no value can survive: where the decoder would return an error for
// whatever the encoder writes, and where something is lost of every value. Of what a method
// of the program makes of a value nothing is known, so a type is given the benefit of the
// doubt wherever some method might take what another one writes.
package fit

import (
	"errors"
	"reflect"
	"sync"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
)

// Rules are what a codec does with types. They are comparable, and equal if the codec is the
// same.
type Rules interface {
	// Codec is the name that errors begin with.
	Codec() string

	// Judge looks at t itself. addressable says whether the methods of *t can be called where
	// the value is encoded: not for what is in a map.
	Judge(t reflect.Type, addressable bool) Verdict
}

// Verdict is what Rules say about a type.
type Verdict struct {
	Fault string // why no value gets across, and what to do; "" if nothing is known against it
	At    string // the part of t that Fault is about, as in Part; "" for t itself
	Parts []Part // what is encoded of a t besides, in order
}

// Part is a part of a type.
type Part struct {
	Path        string // ".Field", "[]" or "[key]"; "" for what a pointer points to
	Type        reflect.Type
	Addressable bool
}

func faulty(at, fault string) Verdict { return Verdict{At: at, Fault: fault} }

type key struct {
	rules       Rules
	typ         reflect.Type
	addressable bool
}

// judged has the error of every type that has been judged, by key; nil for most.
var judged sync.Map

// Check returns why messages of type t cannot get across, or nil. The error names the first
// part of t, in the order of declaration, of which that is so.
func Check(rules Rules, t reflect.Type) error { return check(key{rules, t, true}) }

// Held returns why a value of type t cannot get across in an interface, or nil. It is a
// matter of the rules whether a t is to come of it again.
func Held(rules Rules, t reflect.Type) error { return check(key{rules, t, false}) }

func check(k key) error {
	known, ok := judged.Load(k)
	if !ok {
		w := walk{rules: k.rules, seen: make(map[place]bool)}
		known, _ = judged.LoadOrStore(k, result{w.look(k.typ, k.addressable, rootName(k.typ))})
	}
	return known.(result).err
}

type result struct{ err error }

func rootName(t reflect.Type) string {
	for t.Kind() == reflect.Pointer && t.Name() == "" {
		t = t.Elem()
	}
	if t.Name() == "" {
		return "message"
	}
	return t.Name()
}

// walk looks at every type that a type leads to, once.
type walk struct {
	rules Rules
	seen  map[place]bool
}

type place struct {
	typ         reflect.Type
	addressable bool
}

func (w *walk) look(t reflect.Type, addressable bool, path string) error {
	if p := (place{t, addressable}); w.seen[p] {
		return nil
	} else {
		w.seen[p] = true
	}
	v := w.rules.Judge(t, addressable)
	if v.Fault != "" {
		const most = excerpt.MaxName
		return errors.New(w.rules.Codec() + ": " + excerpt.Text(path+v.At, most) + ": " + excerpt.Text(v.Fault, excerpt.MaxPart-most))
	}
	for _, p := range v.Parts {
		if err := w.look(p.Type, p.Addressable, path+p.Path); err != nil {
			return err
		}
	}
	return nil
}

// Name is t in an error.
func Name(t reflect.Type) string { return excerpt.Text(t.String(), maxType) }

// maxType bounds the name of a type in an error, bytes. There may be two of them beside the
// advice, which is what must not be cut.
const maxType = 80
