package deep

import (
	"encoding/json"
	"reflect"
	"strings"
)

// Least says how short the encodings of a codec are: what certainly takes space, in bytes.
// Every element of a slice, an array or a map takes one byte at least, every character of a
// string, and every struct, slice, array and map.
type Least struct {
	Elem    int  // of an element of a slice or an array that is not one of bytes, with what separates it from the next
	Entry   int  // of an entry of a map
	Names   bool // fields have their names with them, and are there even if they are zero
	Nonzero int  // of a field with a number that is not zero
}

// sized is what is known of the encoding of a field.
type sized struct {
	name      int  // bytes of its name, and of what surrounds it, if it is written
	always    bool // it is written
	omitEmpty bool // as encoding/json understands it
	omitZero  bool
}

// field returns what is known of a field of t.
func (l *Least) field(t reflect.Type, index []int, sf reflect.StructField) (s sized) {
	s.always = true
	for i := 1; i < len(index); i++ { // behind a pointer, which may be nil
		s.always = s.always && t.FieldByIndex(index[:i]).Type.Kind() != reflect.Pointer
	}
	if !l.Names {
		return s
	}
	name, options, _ := strings.Cut(sf.Tag.Get("json"), ",")
	s.name = len(sf.Name)
	if name != "" {
		s.name = min(s.name, len(name)) // a bad one does not count
	}
	s.name += len(`"":`) + 1 // and the value
	for _, o := range strings.Split(options, ",") {
		s.omitEmpty = s.omitEmpty || o == "omitempty"
		s.omitZero = s.omitZero || o == "omitzero"
	}
	s.always = s.always && !s.omitEmpty && !s.omitZero
	return s
}

// size is what a Plan knows of the encodings of its values.
type size struct {
	fixed   bool      // they are independent of the value: unit counts all that is there
	omits   bool      // as a field, a value may be left out that nobody has asked to be
	inexact bool      // unit is less than what most values take
	unit    int       // what they take at least, but for the fields of a struct that are varied
	text    bool      // they are plain strings
	texts   []int     // of a struct: the fields that are plain strings, and always written; unit has them as empty ones
	offsets []uintptr // of the texts; of what is one itself, 0
	varied  []field   // of a struct: the other fields that unit does not contain
	refined []field   // of a struct: those of which an exact count knows more than unit

	// growth bounds how often a byte of memory can be encoded, because several parts of a
	// value have it in common. It is endless for a slice of strings, each of which may be the
	// same long one.
	growth  int
	shared  int     // of a struct: the growth but for that of its endless fields
	sharing []field // of a struct: the endless ones
	tallies         // the same for what is quick to find out
}

const (
	// maxGrowth is up to what growth values are not looked at.
	maxGrowth = 16

	endless = 1 << 20 // growth

	// fewElements is up to how many elements are looked at to see whether they are few.
	fewElements = 4

	maxUnit = 1 << 40

	// closer is the part of the limit from which on it is worth counting exactly.
	closer = 16
)

// measure fills in p.size.
func (p *Plan) measure() {
	p.measuring(make(map[*Plan]bool))
}

func (p *Plan) measuring(inside map[*Plan]bool) {
	if p.growth > 0 || inside[p] {
		return
	}
	inside[p] = true
	defer delete(inside, p)
	p.parts(func(part *Plan) { part.measuring(inside) })
	p.growth, p.unit = 1, 1
	if p.open {
		p.growth = endless
	}
	r := p.rules
	if p.typ == r.Leaf || p.leaf != nil || p.through {
		return
	}
	p.omits = !r.Least.Names && (p.isNumber() || !p.isPlain())
	switch k := p.typ.Kind(); {
	case p.itself && p.itselfAddressed:
		p.fixed = true
	case p.itselfAddressed:
	case k == reflect.Struct:
		p.measureStruct()
	case k == reflect.Array:
		p.fixed, p.inexact = p.elem.fixed, p.elem.inexact
		n := p.typ.Len()
		if p.elem.fixed {
			p.unit += p.counted(n)
		}
		if !p.fixed || p.typ.Size() == 0 && p.unit > maxGrowth {
			p.growth = min(max(times(n, p.elem.growth), 1), endless)
		}
	case k == reflect.Slice:
		if !p.elem.fixed || p.elem.typ.Size() == 0 {
			p.growth = endless
		}
	case k == reflect.Map:
		if !p.key.fixed || !p.elem.fixed {
			p.growth = endless
		}
	case k == reflect.Pointer:
		p.growth = p.elem.growth
	case k == reflect.String:
		p.text = p.typ != reflect.TypeFor[json.Number]() // which has no quotes
		p.offsets = []uintptr{0}
	case k == reflect.Interface:
	default:
		p.fixed = true
	}
	if p.open {
		p.growth = endless
	}
}

func (p *Plan) measureStruct() {
	p.fixed = true
	l := &p.rules.Least
	for _, f := range p.fields {
		switch {
		case f.plan.text && f.always && len(f.index) == 1:
			p.fixed = false
			p.texts = append(p.texts, f.index[0])
			p.offsets = append(p.offsets, p.typ.Field(f.index[0]).Offset)
			p.unit += f.name
			p.shared++
			continue
		case !f.plan.fixed || !f.always && !f.plan.isNumber():
			p.fixed = false
			p.varied = append(p.varied, f)
			if f.always {
				p.unit += f.name
			}
			if f.plan.growth < endless {
				p.shared += f.plan.growth
			} else {
				p.sharing = append(p.sharing, f)
			}
			continue
		case f.always && !f.plan.omits:
			p.unit += f.name + f.plan.unit
			if l.Names {
				p.unit-- // of the value, which the name contains
			}
			if f.plan.inexact {
				p.refined = append(p.refined, f)
			}
		case f.plan.isNumber():
			p.refined = append(p.refined, f)
		}
		if f.plan.growth > maxGrowth {
			p.shared += f.plan.growth
		}
	}
	p.inexact = len(p.refined) > 0
	p.unit = min(p.unit, maxUnit)
	p.shared = min(p.shared, endless)
	p.growth = max(p.shared, 1)
	if len(p.sharing) > 0 {
		p.growth = endless
	}
}

// isNumber reports whether the values are single numbers.
func (p *Plan) isNumber() bool {
	k := p.typ.Kind()
	return k >= reflect.Bool && k <= reflect.Complex128 && !p.itselfAddressed
}

// isPlain reports whether no method encodes the values.
func (p *Plan) isPlain() bool { return !p.itselfAddressed }

// counted is what n fixed elements take.
func (p *Plan) counted(n int) int {
	return times(n, max(p.elem.unit, p.elemCost()))
}

// elemCost is what an element takes at least, whatever it is.
func (p *Plan) elemCost() int {
	if p.elem.typ.Kind() == reflect.Uint8 {
		return 1 // which may be bytes in base64
	}
	return p.rules.Least.Elem
}

// times is a product, but no more than maxUnit.
func times(a, b int) int {
	if a > 0 && b > maxUnit/a {
		return maxUnit
	}
	return a * b
}
