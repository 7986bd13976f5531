package pickle

import "math"

// kind is what a node is.
type kind uint8

const (
	kindNone     kind = iota
	kindBool          // x: 1 for True
	kindInt           // x: in two's complement
	kindBig           // beyond 64 bits; x: offset of its bytes, little-endian in two's complement, n: how many
	kindFloat         // x: IEEE 754
	kindStr           // x: offset of its bytes; above them, the place of the string in machine.strings; n: how many bytes
	kindBytes         // x: offset, n: how many
	kindLatin         // bytes that protocol 2 sends as text; x: offset of the text, n: how many bytes of text
	kindList          // x: the first and the last item, n: how many
	kindTuple         // the same
	kindSet           // the same; frozenset, too
	kindDict          // x: the first key and the last value, which alternate; n: how many entries
	kindDate          // x: a wall
	kindClock         // x: microseconds since midnight
	kindDateTime      // x: a wall; n: a zone, or 0 if it is naive
	kindDelta         // n: days, x: seconds << 20 | microseconds
	kindZone          // x: seconds east of UTC
	kindDecimal       // x: offset of its text, n: how many bytes
	kindGlobal        // x: a callable
	kindRef           // x: the node that it stands for, which is no kindRef
)

// kindNames are Python's.
var kindNames = [...]string{
	"None", "a bool", "an int", "an int", "a float", "a str", "bytes", "bytes", "a list", "a tuple", "a set", "a dict",
	"a date", "a time", "a datetime", "a timedelta", "a timezone", "a Decimal", "a global", "a reference",
}

func (k kind) String() string { return kindNames[k] }

// node is one value of a pickle. What it is made of is in the payload, or are other nodes.
type node struct {
	x     uint64
	next  int32 // on the stack, the node below; in a container, the one after; 0 for none
	n     int32
	kind  kind
	depth uint8 // containers inside each other, this one included
	fixed bool  // part of another value, or fetched from the memo: it does not change any more
	again bool  // fetched from the memo
}

const nodeSize = 24

// ends returns the first and the last part of a container.
func (n *node) ends() (first, last int32) { return int32(n.x >> 32), int32(n.x & math.MaxUint32) }

func (n *node) setEnds(first, last int32) { n.x = uint64(first)<<32 | uint64(last) }

// offset is where the bytes of a text, of bytes or of an integer are in the payload.
func (n *node) offset() int { return int(n.x & math.MaxUint32) }

// Nodes are in chunks, so that growing moves none.
const chunkSize = 256

type chunk [chunkSize]node

func (m *machine) at(i int32) *node { return &m.chunks[i/chunkSize][i%chunkSize] }

// follow returns the node that i is or refers to.
func (m *machine) follow(i int32) (int32, *node) {
	n := m.at(i)
	if n.kind == kindRef {
		i = int32(n.x)
		n = m.at(i)
	}
	return i, n
}

// push makes a node and puts it on the stack.
func (m *machine) push(k kind, x uint64, n int32) bool {
	if !m.spend(nodeSize) {
		return false
	}
	i := m.count
	m.count++
	if int(i/chunkSize) == len(m.chunks) {
		m.chunks = append(m.chunks, new(chunk))
	}
	*m.at(i) = node{kind: k, x: x, n: n, next: m.top}
	m.top = i
	return true
}

// floor is what the stack had on top when the last MARK came. What is below it is out
// of reach.
func (m *machine) floor() int32 {
	if len(m.marks) == 0 {
		return 0
	}
	return m.marks[len(m.marks)-1]
}

// pop takes the topmost node from the stack.
func (m *machine) pop() (int32, bool) {
	i := m.top
	if i == m.floor() {
		return 0, m.underflow()
	}
	m.top = m.at(i).next
	return i, true
}

func (m *machine) underflow() bool {
	if len(m.marks) > 0 {
		return m.fail("%s finds no value on the stack since the last MARK", m.name())
	}
	return m.fail("%s finds no value on the stack", m.name())
}

// take unlinks n nodes from the top of the stack, or with n < 0 all since the last MARK,
// and links them in order. depth is that of the container that they become part of.
func (m *machine) take(n int32) (first, last, count int32, depth uint8, ok bool) {
	floor := m.floor()
	for ; count != n && (n >= 0 || m.top != floor); count++ {
		if m.top == floor {
			return 0, 0, 0, 0, m.underflow()
		}
		i := m.top
		part := m.at(i)
		m.top, part.next = part.next, first
		if first = i; last == 0 {
			last = i
		}
		if !m.adopt(part) {
			return 0, 0, 0, 0, false
		}
		depth = max(depth, part.depth)
	}
	return first, last, count, depth + 1, true
}

// adopt makes n part of another value.
func (m *machine) adopt(n *node) bool {
	if n.depth > maxDepth {
		return m.tooDeep()
	}
	if n.kind == kindGlobal || n.kind == kindRef && m.at(int32(n.x)).kind == kindGlobal {
		return m.failGlobal(n)
	}
	n.fixed = true
	return true
}

func (m *machine) tooDeep() bool {
	return m.fail("%s: containers are nested deeper than %d levels", m.name(), maxDepth)
}
