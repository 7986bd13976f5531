package schema

// holds is what there is in a type expression, and in all that its definitions lead
// to. Parse finds it out once, so that asking costs nothing for each pair of types.
type holds uint8

const (
	holdsDef       holds = 1 << iota // in the expression: a definition
	holdsAny                         // in the expression: an any, or what cannot be seen without its definitions
	holdsDisguised                   // anywhere: a string in JSON that is not that string
	holdsOddMap                      // anywhere: a map whose keys are not strings, in MessagePack

	anywhere = holdsDisguised | holdsOddMap
)

func (t *Type) has(h holds) bool { return t.holds&h != 0 }

// ownHolds returns what t holds without its definitions. Its parts know theirs.
func (t *Type) ownHolds() (h holds) {
	switch {
	case t.Kind == Named:
		h |= holdsDef | holdsAny
	case t.Kind == Any:
		h |= holdsAny
	}
	if isDisguised(t) {
		h |= holdsDisguised
	}
	if isOddMap(t) {
		h |= holdsOddMap
	}
	if t.Key != nil {
		h |= t.Key.holds
	}
	if t.Elem != nil {
		h |= t.Elem.holds
	}
	return h
}

// settle tells every type of s what its definitions hold. Time is linear in the text.
func (s *Schema) settle() {
	users := make([][]*Def, len(s.Defs)) // of a definition, by its id
	reach := make([]holds, len(s.Defs))
	for _, d := range s.Defs {
		d.types(func(t *Type) {
			reach[d.id] |= t.holds & anywhere
			if t.Kind == Named {
				users[t.Def.id] = append(users[t.Def.id], d)
			}
		})
	}
	var spread []*Def // those whose users do not know yet
	for _, d := range s.Defs {
		if reach[d.id] != 0 {
			spread = append(spread, d)
		}
	}
	for len(spread) > 0 { // each definition comes at most once for each of the two
		d := spread[len(spread)-1]
		spread = spread[:len(spread)-1]
		for _, u := range users[d.id] {
			if more := reach[d.id] &^ reach[u.id]; more != 0 {
				reach[u.id] |= more
				spread = append(spread, u)
			}
		}
	}
	s.Root.settle(reach)
	for _, d := range s.Defs {
		for i := range d.Fields {
			d.Fields[i].Type.settle(reach)
		}
		for i := range d.Variants {
			d.Variants[i].Type.settle(reach)
		}
	}
}

func (t *Type) settle(reach []holds) holds {
	if !t.has(holdsDef) {
		return t.holds // perhaps one that is shared
	}
	if t.Kind == Named {
		t.holds |= reach[t.Def.id]
	}
	if t.Key != nil {
		t.holds |= t.Key.settle(reach) & anywhere
	}
	if t.Elem != nil {
		t.holds |= t.Elem.settle(reach) & anywhere
	}
	return t.holds
}
