package gobscan

import (
	"bytes"
	"encoding/gob"
	"errors"
	"reflect"
	"sync"
	"unsafe"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
)

// registered has the Go types of names that gob.Register knows, as far as they
// have come up. The names and types in gob's registry never change.
var registered sync.Map // map[string]entry

// entry is a registered type with its name, which all Scanners share.
type entry struct {
	name string
	t    reflect.Type
}

func init() {
	// What encoding/gob registers itself.
	for _, v := range []any{
		int(0), int8(0), int16(0), int32(0), int64(0), uint(0), uint8(0), uint16(0), uint32(0), uint64(0), uintptr(0),
		float32(0), float64(0), complex64(0), complex128(0), false, "", []byte(nil),
		[]int(nil), []int8(nil), []int16(nil), []int32(nil), []int64(nil), []uint(nil), []uint16(nil), []uint32(nil),
		[]uint64(nil), []uintptr(nil), []float32(nil), []float64(nil), []complex64(nil), []complex128(nil), []bool(nil), []string(nil),
	} {
		t := reflect.TypeOf(v)
		registered.Store(t.String(), entry{t.String(), t})
	}
}

// concrete returns the type that is registered under name. The peer says that a
// value of it, whose wire type is id, is at i.
func (s *Scanner) concrete(name []byte, id int32, i, at int) (reflect.Type, error) {
	if t := s.names.get(unsafe.String(unsafe.SliceData(name), len(name))); t != nil {
		return t, nil
	}
	e, err := s.look(string(name), id, i, at)
	if err != nil {
		return nil, err
	}
	s.need(e.t)
	if err := s.keep(keptName, at); err != nil {
		return nil, err
	}
	s.names.put(e.name, e.t)
	return e.t, nil
}

// look finds out which type is registered under name. gob has no function for that, but
// it decodes: so look lets it decode the smallest value of that type.
func (s *Scanner) look(name string, id int32, i, at int) (entry, error) {
	if e, ok := registered.Load(name); ok {
		return e.(entry), nil
	}
	if s.spent += costProbe; s.spent > s.limit {
		return entry{}, s.tooExpensive(at)
	}
	p := probe{s: s, actual: s.payload[i:s.end], room: len(s.payload) - i}
	stream, err := p.stream(name, id, at)
	if err != nil {
		return entry{}, err
	}
	v, err := decodeAny(stream)
	if err != nil {
		return entry{}, &valueError{name, err, at}
	}
	t := reflect.TypeOf(v)
	if t == nil {
		return entry{}, s.errorf(at, "value of type %s in an interface is nil", quote(name))
	}
	e := entry{name, t}
	registered.Store(name, e)
	return e, nil
}

// decodeAny decodes an interface value. The methods of a type can panic.
func decodeAny(stream []byte) (v any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("panic: " + excerpt.Panic(r, excerpt.MaxName))
		}
	}()
	err = gob.NewDecoder(bytes.NewReader(stream)).Decode(&v)
	return v, err
}

// probe writes gob streams of the smallest interface value.
type probe struct {
	s      *Scanner
	actual []byte // the value that the peer sent, and whatever follows it
	room   int    // bytes that it can have at most
	buf    []byte
	seen   map[int32]bool // definitions written
}

// stream returns the definition of wire type id and those that it needs, and an
// interface value of the type that is registered under name. Structs are defined
// without fields, because every struct can be decoded from such a one.
func (p *probe) stream(name string, id int32, at int) ([]byte, error) {
	p.seen = make(map[int32]bool)
	for open := []int32{id}; len(open) > 0; {
		id := open[len(open)-1]
		open = open[:len(open)-1]
		d := p.s.defs.get(id)
		if d == nil && (id <= 0 || id > idInterface) {
			return nil, p.s.unknownType(id, at)
		}
		if d == nil || p.seen[id] {
			continue
		}
		p.seen[id] = true
		p.message(p.definition(id, d))
		switch d.kind {
		case kindMap:
			open = append(open, d.key, d.elem)
		case kindArray, kindSlice:
			open = append(open, d.elem)
		}
	}
	value := []byte{0} // what stands before a value that is no struct
	if d := p.s.defs.get(id); d != nil && d.kind == kindStruct {
		value = nil
	}
	value, err := p.zero(value, id, at)
	if err == errOpaque {
		value, err = p.actual, nil
	}
	if err != nil {
		return nil, err
	}
	box := appendUint([]byte{idInterface << 1, 0}, uint64(len(name)))
	box = append(box, name...)
	box = appendUint(box, uint64(id)<<1)
	box = appendUint(box, uint64(len(value)))
	p.message(append(box, value...))
	return p.buf, nil
}

func (p *probe) message(m []byte) {
	p.buf = append(appendUint(p.buf, uint64(len(m))), m...)
}

// definition returns the message that defines id.
func (p *probe) definition(id int32, d *definition) []byte {
	b := appendUint(nil, uint64(id-1)<<1|1) // -id
	b = append(b, d.method+1)
	switch d.kind {
	case kindArray:
		b = appendUint(append(b, 2), uint64(d.elem)<<1)
		b = appendUint(append(b, 1), uint64(d.len)<<1)
	case kindSlice:
		b = appendUint(append(b, 2), uint64(d.elem)<<1)
	case kindMap:
		b = appendUint(append(b, 2), uint64(d.key)<<1)
		b = appendUint(append(b, 1), uint64(d.elem)<<1)
	}
	return append(b, 0, 0)
}

// errOpaque means that there is no value that does for all Go types, because their
// methods decide what they accept. Then only the one that the peer sent is left to
// try. It is an array of such values at most: no interfaces, no counts.
var errOpaque = errors.New("gob: value of a type with methods")

// zero appends the smallest value of wire type id.
func (p *probe) zero(b []byte, id int32, at int) ([]byte, error) {
	type array struct {
		elem int32
		left int // elements still to come
	}
	var open []array
	for {
		d := p.s.defs.get(id)
		switch {
		case d != nil && d.kind == kindOpaque:
			return nil, errOpaque
		case d != nil && d.kind == kindArray && d.len > 0:
			if len(open) == MaxDepth {
				return nil, p.s.errorf(at, "array type nested deeper than %d levels", MaxDepth)
			}
			b = appendUint(b, uint64(d.len))
			open = append(open, array{d.elem, d.len})
		case d == nil && id == idComplex:
			b = append(b, 0, 0)
		default:
			b = append(b, 0)
		}
		// Each element takes a byte at least, in the peer's value as well.
		if len(b) > p.room {
			return nil, p.s.short("array", "bytes at least", uint64(len(b)), at, p.room)
		}
		for len(open) > 0 && open[len(open)-1].left == 0 {
			open = open[:len(open)-1]
		}
		if len(open) == 0 {
			return b, nil
		}
		next := &open[len(open)-1]
		next.left--
		id = next.elem
	}
}

// appendUint appends an unsigned integer as gob encodes it.
func appendUint(b []byte, x uint64) []byte {
	if x <= 0x7f {
		return append(b, byte(x))
	}
	n := 8
	for x>>(8*n-8) == 0 {
		n--
	}
	b = append(b, byte(-n))
	for n--; n >= 0; n-- {
		b = append(b, byte(x>>(8*n)))
	}
	return b
}
