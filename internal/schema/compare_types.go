package schema

// types compares two types as far as it goes without looking into them, and puts
// what they consist of into the queue.
func (c *comparer) types(t task) {
	l, lnil := deref(t.local)
	p, pnil := deref(t.peer)
	in, out := c.fate(t.terms, p, l), c.fate(t.terms, l, p)
	if l.Kind < Any && p.Kind < Any || l.Kind > Any && p.Kind > Any && l.Kind != Opaque && p.Kind != Opaque {
		in = worse(in, nilFate(t.terms.codec, l, pnil && !lnil))
		out = worse(out, nilFate(t.terms.codec, p, lnil && !pnil))
	}
	const unknown = "keys that are no names of fields are refused"
	if l.Kind == Named && p.Kind == Map && t.terms.localStrict {
		in = worse(in, dependsOn(unknown))
	}
	if p.Kind == Named && l.Kind == Map && t.terms.peerStrict {
		out = worse(out, dependsOn(unknown))
	}
	d := Difference{Path: t.path, Local: t.local.String(), Peer: t.peer.String()}
	if !t.root {
		d.thing = "field"
	}
	c.add(d, in, out)
	if in.kind == never || out.kind == never {
		return
	}
	child := t
	child.root = false
	child.level++
	sub := func(l, p *Type, path string) {
		child.local, child.peer, child.path = l, p, path
		c.push(child)
	}
	switch {
	case l.Kind == Named && p.Kind == Named:
		c.structs(l.Def, p.Def, t, sub)
	case l.Kind == Named && (isList(p) || p.Kind == Map):
		for _, f := range l.Def.Fields {
			sub(f.Type, p.Elem, fieldPath(t.path, f.Name, f.Name))
		}
	case p.Kind == Named && (isList(l) || l.Kind == Map):
		for _, f := range p.Def.Fields {
			sub(l.Elem, f.Type, fieldPath(t.path, f.Name, f.Name))
		}
	case isList(l) && isList(p):
		sub(l.Elem, p.Elem, t.path+"[]")
	case l.Kind == Map && p.Kind == Map:
		if t.terms.codec == "json" {
			c.add(Difference{Path: t.path + "[key]", Local: l.Key.String(), Peer: p.Key.String()}, jsonKeyFate(p.Key, l.Key), jsonKeyFate(l.Key, p.Key))
		} else {
			sub(l.Key, p.Key, t.path+"[key]")
		}
		sub(l.Elem, p.Elem, t.path+"[]")
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
	case codec == "msgpack" && to.Kind == Time:
		return dependsOn("nil is refused")
	case codec == "msgpack" || codec == "json":
		return dependsOn("nil arrives as the zero value")
	}
	return dependsOn("what becomes of nil depends on the codec")
}

// fate is what happens to values of type from, which are no pointers, where a
// value of type to is wanted, whatever is inside them.
func (c *comparer) fate(t terms, from, to *Type) fate {
	if from.Kind == Opaque || to.Kind == Opaque {
		if from.Kind == to.Kind && from.Name == to.Name {
			return fate{}
		}
		return dependsOn("nothing is known about what a type does by itself")
	}
	if from.Kind == Quoted && to.Kind == Quoted && from.Elem.Kind == to.Elem.Kind {
		return fate{}
	}
	switch t.codec {
	case "msgpack":
		return c.msgpackFate(from, to)
	case "gob":
		return gobFate(from, to)
	case "json":
		return c.jsonFate(from, to)
	}
	if from.Kind == to.Kind && from.Len == to.Len && from.Kind != Quoted {
		return fate{}
	}
	return dependsOn("what follows depends on the codec " + t.codec)
}

// contains reports whether t, or anything in its values, is what is looked for.
func (c *comparer) contains(t *Type, is func(*Type) bool) (found bool) {
	look := func(t *Type) {
		c.steps++
		found = found || is(t)
	}
	walk(t, look)
	for _, d := range inOrder(t) {
		if found || c.steps > maxSteps {
			break
		}
		d.types(look)
	}
	return found
}

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
