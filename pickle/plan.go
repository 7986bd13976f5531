package pickle

import (
	"encoding"
	"errors"
	"math/big"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/fit"
)

// form is how values of a type are encoded and decoded.
type form uint8

const (
	formUnsupported form = iota // an error
	formBool
	formInt
	formUint
	formFloat
	formString
	formBytes     // slice of bytes
	formByteArray // array of bytes
	formSlice
	formArray
	formMap
	formSet // map to struct{}
	formPointer
	formStruct
	formAny
	formText // MarshalText, UnmarshalText
	formTime
	formDuration
	formDate
	formTimeOfDay
	formDecimal
	formBigInt
)

// plan is what there is to know of one type. It does not change once it is made, but for
// held.
type plan struct {
	typ    reflect.Type
	form   form
	size   int
	key    *plan
	elem   *plan
	fields *fields
	unfit  string                  // why values cannot be sent and received, if that is so
	held   atomic.Pointer[verdict] // of a value in an interface
}

type verdict struct{ err error }

// special types have forms of their own.
var special = map[reflect.Type]form{
	reflect.TypeFor[time.Time]():     formTime,
	reflect.TypeFor[time.Duration](): formDuration,
	reflect.TypeFor[Date]():          formDate,
	reflect.TypeFor[TimeOfDay]():     formTimeOfDay,
	reflect.TypeFor[Decimal]():       formDecimal,
	reflect.TypeFor[big.Int]():       formBigInt,
}

// plans has every plan that is complete, by reflect.Type.
var plans sync.Map

// planFor returns the plan for t. Where it is made at the same time by several goroutines,
// each has its own.
func planFor(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	b := builder{}
	p := b.build(t)
	for t, p := range b { // each of them leads to others, so all are finished
		plans.Store(t, p)
	}
	return p
}

// builder has the plans that are being made, so that a recursive type finds its own.
type builder map[reflect.Type]*plan

func (b builder) build(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	if p, ok := b[t]; ok {
		return p
	}
	p := &plan{typ: t, size: int(t.Size())}
	b[t] = p
	if f, ok := special[t]; ok {
		p.form = f
		return p
	}
	b.byKind(p)
	if m, u := marshalsText(t), unmarshalsText(t); m && u {
		p.form = formText
	} else if m || u {
		p.form, p.unfit = formUnsupported, textPair(m, u).Halves(t)
	}
	return p
}

// byKind fills in p for a type without methods.
func (b builder) byKind(p *plan) {
	t := p.typ
	switch t.Kind() {
	case reflect.Bool:
		p.form = formBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		p.form = formInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		p.form = formUint
	case reflect.Float32, reflect.Float64:
		p.form = formFloat
	case reflect.String:
		p.form = formString
	case reflect.Interface:
		if p.form = formAny; t.NumMethod() > 0 {
			p.form, p.unfit = formUnsupported, fit.WithMethods(t)
		}
	case reflect.Pointer:
		p.form, p.elem = formPointer, b.build(t.Elem())
		if endless(t) {
			p.form, p.unfit = formUnsupported, fit.Name(t)+" points to nothing but itself; use a struct with a pointer in it"
		}
	case reflect.Slice:
		p.form, p.elem = formSlice, b.build(t.Elem())
		if p.elem.form == formUint && t.Elem().Kind() == reflect.Uint8 {
			p.form = formBytes
		}
	case reflect.Array:
		p.form, p.elem = formArray, b.build(t.Elem())
		if p.elem.form == formUint && t.Elem().Kind() == reflect.Uint8 {
			p.form = formByteArray
		}
	case reflect.Map:
		p.form, p.key, p.elem = formMap, b.build(t.Key()), b.build(t.Elem())
		if t.Elem().Kind() == reflect.Struct && t.Elem().NumField() == 0 {
			p.form = formSet
		}
	case reflect.Struct:
		p.form, p.fields = formStruct, b.fieldsOf(t)
		if p.unfit = p.fields.unfit; p.unfit != "" {
			p.form = formUnsupported
		}
	}
}

