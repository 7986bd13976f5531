package schema

import (
	"fmt"
	"strings"
)

// Difference is one thing in which two descriptions differ.
type Difference struct {
	Breaking bool   // some values cannot get across at all, or arrive as something else
	Path     string // "Placed.Legs[].Qty", "case 3"
	Local    string // what this end has there; "" if nothing
	Peer     string // what the peer has there; "" if nothing
	// Each of the three has at most 256 bytes, all of them printable.

	more  bool   // stands for others, which are left out
	thing string // what a path without the other end's counterpart is: "field" or "case"
	then  consequence

	// For Verdict, where peer is a record of what this end was.
	in, out effect // what becomes of what old peers send, and of what they get
	suspect string // why it breaks what programs mean, though the codec decodes it; or ""
	loses   bool   // at the least
}

// effect is what becomes of values that one of two versions sends and the other reads.
type effect struct {
	kind fateKind
	note string // "" if nothing is to be said
}

func effectOf(f fate) effect { return effect{f.kind, f.text()} }

// Verdict is what a change means for peers that run the code that a record is of.
type Verdict uint8

const (
	Safe   Verdict = iota // what old peers send arrives as it was, and they read or skip what new ones send
	Loses                 // some values of old peers are refused, or do not arrive
	Breaks                // values arrive as something else, or none does
)

// Verdict judges a Difference that CompareRecord has found. It is stricter than Breaking: a
// record is of the same code at an earlier time, so a field that is gone beside one that is
// new is suspect, and a type that encodes itself all of a sudden.
func (d Difference) Verdict() Verdict {
	switch {
	case d.Breaking, d.suspect != "", d.in.kind >= changed, d.out.kind >= changed, d.isOpaque():
		return Breaks
	case d.in.kind == depends, d.loses, d.more:
		return Loses
	}
	return Safe
}

// consequence says what follows from a difference: for one of two peers, and for a reader
// that compares old code with new.
type consequence struct{ now, since string }

// String says what differs and what follows from it, as this end sees it.
func (d Difference) String() string {
	switch {
	case d.more:
		return "and more"
	case d.Local == "":
		return fmt.Sprintf("%s is only at the peer: %s", d.Path, d.then.now)
	case d.Peer == "":
		return fmt.Sprintf("%s is only here: %s", d.Path, d.then.now)
	}
	return fmt.Sprintf("%s is %s here and %s at the peer: %s", d.Path, d.Local, d.Peer, d.then.now)
}

// isOpaque reports whether values are encoded by a type's own methods at one end and not, or by
// those of another type, at the other: mostly none of them can be decoded, as when an integer
// gets MarshalText, but that is not known.
func (d Difference) isOpaque() bool {
	return strings.Contains(d.then.since, opaqueNote) || strings.Contains(d.then.since, losesNote)
}

// Change says the same where the peer is the old code, and this end the new one.
func (d Difference) Change() string {
	if d.more {
		return "and more"
	}
	return d.What() + ": " + d.then.since
}

// What says what has changed.
func (d Difference) What() string {
	what := strings.TrimSpace(d.thing + " " + d.Path)
	switch {
	case d.more:
		return "and more, which is not listed"
	case d.Local == "":
		return fmt.Sprintf("%s is gone (it was %s)", what, d.Peer)
	case d.Peer == "":
		return fmt.Sprintf("%s is new (%s)", what, d.Local)
	}
	return fmt.Sprintf("%s was %s and is %s now", what, d.Peer, d.Local)
}

// Suspicion says why it breaks what programs mean, though a codec decodes it; or "".
func (d Difference) Suspicion() string { return d.suspect }

// OldReadsNew says what an old peer makes of what a new one sends, NewReadsOld the reverse.
func (d Difference) OldReadsNew() string { return d.out.String() }
func (d Difference) NewReadsOld() string { return d.in.String() }

func (e effect) String() string {
	switch {
	case e.note != "":
		return e.note
	case e.kind == never:
		return "it cannot be decoded: the connection ends"
	}
	return "it arrives as it was"
}

// fate is what happens to values that one end sends and the other decodes as a
// value of its own type.
type fate struct {
	kind fateKind
	note string // why it depends, or as what they arrive

	// What goes on with the note, if any. It is made into a text only if it is told.
	typ   *Type
	codec string
	tail  string
}

type fateKind uint8

const (
	works   fateKind = iota
	depends          // some values are refused, or arrive in another form
	changed          // some values arrive as something else, without an error
	never            // none can be decoded
)

func dependsOn(note string) fate { return fate{kind: depends, note: note} }
func becomes(note string) fate   { return fate{kind: changed, note: note} }

// text returns the whole note.
func (f fate) text() string {
	s := f.note
	if f.typ != nil {
		s += f.typ.shown()
	}
	if f.codec != "" {
		s += shownCodec(f.codec)
	}
	return s + f.tail
}

// breaks reports whether values get lost or arrive as something else.
func (f fate) breaks() bool { return f.kind >= changed }

// worse returns the worse of two fates.
func worse(a, b fate) fate {
	if b.kind > a.kind {
		return b
	}
	return a
}

// consequenceOf says what follows from the fates of what the peer sends and of
// what this end sends.
func consequenceOf(in, out fate) consequence {
	both := func(s string) consequence { return consequence{s, s} }
	switch {
	case in.kind == never && out.kind == never:
		return consequence{"neither decodes the other", "old and new peers cannot decode each other"}
	case out.kind == never:
		return consequence{"the peer cannot decode it", "old peers cannot decode it"}
	case in.kind == never:
		return consequence{"what the peer sends cannot be decoded", "what old peers send cannot be decoded"}
	case in.kind == changed:
		return both(in.text())
	case out.kind == changed:
		return both(out.text())
	}
	i, o := in.text(), out.text()
	switch {
	case i == o || o == "":
		return both(i)
	case i == "":
		return both(o)
	}
	return both(i + ", " + o)
}
