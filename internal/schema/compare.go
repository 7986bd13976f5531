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
	Open        = "open"         // of a union: cases that the receiver does not have are skipped, or handled by the program
	Closed      = "closed"       // of a union: they are errors
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
	return newComparer(ctx).compare(local, peer)
}

// CompareRecord is Compare with a record of what local was. It finds more than two peers need
// to know: what looks like a rename, tags that have changed hands, and strictness; see
// [Difference.Verdict].
func CompareRecord(local, record *Schema) []Difference {
	c := newComparer(context.Background())
	c.record, c.found.unlimited = true, true
	list, _ := c.compare(local, record)
	return list
}

func (c *comparer) compare(local, peer *Schema) ([]Difference, error) {
	if local.text == peer.text {
		return nil, nil
	}
	// Both ends do the same in the same order, so that they find the same where there
	// is too much to find.
	ends, this := [2]*Schema{local, peer}, 0
	if local.text > peer.text {
		ends, this = [2]*Schema{peer, local}, 1
	}
	c.local = this
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
	ctx    context.Context
	record bool  // peer is a record of what local was
	local  int   // which of the two that run gets is ours
	err    error // ctx's
	steps  int
	look   int // at so many steps ctx is looked at

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
		c.push(&task{local: local.Root, peer: peer.Root, root: true, takes: takesOf(local.Flags, peer.Flags)})
		c.openness(local.Flags, peer.Flags, place{nil, stepRoot, "message"})
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
		refused, fine := dependsOn("strings that are not UTF-8 are refused"), fate{}
		in, out := refused, fine
		if lu {
			in, out = fine, refused
		}
		c.add(Difference{Path: at.path(), Local: name[lu], Peer: name[pu]}, in, out)
	}
	k := terms{codec, slices.Contains(l.flags, Strict), slices.Contains(p.flags, Strict)}
	if c.record && k.localStrict != k.peerStrict {
		name := map[bool]string{true: "strict", false: "lenient"}
		const refused = "fields that this end does not have are refused from now on"
		in, out := fate{}, fate{}
		if k.localStrict && c.local == 0 || k.peerStrict && c.local == 1 { // this end has become strict
			in, out = dependsOn(refused), fate{kind: works, note: "old peers skip fields that they do not have"}
		} else {
			in, out = fate{kind: works, note: "fields that this end does not have are skipped"}, fate{kind: works, note: "old peers refuse fields that they do not have"}
		}
		if c.local == 1 {
			in, out = out, in
		}
		c.add(Difference{Path: at.path(), Local: name[k.localStrict], Peer: name[k.peerStrict]}, in, out)
	}
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
	d.in, d.out = effectOf(in), effectOf(out)
	c.found.add(d, consequenceOf(out, in))
}

// single is something that only one end has.
type single struct {
	thing    string // "field" or "case"
	typ      *Type
	here     bool // at the local end
	breaking bool

	owners, others consequence // as the two ends see it

	// What comes of it where it is sent, and of its absence where it is not: if it is new at
	// the end that has it, and if it is gone at the other.
	sent, unsent [2]effect
	suspect      string // see Difference
	loses        bool
}

const (
	isNew = iota
	isGone
)

// oneSided keeps a difference that is something which only one end has.
func (c *comparer) oneSided(at place, s single) {
	if !c.found.wants(s.breaking) {
		return
	}
	d := Difference{Breaking: s.breaking, Path: at.path(), thing: s.thing, suspect: s.suspect, loses: s.loses}
	change := isNew // as the end sees it that is ours
	if s.here != (c.local == 0) {
		change = isGone
	}
	if s.here {
		d.Local, d.then = s.typ.shown(), s.owners
		d.out, d.in = s.sent[change], s.unsent[change]
		c.found.add(d, s.others)
	} else {
		d.Peer, d.then = s.typ.shown(), s.others
		d.in, d.out = s.sent[change], s.unsent[change]
		c.found.add(d, s.owners)
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
