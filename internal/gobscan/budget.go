package gobscan

import (
	"math"
	"reflect"
)

// All amounts below bound what encoding/gob allocates from above, of garbage too;
// TestBudget measures them. They are bytes.
const (
	// Larger slices and messages grow step by step while they are read, and so
	// are copied several times.
	growFrom = 10 << 20

	costMessage   = 64      // besides its content
	costBytes     = 64      // a []byte's header, twice
	costContainer = 160     // gob's state for a slice or an array
	costSkip      = 160     // the same where no Go value is wanted
	costMap       = 64      // a map's header
	costMapState  = 256     // gob's state for a map
	costInterface = 96      // besides the value, twice
	costType      = 1 << 10 // a definition, besides its fields
	costField     = 128     // a field of a definition
	costEngine    = 2 << 10 // to compile a Go type with a wire type
	costOp        = 640     // to compile a field, or an element
	costSkipOp    = 320     // to compile an element where no Go value is wanted
	costSearch    = 4 << 10 // to look for a field in embedded structs
	costStream    = 12 << 10
	costProbe     = 12 << 10 // to ask gob for a registered type
)

// allow sets the limits for a payload of n bytes, and charges what every
// payload costs.
func (s *Scanner) allow(n uint64) {
	s.limit = MaxExpansion*n + Slack
	s.held = HeldExpansion*n + HeldSlack
	s.spent, s.churn = 0, 0
	if s.plans == nil {
		s.spent = costStream
	}
	s.grown(n)
}

// DecodedSize is what gob allocates for the payload that was scanned last, bytes, without what
// it drops at once.
func (s *Scanner) DecodedSize() int { return int(min(s.spent, math.MaxInt/2)) }

// grown charges n bytes that gob collects in one piece.
func (s *Scanner) grown(n uint64) {
	s.spent += roundUp(n)
	if n > growFrom {
		s.spent += n
		s.churn += 4*n + growFrom
	}
}

// array charges the memory of n elements of a slice.
func (s *Scanner) array(n, size uint64) {
	if n > 0 && size > (1<<40)/n {
		s.spent = tooMuch
		return
	}
	s.grown(n * size)
}

// table charges the memory of n entries of a map, one of which is of size bytes.
// Maps have groups of eight entries, of which the first is always there, and double
// when they are seven eighths full, each part of them for itself.
func (s *Scanner) table(n, size uint64) {
	if n > 0 && size > (1<<40)/n {
		s.spent = tooMuch
		return
	}
	switch {
	case n > 8:
		s.spent += 3 * n * size
	case n > 0:
		s.spent += 10 * size
	}
}

// tooMuch is above every limit and leaves room for sums.
const tooMuch = math.MaxUint64 / 4

// afford returns an error if the payload has become too expensive at offset at.
func (s *Scanner) afford(at int) error {
	if s.spent+s.churn > s.limit || s.spent > s.held {
		return s.tooExpensive(at)
	}
	return nil
}

// compile charges n bytes that gob keeps for the rest of the stream.
func (s *Scanner) compile(n uint64, at int) error {
	if s.compiled += n; s.compiled > MaxCompiled {
		return s.errorf(at, "types of this stream need more than %d bytes to decode", MaxCompiled)
	}
	earlier := min(n, s.credit)
	s.credit -= earlier
	s.spent += n - earlier
	return s.afford(at)
}

// save keeps for later compiling what the definitions of this payload allow and
// it did not use. They may arrive long before the first value that needs them.
func (s *Scanner) save() {
	if s.fresh > 0 {
		s.credit += min(MaxExpansion*uint64(s.fresh), s.limit-s.spent-s.churn)
	}
}

// roundUp bounds what the allocator sets aside for n bytes.
func roundUp(n uint64) uint64 {
	return n + n/4 + 16
}

// sizeOf is what a variable of type t needs on the heap, and bounded so that sums
// over the elements of a payload cannot overflow.
func sizeOf(t reflect.Type) uint64 {
	return min(roundUp(uint64(t.Size())), 1<<31)
}
