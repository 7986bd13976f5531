package schema

import "slices"

// confused looks for structs of which gob would decode two types as one: where
// fields of a struct have one type, it decodes them all by the wire type of the
// first, even if the sender has others for the rest.
func (c *comparer) confused(l, p *Def, path string) {
	what := fate{changed, "gob reads it as if it had the type of an earlier field"}
	c.confusedOneWay(l, p, func(name, from, to string) {
		c.add(Difference{Path: fieldPath(path, name, name), Local: from, Peer: to, thing: "field"}, fate{}, what)
	})
	c.confusedOneWay(p, l, func(name, from, to string) {
		c.add(Difference{Path: fieldPath(path, name, name), Local: to, Peer: from, thing: "field"}, what, fate{})
	})
}

func (c *comparer) confusedOneWay(from, to *Def, report func(name, from, to string)) {
	fields := make(map[string]*Type, len(to.Fields))
	for _, f := range to.Fields {
		fields[f.Name] = f.Type
	}
	first := make(map[*Def]*Def) // what is decoded as what
	for _, f := range from.Fields {
		t := fields[f.Name]
		for s := f.Type; t != nil && s != nil && t.Kind == s.Kind; t, s = t.Elem, s.Elem {
			if t.Kind != Named {
				continue
			}
			if before := first[t.Def]; before == nil {
				first[t.Def] = s.Def
			} else if !slices.EqualFunc(before.Fields, s.Def.Fields, sameField) {
				report(f.Name, s.Def.Name, t.Def.Name)
			}
			c.steps += len(s.Def.Fields)
		}
	}
}

func sameField(a, b Field) bool { return a.Name == b.Name && a.Type.String() == b.Type.String() }
