package schema

import (
	"fmt"
	"slices"
)

// Flags that Compare knows.
const (
	InvalidUTF8 = "invalid-utf8" // strings may be any bytes
	Strict      = "strict"       // fields that the receiver does not have are refused
)

// A peer's types may be made to multiply with ours. Real ones stay far below.
const (
	maxSteps = 1 << 16 // fields of pairs of types that Compare looks at
	maxList  = 1000    // differences
	maxLevel = 100     // nested values: codecs refuse deeper ones
)

// Compare lists in what local and peer differ, breaking differences first. An
// empty list says that every value gets across, whatever the names of the types.
// Compare(a, b) and Compare(b, a) find the same paths, and the same of them breaking.
func Compare(local, peer *Schema) []Difference {
	c := comparer{seen: make(map[pair]bool), found: make(map[string]int)}
	lu, pu := unionOf(local.Root), unionOf(peer.Root)
	switch {
	case lu != nil && pu != nil:
		c.unions(lu, pu, "")
	case local.Codec == peer.Codec:
		c.start(
			side{local.Root, local.Flags},
			side{peer.Root, peer.Flags},
			local.Codec, "message",
		)
	}
	c.work()
	if local.Codec != peer.Codec { // of unions: each names the codecs of its cases
		c.add(Difference{Path: "codec", Local: local.Codec, Peer: peer.Codec}, fate{kind: never}, fate{kind: never})
	}
	slices.SortStableFunc(c.list, func(a, b Difference) int {
		if a.Breaking != b.Breaking {
			if a.Breaking {
				return -1
			}
			return 1
		}
		return 0
	})
	return c.list
}

// side is one end's type of a message or a case.
type side struct {
	typ   *Type
	flags []string
}

// terms are under what conditions two types are compared.
type terms struct {
	codec                   string
	localStrict, peerStrict bool
}

// pair is two types that meet, a task for the comparer.
type pair struct {
	local, peer any // what id returns
	terms       terms
}

type task struct {
	local, peer *Type
	terms       terms
	path        string
	level       int  // how many types it is inside
	root        bool // a message or a case
}

// comparer goes through pairs of types, the least deep ones first, and through
// each pair with definitions once: recursive types come to an end, and a
// difference inside a definition is told where it is first met.
type comparer struct {
	queue []task
	seen  map[pair]bool
	steps int
	list  []Difference
	found map[string]int // into list, by path and what differs
}

func (c *comparer) work() {
	for i := 0; i < len(c.queue); i++ { // grows
		if c.steps > maxSteps || len(c.list) > maxList {
			const rest = "the rest is not compared"
			c.note(Difference{Path: "message", Local: "large", Peer: "large", then: consequence{rest, rest}})
			return
		}
		c.types(c.queue[i])
		c.queue[i] = task{}
	}
}

// start begins with the type of a message or a case.
func (c *comparer) start(l, p side, codec, path string) {
	if a, b := rootName(l.typ), rootName(p.typ); a != "" && a == b {
		path = a
	}
	if lu, pu := slices.Contains(l.flags, InvalidUTF8), slices.Contains(p.flags, InvalidUTF8); lu != pu {
		name := map[bool]string{true: InvalidUTF8, false: "UTF-8"}
		note := dependsOn("strings that are not UTF-8 are refused")
		c.add(Difference{Path: path, Local: name[lu], Peer: name[pu]}, note, note)
	}
	t := terms{codec, slices.Contains(l.flags, Strict), slices.Contains(p.flags, Strict)}
	c.push(task{local: l.typ, peer: p.typ, terms: t, path: path, root: true})
}

func (c *comparer) push(t task) {
	c.steps++
	l, p := t.local, t.peer
	if l.Kind == Pointer && p.Kind == Pointer {
		l, p = l.Elem, p.Elem
	}
	k := pair{l.id(), p.id(), t.terms}
	recursive := hasDef(t.local) && hasDef(t.peer) // or else it comes to an end by itself
	if t.root || !(recursive && c.seen[k]) && t.level < maxLevel {
		c.seen[k] = true
		c.queue = append(c.queue, t)
	}
}

