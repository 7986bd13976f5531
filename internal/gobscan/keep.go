package gobscan

import (
	"reflect"
	"unsafe"

	"github.com/fb9bb4ed/qsocket/internal/intern"
)

// MaxKept bounds what a Scanner keeps between payloads, in bytes: the definitions of the
// stream, the plans made of them, and room to work in. If the types of the receiver need
// more by themselves, so that a peer with the same types could not be understood,
// it is MaxNeeds times what they need. They are the type that payloads are decoded into and
// the registered types that interfaces of the stream have held.
const (
	MaxKept  = 128 << 10
	MaxNeeds = 2
)

// What is kept, bytes, with what the allocator rounds up. TestKept measures it.
const (
	keptFrames = 256 // of Scanner.stack: room for MaxDepth levels, interfaces not counted, and as many of those
	keptBoxes  = 256
	keptJobs   = 64

	keptAlways = uint64(keptFrames*unsafe.Sizeof(frame{})+keptBoxes*unsafe.Sizeof(box{})+keptJobs*unsafe.Sizeof(job{})) +
		uint64(intern.Overhead+2*(intern.MaxLen+1)*32) + // a table of strings, and those in it
		3<<10 // the Scanner, and its tables when they have just become maps

	slotID    = 16 // of a map with an id as the key and a pointer
	slotPlan  = unsafe.Sizeof(planKey{}) + 8
	slotName  = 32
	slotSeen  = 17
	keptFirst = 8*40 + 64 // a map with one entry
)

var (
	keptDefinition = kept(uint64(unsafe.Sizeof(definition{}))) + entries(slotID)
	keptPlan       = kept(uint64(unsafe.Sizeof(plan{}))) + entries(uint64(slotPlan))
	keptSkip       = kept(uint64(unsafe.Sizeof(node{}))) + entries(slotID)
	keptName       = entries(slotName)
	keptFar        = entries(slotName) + keptFirst
)

// kept bounds what the allocator sets aside for n bytes.
func kept(n uint64) uint64 {
	if n <= 256 {
		return (n + 15) &^ 15
	}
	return n + n/7 + 16
}

// entries bounds what one entry of a large map takes, when the map has just doubled.
func entries(slot uint64) uint64 { return (slot + 1) * 5 / 2 }

// keptEngine bounds what an engine of n fields takes, besides their nodes.
func keptEngine(n uint64, decoded bool) uint64 {
	size := kept(uint64(unsafe.Sizeof(engine{}))) + entries(uint64(slotPlan)) + kept(8*n)
	if decoded {
		size += kept(8 * n)
	}
	return size
}

// keptNode bounds what a node for t takes, besides those of its elements.
func keptNode(t reflect.Type) uint64 {
	size := kept(uint64(unsafe.Sizeof(node{})))
	for t.Kind() == reflect.Pointer && size < 1<<14 {
		size += 2 * 16
		t = t.Elem()
	}
	return size
}

// keptFields bounds what a definition of size bytes on the wire with n fields takes.
func keptFields(size, n uint64) uint64 {
	return keptDefinition + kept(size) + kept(n*uint64(unsafe.Sizeof(wireField{})))
}

// keep charges n bytes that are kept for the rest of the stream.
func (s *Scanner) keep(n uint64, at int) error {
	if s.kept += n; s.kept <= MaxKept {
		return nil
	}
	if limit := s.keepable(); s.kept > limit {
		return s.errorf(at, "types of this stream need more than %d bytes to keep, found", limit)
	}
	return nil
}

// keepable returns how much may be kept.
func (s *Scanner) keepable() uint64 {
	if s.needs == nil {
		s.needs = &needs{seen: make(map[reflect.Type]struct{})}
		s.need(reflect.PointerTo(s.t)) // see planTop
		s.names.all(s.need)
	}
	return max(MaxKept, keptAlways+MaxNeeds*s.needs.bytes)
}

// need notes that values of type t can be in the stream.
func (s *Scanner) need(t reflect.Type) {
	if s.needs != nil {
		s.needs.bytes += keptName + keptPlan + keptNode(t)
		s.needs.add(t)
	}
}

// trim lets go of room that a payload has made large.
func (s *Scanner) trim() {
	if cap(s.stack) > keptFrames {
		s.stack = nil
	}
	if cap(s.todo) > keptJobs {
		s.todo = nil
	}
	if cap(s.boxes) > keptBoxes {
		s.boxes = nil
	}
}
