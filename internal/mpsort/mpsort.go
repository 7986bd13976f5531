// Package mpsort encodes Go values to MessagePack with the keys of every map
// in order, so that equal values have equal bytes.
//
// The encoder of github.com/vmihailenco/msgpack/v5 sorts map[string]string,
// map[string]bool and map[string]any, and ranges over all other maps. A [Plan]
// walks the parts of a type that hold such maps, and leaves everything else to
// v5. Apart from the order of keys, what comes out is what v5 would write.
//
// Not seen are encoders that a program installs in v5 itself (msgpack.Register,
// msgpack.RegisterExtEncoder) for a type that holds maps or interfaces, unless
// the type has one of the encoding methods that v5 looks for.
package mpsort

import (
	"fmt"
	"reflect"

	"github.com/fb9bb4ed/qsocket/internal/mpscan"
	"github.com/vmihailenco/msgpack/v5"
)

// Buffer collects what an encoder writes.
type Buffer struct {
	B []byte
}

func (b *Buffer) Write(p []byte) (int, error) {
	b.B = append(b.B, p...)
	return len(p), nil
}

// WriteByte is what v5 calls for every value's first byte.
func (b *Buffer) WriteByte(c byte) error {
	b.B = append(b.B, c)
	return nil
}

// State is what one encoder works with. It must not be used again after an error.
type State struct {
	Enc    *msgpack.Encoder // writes to Buf, sorts what it can sort
	Buf    *Buffer
	Arrays bool // structs as arrays; Enc is told the same

	entries []entry // a stack: the entries of all maps being encoded
	depth   int     // containers being encoded
}

// Encode appends v, of the type that p is the Plan of, to s.Buf.
func (p *Plan) Encode(s *State, v reflect.Value) error {
	if p == nil {
		return s.Enc.EncodeValue(v)
	}
	switch p.kind {
	case reflect.Pointer:
		if v.IsNil() {
			return s.Enc.EncodeNil()
		}
		return p.elem.Encode(s, v.Elem())

	case reflect.Interface:
		if v.IsNil() {
			return s.Enc.EncodeNil()
		}
		v = v.Elem()
		return For(v.Type()).Encode(s, v)

	case reflect.Slice, reflect.Map:
		if v.IsNil() {
			return s.Enc.EncodeNil()
		}
	}

	// The rest are containers. A receiver accepts no more levels of them than
	// this, and a map that holds itself would go on for ever.
	if s.depth == mpscan.MaxDepth {
		return fmt.Errorf("msgpack: %v is nested deeper than %d levels", v.Type(), mpscan.MaxDepth)
	}
	s.depth++
	defer func() { s.depth-- }()
	switch p.kind {
	case reflect.Slice, reflect.Array:
		return p.encodeList(s, v)
	case reflect.Map:
		return p.encodeMap(s, v)
	default:
		return p.encodeStruct(s, v)
	}
}

func (p *Plan) encodeList(s *State, v reflect.Value) error {
	if err := s.Enc.EncodeArrayLen(v.Len()); err != nil {
		return err
	}
	for i := range v.Len() {
		if err := p.elem.Encode(s, v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plan) encodeStruct(s *State, v reflect.Value) error {
	if s.Arrays || p.asArray {
		if err := s.Enc.EncodeArrayLen(len(p.fields)); err != nil {
			return err
		}
		for i := range p.fields {
			if err := p.fields[i].encode(s, v); err != nil {
				return err
			}
		}
		return nil
	}

	n := len(p.fields)
	var omitted uint64 // bit i: the field with index i, for as many as there are bits
	if p.omits {
		for i := range p.fields {
			if p.fields[i].omit(v) {
				n--
				if i < 64 {
					omitted |= 1 << i
				}
			}
		}
	}
	if err := s.Enc.EncodeMapLen(n); err != nil {
		return err
	}
	for i := range p.fields {
		f := &p.fields[i]
		if omitted>>i&1 != 0 || i >= 64 && p.omits && f.omit(v) {
			continue
		}
		if err := s.Enc.EncodeString(f.name); err != nil {
			return err
		}
		if err := f.encode(s, v); err != nil {
			return err
		}
	}
	return nil
}
