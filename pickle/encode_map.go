package pickle

import (
	"bytes"
	"cmp"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strings"
)

// entry is one of a map that is being written.
type entry struct {
	key, elem reflect.Value
	text      string // the key, if it is a string
	code      []byte // its encoding, if it is of another kind
	number    float64
	rank      rank
}

// rank orders keys of different kinds, and says by what those of one kind are ordered.
type rank uint8

const (
	rankNil    rank = iota
	rankNumber      // by value: True is 1 in Python
	rankString
	rankOther // by encoding
)

// mapping writes a dict or a set, its keys in order.
func (e *encoder) mapping(b []byte, p *plan, v reflect.Value) (_ []byte, ok bool) {
	if !e.open() {
		return b, false
	}
	first := len(e.keys)
	defer func() { e.keys = e.keys[:first] }()
	for iter := v.MapRange(); iter.Next(); {
		k, ok := e.entry(p.key, iter.Key())
		if !ok {
			return b, e.inEntry(show(iter.Key()))
		}
		if p.form == formMap {
			k.elem = iter.Value()
		}
		e.keys = append(e.keys, k)
	}
	slices.SortFunc(e.keys[first:], entry.compare)
	if i := e.twice(first); i >= 0 {
		return b, e.fail("keys %s and %s are one in Python", show(e.keys[i].key), show(e.keys[i+1].key))
	}
	if b, ok = e.entries(b, p, first, len(e.keys)); ok {
		e.depth--
	}
	return b, ok
}

// twice finds a key that is equal to the next, or returns -1.
func (e *encoder) twice(first int) int {
	for i := first; i+1 < len(e.keys); i++ {
		k, next := &e.keys[i], &e.keys[i+1]
		if k.compare(*next) == 0 && k.number == k.number { // NaNs are different
			return i
		}
	}
	return -1
}

// entry prepares a key.
func (e *encoder) entry(p *plan, key reflect.Value) (k entry, ok bool) {
	k.key = key
	for p.form == formAny {
		if key.IsNil() {
			return k, true
		}
		key = key.Elem()
		if p = planFor(key.Type()); !p.hashable() {
			return k, e.fail("%v cannot be the key of a dict", p.typ)
		}
	}
	switch p.form {
	case formString:
		k.rank, k.text = rankString, key.String()
		return k, true
	case formBool:
		k.rank = rankNumber
		if key.Bool() {
			k.number = 1
		}
		return k, true
	case formInt:
		k.rank, k.number = rankNumber, float64(key.Int())
		return k, true
	case formUint:
		k.rank, k.number = rankNumber, float64(key.Uint())
		return k, true
	case formFloat:
		k.rank, k.number = rankNumber, key.Float()
		return k, true
	}
	alone := encoder{protocol: e.protocol, limit: math.MaxInt}
	if k.code, ok = alone.value(nil, p, key); !ok {
		return k, e.failErr(alone.err)
	}
	if len(k.code) == 1 && k.code[0] == opNone {
		return k, e.fail("the zero %v, which is None, cannot be the key of a dict", p.typ)
	}
	k.rank = rankOther
	if p.form == formText {
		k.rank = rankString // it may be equal to a string
		k.text = textOf(k.code)
	}
	return k, true
}

// textOf returns the string of which code is the encoding.
func textOf(code []byte) string {
	switch code[0] {
	case opShortBinUnicode:
		return string(code[2:])
	case opBinUnicode:
		return string(code[5:])
	}
	return string(code[9:])
}

func (k entry) compare(l entry) int {
	if c := cmp.Compare(k.rank, l.rank); c != 0 {
		return c
	}
	switch k.rank {
	case rankNumber:
		if c := cmp.Compare(k.number, l.number); c != 0 || math.Abs(k.number) < 1<<53 || k.number != k.number {
			return c
		}
		return exactly(k.key).Cmp(exactly(l.key)) // a float64 does not tell them apart
	case rankString:
		return strings.Compare(k.text, l.text)
	}
	return bytes.Compare(k.code, l.code)
}

// exactly returns a number with all its digits.
func exactly(v reflect.Value) *big.Float {
	for v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	f := new(big.Float).SetPrec(64)
	switch {
	case v.CanInt():
		return f.SetInt64(v.Int())
	case v.CanUint():
		return f.SetUint64(v.Uint())
	}
	return f.SetFloat64(v.Float())
}

// entries writes those of e.keys from first to end.
func (e *encoder) entries(b []byte, p *plan, first, end int) (_ []byte, ok bool) {
	set := p.form == formSet
	switch {
	case !set:
		b = append(b, opEmptyDict)
	case e.protocol >= 4:
		b = append(b, opEmptySet)
	default:
		b = append(e.appendGlobal(b, "builtins", "set"), opEmptyList)
	}
	if first < end {
		b = append(b, opMark)
	}
	for i := first; i < end; i++ {
		k := e.keys[i] // elements of maps append to the slice
		if k.code != nil {
			b = append(b, k.code...)
		} else if b, ok = e.value(b, p.key, k.key); !ok {
			return b, e.inEntry(show(k.key))
		}
		if !set {
			if b, ok = e.value(b, p.elem, k.elem); !ok {
				return b, e.inEntry(show(k.key))
			}
		}
		if !e.fits(b) {
			return b, false
		}
	}
	if first < end {
		switch {
		case !set:
			b = append(b, opSetItems)
		case e.protocol >= 4:
			b = append(b, opAddItems)
		default:
			b = append(b, opAppends)
		}
	}
	if set && e.protocol < 4 {
		b = append(b, opTuple1, opReduce)
	}
	return b, true
}
