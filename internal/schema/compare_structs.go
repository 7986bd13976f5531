package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// structs compares two structs or tuples. sub is called for each pair of fields.
func (c *comparer) structs(l, p *Def, t *task, sub func(l, p *Type, at place)) {
	if c.terms[t.terms].codec == "gob" {
		c.confused(l, p, t)
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
func (c *comparer) positions(l, p *Def, t *task, sub func(l, p *Type, at place)) bool {
	if a, b := len(l.Fields), len(p.Fields); a != b {
		of := func(d *Def) string { return fmt.Sprintf("a %s of %d", defNames[d.Kind], len(d.Fields)) }
		sent := func(from *Def) (f fate) {
			if from.Kind == TupleDef && len(from.Fields) > 0 { // an empty array is the zero struct
				f.kind = never
			}
			return f
		}
		c.differs(t.place, "", sent(p), sent(l), func() (string, string) { return of(l), of(p) })
		return false
	}
	lnames, pnames := c.index(0, l), c.index(1, p)
	for i := range l.Fields {
		if c.step(); c.over() {
			break
		}
		a, b := &l.Fields[i], &p.Fields[i]
		at := t.field(a.Name, b.Name)
		if a.Name != b.Name {
			at = place{t, stepPosition, strconv.Itoa(i + 1)}
			f := dependsOn("fields go by position, it arrives under the other name")
			if pnames.exact(a.Name) >= 0 || lnames.exact(b.Name) >= 0 {
				f = becomes("fields go by position, it arrives in another field")
			}
			c.differs(at, "field", f, f, func() (string, string) { return shownName(a.Name), shownName(b.Name) })
		}
		sub(a.Type, b.Type, at)
	}
	return true
}

// room is memory that is used again for each pair of structs.
type room struct {
	items     []item
	out, back []int32 // for each field of one end, the place of the one that it arrives in
	first     []int32
}

// item is two fields that meet, or one that has no counterpart.
type item struct {
	name        string // the lesser one of the two
	local, peer *Field
}

// names compares fields by their names: those that this end sends if out is set,
// those that the peer sends if in is.
func (c *comparer) names(l, p *Def, t *task, sub func(l, p *Type, at place), out, in bool) {
	items, meetings := c.items(l, p, t, out, in)
	if t.root && c.terms[t.terms].codec == "gob" && meetings == 0 && len(l.Fields) > 0 && len(p.Fields) > 0 {
		c.differs(t.place, "", fate{kind: never}, fate{kind: never}, func() (string, string) { return fieldList(l), fieldList(p) })
	}
	var renamed map[string]string
	var met map[*Field]bool // in one direction at least
	if c.record && out && in {
		renamed, met = renames(items), make(map[*Field]bool)
		for _, it := range items {
			if it.local != nil && it.peer != nil {
				met[it.local], met[it.peer] = true, true
			}
		}
	}
	for _, it := range items {
		if c.step(); c.over() {
			return
		}
		switch {
		case it.peer == nil:
			c.missing(t.field(it.name, it.name), it.local, true, t.terms, renamed[it.name], met[it.local])
		case it.local == nil:
			c.missing(t.field(it.name, it.name), it.peer, false, t.terms, renamed[it.name], met[it.peer])
		default:
			sub(it.local.Type, it.peer.Type, t.field(it.name, it.name))
		}
	}
}

// items lists the fields in the order of their names, and says how many pairs are among
// them. There are at least as many items as the larger struct has fields, so those who
// count them as steps have counted this as well.
func (c *comparer) items(l, p *Def, t *task, out, in bool) (items []item, meetings int) {
	items = c.room.items[:0]
	var to, back []int32
	if out {
		to = c.match(&c.room.out, 0, l, p, t)
		for i, j := range to {
			f := &l.Fields[i]
			if j < 0 {
				items = append(items, item{f.Name, f, nil})
			} else {
				meetings++
				items = append(items, item{min(f.Name, p.Fields[j].Name), f, &p.Fields[j]})
			}
		}
	}
	if in {
		back = c.match(&c.room.back, 1, p, l, t)
		for j, i := range back {
			f := &p.Fields[j]
			switch {
			case i < 0:
				items = append(items, item{f.Name, nil, f})
			case out && to[i] == int32(j): // is there already
			default:
				meetings++
				items = append(items, item{min(f.Name, l.Fields[i].Name), &l.Fields[i], f})
			}
		}
	}
	slices.SortStableFunc(items, func(a, b item) int { return cmp.Compare(a.name, b.name) })
	c.room.items = items
	return items, meetings
}

// renames pairs fields that only one end has with those of the same type that only the other
// has, in the order of their names: they look like one field whose name has changed. It
// returns the other name of each.
func renames(items []item) map[string]string {
	here := make(map[string][]string) // names by type
	for _, it := range items {
		if it.peer == nil {
			here[likeness(it.local.Type)] = append(here[likeness(it.local.Type)], it.name)
		}
	}
	renamed := make(map[string]string)
	for _, it := range items {
		if it.local != nil {
			continue
		}
		if like := likeness(it.peer.Type); len(here[like]) > 0 {
			other := here[like][0]
			renamed[it.name], renamed[other] = other, it.name
			here[like] = here[like][1:]
		}
	}
	return renamed
}

// likeness is what the types have in common of one field in two versions: neither the names of
// structs, nor a pointer, nor the size of a number.
func likeness(t *Type) string {
	switch {
	case t.Kind == Pointer:
		return likeness(t.Elem)
	case isInteger(t.Kind):
		return "integer"
	case isFloat(t.Kind):
		return "float"
	case t.Kind == Named:
		return "struct"
	case t.Kind == Map:
		return "map[" + likeness(t.Key) + "]" + likeness(t.Elem)
	case isList(t):
		return "[]" + likeness(t.Elem)
	}
	return t.text
}

const unlessSkipped = ", or refused if gob cannot skip what an interface holds"

// missing notes a field that only one end has. twin is the name of one that looks like the
// same field at the other end, or "". aliased says that one of the other end arrives in it.
func (c *comparer) missing(at place, f *Field, here bool, n int32, twin string, aliased bool) {
	typ := f.Type
	strict := c.terms[n].localStrict
	if here {
		strict = c.terms[n].peerStrict
	}
	gobAny := c.terms[n].codec == "gob" && typ.has(holdsAny)
	s := single{thing: "field", typ: typ, here: here, breaking: strict}
	switch {
	case strict:
		s.owners = consequence{"the peer refuses it", "old peers refuse it"}
		s.others = consequence{"it is refused", "where old peers send it, it is refused"}
		s.sent = [2]effect{isNew: {never, "old peers refuse it"}, isGone: {never, "it is refused"}}
	case gobAny:
		s.owners = consequence{"the peer skips it" + unlessSkipped, "old peers skip it" + unlessSkipped}
		s.others = consequence{"it is skipped" + unlessSkipped, "where old peers send it, it is skipped" + unlessSkipped}
		s.sent = [2]effect{isNew: {works, "old peers skip it" + unlessSkipped}, isGone: {depends, "it is skipped" + unlessSkipped}}
	default:
		s.owners = consequence{"the peer skips it", "old peers skip it"}
		s.others = consequence{"it is skipped", "where old peers send it, it is skipped"}
		s.sent = [2]effect{isNew: {works, "old peers skip it"}, isGone: {depends, "it is skipped"}}
	}
	s.unsent = [2]effect{isNew: {works, "it arrives empty"}, isGone: {depends, "old peers find it empty"}}
	if aliased {
		s.unsent[isNew] = effect{works, "what old peers send as " + shownName(f.Alias) + " arrives in it"}
		s.sent[isNew] = effect{depends, "old peers skip it, and find " + shownName(f.Alias) + " empty"}
		s.loses = true
	}
	if twin != "" {
		s.suspect = "looks like a rename, with " + shownName(twin) + " in the other version: every value would arrive empty, both ways"
	}
	c.oneSided(at, s)
}

// match returns for each field of one end the place of the one, at the other end,
// that it arrives in, or -1. Two that arrive in the same one are a difference.
// end says whose fields they are.
func (c *comparer) match(buf *[]int32, end int, from, to *Def, t *task) []int32 {
	fold := c.terms[t.terms].codec == "json"
	index := c.index(1-end, to)
	places := resize(buf, len(from.Fields))
	first := resize(&c.room.first, len(to.Fields)) // that arrived there, and 1; 0 for none
	clear(first)
	for i := range from.Fields {
		f := &from.Fields[i]
		at := index.find(f.Name)
		if at < 0 && fold {
			at = index.folded(f.Name)
		}
		places[i] = at
		if at < 0 {
			continue
		}
		if before := first[at]; before > 0 {
			c.twice(end, t, &to.Fields[at], from.Fields[before-1].Name, f.Name, fold)
		}
		first[at] = int32(i) + 1
	}
	return places
}

// twice notes two fields of one end that arrive in the same one.
func (c *comparer) twice(end int, t *task, to *Field, before, name string, fold bool) {
	what := fate{kind: never} // "field is there twice"
	if fold {
		what = becomes("both arrive in one field")
	}
	both := func() string {
		var p part
		p.field(before)
		p.write(" and ")
		p.field(name)
		return p.String()
	}
	at := t.field(to.Name, to.Name)
	if end == 0 {
		c.differs(at, "field", fate{}, what, func() (string, string) { return both(), shownName(to.Name) })
	} else {
		c.differs(at, "field", what, fate{}, func() (string, string) { return shownName(to.Name), both() })
	}
}

// resize makes *buf n long. What is in it is of no meaning.
func resize(buf *[]int32, n int) []int32 {
	if cap(*buf) < n {
		*buf = make([]int32, n)
	}
	*buf = (*buf)[:n]
	return *buf
}
