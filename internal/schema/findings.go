package schema

// maxListed bounds the lines of all differences together, bytes, with those that say
// that there are more.
const maxListed = 16 << 10

// lastLines is what the lines take that say that there are more.
const lastLines = 256

// findings are the differences that are kept: the first ones of the two kinds, up to
// maxListed. Harmless ones are many and of little interest, so they are left out
// without being told, while the search for breaking ones goes on to the end.
type findings struct {
	unlimited          bool // a record is compared, and no description of a stranger
	breaking, harmless kept
	more               bool // something was left out
	unfinished         bool // the search has not come to the end
}

type kept struct {
	list []finding
	size int // of their lines, bytes
	keys map[[3]string]bool
}

// finding is a difference as the two ends see it.
type finding struct {
	seen [2]Difference
	size int
}

// room reports whether one more difference is kept.
func (s *kept) room() bool { return s.size < maxListed-lastLines }

// wants reports whether a difference is going to be kept. The caller makes one only then.
func (f *findings) wants(breaking bool) bool {
	if f.unlimited || f.of(breaking).room() {
		return true
	}
	f.more = true
	return false
}

// full reports whether there is nothing left to look for.
func (f *findings) full() bool { return !f.unlimited && !f.breaking.room() && f.more }

func (f *findings) of(breaking bool) *kept {
	if breaking {
		return &f.breaking
	}
	return &f.harmless
}

// add keeps d, as the first of the two ends sees it, once. For the other end the
// consequence is theirs.
func (f *findings) add(d Difference, theirs consequence) {
	s := f.of(d.Breaking)
	key := [3]string{d.Path, d.Local, d.Peer}
	if s.keys[key] {
		return
	}
	if s.keys == nil {
		s.keys = make(map[[3]string]bool)
	}
	s.keys[key] = true
	other := d
	other.Local, other.Peer, other.then = d.Peer, d.Local, theirs
	other.in, other.out = d.out, d.in
	size := max(len(d.String()), len(other.String())) + len("\n")
	s.size += size
	s.list = append(s.list, finding{[2]Difference{d, other}, size})
}

// differences returns the list for one of the two ends. What is left out is the same
// for both.
func (f *findings) differences(end int) (list []Difference) {
	size := 0
	take := func(s *kept) {
		for _, found := range s.list {
			d := found.seen[0]
			switch size += found.size; {
			case !d.Breaking && f.breaking.keys[[3]string{d.Path, d.Local, d.Peer}]: // elsewhere it breaks
				size -= found.size
			case size > maxListed-lastLines && !f.unlimited:
				f.more = true
				return
			default:
				list = append(list, found.seen[end])
			}
		}
	}
	take(&f.breaking)
	take(&f.harmless)
	if f.more {
		list = append(list, Difference{more: true})
	}
	if f.unfinished {
		const rest = "the rest is not compared"
		list = append(list, Difference{Path: "message", Local: "large", Peer: "large", then: consequence{rest, rest}, in: effect{depends, rest}, out: effect{depends, rest}})
	}
	return list
}
