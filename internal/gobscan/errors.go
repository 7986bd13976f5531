package gobscan

import (
	"fmt"
	"io"
	"reflect"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
)

// short reports a payload that ends before something that it announces.
type short struct {
	what string
	unit string // of n; empty if there is nothing at all
	n    uint64 // announced
	at   int    // offset in the payload, bytes
	left int    // bytes that are there
}

func (e *short) Error() string {
	if e.unit == "" {
		return fmt.Sprintf("gob: payload ends at byte %d, where %s is expected", e.at, e.what)
	}
	return fmt.Sprintf("gob: %s of %d %s at byte %d, but %d bytes are left", e.what, e.n, e.unit, e.at, e.left)
}

func (e *short) Unwrap() error { return io.ErrUnexpectedEOF }

func (s *Scanner) short(what, unit string, n uint64, at, left int) error {
	return &short{what: what, unit: unit, n: n, at: at, left: left}
}

func (s *Scanner) missing(what string, at int) error {
	return &short{what: what, at: at}
}

func (s *Scanner) errorf(at int, format string, args ...any) error {
	return fmt.Errorf("gob: "+format+" at byte %d", append(args, at)...)
}

// badUint says why there is no unsigned integer at b[i:].
func (s *Scanner) badUint(b []byte, i int) error {
	if i >= len(b) {
		if i < len(s.payload) {
			return s.errorf(i, "message ends where an integer is expected: %w", io.ErrUnexpectedEOF)
		}
		return s.missing("an integer", i)
	}
	if n := -int(int8(b[i])); n <= 8 {
		return s.short("integer", "bytes", uint64(n), i, len(b)-i-1)
	}
	return s.errorf(i, "integer that begins with %#02x, want at most 8 bytes", b[i])
}

func (s *Scanner) trailing(end int) error {
	n := len(s.payload)
	return fmt.Errorf("gob: value ends at byte %d of %d: %d trailing bytes, want none", end, n, n-end)
}

func (s *Scanner) unknownType(id int32, at int) error {
	return s.errorf(at, "unknown type id %d", id)
}

// mismatch reports that a value of wire type id cannot be decoded into t.
func (s *Scanner) mismatch(where place, t reflect.Type, id int32) error {
	return fmt.Errorf("gob: %v: wire type %s cannot be decoded into %s", where, s.typeName(id), clip(t.String()))
}

var basicNames = [...]string{
	idBool: "bool", idInt: "int", idUint: "uint", idFloat: "float", idBytes: "[]byte",
	idString: "string", idComplex: "complex", idInterface: "interface",
}

// typeName describes a wire type to people.
func (s *Scanner) typeName(id int32) string {
	if id > 0 && int(id) < len(basicNames) {
		return basicNames[id]
	}
	d := s.defs.get(id)
	if d == nil {
		return fmt.Sprintf("%d (unknown)", id)
	}
	if d.name == "" {
		return fmt.Sprintf("%d (%s)", id, d.kind)
	}
	return fmt.Sprintf("%s (%s)", quote(d.name), d.kind)
}

// maxShown bounds a name in an error, bytes.
const maxShown = 100

// clip shortens the name of a type of the program to what fits into an error.
func clip(s string) string { return excerpt.Text(s, maxShown) }

// quote shortens and quotes what a peer sent.
func quote(s string) string { return excerpt.Quote(s, maxShown) }

// valueError reports a value in an interface that its own methods, or gob, refuse.
type valueError struct {
	name string // under which its type is registered
	err  error
	at   int
}

func (e *valueError) Error() string {
	return fmt.Sprintf("gob: value of type %s in an interface: %s, at byte %d", quote(e.name), excerpt.Error(e.err, excerpt.MaxPart/2), e.at)
}

func (e *valueError) Unwrap() error { return e.err }

// tooExpensive reports that decoding would allocate more than the payload may cost.
func (s *Scanner) tooExpensive(at int) error {
	if s.spent+s.churn > s.limit {
		return s.errorf(at, "decoding %d bytes would allocate more than %d bytes (%d × size + %d), found",
			len(s.payload), s.limit, MaxExpansion, Slack)
	}
	return s.errorf(at, "decoding %d bytes would need more than %d bytes (%d × size + %d) at once, found",
		len(s.payload), s.held, HeldExpansion, HeldSlack)
}
