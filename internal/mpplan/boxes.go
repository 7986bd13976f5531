package mpplan

import (
	"unsafe"

	"github.com/fb9bb4ed/qsocket/internal/intern"
)

// boxes are where interfaces have the numbers and the short strings of a message, which share
// allocations: an interface alone takes one for each of them. They are no larger than what the
// message has had so far, and than maxShared.
type boxes struct {
	numbers, strings int      // how many were made
	number           []uint64 // free ones
	text             []string
}

const (
	maxNumbers = maxShared / 8
	maxStrings = maxShared / stringSize
)

// Types, as interfaces have them.
var (
	float64Type = typeIn(float64(0))
	float32Type = typeIn(float32(0))
	uint16Type  = typeIn(uint16(0))
	uint32Type  = typeIn(uint32(0))
	uint64Type  = typeIn(uint64(0))
	int16Type   = typeIn(int16(0))
	int32Type   = typeIn(int32(0))
	int64Type   = typeIn(int64(0))
	stringType  = typeIn("")
)

func typeIn(v any) unsafe.Pointer { return (*interfaceHeader)(unsafe.Pointer(&v)).typ }

// boxNumber returns where the number of an interface may be, or nil.
func (d *Decoder) boxNumber() unsafe.Pointer {
	x := &d.boxes
	if len(x.number) == 0 {
		n := min(max(1, x.numbers), maxNumbers)
		if !d.spend(n * numberSize) {
			return nil
		}
		x.number = make([]uint64, n)
		x.numbers += n
	}
	p := unsafe.Pointer(&x.number[0])
	x.number = x.number[1:]
	return p
}

// boxString puts s into the interface at p. A long one has a box of its own: what keeps one box
// keeps what is in those beside it.
func (d *Decoder) boxString(s string, p *any) bool {
	x := &d.boxes
	if len(s) > intern.MaxLen {
		*p = s
		return d.spend(stringSize)
	}
	if len(x.text) == 0 {
		n := min(max(1, x.strings), maxStrings)
		if !d.spend(n * stringSize) {
			return false
		}
		x.text = make([]string, n)
		x.strings += n
	}
	x.text[0] = s
	*(*interfaceHeader)(unsafe.Pointer(p)) = interfaceHeader{stringType, unsafe.Pointer(&x.text[0])}
	x.text = x.text[1:]
	return true
}

// anys returns a slice of count elements, in the interface at p. A short one takes one allocation.
func anys(count int, p *any) []any {
	var s *[]any
	switch count {
	case 1:
		x := new(struct {
			s []any
			e [1]any
		})
		s, x.s = &x.s, x.e[:]
	case 2:
		x := new(struct {
			s []any
			e [2]any
		})
		s, x.s = &x.s, x.e[:]
	case 3:
		x := new(struct {
			s []any
			e [3]any
		})
		s, x.s = &x.s, x.e[:]
	default:
		x := make([]any, count)
		s = &x
	}
	*(*interfaceHeader)(unsafe.Pointer(p)) = interfaceHeader{anysType, unsafe.Pointer(s)}
	return *s
}

var anysType = typeIn([]any(nil))
