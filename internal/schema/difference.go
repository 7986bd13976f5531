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

// Opaque reports whether values are encoded by a type's own methods at one end and not, or by
// those of another type, at the other: mostly none of them can be decoded, as when an integer
// gets MarshalText, but that is not known.
func (d Difference) Opaque() bool {
	return strings.Contains(d.then.since, opaqueNote) || strings.Contains(d.then.since, losesNote)
}

// Change says the same where the peer is the old code, and this end the new one.
func (d Difference) Change() string {
	what := strings.TrimSpace(d.thing + " " + d.Path)
	switch {
	case d.more:
		return "and more"
	case d.Local == "":
		return fmt.Sprintf("%s is gone (it was %s): %s", what, d.Peer, d.then.since)
	case d.Peer == "":
		return fmt.Sprintf("%s is new (%s): %s", what, d.Local, d.then.since)
	}
	return fmt.Sprintf("%s was %s and is %s now: %s", what, d.Peer, d.Local, d.then.since)
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
