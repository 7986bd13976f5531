package schema

// types compares two types as far as it goes without looking into them, and puts
// what they consist of into the queue.
func (c *comparer) types(t *task) {
	l, lnil := deref(t.local)
	p, pnil := deref(t.peer)
	k := c.terms[t.terms]
	in, out := k.fate(p, l), k.fate(l, p)
	if l.Kind < Any && p.Kind < Any || l.Kind > Any && p.Kind > Any && l.Kind != Opaque && p.Kind != Opaque {
		in = worse(in, nilFate(k.codec, l, pnil && !lnil))
		out = worse(out, nilFate(k.codec, p, lnil && !pnil))
	}
	const unknown = "keys that are no names of fields are refused"
	if l.Kind == Named && p.Kind == Map && k.localStrict {
		in = worse(in, dependsOn(unknown))
	}
	if p.Kind == Named && l.Kind == Map && k.peerStrict {
		out = worse(out, dependsOn(unknown))
	}
	thing := "field"
	if t.root {
		thing = ""
	}
	c.differs(t.place, thing, in, out, func() (string, string) { return t.local.shown(), t.peer.shown() })
	if in.kind != never && out.kind != never {
		c.parts(l, p, t)
	}
}

// parts puts what two types consist of into the queue.
func (c *comparer) parts(l, p *Type, t *task) {
	child := task{terms: t.terms, level: t.level + 1}
	sub := func(l, p *Type, at place) {
		child.place, child.local, child.peer = at, l, p
		c.push(&child)
	}
	switch {
	case l.Kind == Named && p.Kind == Named:
		if c.record && l.Def.Kind != p.Def.Kind && len(l.Def.Fields) == len(p.Def.Fields) { // others differ in more
			const both = "a receiver takes both forms, as long as the fields are the same"
			c.differs(t.place, "", fate{kind: depends, note: both}, fate{kind: depends, note: both}, func() (string, string) {
				return "a " + defNames[l.Def.Kind], "a " + defNames[p.Def.Kind]
			})
		}
		c.structs(l.Def, p.Def, t, sub)
	case l.Kind == Named && (isList(p) || p.Kind == Map):
		for i := 0; i < len(l.Def.Fields) && !c.over(); i++ {
			f := &l.Def.Fields[i]
			sub(f.Type, p.Elem, t.field(f.Name, f.Name))
		}
	case p.Kind == Named && (isList(l) || l.Kind == Map):
		for i := 0; i < len(p.Def.Fields) && !c.over(); i++ {
			f := &p.Def.Fields[i]
			sub(l.Elem, f.Type, t.field(f.Name, f.Name))
		}
	case isList(l) && isList(p):
		sub(l.Elem, p.Elem, place{t, stepElem, ""})
	case l.Kind == Map && p.Kind == Map:
		key := place{t, stepKey, ""}
		if c.terms[t.terms].codec == "json" {
			c.differs(key, "", jsonKeyFate(p.Key, l.Key), jsonKeyFate(l.Key, p.Key), func() (string, string) { return l.Key.shown(), p.Key.shown() })
		} else {
			sub(l.Key, p.Key, key)
		}
		sub(l.Elem, p.Elem, place{t, stepElem, ""})
	}
}

func deref(t *Type) (_ *Type, isPointer bool) {
	if t.Kind == Pointer {
		return t.Elem, true
	}
	return t, false
}

// nilFate is what happens to a nil that arrives for a value of type to, which
// cannot be nil.
func nilFate(codec string, to *Type, possible bool) fate {
	switch {
	case !possible || codec == "gob":
		return fate{}
	case codec == "msgpack" || codec == "json":
		return dependsOn("nil arrives as the zero value")
	}
	return dependsOn("what becomes of nil depends on the codec")
}

// fate is what happens to values of type from, which are no pointers, where a
// value of type to is wanted, whatever is inside them.
func (t terms) fate(from, to *Type) fate {
	if from.Kind == Opaque || to.Kind == Opaque {
		if from.Kind == to.Kind && from.Name == to.Name {
			return fate{}
		}
		if from.Kind != to.Kind {
			return dependsOn(losesNote)
		}
		return dependsOn(opaqueNote)
	}
	if from.Kind == Quoted && to.Kind == Quoted && from.Elem.Kind == to.Elem.Kind {
		return fate{}
	}
	switch t.codec {
	case "msgpack":
		return msgpackFate(from, to)
	case "gob":
		return gobFate(from, to)
	case "json":
		return jsonFate(from, to)
	}
	if from.Kind == to.Kind && from.Len == to.Len && from.Kind != Quoted {
		return fate{}
	}
	return fate{kind: depends, note: "what follows depends on the codec ", codec: t.codec}
}

// What happens between two types that have methods, and between one that has them and one
// whose form is known, as when an enumeration gets MarshalText.
const (
	opaqueNote = "nothing is known about what a type does by itself"
	losesNote  = "loses values, unless the methods at one end keep to the form at the other"
)

// isList reports whether t is a slice or an array. Where arrays of bytes are
// something else, the fate has said so before.
func isList(t *Type) bool { return t.Kind == Slice || t.Kind == Array }

func isInteger(k Kind) bool { return k >= Int && k <= Uint64 }
func isSigned(k Kind) bool  { return k >= Int && k <= Int64 }
func isFloat(k Kind) bool   { return k == Float32 || k == Float64 }
func isNumber(k Kind) bool  { return isInteger(k) || isFloat(k) }

// bitsOf returns how many bits an integer has. An int counts as 64: platforms on which
// it is shorter are rare, and no program relies on that.
func bitsOf(k Kind) int {
	switch k {
	case Int8, Uint8:
		return 8
	case Int16, Uint16:
		return 16
	case Int32, Uint32:
		return 32
	}
	return 64
}

// integerFate is what happens to an integer where one of another type is wanted.
func integerFate(from, to Kind) fate {
	const note = "numbers that do not fit are refused"
	f, t := bitsOf(from), bitsOf(to)
	switch {
	case isSigned(from) && !isSigned(to):
		return dependsOn("numbers below zero and those that do not fit are refused")
	case isSigned(to) && !isSigned(from) && f >= t, f > t:
		return dependsOn(note)
	}
	return fate{}
}

// exactIn reports whether each integer of a kind has its value in a float.
func exactIn(from, to Kind) bool {
	if to == Float64 {
		return bitsOf(from) <= 32
	}
	return bitsOf(from) <= 16
}
