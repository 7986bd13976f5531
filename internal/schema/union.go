package schema

import (
	"cmp"
	"slices"
	"strings"
)

// Case is what [Union] needs to know of a case.
type Case struct {
	Tag   uint64
	Codec string // its name
	Type  string // the name of its Go type, for a case without a text
	Text  string // of its messages; "" if nothing is known of them
}

// nameFlag begins the flag of a case that says the name of its type, in lower case, where that is no struct.
const nameFlag = "name-"

// Union returns the text for a union called name with these cases, whose
// definitions it brings together. Its codec is union(…), with the codecs of the
// cases in the order of tags, each once. It is an error if the text is too long, or one
// of the cases' texts is none. open says that cases which it does not have are no errors.
func Union(name string, open bool, cases []Case) (string, error) {
	cases = slices.Clone(cases)
	slices.SortFunc(cases, func(a, b Case) int { return cmp.Compare(a.Tag, b.Tag) })

	u := &Def{Kind: UnionDef, Name: unique(typeIdentifier(name), func(string) bool { return false }, make(map[string]int))}
	m := merger{defs: map[string]*Def{u.Name: u}, texts: make(map[string]string), next: make(map[string]int)}
	var codecs []string
	for _, c := range cases {
		v := Variant{Tag: c.Tag, Codec: c.Codec}
		if c.Text == "" {
			v.Type = &Type{Kind: Opaque, Name: cmp.Or(typeIdentifier(c.Type), "unknown")}
		} else {
			s, err := Parse(c.Text)
			if err != nil {
				return "", err
			}
			m.add(s)
			v.Type, v.Flags = s.Root, s.Flags
		}
		if name := v.flagName(c.Type); name != "" {
			v.Flags = append(slices.Clone(v.Flags), nameFlag+name)
			slices.Sort(v.Flags)
		}
		u.Variants = append(u.Variants, v)
		if !slices.Contains(codecs, c.Codec) {
			codecs = append(codecs, c.Codec)
		}
	}
	s := &Schema{Codec: "union(" + strings.Join(codecs, ",") + ")", Flags: []string{Closed}, Root: &Type{Kind: Named, Def: u}}
	if open {
		s.Flags[0] = Open
	}
	s.Defs = inOrder(s.Root)
	return checked(s)
}

// flagName returns the name of the Go type of a case in the letters of a flag; "" where the
// schema has it anyway.
func (v *Variant) flagName(goType string) string {
	if rootName(v.Type) != "" || v.Type.Kind == Opaque || strings.ContainsAny(goType, "[ {(") {
		return ""
	}
	name := strings.ToLower(goType[strings.LastIndexAny(goType, ".*")+1:])
	if name == v.Type.text {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, name)
}

// typeIdentifier makes the name of a definition of that of a Go type, which may
// have its package in front.
func typeIdentifier(name string) string {
	if i := strings.IndexByte(name, '['); i < 0 {
		name = name[strings.LastIndexByte(name, '.')+1:]
	}
	return identifier(name)
}

// merger brings definitions together.
type merger struct {
	defs  map[string]*Def
	texts map[string]string // of defs, by name
	next  map[string]int
}

// add brings in the definitions of s. One that is there already is shared: its
// text is the same, and so are those of all that it uses. Others of the same name
// are renamed.
func (m *merger) add(s *Schema) {
	users := make(map[*Def][]*Def)
	var differ []*Def
	apart := make(map[*Def]bool) // the definitions that are not shared
	mark := func(d *Def) {
		if !apart[d] {
			apart[d] = true
			differ = append(differ, d)
		}
	}
	for _, d := range s.Defs {
		if m.texts[d.Name] != d.text() {
			mark(d)
		}
		d.types(func(t *Type) {
			if t.Kind == Named {
				users[t.Def] = append(users[t.Def], d)
			}
		})
	}
	for i := 0; i < len(differ); i++ { // grows
		for _, user := range users[differ[i]] {
			mark(user)
		}
	}
	for _, d := range s.Defs {
		if apart[d] {
			d.Name = unique(d.Name, func(name string) bool { return m.defs[name] != nil }, m.next)
			m.defs[d.Name] = d
		}
	}
	share := func(t *Type) {
		if t.Kind == Named && !apart[t.Def] {
			t.Def = m.defs[t.Def.Name]
		}
	}
	walk(s.Root, share)
	for _, d := range s.Defs {
		if apart[d] {
			d.types(share)
			m.texts[d.Name] = d.text()
		}
	}
}

// types calls f for each type expression in d and each part of one.
func (d *Def) types(f func(*Type)) {
	for i := range d.Fields {
		walk(d.Fields[i].Type, f)
	}
	for i := range d.Variants {
		walk(d.Variants[i].Type, f)
	}
}

func walk(t *Type, f func(*Type)) {
	f(t)
	if t.Key != nil {
		walk(t.Key, f)
	}
	if t.Elem != nil {
		walk(t.Elem, f)
	}
}

// inOrder lists the definitions that root leads to, in order of their first use.
func inOrder(root *Type) (defs []*Def) {
	seen := make(map[*Def]bool)
	use := func(t *Type) {
		if t.Kind == Named && !seen[t.Def] {
			seen[t.Def] = true
			defs = append(defs, t.Def)
		}
	}
	walk(root, use)
	for i := 0; i < len(defs); i++ { // grows
		defs[i].types(use)
	}
	return defs
}
