package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// structs compares two structs or tuples. sub is called for each pair of fields.
func (c *comparer) structs(l, p *Def, t task, sub func(l, p *Type, path string)) {
	if t.terms.codec == "gob" {
		c.confused(l, p, t.path)
	}
	if l.Kind == TupleDef || p.Kind == TupleDef {
		if !c.positions(l, p, t, sub) || l.Kind == p.Kind {
			return
		}
		// The side that sends names is understood by them.
		c.names(l, p, t, sub, l.Kind == StructDef, p.Kind == StructDef)
		return
	}
	c.names(l, p, t, sub, true, true)
}

// positions compares fields by their positions, and reports whether there are as
// many on both sides.
func (c *comparer) positions(l, p *Def, t task, sub func(l, p *Type, path string)) bool {
	c.steps += len(l.Fields)
	if a, b := len(l.Fields), len(p.Fields); a != b {
		of := func(d *Def) string { return fmt.Sprintf("a %s of %d", defNames[d.Kind], len(d.Fields)) }
		sent := func(from *Def) (f fate) {
			if from.Kind == TupleDef && len(from.Fields) > 0 { // an empty array is the zero struct
				f.kind = never
			}
			return f
		}
		c.add(Difference{Path: t.path, Local: of(l), Peer: of(p)}, sent(p), sent(l))
		return false
	}
	lnames, pnames := make(map[string]bool), make(map[string]bool)
	for i := range l.Fields {
		lnames[l.Fields[i].Name], pnames[p.Fields[i].Name] = true, true
	}
	for i := range l.Fields {
		a, b := l.Fields[i], p.Fields[i]
		path := fieldPath(t.path, a.Name, b.Name)
		if a.Name != b.Name {
			path = fmt.Sprintf("%s.%d", t.path, i+1)
			f := dependsOn("fields go by position, it arrives under the other name")
			if pnames[a.Name] || lnames[b.Name] {
				f = fate{changed, "fields go by position, it arrives in another field"}
			}
			c.add(Difference{Path: path, Local: nameText(a.Name), Peer: nameText(b.Name), thing: "field"}, f, f)
		}
		sub(a.Type, b.Type, path)
	}
	return true
}

// names compares fields by their names: those that this end sends if out is set,
// those that the peer sends if in is.
func (c *comparer) names(l, p *Def, t task, sub func(l, p *Type, path string), out, in bool) {
	c.steps += len(l.Fields) + len(p.Fields)
	fold := t.terms.codec == "json"
	type item struct {
		path        string
		local, peer *Field
	}
	var items []item
	met := make(map[[2]int]bool) // places of fields that meet
	meet := func(i, j int) {
		if !met[[2]int{i, j}] {
			met[[2]int{i, j}] = true
			items = append(items, item{fieldPath(t.path, l.Fields[i].Name, p.Fields[j].Name), &l.Fields[i], &p.Fields[j]})
		}
	}
	if out {
		to := c.match(l, p, t, fold, true)
		for i, j := range to {
			if j < 0 {
				items = append(items, item{path: fieldPath(t.path, l.Fields[i].Name, l.Fields[i].Name), local: &l.Fields[i]})
			} else {
				meet(i, j)
			}
		}
	}
	if in {
		to := c.match(p, l, t, fold, false)
		for j, i := range to {
			if i < 0 {
				items = append(items, item{path: fieldPath(t.path, p.Fields[j].Name, p.Fields[j].Name), peer: &p.Fields[j]})
			} else {
				meet(i, j)
			}
		}
	}
	if t.root && t.terms.codec == "gob" && len(met) == 0 && len(l.Fields) > 0 && len(p.Fields) > 0 {
		c.add(Difference{Path: t.path, Local: fieldList(l), Peer: fieldList(p)}, fate{kind: never}, fate{kind: never})
	}
	slices.SortStableFunc(items, func(a, b item) int { return cmp.Compare(a.path, b.path) })
	for _, it := range items {
		switch {
		case it.peer == nil:
			c.missing(it.path, it.local.Type, true, t.terms)
		case it.local == nil:
			c.missing(it.path, it.peer.Type, false, t.terms)
		default:
			sub(it.local.Type, it.peer.Type, it.path)
		}
	}
}

// missing notes a field that only one end has.
func (c *comparer) missing(path string, typ *Type, here bool, t terms) {
	d := Difference{Path: path, thing: "field"}
	if here {
		d.Local, d.Breaking = typ.String(), t.peerStrict
		d.then = consequence{"the peer skips it", "old peers skip it"}
		if t.peerStrict {
			d.then = consequence{"the peer refuses it", "old peers refuse it"}
		}
	} else {
		d.Peer, d.Breaking = typ.String(), t.localStrict
		d.then = consequence{"it is skipped", "where old peers send it, it is skipped"}
		if t.localStrict {
			d.then = consequence{"it is refused", "where old peers send it, it is refused"}
		}
	}
	if t.codec == "gob" && hasAny(typ) {
		const note = ", or refused if gob cannot skip what an interface holds"
		d.then.now += note
		d.then.since += note
	}
	c.note(d)
}

// match returns for each field of one end the place of the one, at the other end,
// that it arrives in, or -1. Two that arrive in the same one are a difference.
func (c *comparer) match(from, to *Def, t task, fold, out bool) []int {
	index := make(map[string]int)
	put := func(name string, i int) {
		if _, ok := index[name]; !ok {
			index[name] = i
		}
	}
	for i, f := range to.Fields {
		put("="+f.Name, i)
	}
	for i, f := range to.Fields {
		if f.Alias != "" {
			put("="+f.Alias, i)
		}
		if fold {
			put("~"+foldName(f.Name), i)
		}
	}
	places := make([]int, len(from.Fields))
	first := make(map[int]string)
	for i, f := range from.Fields {
		at, ok := index["="+f.Name]
		if !ok && fold {
			at, ok = index["~"+foldName(f.Name)]
		}
		if !ok {
			places[i] = -1
			continue
		}
		places[i] = at
		if before, ok := first[at]; ok {
			what := fate{kind: never} // "field is there twice"
			if fold {
				what = fate{changed, "both arrive in one field"}
			}
			d := Difference{Path: fieldPath(t.path, to.Fields[at].Name, to.Fields[at].Name), Local: nameText(before) + " and " + nameText(f.Name), Peer: nameText(to.Fields[at].Name), thing: "field"}
			if out {
				c.add(d, fate{}, what)
			} else {
				d.Local, d.Peer = d.Peer, d.Local
				c.add(d, what, fate{})
			}
		}
		first[at] = f.Name
	}
	return places
}

// fieldList is what a difference calls a struct of which no field is known.
func fieldList(d *Def) string {
	var names []string
	for i, f := range d.Fields {
		if i == 4 {
			names = append(names, "…")
			break
		}
		names = append(names, nameText(f.Name))
	}
	return "{" + strings.Join(names, ", ") + "}"
}

// hasAny reports whether t is an any, or consists of them, as far as it can be
// seen without its structs.
func hasAny(t *Type) (found bool) {
	walk(t, func(t *Type) { found = found || t.Kind == Any || t.Kind == Named })
	return found
}
