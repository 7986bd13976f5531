package gobscan

import "math"

// wireKind is what a definition defines.
type wireKind uint8

const (
	kindArray wireKind = iota
	kindSlice
	kindStruct
	kindMap
	kindOpaque // something with an encoding of its own, which gob carries as bytes
)

func (k wireKind) String() string {
	return [...]string{"array", "slice", "struct", "map", "type with methods"}[k]
}

// definition is a type as the peer describes it.
type definition struct {
	kind   wireKind
	method uint8 // field number in the wireType, which tells the kinds of kindOpaque apart
	name   string
	key    int32 // of a map
	elem   int32 // of an array, slice or map
	len    int   // of an array
	fields []wireField
}

type wireField struct {
	name string
	id   int32
}

// define reads the definition of type id at i in the current message.
func (s *Scanner) define(id int32, i int) (int, error) {
	if id < firstID {
		return i, s.errorf(i, "definition of type id %d, want one from %d", id, firstID)
	}
	if s.defs.get(id) != nil {
		return i, s.errorf(i, "second definition of type id %d", id)
	}
	r := defReader{s: s, b: s.payload[:s.end], i: i}
	r.wireType() // to find where it ends, and how many fields it has
	if r.err != nil {
		return i, r.err
	}
	if err := s.keep(keptFields(uint64(r.i-i), uint64(r.fieldCount)), i); err != nil {
		return i, err
	}
	r.names, r.from, r.i = string(r.b[i:r.i]), i, i
	d := r.wireType()
	s.fresh += r.i - i
	s.spent += costMessage + costType + uint64(len(d.fields))*costField + 2*uint64(r.i-i)
	s.defs.put(id, d)
	return r.i, nil
}

// defReader reads a definition: a struct whose own type both ends know (wireType
// in encoding/gob's documentation). After an error it reads nothing more.
type defReader struct {
	s   *Scanner
	b   []byte
	i   int
	err error

	names string // the definition, for all names in it: one allocation; empty: not yet
	from  int    // its offset

	fieldCount int
}

// wireType reads a struct with a field for each kind of type, of which one is set.
func (r *defReader) wireType() *definition {
	d := &definition{}
	start, set := r.i, 0
	r.structure("wireType", 7, func(field int) {
		set++
		d.method = uint8(field)
		switch field {
		case 0:
			d.kind = kindArray
			r.structure("arrayType", 3, func(field int) {
				switch field {
				case 0:
					d.name = r.common()
				case 1:
					d.elem = r.id()
				case 2:
					d.len = r.count("array")
				}
			})
		case 1:
			d.kind = kindSlice
			r.structure("sliceType", 2, func(field int) {
				if field == 0 {
					d.name = r.common()
				} else {
					d.elem = r.id()
				}
			})
		case 2:
			d.kind = kindStruct
			r.structure("structType", 2, func(field int) {
				if field == 0 {
					d.name = r.common()
				} else {
					d.fields = r.fields()
				}
			})
		case 3:
			d.kind = kindMap
			r.structure("mapType", 3, func(field int) {
				switch field {
				case 0:
					d.name = r.common()
				case 1:
					d.key = r.id()
				case 2:
					d.elem = r.id()
				}
			})
		default:
			d.kind = kindOpaque
			r.structure("gobEncoderType", 1, func(int) { d.name = r.common() })
		}
	})
	if r.err == nil && set != 1 {
		r.err = r.s.errorf(start, "definition of %d types in one, want 1", set)
	}
	return d
}

// common reads what all definitions begin with and returns the type's name. It
// skips the id that is repeated there: nothing uses it.
func (r *defReader) common() (name string) {
	r.structure("CommonType", 2, func(field int) {
		if field == 0 {
			name = r.text()
		} else {
			r.id()
		}
	})
	return name
}

// fields reads the fields of a struct.
func (r *defReader) fields() []wireField {
	at := r.i
	n := r.uint()
	// A name and an id take at least 6 bytes.
	if r.err == nil && n > uint64(len(r.b)-r.i)/6 {
		r.err = r.s.short("struct type", "fields", n, at, len(r.b)-r.i)
	}
	if r.err != nil || n == 0 {
		return nil
	}
	r.fieldCount = int(n)
	var fields []wireField
	if r.names != "" {
		fields = make([]wireField, n)
	}
	var f *wireField
	var first wireField // in place of those that are not kept yet
	for k := range int(n) {
		if first, f = (wireField{}), &first; fields != nil {
			f = &fields[k]
		}
		start := r.i
		r.structure("fieldType", 2, func(field int) {
			if field == 0 {
				f.name = r.text()
			} else {
				f.id = r.id()
			}
		})
		if r.err == nil && f.name == "" {
			r.err = r.s.errorf(start, "field %d of a struct type has no name", k)
		}
		if r.err != nil {
			return nil
		}
	}
	return fields
}

// structure reads a struct of n fields, whose values read reads.
func (r *defReader) structure(name string, n int, read func(field int)) {
	for field := -1; r.err == nil; {
		at := r.i
		delta := r.uint()
		if delta == 0 {
			return
		}
		if delta >= uint64(n-field) {
			r.err = r.s.errorf(at, "field %d + %d of %s, which has %d", field, delta, name, n)
			return
		}
		field += int(delta)
		read(field)
	}
}

func (r *defReader) uint() uint64 {
	if r.err != nil {
		return 0
	}
	x, next := readUint(r.b, r.i)
	if next < 0 {
		r.err = r.s.badUint(r.b, r.i)
		return 0
	}
	r.i = next
	return x
}

func (r *defReader) id() int32 {
	at := r.i
	id := signed(r.uint())
	if r.err == nil && (id < 0 || id > math.MaxInt32) {
		r.err = r.s.errorf(at, "type id %d in a definition, want one from 1 to %d", id, math.MaxInt32)
	}
	return int32(id)
}

func (r *defReader) count(what string) int {
	at := r.i
	n := signed(r.uint())
	if r.err == nil && (n < 0 || n > math.MaxInt32) {
		r.err = r.s.errorf(at, "%s type of %d elements, want 0 to %d", what, n, math.MaxInt32)
	}
	return int(n)
}

func (r *defReader) text() string {
	at := r.i
	n := r.uint()
	if r.err == nil && n > uint64(len(r.b)-r.i) {
		r.err = r.s.short("name", "bytes", n, at, len(r.b)-r.i)
	}
	if r.err != nil {
		return ""
	}
	start := r.i
	r.i += int(n)
	switch {
	case n == 0:
		return ""
	case r.names == "":
		return "?"
	}
	return r.names[start-r.from : r.i-r.from]
}
