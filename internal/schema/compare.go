package schema

import (
	"context"
	"slices"
	"strconv"
)

// Flags that Compare knows.
const (
	InvalidUTF8 = "invalid-utf8" // strings may be any bytes
	Strict      = "strict"       // fields that the receiver does not have are refused
)

// A peer's types may be made to multiply with ours. Real ones stay far below.
const (
	maxSteps = 1 << 14 // fields, cases and pairs of types that Compare looks at
	maxLevel = 100     // nested values: codecs refuse deeper ones

	lookEvery = 256 // steps after which it is asked whether the result is still wanted
)

// Compare lists in what local and peer differ, breaking differences first. An
// empty list says that every value gets across, whatever the names of the types.
// Compare(a, b) and Compare(b, a) find the same paths, and the same of them breaking.
// Both come from Parse.
func Compare(local, peer *Schema) []Difference {
	list, _ := CompareContext(context.Background(), local, peer)
	return list
}

// CompareContext is Compare, and gives up with ctx's error when ctx ends.
//
// What it costs is bounded by the two texts, since the peer's may come from a stranger:
//
//	time    a constant for each step, and what is prepared once for each text
//	memory  56 bytes for a step that leads on, some for each definition that is met, and
//	        the differences that are kept (maxListed)
//
// So nothing is done for a pair of types that grows with the size of either, except for
// their fields, which are steps.
func CompareContext(ctx context.Context, local, peer *Schema) ([]Difference, error) {
	if local.text == peer.text {
		return nil, nil
	}
	// Both ends do the same in the same order, so that they find the same where there
	// is too much to find.
	ends, this := [2]*Schema{local, peer}, 0
	if local.text > peer.text {
		ends, this = [2]*Schema{peer, local}, 1
	}
	c := newComparer(ctx)
	c.run(ends[0], ends[1])
	if c.err != nil {
		return nil, c.err
	}
	return c.found.differences(this), nil
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

// pair is two types that meet under some terms.
type pair struct {
	local, peer uint32 // what Type.id returns
	terms       int32
}

// comparer goes through pairs of types, the least deep ones first, and through
// each pair with definitions once: recursive types come to an end, and a
// difference inside a definition is told where it is first met.
type comparer struct {
	ctx   context.Context
	err   error // ctx's
	steps int
	look  int // at so many steps ctx is looked at

	queue   queue
	seen    map[pair]bool
	terms   []terms
	termsAt map[terms]int32
	found   findings

	known [2]known // of the definitions of each end
	room  room
}

func newComparer(ctx context.Context) *comparer {
	return &comparer{ctx: ctx, seen: make(map[pair]bool), termsAt: make(map[terms]int32)}
}

func (c *comparer) run(local, peer *Schema) {
	lu, pu := unionOf(local.Root), unionOf(peer.Root)
	switch {
	case lu != nil && pu != nil:
		c.push(&task{local: local.Root, peer: peer.Root, root: true})
	case local.Codec == peer.Codec:
		c.start(side{local.Root, local.Flags}, side{peer.Root, peer.Flags}, local.Codec, place{nil, stepRoot, "message"}, 0)
	}
	for i := 0; i < c.queue.n && !c.over(); i++ { // grows
		t := c.queue.at(i)
		if lu, pu := unionOf(t.local), unionOf(t.peer); lu != nil && pu != nil {
			c.unions(lu, pu, t)
		} else {
			c.types(t)
		}
	}
	c.found.unfinished = c.steps > maxSteps
	if local.Codec != peer.Codec { // of unions: each names the codecs of its cases
		d := Difference{Path: "codec", Local: shownCodec(local.Codec), Peer: shownCodec(peer.Codec)}
		c.add(d, fate{kind: never}, fate{kind: never})
	}
}

// step counts a unit of work.
func (c *comparer) step() {
	if c.steps++; c.steps >= c.look {
		c.look = c.steps + lookEvery
		c.err = c.ctx.Err()
	}
}

// over reports whether to stop. Every loop whose length depends on a text asks.
func (c *comparer) over() bool { return c.steps > maxSteps || c.err != nil || c.found.full() }

// start begins with the type of a message or a case.
func (c *comparer) start(l, p side, codec string, at place, level int16) {
	if a, b := rootName(l.typ), rootName(p.typ); a != "" && a == b {
		at = place{nil, stepRoot, a}
	}
	if lu, pu := slices.Contains(l.flags, InvalidUTF8), slices.Contains(p.flags, InvalidUTF8); lu != pu && c.found.wants(false) {
		name := map[bool]string{true: InvalidUTF8, false: "UTF-8"}
		note := dependsOn("strings that are not UTF-8 are refused")
		c.add(Difference{Path: at.path(), Local: name[lu], Peer: name[pu]}, note, note)
	}
	k := terms{codec, slices.Contains(l.flags, Strict), slices.Contains(p.flags, Strict)}
	n, ok := c.termsAt[k]
	if !ok {
		n = int32(len(c.terms))
		c.termsAt[k], c.terms = n, append(c.terms, k)
	}
	c.push(&task{place: at, local: l.typ, peer: p.typ, terms: n, level: level, root: true})
}

// push puts t into the queue, unless it has nothing to find.
func (c *comparer) push(t *task) {
	c.step()
	l, p := t.local, t.peer
	if l.Kind == p.Kind && l.Kind < numBasic || t.level >= maxLevel {
		return
	}
	if l.Kind == Pointer && p.Kind == Pointer {
		l, p = l.Elem, p.Elem
	}
	if l.has(holdsDef) && p.has(holdsDef) { // or else it comes to an end by itself
		k := pair{l.id(), p.id(), t.terms}
		if !t.root && c.seen[k] {
			return
		}
		c.seen[k] = true
	}
	c.queue.push(*t)
}

// differs keeps a difference at a place, unless nothing follows from it. The texts are
// made only if it is kept.
func (c *comparer) differs(at place, thing string, in, out fate, text func() (local, peer string)) {
	if in.kind == works && out.kind == works || !c.found.wants(in.breaks() || out.breaks()) {
		return
	}
	d := Difference{Path: at.path(), thing: thing}
	d.Local, d.Peer = text()
	c.add(d, in, out)
}

// add keeps a difference for which there is room.
func (c *comparer) add(d Difference, in, out fate) {
	d.then, d.Breaking = consequenceOf(in, out), in.breaks() || out.breaks()
	c.found.add(d, consequenceOf(out, in))
}

// oneSided keeps a difference that is something which only one end has.
func (c *comparer) oneSided(at place, thing string, typ *Type, here, breaking bool, owners, others consequence) {
	if !c.found.wants(breaking) {
		return
	}
	d := Difference{Breaking: breaking, Path: at.path(), thing: thing}
	if here {
		d.Local, d.then = typ.shown(), owners
		c.found.add(d, others)
	} else {
		d.Peer, d.then = typ.shown(), others
		c.found.add(d, owners)
	}
}

// unions compares two unions, tag by tag.
func (c *comparer) unions(l, p *Def, t *task) {
	for i, j := 0, 0; (i < len(l.Variants) || j < len(p.Variants)) && !c.over(); {
		c.step()
		switch {
		case j == len(p.Variants) || i < len(l.Variants) && l.Variants[i].Tag < p.Variants[j].Tag:
			c.oneSidedCase(l.Variants[i], true, t)
			i++
		case i == len(l.Variants) || l.Variants[i].Tag > p.Variants[j].Tag:
			c.oneSidedCase(p.Variants[j], false, t)
			j++
		default:
			c.variants(&l.Variants[i], &p.Variants[j], t)
			i++
			j++
		}
	}
}

func (c *comparer) variants(l, p *Variant, t *task) {
	at := caseOf(t, l.Tag)
	lu, pu := unionOf(l.Type), unionOf(p.Type)
	switch {
	case lu != nil && pu != nil:
		if k := (pair{l.Type.id(), p.Type.id(), -1}); !c.seen[k] { // whatever the terms
			c.seen[k] = true
			c.push(&task{place: at, local: l.Type, peer: p.Type, level: t.level + 1, root: true})
		}
	case l.Codec != p.Codec:
		c.differs(at, "", fate{kind: never}, fate{kind: never}, func() (string, string) { return l.shown(), p.shown() })
	default:
		c.start(side{l.Type, l.Flags}, side{p.Type, p.Flags}, l.Codec, at, t.level)
	}
}

// shown returns the codec and the type of a case.
func (v *Variant) shown() string {
	var p part
	p.codec(v.Codec)
	p.write(" ")
	p.write(v.Type.text)
	return p.String()
}

func caseOf(t *task, tag uint64) place { return place{t, stepCase, strconv.FormatUint(tag, 10)} }

// oneSidedCase notes a case that only one end has.
func (c *comparer) oneSidedCase(v Variant, here bool, t *task) {
	c.oneSided(caseOf(t, v.Tag), "", v.Type, here, false,
		consequence{"the peer answers it with an error unless it has Otherwise", "old peers answer it with an error unless they have Otherwise"},
		consequence{"it is answered with an error unless this end has Otherwise", "where old peers send it, it is answered with an error unless new code has Otherwise"})
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
