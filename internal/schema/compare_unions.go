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
	var lnames, pnames map[string]uint64
	if c.record {
		lnames, pnames = tagsOf(l), tagsOf(p)
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

// tagsOf returns the tags of the cases of a union by the names of their types, for those
// that have one.
func tagsOf(u *Def) map[string]uint64 {
	tags := make(map[string]uint64)
	for i := range u.Variants {
		if name := u.Variants[i].name(); name != "" {
			tags[name] = u.Variants[i].Tag
		}
	}
	return tags
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

func (c *comparer) variants(l, p *Variant, t *task, lnames, pnames map[string]uint64) {
	at := caseOf(t, l.Tag)
	lu, pu := unionOf(l.Type), unionOf(p.Type)
	if c.record && c.handed(l, p, lnames, pnames) {
		const other = "it arrives as a value of another type, mostly a zero"
		d := Difference{Path: at.path(), suspect: "the tag has been given to another message"}
		if c.found.wants(true) {
			d.Local, d.Peer = l.shown(), p.shown()
			c.add(d, becomes(other), becomes(other))
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

// handed reports whether the tag of two cases belongs to another message now: its old owner,
// or its new one, has another tag in the other version, or they have nothing in common. A new
// name for the same fields is none.
func (c *comparer) handed(l, p *Variant, lnames, pnames map[string]uint64) bool {
	ln, pn := l.name(), p.name()
	if ln == "" || pn == "" || ln == pn {
		return false
	}
	_, moved := lnames[pn]
	_, came := pnames[ln]
	if moved || came {
		return true
	}
	ld, pd := structOf(l.Type), structOf(p.Type)
	if ld == nil || pd == nil || len(ld.Fields) == 0 || len(pd.Fields) == 0 || ld.Kind != pd.Kind {
		return false
	}
	index := c.index(1, pd)
	for i := range ld.Fields {
		c.step()
		if index.find(ld.Fields[i].Name) >= 0 {
			return false
		}
	}
	return true
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

// oneSidedCase notes a case that only one end has. others has the tags of the cases of the
// other end, if that matters.
func (c *comparer) oneSidedCase(v *Variant, here bool, t *task, others map[string]uint64) {
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
	if tag, ok := others[v.name()]; ok && tag != v.Tag && c.record {
		s.breaking, s.suspect = true, "the message has another tag in the other version, so it is not known there"
	}
	c.oneSided(caseOf(t, v.Tag), s)
}
