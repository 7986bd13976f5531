package schema

// place is where in the messages two types meet. It is told as a path only if
// there is a difference to tell: types may be made so that paths are long and many.
type place struct {
	in   *task // what it is inside of; nil for the message
	step step
	name string // of a type, a field, a case or a position
}

// step is how a place is reached from the one that it is in.
type step uint8

const (
	stepNone step = iota // the message, if it is a union
	stepRoot             // the message, or a case that is a struct: its name
	stepCase
	stepField
	stepPosition // of a field that has two names
	stepElem
	stepKey
)

// path returns the path, "Placed.Legs[].Qty" or "case 3", cut in the middle.
func (p place) path() string {
	var room [maxLevel + 2]*place
	chain := append(room[:0], &p)
	for in := p.in; in != nil; in = in.in {
		chain = append(chain, &in.place)
	}
	// Only the ends are shown, so what is between them is not even made.
	behind := 0 // the first step of the end
	for size := 0; behind < len(chain)-1 && size < maxPart; behind++ {
		size += len(chain[behind].name)
	}
	var out part
	for i := len(chain) - 1; i >= 0; i-- {
		if i > behind && len(out.b) > maxPart {
			out.cut, i = true, behind
		}
		chain[i].write(&out)
	}
	return out.String()
}

// write writes the last step of p.
func (p *place) write(out *part) {
	switch p.step {
	case stepRoot:
		out.write(p.name)
	case stepCase:
		if p.in != nil && p.in.step == stepCase {
			out.write(", ")
		}
		out.write("case " + p.name)
	case stepField:
		out.write(".")
		out.field(p.name)
	case stepPosition:
		out.write("." + p.name)
	case stepElem:
		out.write("[]")
	case stepKey:
		out.write("[key]")
	}
}

// field returns the place of a field of what is at t. Where the ends have other
// names for it, the path is the same from both.
func (t *task) field(a, b string) place { return place{t, stepField, min(a, b)} }

// task is two types that meet at a place.
type task struct {
	place
	local, peer *Type
	terms       int32 // in comparer.terms
	level       int16 // how many types it is inside
	root        bool  // a message or a case
	takes       takes // of two unions
}

// queue has the tasks in the order in which they come up. They stay where they are,
// because paths lead through them, and no growth copies them.
type queue struct {
	blocks []*[128]task
	n      int
}

func (q *queue) push(t task) {
	at, in := q.n/128, q.n%128
	if at == len(q.blocks) {
		q.blocks = append(q.blocks, new([128]task))
	}
	q.blocks[at][in] = t
	q.n++
}

func (q *queue) at(i int) *task { return &q.blocks[i/128][i%128] }
