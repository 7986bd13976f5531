package value

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// fields finds the fields of definitions by their names and aliases.
type fields map[*schema.Def]map[string]int

func newFields(s *schema.Schema) fields {
	f := make(fields, len(s.Defs))
	for _, d := range s.Defs {
		if d.Kind == schema.UnionDef {
			continue
		}
		names := make(map[string]int, len(d.Fields))
		for i := range d.Fields {
			names[d.Fields[i].Name] = i
		}
		for i := range d.Fields {
			if alias := d.Fields[i].Alias; alias != "" {
				names[alias] = i
			}
		}
		f[d] = names
	}
	return f
}

// structure appends a struct as an object, whichever way it came.
func (d *decoder) structure(def *schema.Def) error {
	h := d.next()
	switch h.kind {
	case arrayToken:
		return d.tuple(def, h.count)
	case mapToken:
		if def.Kind == schema.TupleDef {
			break // the library's decoders take it
		}
	default:
		return mismatch(h, "a struct")
	}
	names := d.form.fields[def]
	var seen seen
	var unknown []int // where their keys are
	d.byte('{')
	for range h.count {
		begin := d.i
		key := d.next()
		if key.kind != strToken {
			return fmt.Errorf("%s is a key, want the name of a field", key.format())
		}
		i, known := names[string(key.data)]
		if !known {
			unknown = append(unknown, begin)
			d.skip()
			continue
		}
		f := &def.Fields[i]
		if seen.add(i) {
			return at("."+f.Name, errors.New("the field is there twice"))
		}
		if seen.n > 1 {
			d.byte(',')
		}
		d.writer.string([]byte(f.Name))
		d.byte(':')
		if err := d.value(f.Type); err != nil {
			return at("."+f.Name, err)
		}
	}
	if len(unknown) > 0 {
		if err := d.unknown(unknown, seen.n > 0); err != nil {
			return err
		}
	}
	d.byte('}')
	return nil
}

// seen is a set of fields. Most structs have few.
type seen struct {
	n    int
	few  [16]int
	many map[int]bool
}

// add puts i in, and reports whether it was there.
func (s *seen) add(i int) bool {
	for _, k := range s.few[:min(s.n, len(s.few))] {
		if k == i {
			return true
		}
	}
	if s.many[i] {
		return true
	}
	if s.n < len(s.few) {
		s.few[s.n] = i
	} else {
		if s.many == nil {
			s.many = make(map[int]bool)
		}
		s.many[i] = true
	}
	s.n++
	return false
}

// skip leaves out the value that comes next.
func (d *decoder) skip() {
	for left := 1; left > 0; left-- {
		t := d.next()
		switch t.kind {
		case arrayToken:
			left += t.count
		case mapToken:
			left += 2 * t.count
		}
	}
}

const unknownKey = "$unknown"

// unknown appends the fields at these places, which the description does not have.
func (d *decoder) unknown(places []int, more bool) error {
	end := d.i
	if more {
		d.byte(',')
	}
	d.writer.b = append(d.writer.b, `"`+unknownKey+`":`...)
	next := 0
	err := d.object(len(places), func() (string, error) {
		d.i = places[next]
		next++
		return d.fieldKey()
	}, d.any)
	d.i = end
	return err
}

// fieldKey returns the name of a field. Where strings may be any bytes, what no JSON string can
// have in it is replaced: such a field is shown, and cannot be sent again.
func (d *decoder) fieldKey() (string, error) {
	return strings.ToValidUTF8(string(d.next().data), "\uFFFD"), nil
}

// tuple appends a struct that came as an array of count values.
func (d *decoder) tuple(def *schema.Def, count int) error {
	if count != 0 && count != len(def.Fields) {
		return fmt.Errorf("array of %d values for a struct of %d fields", count, len(def.Fields))
	}
	d.byte('{')
	for i := range count {
		if i > 0 {
			d.byte(',')
		}
		f := &def.Fields[i]
		d.writer.string([]byte(f.Name))
		d.byte(':')
		if err := d.value(f.Type); err != nil {
			return at("."+f.Name, err)
		}
	}
	d.byte('}')
	return nil
}
