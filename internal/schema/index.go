package schema

import "strings"

// known is what has been prepared of the definitions of one end.
type known struct {
	indexes []*index // by Def.id
	decoded []decoded
	round   int32 // for decoded
}

// index finds the fields of a definition by their names. It is made when the
// definition is met for the first time: a large one may be met often.
type index struct {
	def     *Def
	names   map[string]int32 // of large definitions only
	aliases map[string]int32
	folds   map[string]int32 // made when it is needed
}

// fewFields is how many fields are looked through faster than they are found in a map,
// and cost no memory.
const fewFields = 8

// index returns the index of a definition of an end.
func (c *comparer) index(end int, d *Def) *index {
	k := &c.known[end]
	for len(k.indexes) <= d.id {
		k.indexes = append(k.indexes, nil)
	}
	if k.indexes[d.id] == nil {
		k.indexes[d.id] = newIndex(d)
	}
	return k.indexes[d.id]
}

func newIndex(d *Def) *index {
	x := &index{def: d}
	if len(d.Fields) <= fewFields {
		return x
	}
	x.names = make(map[string]int32, len(d.Fields))
	for i, f := range d.Fields {
		x.names[f.Name] = int32(i)
		if f.Alias != "" {
			if x.aliases == nil {
				x.aliases = make(map[string]int32)
			}
			x.aliases[f.Alias] = int32(i)
		}
	}
	return x
}

// exact returns the place of the field with this name, or -1.
func (x *index) exact(name string) int32 {
	if x.names != nil {
		return lookup(x.names, name)
	}
	return x.scan(func(f *Field) bool { return f.Name == name })
}

// find returns the place of the field that a name arrives in, or -1. No name is there
// twice, nor an alias that is another field's name or alias.
func (x *index) find(name string) int32 {
	if at := x.exact(name); at >= 0 {
		return at
	}
	if x.names != nil {
		return lookup(x.aliases, name)
	}
	return x.scan(func(f *Field) bool { return f.Alias != "" && f.Alias == name })
}

// folded returns the place of the first field whose name encoding/json takes for the
// same, or -1.
func (x *index) folded(name string) int32 {
	if x.names == nil {
		return x.scan(func(f *Field) bool { return strings.EqualFold(f.Name, name) })
	}
	if x.folds == nil {
		x.folds = make(map[string]int32, len(x.def.Fields))
		for i, f := range x.def.Fields {
			if fold := foldName(f.Name); lookup(x.folds, fold) < 0 {
				x.folds[fold] = int32(i)
			}
		}
	}
	return lookup(x.folds, foldName(name))
}

func (x *index) scan(is func(*Field) bool) int32 {
	for i := range x.def.Fields {
		if is(&x.def.Fields[i]) {
			return int32(i)
		}
	}
	return -1
}

func lookup(m map[string]int32, name string) int32 {
	if i, ok := m[name]; ok {
		return i
	}
	return -1
}
