package schema

// confused looks for structs of which gob would decode two types as one: where
// fields of a struct have one type, it decodes them all by the wire type of the
// first, even if the sender has others for the rest.
func (c *comparer) confused(l, p *Def, t *task) {
	what := becomes("gob reads it as if it had the type of an earlier field")
	c.confusedOneWay(0, l, p, func(name string, from, to *Def) {
		c.differs(t.field(name, name), "field", fate{}, what, func() (string, string) { return from.shown(), to.shown() })
	})
	c.confusedOneWay(1, p, l, func(name string, from, to *Def) {
		c.differs(t.field(name, name), "field", what, fate{}, func() (string, string) { return to.shown(), from.shown() })
	})
}

// decoded is the definition as which one of the other end is decoded, within a struct.
type decoded struct {
	round int32 // that it belongs to
	as    *Def
}

// confusedOneWay looks at what the fields of from arrive as at the end that has to.
func (c *comparer) confusedOneWay(end int, from, to *Def, report func(name string, from, to *Def)) {
	k, index := &c.known[1-end], c.index(1-end, to)
	k.round++
	for i := range from.Fields {
		if c.step(); c.over() {
			return
		}
		f := &from.Fields[i]
		at := index.exact(f.Name)
		if at < 0 {
			continue
		}
		t := to.Fields[at].Type
		for s := f.Type; t != nil && s != nil && t.Kind == s.Kind; t, s = t.Elem, s.Elem {
			c.step()
			if t.Kind != Named {
				continue
			}
			for len(k.decoded) <= t.Def.id {
				k.decoded = append(k.decoded, decoded{})
			}
			first := &k.decoded[t.Def.id]
			if first.round != k.round {
				*first = decoded{k.round, s.Def}
			} else if first.as.fields != s.Def.fields {
				report(f.Name, s.Def, t.Def)
			}
		}
	}
}
