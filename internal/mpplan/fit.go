package mpplan

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/fit"
	"github.com/vmihailenco/msgpack/v5"
)

// Fit returns why messages of type T cannot get across when they are encoded and decoded
// with o, or nil.
func (p Plan[T]) Fit(o Options) error {
	return fit.Check(fitRules{arrays: o.Arrays}, reflect.TypeFor[T]())
}

// fitRules tell package fit what the plans of types know.
type fitRules struct {
	arrays bool
	held   bool // in an interface: nothing of the type arrives, so it only counts what is written
}

func (fitRules) Codec() string { return "msgpack" }

// Judge does not ask whether a value can be addressed: methods of pointers are called for
// copies.
func (r fitRules) Judge(t reflect.Type, _ bool) (v fit.Verdict) {
	n := nodeFor(t)
	switch {
	case n.extension:
		return v
	case t.Kind() == reflect.Interface:
		if !r.held && n.dec == opInterface && !receivable(t) {
			v.Fault = fit.WithMethods(t)
		}
		return v
	}
	if p := pairOf(n); r.held && p.Encode != fit.Plain {
		v.Fault = fit.Promotion(t, fit.Pair{Encode: p.Encode, Encoder: p.Encoder}, fieldPaths)
		return v
	} else if p != (fit.Pair{}) && !r.held {
		if v.Fault = fit.Promotion(t, p, fieldPaths); v.Fault == "" {
			v.Fault = halves(n, p)
		}
		return v
	}
	return r.parts(n)
}

// parts looks at a type without methods.
func (r fitRules) parts(n *node) (v fit.Verdict) {
	switch n.enc {
	case opUnsupported: // which the encoder refuses
		if r.held {
			return v
		}
		v.Fault = n.unfit
		if v.Fault == "" {
			v.Fault = fit.Name(n.typ) + " cannot be encoded; leave it out by a tag, or unexported"
		}
	case opPointer:
		v.Parts = []fit.Part{{Path: "", Type: n.elem.typ}}
	case opSlice, opArray:
		v.Parts = []fit.Part{{Path: "[]", Type: n.elem.typ}}
	case opMap:
		v.Parts = []fit.Part{{Path: "[key]", Type: n.key.typ}, {Path: "[]", Type: n.elem.typ}}
	case opStruct:
		return r.structure(n)
	}
	return v
}

func (r fitRules) structure(n *node) (v fit.Verdict) {
	fs := n.fields
	if fs.twice != "" && !r.arrays && !fs.asArray && !r.held {
		v.Fault = fmt.Sprintf("two fields of %s are named %q; give one another name by a tag", fit.Name(n.typ), fs.twice)
		return v
	}
	if fs.written == 0 && fit.Hides(n.typ) {
		v.Fault = fit.Hidden(n.typ)
		return v
	}
	for i := range fs.written {
		f := &fs.all[i]
		for _, h := range f.hops {
			if h.hidden && !r.held {
				v.At, v.Fault = "."+h.typ.Name(), fit.HiddenPointer
				return v
			}
		}
		v.Parts = append(v.Parts, fit.Part{Path: "." + f.goName, Type: f.node.typ})
	}
	return v
}

// heldFault returns why something of a value of n's type would be lost in an interface, or nil.
func (n *node) heldFault() error {
	known := n.held.Load()
	if known == nil {
		known = new(verdict)
		if err := fit.Held(fitRules{held: true}, n.typ); err != nil {
			known.err = errors.New(strings.TrimPrefix(err.Error(), "msgpack: ")) // there will be one
		}
		n.held.Store(known)
	}
	return known.err
}

type verdict struct{ err error }

// forms are what types do by themselves.
var forms = map[op]struct {
	form     fit.Form
	enc, dec string
}{
	opV5:      {fit.Value, "EncodeMsgpack", "DecodeMsgpack"},
	opMarshal: {fit.Value, "MarshalMsgpack", "UnmarshalMsgpack"},
	opBinary:  {fit.Binary, "MarshalBinary", "UnmarshalBinary"},
	opText:    {fit.Text, "MarshalText", "UnmarshalText"},
}

// pairOf returns the methods of a type that is no pointer and no extension.
func pairOf(n *node) (p fit.Pair) {
	if f, ok := forms[n.enc]; ok {
		p.Encode, p.Encoder = f.form, f.enc
	}
	if f, ok := forms[n.dec]; ok {
		p.Decode, p.Decoder = f.form, f.dec
	}
	return p
}

// halves says what is wrong with methods of two kinds. Texts and binary forms are sent as
// bin, which is decoded to strings and bytes besides.
func halves(n *node, p fit.Pair) string {
	plain := withoutMethods(n.typ).enc
	isBytes := plain == opBytes || plain == opByteArray
	switch {
	case p.Encode == p.Decode:
	case p.Decode == fit.Plain && p.Encode != fit.Value:
		if !isBytes && plain != opString {
			return p.Halves(n.typ)
		}
	case p.Encode == fit.Plain && p.Decode != fit.Value:
		if !isBytes && !(plain == opString && p.Decode == fit.Text) || fit.AppendedBy(n.typ, p.Decoder) != "" {
			return p.Halves(n.typ)
		}
	case p.Encode == fit.Plain:
		// The method may well take the fields, and add what is missing.
		if fit.Hides(n.typ) {
			return fit.Hidden(n.typ)
		}
	case p.Encode != fit.Value && p.Decode != fit.Value, p.Decode == fit.Plain && fit.Hides(n.typ):
		return p.Halves(n.typ)
	case fit.Try(n.typ, n.exchange) != nil:
		return p.Halves(n.typ)
	}
	return ""
}

// withoutMethods returns what the node for t would be if t had no methods.
func withoutMethods(t reflect.Type) *node {
	n := &node{typ: t, size: t.Size()}
	(&builder{nodes: make(map[reflect.Type]*node)}).byKind(n)
	return n
}

// exchange is for fit.Try.
func (n *node) exchange(v, into reflect.Value) (err, refused error) {
	var e Encoder
	b, err := e.append(nil, n, v.Addr().UnsafePointer())
	if err != nil {
		return err, nil
	}
	var d Decoder
	return nil, d.decode(b, n, into.UnsafePointer())
}

// fieldPaths lists the fields that a struct would be sent as if it had no methods.
func fieldPaths(t reflect.Type) (paths [][]int) {
	if t.Kind() != reflect.Struct {
		return nil
	}
	fs := (&builder{nodes: make(map[reflect.Type]*node)}).fieldsOf(t)
	for i := range fs.written {
		paths = append(paths, fs.all[i].path)
	}
	return paths
}

// receivable reports whether there is something that an interface with methods can be
// received as: a time.Time, or an extension. Which types extensions have is not known, so
// one is enough.
func receivable(t reflect.Type) bool {
	return reflect.TypeFor[time.Time]().Implements(t) || anyExtension()
}

// anyExtension reports whether v5 has an extension besides its own, for times and interned
// strings. It is asked to decode the beginning of each: of one that it does not know it says so.
func anyExtension() bool {
	for id := range 256 {
		if id := int8(id); id != -1 && id != math.MinInt8 && probeExtension(byte(id)) {
			return true
		}
	}
	return false
}

func probeExtension(id byte) (known bool) {
	defer func() {
		if recover() != nil {
			known = true // a decoder of the program
		}
	}()
	var v any
	err := msgpack.NewDecoder(&probe{b: []byte{0xd4, id}}).Decode(&v)
	return err == nil || errors.Is(err, errProbe) || !bytes.Contains([]byte(err.Error()), []byte("unknown ext id"))
}