// endless reports whether t is a pointer type like "type P *P".
func endless(t reflect.Type) bool {
	seen := make(map[reflect.Type]bool)
	for ; t.Kind() == reflect.Pointer; t = t.Elem() {
		if seen[t] {
			return true
		}
		seen[t] = true
	}
	return false
}

// marshalsText reports whether t or *t has MarshalText. Pointers are left to what they
// point to, and of what is in an interface nothing is known.
func marshalsText(t reflect.Type) bool {
	return has(t, reflect.TypeFor[encoding.TextMarshaler]())
}

func unmarshalsText(t reflect.Type) bool {
	return has(t, reflect.TypeFor[encoding.TextUnmarshaler]())
}

func has(t, methods reflect.Type) bool {
	k := t.Kind()
	return k != reflect.Interface && k != reflect.Pointer && reflect.PointerTo(t).Implements(methods)
}

func textPair(marshal, unmarshal bool) (p fit.Pair) {
	if marshal {
		p.Encode, p.Encoder = fit.Text, "MarshalText"
	}
	if unmarshal {
		p.Decode, p.Decoder = fit.Text, "UnmarshalText"
	}
	return p
}

// heldFault returns why something of a value of p's type would be lost in an interface, or nil.
func (p *plan) heldFault() error {
	known := p.held.Load()
	if known == nil {
		known = new(verdict)
		if err := fit.Check(rules{}, p.typ); err != nil {
			known.err = errors.New(strings.TrimPrefix(err.Error(), "pickle: ")) // there will be one
		}
		p.held.Store(known)
	}
	return known.err
}

// rules tell package fit what the plans of types know.
type rules struct{}

func (rules) Codec() string { return "pickle" }

// Judge does not ask whether a value can be addressed: methods of pointers are called for
// copies.
func (rules) Judge(t reflect.Type, _ bool) (v fit.Verdict) {
	p := planFor(t)
	switch p.form {
	case formUnsupported:
		if v.Fault = p.unfit; v.Fault == "" {
			v.Fault = fit.Name(t) + " cannot be encoded; leave it out by a tag, or unexported"
		}
	case formText:
		v.Fault = fit.Promotion(t, textPair(true, true), fieldPaths)
	case formPointer:
		v.Parts = []fit.Part{{Path: "", Type: p.elem.typ}}
	case formSlice, formArray:
		v.Parts = []fit.Part{{Path: "[]", Type: p.elem.typ}}
	case formMap, formSet:
		if !p.key.hashable() {
			v.At, v.Fault = "[key]", fit.Name(p.key.typ)+" cannot be the key of a dict"
			return v
		}
		v.Parts = []fit.Part{{Path: "[key]", Type: p.key.typ}, {Path: "[]", Type: p.elem.typ}}
	case formStruct:
		if len(p.fields.all) == 0 && fit.Hides(t) {
			v.Fault = fit.Hidden(t)
		}
		for i := range p.fields.all {
			f := &p.fields.all[i]
			v.Parts = append(v.Parts, fit.Part{Path: "." + f.goName, Type: f.plan.typ})
		}
	}
	return v
}

// hashable reports whether a value of p's type can be the key of a dict, and an element of
// a set, and is then the same one in Go. Of an interface it depends on what is in it.
func (p *plan) hashable() bool {
	switch p.form {
	case formBool, formInt, formUint, formFloat, formString, formText, formByteArray,
		formDuration, formDate, formTimeOfDay, formAny:
		return true
	case formArray:
		return p.elem.hashable()
	}
	return false
}

// fieldPaths lists the fields that a struct would be sent as if it had no methods.
func fieldPaths(t reflect.Type) (paths [][]int) {
	if t.Kind() != reflect.Struct {
		return nil
	}
	fs := builder{}.fieldsOf(t)
	for i := range fs.all {
		paths = append(paths, fs.all[i].index)
	}
	return paths
}
