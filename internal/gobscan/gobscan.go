// Package gobscan checks gob payloads and decodes them, in place of encoding/gob.
//
// encoding/gob is documented as not hardened against hostile input. It makes a
// map with as much room as a payload of 23 bytes announces, it makes slices of
// elements that take one byte on the wire and a thousand in memory, and it
// follows nesting on the stack until the process dies of it. [Scanner.Scan] walks
// a payload without recursion and, once the types of a stream are known, without
// allocation. It accepts the payload only if everything that it announces is
// there, and if what decoding allocates for it stays within bounds.
//
// What is allocated depends on the type that is decoded into. So a Scanner does what gob does:
// from the definitions in the stream and from the Go type it compiles plans, which
// say what follows on the wire and what it costs in memory. By then everything is known
// that decoding takes, and [Scanner.Decode] does it by the same plans, with the result that
// gob has. With the check, structs take half to three quarters of the time that gob needs, long
// slices of numbers as much.
//
// gob itself would keep all that a peer defines, and its last message. A Scanner
// bounds what it keeps, see [MaxKept].
//
// The format is that of encoding/gob's "Encoding Details"; comments here name what can
// only be learned from its source.
package gobscan

import (
	"reflect"
)

// What a payload may cost. [Scanner.Scan] estimates from above what is
// allocated; what methods of the decoded types do (GobDecode, UnmarshalBinary)
// is not part of it.
const (
	// A payload of n bytes may make us allocate MaxExpansion × n + Slack bytes,
	// garbage included. Payloads after one that did not use up what the
	// definitions in it allowed may use the rest to compile them.
	MaxExpansion = 512
	Slack        = 64 << 10

	// Of that, HeldExpansion × n + HeldSlack may be in use at the same time.
	HeldExpansion = 32
	HeldSlack     = 64 << 20
)

// MaxDepth is how many structs, slices, arrays and maps may be open inside each other in
// a value.
const MaxDepth = 100

// A Scanner checks the payloads of one stream, in order. After an error it has
// lost the stream, and must be Reset.
type Scanner struct {
	t reflect.Type // what payloads are decoded into

	// The stream so far.
	defs    table[int32, *definition]
	credit  uint64 // allowance of earlier definitions, for compiling
	plans   table[planKey, *plan]
	engines table[planKey, *engine]
	skips   table[int32, *node]
	top     node                        // of payloads
	topPlan *plan                       // that it was made of; nil at first
	topID   int32                       // its wire type
	names   table[string, reflect.Type] // registered types that came up
	kept    uint64                      // estimate of what all these take, bytes
	needs   *needs                      // nil while that is below MaxKept

	// The payload.
	payload []byte
	end     int    // of the current message, in payload
	start   int    // of the value
	fresh   int    // bytes of definitions
	spent   uint64 // bytes that are allocated, but for churn
	churn   uint64 // bytes that are allocated and dropped
	limit   uint64 // of spent + churn
	held    uint64 // limit of spent

	stack []frame
	todo  []job
	boxes []box

	out decoder
}

// New returns a Scanner for streams that are decoded into values of type t.
func New(t reflect.Type) *Scanner {
	s := &Scanner{t: t}
	s.Reset()
	return s
}

// Reset forgets the stream: the next payload begins another one.
func (s *Scanner) Reset() {
	*s = Scanner{t: s.t, kept: keptAlways}
}

// Scan accepts payload if it is what one call of gob's Encode writes, and safe
// to decode after the payloads that Scan accepted before it. Errors say what
// stands where. One that means that payload ends too early, or announces more
// than it has, wraps io.ErrUnexpectedEOF.
func (s *Scanner) Scan(payload []byte) error {
	s.payload, s.fresh, s.boxes = payload, 0, s.boxes[:0]
	err := s.scan(payload)
	s.payload = nil
	return err
}

func (s *Scanner) scan(payload []byte) error {
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
	if s.topPlan == nil || id != s.topID {
		if err := s.planTop(id, i); err != nil {
			return err
		}
	}
	i, err := s.single(s.topPlan, i)
	if err != nil {
		return err
	}
	s.start = i
	i, err = s.walk(&s.top, i)
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