// hasDef reports whether t is, or contains, a definition.
func hasDef(t *Type) bool {
	return t != nil && (t.Def != nil || hasDef(t.Key) || hasDef(t.Elem))
}

// add notes a difference, unless nothing follows from it.
func (c *comparer) add(d Difference, in, out fate) {
	if in.kind == works && out.kind == works {
		return
	}
	d.then, d.Breaking = consequenceOf(in, out)
	c.note(d)
}

// note takes a difference into the list, once.
func (c *comparer) note(d Difference) {
	key := d.Path + "\x00" + d.Local + "\x00" + d.Peer
	if i, ok := c.found[key]; ok {
		if d.Breaking && !c.list[i].Breaking {
			c.list[i] = d
		}
		return
	}
	c.found[key] = len(c.list)
	c.list = append(c.list, d)
}

// unions compares two unions, tag by tag. prefix is the case that they are in.
func (c *comparer) unions(l, p *Def, prefix string) {
	for i, j := 0, 0; i < len(l.Variants) || j < len(p.Variants); {
		switch {
		case j == len(p.Variants) || i < len(l.Variants) && l.Variants[i].Tag < p.Variants[j].Tag:
			c.oneSided(l.Variants[i], true, prefix)
			i++
		case i == len(l.Variants) || l.Variants[i].Tag > p.Variants[j].Tag:
			c.oneSided(p.Variants[j], false, prefix)
			j++
		default:
			c.variants(l.Variants[i], p.Variants[j], prefix)
			i++
			j++
		}
	}
}

func (c *comparer) variants(l, p Variant, prefix string) {
	c.steps++
	path := fmt.Sprintf("%scase %d", prefix, l.Tag)
	lu, pu := unionOf(l.Type), unionOf(p.Type)
	switch {
	case lu != nil && pu != nil:
		if k := (pair{lu, pu, terms{}}); !c.seen[k] {
			c.seen[k] = true
			c.unions(lu, pu, path+", ")
		}
	case l.Codec != p.Codec:
		c.add(Difference{Path: path, Local: l.Codec + " " + l.Type.String(), Peer: p.Codec + " " + p.Type.String()}, fate{kind: never}, fate{kind: never})
	default:
		c.start(side{l.Type, l.Flags}, side{p.Type, p.Flags}, l.Codec, path)
	}
}

// oneSided notes a case that only one end has.
func (c *comparer) oneSided(v Variant, here bool, prefix string) {
	d := Difference{Path: fmt.Sprintf("%scase %d", prefix, v.Tag)}
	if here {
		d.Local = v.Type.String()
		d.then = consequence{"the peer answers it with an error unless it has Otherwise", "old peers answer it with an error unless they have Otherwise"}
	} else {
		d.Peer = v.Type.String()
		d.then = consequence{"it is answered with an error unless this end has Otherwise", "where old peers send it, it is answered with an error unless new code has Otherwise"}
	}
	c.note(d)
}

// unionOf returns the union that t is, or nil.
func unionOf(t *Type) *Def {
	if t.Kind == Named && t.Def.Kind == UnionDef {
		return t.Def
	}
	return nil
}

// rootName returns the name of the struct that t is or points to, or "".
func rootName(t *Type) string {
	if t.Kind == Pointer {
		t = t.Elem
	}
	if t.Kind == Named {
		return t.Def.Name
	}
	return ""
}

// id returns what tells t from other types. Structs are themselves, wherever they
// are used.
func (t *Type) id() any {
	if t.Kind == Named {
		return t.Def
	}
	return t
}

// fieldPath is the path of a field that has a name on each side. It is the same
// from both ends.
func fieldPath(path, a, b string) string {
	return path + "." + nameText(min(a, b))
}
