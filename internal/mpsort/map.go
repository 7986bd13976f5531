package mpsort

import (
	"cmp"
	"math"
	"reflect"
	"slices"
	"strings"
)

// entry is one entry of a map, with what its place among the others depends on.
type entry struct {
	key, val reflect.Value
	n        uint64 // for numbers and booleans, in the order of their values
	s        string // for strings; for all other keys their encoding
}

func (p *Plan) encodeMap(s *State, v reflect.Value) error {
	if err := s.Enc.EncodeMapLen(v.Len()); err != nil {
		return err
	}

	base := len(s.entries)
	for it := v.MapRange(); it.Next(); {
		e := entry{key: it.Key(), val: it.Value()}
		if err := e.rank(s); err != nil {
			return err
		}
		s.entries = append(s.entries, e)
	}
	slices.SortFunc(s.entries[base:], func(a, b entry) int {
		if c := cmp.Compare(a.n, b.n); c != 0 {
			return c
		}
		return strings.Compare(a.s, b.s)
	})

	// Encoding a value can push the entries of another map, which may move
	// the stack but leaves what is below its end as it is.
	end := len(s.entries)
	for i := base; i < end; i++ {
		if err := s.Enc.EncodeValue(s.entries[i].key); err != nil {
			return err
		}
		if err := p.elem.Encode(s, s.entries[i].val); err != nil {
			return err
		}
	}
	clear(s.entries[base:end]) // holds on to nothing
	s.entries = s.entries[:base]
	if cap(s.entries) > 1024 && base == 0 {
		s.entries = nil
	}
	return nil
}

// rank fills in what e is compared by.
func (e *entry) rank(s *State) error {
	const sign = 1 << 63
	k := e.key
	switch k.Kind() {
	case reflect.String:
		e.s = k.String()
	case reflect.Bool:
		if k.Bool() {
			e.n = 1
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		e.n = uint64(k.Int()) ^ sign
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		e.n = k.Uint()
	case reflect.Float32, reflect.Float64:
		// Sign and magnitude to an unsigned number: negative ones are mirrored.
		// Not a number is beyond the infinities.
		if e.n = math.Float64bits(k.Float()); e.n&sign != 0 {
			e.n = ^e.n
		} else {
			e.n |= sign
		}
	default:
		mark := len(s.Buf.B)
		if err := s.Enc.EncodeValue(k); err != nil {
			return err
		}
		e.s = string(s.Buf.B[mark:])
		s.Buf.B = s.Buf.B[:mark]
	}
	return nil
}
