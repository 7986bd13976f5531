package schema

import (
	"slices"
	"strings"
)

// takes is what two unions do with cases that they do not have.
type takes struct{ local, peer openness }

type openness uint8

const (
	unsaid   openness = iota // by an older version of the library
	isOpen                   // they are skipped, or the program has them
	isClosed                 // they are errors
)

func opennessOf(flags []string) openness {
	switch {
	case slices.Contains(flags, Open):
		return isOpen
	case slices.Contains(flags, Closed):
		return isClosed
	}
	return unsaid
}

func takesOf(local, peer []string) takes { return takes{opennessOf(local), opennessOf(peer)} }

// openness notes that a union has become open, or closed.
func (c *comparer) openness(local, peer []string, at place) {
	l, p := opennessOf(local), opennessOf(peer)
	if !c.record || l == p || l == unsaid || p == unsaid || !c.found.wants(false) {
		return
	}
	name := map[openness]string{isOpen: "open", isClosed: "closed"}
	fine := fate{kind: works, note: "the cases that both have arrive as before"}
	in := fine
	if l == isClosed && c.local == 0 || p == isClosed && c.local == 1 {
		in = dependsOn("a case that this end does not have ends the connection from now on, and was skipped")
	}
	if c.local == 0 {
		c.add(Difference{Path: at.path(), thing: "union", Local: name[l], Peer: name[p]}, in, fine)
	} else {
		c.add(Difference{Path: at.path(), thing: "union", Local: name[l], Peer: name[p]}, fine, in)
	}
}

// unions compares two unions, tag by tag.
func (c *comparer) unions(l, p *Def, t *task) {
	var lnames, pnames map[string]*Variant
	if c.record {
		lnames, pnames = casesOf(l), casesOf(p)
	}
	for i, j := 0, 0; (i < len(l.Variants) || j < len(p.Variants)) && !c.over(); {
		c.step()
		switch {
		case j == len(p.Variants) || i < len(l.Variants) && l.Variants[i].Tag < p.Variants[j].Tag:
			c.oneSidedCase(&l.Variants[i], true, t, pnames)
			i++
		case i == len(l.Variants) || l.Variants[i].Tag > p.Variants[j].Tag:
			c.oneSidedCase(&p.Variants[j], false, t, lnames)
			j++
		default:
			c.variants(&l.Variants[i], &p.Variants[j], t, lnames, pnames)
			i++
			j++
		}
	}
}

// casesOf returns the cases of a union by the names of their types, those that have one.
func casesOf(u *Def) map[string]*Variant {
	cases := make(map[string]*Variant)
	for i := range u.Variants {
		if name := u.Variants[i].name(); name != "" {
			cases[name] = &u.Variants[i]
		}
	}
	return cases
}

// stays reports whether the message of other, which has the name of v at the other end, goes on
// under its tag at the end of v, by another name.
func (c *comparer) stays(t *task, other, v *Variant) bool {
	for _, u := range []*Def{unionOf(t.local), unionOf(t.peer)} {
		for i := range u.Variants {
			if w := &u.Variants[i]; w.Tag == other.Tag && w != other && sameShape(w, other) {
				return true
			}
		}
	}
	return false
}

// name returns the name of the type of a case: that of its struct, or what a flag says.
func (v *Variant) name() string {
	if name := rootName(v.Type); name != "" {
		return name
	}
	for _, flag := range v.Flags {
		if name, ok := strings.CutPrefix(flag, nameFlag); ok {
			return name
		}
	}
	return ""
}

func (c *comparer) variants(l, p *Variant, t *task, lnames, pnames map[string]*Variant) {
	at := caseOf(t, l.Tag)
	lu, pu := unionOf(l.Type), unionOf(p.Type)
	if c.record && c.handed(l, p, lnames, pnames) {
		const other = "it arrives as the other message, as far as their fields have names in common"
		if c.found.wants(true) {
			c.add(Difference{Path: at.path(), Local: l.called(), Peer: p.called(), suspect: "the tag has been given to another message"}, becomes(other), becomes(other))
		}
		return
	}
	switch {
	case lu != nil && pu != nil:
		c.openness(l.Flags, p.Flags, at)
		if k := (pair{l.Type.id(), p.Type.id(), -1}); !c.seen[k] { // whatever the terms
			c.seen[k] = true
			c.push(&task{place: at, local: l.Type, peer: p.Type, level: t.level + 1, root: true, takes: takesOf(l.Flags, p.Flags)})
		}
	case l.Codec != p.Codec:
		c.differs(at, "", fate{kind: never}, fate{kind: never}, func() (string, string) { return l.shown(), p.shown() })
	default:
		c.start(side{l.Type, l.Flags}, side{p.Type, p.Flags}, l.Codec, at, t.level)
	}
}

