// Package gobscan checks gob payloads before encoding/gob decodes them, and decodes
// those itself that are like one that gob has decoded.
//
// encoding/gob is documented as not hardened against hostile input. It makes a
// map with as much room as a payload of 23 bytes announces, it makes slices of
// elements that take one byte on the wire and a thousand in memory, and it
// follows nesting on the stack until the process dies of it. [Scanner.Scan] walks
// a payload without recursion and, once the types of a stream are known, without
// allocation. It accepts the payload only if everything that it announces is
// there, and if what gob allocates for it stays within bounds.
//
// Of most payloads everything that is needed to decode them is known by then, and
// [Scanner.Decode] does it, several times as fast as gob.
//
// What gob allocates depends on the type that is decoded into. So a Scanner does what gob does:
// from the definitions in the stream and from the Go type it compiles plans, which
// say what follows on the wire and what it costs in memory. Where the two readings
// of a payload could differ, Scan refuses it: a check that parses differently
// from what it guards is none. The format is that of encoding/gob's "Encoding
// Details"; comments here name what can only be learned from its source.
package gobscan

import (
	"reflect"
)

// What a payload may cost. [Scanner.Scan] estimates from above what gob
// allocates; what methods of the decoded types do (GobDecode, UnmarshalBinary)
// is not part of it.
const (
	// A payload of n bytes may make gob allocate MaxExpansion × n + Slack bytes,
	// garbage included. Payloads after one that did not use up what the
	// definitions in it allowed may use the rest to compile them.
	MaxExpansion = 512
	Slack        = 64 << 10

	// Of that, HeldExpansion × n + HeldSlack may be in use at the same time.
	HeldExpansion = 32
	HeldSlack     = 64 << 20
)

// What a stream may contain.
const (
	MaxDepth       = 100     // structs, slices, arrays and maps open inside each other in a value
	MaxTypes       = 1000    // type definitions
	MaxFields      = 10_000  // fields in all of them
	MaxDefinitions = 1 << 20 // bytes of all of them
	MaxCompiled    = 8 << 20 // bytes, estimated, that gob keeps to decode the combinations of them with Go types
)

// A Scanner checks the payloads of one stream, in order. After an error it has
// lost the stream, and must be Reset.
type Scanner struct {
	t reflect.Type // what payloads are decoded into

	// The stream so far.
	defs     map[int32]*definition
	fields   int // in defs
	defBytes int // that defs came in
	compiled uint64
	credit   uint64 // allowance of earlier definitions, for compiling
	plans    map[planKey]*plan
	engines  map[planKey]*engine
	skips    map[int32]*node
	mark     int // of the last traversal of defs or plans
	visits   int // of nodes, see simple
	top      *plan
	topID    int32
	names    map[string]reflect.Type // registered types that came up

	// The payload.
	payload []byte
	end     int    // of the current message, in payload
	start   int    // of the value
	fresh   int    // bytes of definitions
	spent   uint64 // bytes that gob allocates, but for churn
	churn   uint64 // bytes that it allocates and drops
	limit   uint64 // of spent + churn
	held    uint64 // limit of spent

	stack []frame
	todo  []job

	out direct // decodes without gob
}

// New returns a Scanner for streams that are decoded into values of type t.
func New(t reflect.Type) *Scanner {
	s := &Scanner{t: t}
	s.Reset()
	return s
}

// Reset forgets the stream: the next payload begins another one.
func (s *Scanner) Reset() {
	*s = Scanner{t: s.t, stack: s.stack, todo: s.todo[:0]}
}

// Scan accepts payload if it is what one call of gob's Encode writes, and safe
// to decode after the payloads that Scan accepted before it. Errors say what
// stands where. One that means that payload ends too early, or announces more
// than it has, wraps io.ErrUnexpectedEOF.
func (s *Scanner) Scan(payload []byte) error {
	s.payload, s.fresh = payload, 0
	defer s.release()
	s.allow(uint64(len(payload)))
	for i := 0; ; {
		start, err := s.message(i)
		if err != nil {
			return err
		}
		id, next, err := s.typeID(start)
		if err != nil {
			return err
		}
		if id >= 0 {
			return s.value(id, next)
		}
		if i, err = s.define(-id, next); err != nil {
			return err
		}
		if i != s.end {
			return s.errorf(i, "%d bytes after the definition of a type, want none", s.end-i)
		}
	}
}

// release lets go of the payload, and of what a hostile one made large.
func (s *Scanner) release() {
	s.payload = nil
	if cap(s.todo) > 1000 {
		s.todo = nil
	}
}

// message reads the length of the message at i and returns where its content
// begins; s.end is where it ends.
func (s *Scanner) message(i int) (int, error) {
	if i == len(s.payload) {
		return i, s.missing("a message", i)
	}
	n, start := readUint(s.payload, i)
	if start < 0 {
		return i, s.badUint(s.payload, i)
	}
	if n > uint64(len(s.payload)-start) {
		return i, s.short("message", "bytes", n, i, len(s.payload)-start)
	}
	s.end = start + int(n)
	return start, nil
}

// value checks the value at i, the last thing in a payload.
func (s *Scanner) value(id int32, i int) error {
	if s.top == nil || id != s.topID {
		p, err := s.planFor(s.t, id, i)
		if err != nil {
			return err
		}
		s.top, s.topID = p, id
	}
	i, err := s.single(s.top, i)
	if err != nil {
		return err
	}
	s.start = i
	i, err = s.walk(s.top.node, i)
	if err != nil {
		return err
	}
	if i != len(s.payload) {
		return s.trailing(i)
	}
	if err := s.afford(i); err != nil {
		return err
	}
	s.save()
	return nil
}

// single reads the byte 00 that stands before a value that is not a struct.
func (s *Scanner) single(p *plan, i int) (int, error) {
	if p.isStruct {
		return i, nil
	}
	delta, next := readUint(s.payload[:s.end], i)
	if next < 0 {
		return i, s.badUint(s.payload[:s.end], i)
	}
	if delta != 0 {
		return i, s.errorf(i, "field number %d before a value that is not a struct, want 0", delta)
	}
	return next, nil
}
