package gobscan

import (
	"math"
	"reflect"
)

// All amounts below bound what is allocated from above, of garbage too;
// TestBudget measures them. They are bytes.
const (
	costMessage   = 64       // besides its content
	costMap       = 64       // a map's header
	costInterface = 32       // besides the value, twice
	costType      = 1 << 10  // a definition, besides its fields
	costField     = 128      // a field of a definition
	costPlan      = 1 << 10  // to compile a value that stands alone
	costEngine    = 2 << 10  // to compile a Go struct with a wire type, besides its fields
	costOp        = 640      // to compile a field, or an element
	costSlot      = 320      // to note a field, or to compile an element that is skipped
	costSearch    = 4 << 10  // to look for a field in embedded structs
	costBox       = 96       // to note an interface
	costProbe     = 12 << 10 // to ask gob for a registered type
)

// allow sets the limits for a payload of n bytes.
func (s *Scanner) allow(n uint64) {
	s.limit = MaxExpansion*n + Slack
	s.held = HeldExpansion*n + HeldSlack
	s.spent, s.churn = 0, 0
}

// DecodedSize is what decoding allocates for the payload that was scanned last, bytes, without
// what it drops at once.
func (s *Scanner) DecodedSize() int { return int(min(s.spent, math.MaxInt/2)) }

// array charges the memory of n elements of a slice.
func (s *Scanner) array(n, size uint64) {
	if n > 0 && size > (1<<40)/n {
		s.spent = tooMuch
		return
	}
	s.spent += roundUp(n * size)
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

// compile charges n bytes for compiling, of which some are kept for the rest of the stream.
func (s *Scanner) compile(n, kept uint64, at int) error {
	if err := s.keep(kept, at); err != nil {
		return err
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