// handed reports whether the tag of two cases belongs to another message now. That is so where
// the type has another name, and
//
//   - the other version has the message of that name under another tag, with the fields that it has
//     here: two have changed places, or one has moved;
//   - or the fields have changed, and more than by new ones.
//
// A new name alone is none.
func (c *comparer) handed(l, p *Variant, lcases, pcases map[string]*Variant) bool {
	ln, pn := l.name(), p.name()
	if ln == "" || pn == "" || ln == pn {
		return false
	}
	if moved := lcases[pn]; moved != nil && sameShape(moved, p) {
		return true
	}
	if came := pcases[ln]; came != nil && sameShape(came, l) {
		return true
	}
	if sameShape(l, p) {
		return false
	}
	newer, older := l, p
	if c.local == 1 {
		newer, older = p, l
	}
	return !c.grewFrom(structOf(newer.Type), structOf(older.Type))
}

// sameShape reports whether the fields of two cases are the same, whatever their types are called.
func sameShape(a, b *Variant) bool {
	ad, bd := structOf(a.Type), structOf(b.Type)
	if ad == nil || bd == nil {
		return ad == bd && a.Codec == b.Codec && a.Type.text == b.Type.text
	}
	return a.Codec == b.Codec && ad.Kind == bd.Kind && slices.Equal(fieldNames(ad), fieldNames(bd))
}

// fieldNames returns the names of the fields of d, sorted if they go by name.
func fieldNames(d *Def) []string {
	names := make([]string, len(d.Fields))
	for i := range d.Fields {
		names[i] = d.Fields[i].Name
	}
	if d.Kind != TupleDef {
		slices.Sort(names)
	}
	return names
}

// grewFrom reports whether newer has all fields of older, of which there are some.
func (c *comparer) grewFrom(newer, older *Def) bool {
	if newer == nil || older == nil || len(older.Fields) == 0 {
		return false
	}
	names := fieldNames(newer)
	for i := range older.Fields {
		c.step()
		if !slices.Contains(names, older.Fields[i].Name) {
			return false
		}
	}
	return true
}

// called is shown, with the name of the type where the schema has it in a flag.
func (v *Variant) called() string {
	s := v.shown()
	if rootName(v.Type) == "" && v.name() != "" {
		s += " (" + v.name() + ")"
	}
	return s
}

// structOf returns the struct that t is or points to, or nil.
func structOf(t *Type) *Def {
	if t.Kind == Pointer {
		t = t.Elem
	}
	if t.Kind == Named && t.Def.Kind != UnionDef {
		return t.Def
	}
	return nil
}

// oneSidedCase notes a case that only one end has. others has the cases of the other end, by
// the names of their types, if that matters.
func (c *comparer) oneSidedCase(v *Variant, here bool, t *task, others map[string]*Variant) {
	receiver := t.takes.peer
	if !here {
		receiver = t.takes.local
	}
	s := single{thing: "", typ: v.Type, here: here}
	switch receiver {
	case isOpen:
		s.owners = consequence{"the peer skips it", "old peers skip it"}
		s.others = consequence{"it is skipped", "where old peers send it, it is skipped"}
		s.sent[isNew] = effect{works, "old peers skip it"}
		s.sent[isGone] = effect{depends, "it is skipped"}
	case isClosed:
		s.breaking = true
		s.owners = consequence{"the peer has no SkipUnknown, and ends the connection when it comes", "old peers have no SkipUnknown, and end the connection when it comes"}
		s.others = consequence{"this end has no SkipUnknown, and ends the connection when it comes", "new peers have no SkipUnknown, and end the connection when old ones send it"}
		s.sent[isNew] = effect{never, "old peers have no SkipUnknown: the connection ends"}
		s.sent[isGone] = effect{never, "without SkipUnknown the connection ends"}
	default:
		s.loses = true
		s.owners = consequence{"the peer answers it with an error unless it has SkipUnknown or Otherwise", "old peers answer it with an error unless they have SkipUnknown or Otherwise"}
		s.others = consequence{"it is answered with an error unless this end has SkipUnknown or Otherwise", "where old peers send it, it is answered with an error unless new code has SkipUnknown or Otherwise"}
		s.sent[isNew] = effect{depends, "old peers end the connection, unless they have SkipUnknown or Otherwise, which the record does not say"}
		s.sent[isGone] = effect{depends, "the connection ends, without SkipUnknown or Otherwise"}
	}
	s.unsent = [2]effect{isNew: {works, "old peers do not send it"}, isGone: {works, "new peers do not send it"}}
	if other := others[v.name()]; other != nil && c.record && sameShape(other, v) && !c.stays(t, other, v) {
		s.breaking, s.suspect = true, "the message has another tag in the other version, so it is not known there"
	}
	c.oneSided(caseOf(t, v.Tag), s)
}
