// Package intern lets short strings share memory.
//
// The strings that services send each other are mostly names: of symbols, clients,
// states. They come again and again, and to find one that is there already takes less
// time than to make another. Go's encoding/json/v2 does the same for the names of
// members.
package intern

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"unsafe"
)

// MaxLen is the length of the longest strings that a Table keeps.
const MaxLen = 31

const (
	pairs = 32

	// A Table is taken into use after warmUp strings, so that a connection with few
	// messages pays nothing. It is judged after each trial strings that were new: if most
	// of those looked for were, it is given up for the next pause strings.
	warmUp = 64
	trial  = 256
	pause  = 1 << 15

	slab     = 16 // strings
	slabPart = 4  // the most of them that one slice takes

	// Overhead is what a Table allocates beyond the strings and slices it returns, until
	// it has returned thousands: itself, rounded up by the runtime, and a slab, in bytes.
	Overhead = int(unsafe.Sizeof([pairs][2]entry{})*5/4 + slab*unsafe.Sizeof(""))
)

// Table has some of the short strings that came last. It takes less than 5 KiB with
// them and a slab. The zero Table is ready for use, by one goroutine at a time.
type Table struct {
	in     *[pairs][2]entry // each string has one pair in which it can be; nil: not in use
	at     int              // the pair of the string that was last looked for
	looked int              // strings since the last verdict
	added  int              // those of them that were new
	unused int              // strings since it was given up, less pause

	free []string // what is left of a slab
}

// entry has the first and the last bytes of a string beside it: together they are all
// of it, unless it has more than 16 bytes.
type entry struct {
	s           string
	first, last uint64
}

// String returns b as a string.
func (t *Table) String(b []byte) string {
	if s, ok := t.Find(b); ok {
		return s
	}
	if s, ok := t.Add(b); ok {
		return s
	}
	return string(b)
}

// Find returns the string that consists of b, if the Table has it.
func (t *Table) Find(b []byte) (string, bool) {
	n := len(b)
	if t.in == nil || n > MaxLen {
		return "", false
	}
	first, last := ends(b)
	// Strings that are made to have the same pair only fail to be found.
	hi, lo := bits.Mul64(first^0x9e3779b97f4a7c15, last^uint64(n)^0xd1b54a32d192ed03)
	at := (hi ^ lo) % pairs
	t.at = int(at)
	t.looked++
	for i := range t.in[at] {
		e := &t.in[at][i]
		if e.first == first && e.last == last && len(e.s) == n && (n <= 16 || e.s == string(b)) {
			return e.s, true
		}
	}
	return "", false
}

// ends returns the first and the last 8 bytes of b, or what there is of them.
func ends(b []byte) (first, last uint64) {
	switch n := len(b); {
	case n >= 8:
		return binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[n-8:])
	case n >= 4:
		return uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[n-4:]))
	case n > 0:
		return uint64(b[0]) | uint64(b[n/2])<<8, uint64(b[n-1])
	}
	return 0, 0
}

// Add makes a string of b, which Find has just not found, and keeps it. It reports
// false if the caller has to make it, because b is too long or the Table not in use.
func (t *Table) Add(b []byte) (string, bool) {
	switch {
	case len(b) > MaxLen:
		return "", false
	case t.in == nil:
		return "", t.pass()
	}
	s := string(b)
	pair := &t.in[t.at]
	pair[1] = pair[0]
	pair[0].s = s
	pair[0].first, pair[0].last = ends(b)
	if t.added++; t.added == trial {
		t.judge()
	}
	return s, true
}

func (t *Table) pass() bool {
	if t.unused++; t.unused == warmUp {
		t.in = new([pairs][2]entry)
	}
	return false
}

func (t *Table) judge() {
	if t.added > t.looked/2 {
		t.in, t.free, t.unused = nil, nil, warmUp-pause
	}
	t.looked, t.added = 0, 0
}

// Slice returns a slice of n empty strings. While the Table is in use, those of up to 4
// share memory with those that come before and after them. Then shared is true, and no
// strings longer than MaxLen belong there, see Own: a program that keeps one of the slices
// keeps what is in all of them.
func (t *Table) Slice(n int) (s []string, shared bool) {
	if t.in == nil || n > slabPart {
		return make([]string, n), false
	}
	if n > len(t.free) {
		t.free = make([]string, slab)
	}
	s = t.free[:n:n]
	t.free = t.free[n:]
	return s, true
}

// Own moves what is in s, which shares memory, to other memory, of its own.
func Own(s []string) []string {
	own := slices.Clone(s)
	clear(s)
	return own
}
