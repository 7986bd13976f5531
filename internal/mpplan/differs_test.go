package mpplan_test

import (
	"encoding"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/mpplan"
)

type (
	hiddenPart struct{ Part int }
	withHidden struct{ *hiddenPart }
	byValue    struct{ N int }
	withValue  struct{ V byValue }
	interned   struct {
		A any    `msgpack:",intern"`
		B string `msgpack:",intern"`
		C string `msgpack:",intern"`
	}
)

// UnmarshalText has no effect, which is not the point.
func (byValue) UnmarshalText([]byte) error { return nil }

// The rows of the table in docs/msgpack.md.
func TestDiffers(t *testing.T) {
	const dangerous = "dangerous" // to the process of the test
	type (
		times  struct{ T []time.Time }
		strict struct{ S encoding.TextMarshaler }
	)
	for _, tt := range []struct {
		name    string
		s       subject
		payload string
		v5      string // "accepts", or what its error says; dangerous if it is not asked
		here    string // "accepts", or what the error says
	}{
		{"integer that does not fit", newSubject[Numbers](), "\x81\xa1G\xcd\x01\x2c", "accepts", "Numbers.G: 300 overflows uint8"},
		{"integer for a float", newSubject[float64](), "\xcf\x00\x20\x00\x00\x00\x00\x00\x01", "accepts", "is no float64"},
		{"integer for a float that has its value", newSubject[float64](), "\xcf\x80\x00\x00\x00\x00\x00\x00\x00", "accepts", "accepts"},
		{"bin that is not UTF-8", newSubject[Strings](), "\x81\xa1A\xc4\x01\xff", "accepts", "Strings.A: string of 1 bytes is not UTF-8"},
		{"str that is not UTF-8", newSubject[Strings](), "\x81\xa1A\xa1\xff", dangerous, "Strings.A: string of 1 bytes is not UTF-8"},
		{"str that is not UTF-8, for bytes", newSubject[Strings](), "\x81\xa1C\xa1\xff", dangerous, "Strings.C: string of 1 bytes is not UTF-8"},
		{"name twice", newSubject[Point](), "\x82\xa1X\x01\xa1X\x02", "accepts", "Point.X: field is there twice"},
		{"key twice", newSubject[map[string]string](), "\x82\xa1a\xa1b\xa1a\xa1b", "accepts", "map of 2 entries has 1 different keys"},
		{"count", newSubject[[]int](), "\xdd\xff\xff\xff\xff", dangerous, "array32 of 4294967295, but 0 bytes are left"},
		{"length", newSubject[[]byte](), "\xc6\xff\xff\xff\xff", dangerous, "bin32 of 4294967295 bytes, but 0 are left"},
		{"levels", newSubject[any](), strings.Repeat("\x91", 101) + "\xc0", dangerous, "nested deeper than 100 levels"},
		{"levels that are skipped", newSubject[Point](), "\x81\xa1Z" + strings.Repeat("\x91", 101) + "\xc0", dangerous, "nested deeper than 100 levels"},
		{"expansion", newSubject[[][1024]int8](), "\xdc\x10\x00" + strings.Repeat("\x90", 4096), "accepts", "more memory than MaxExpansion allows"},
		{"bytes after the value", newSubject[int8](), "\x01\x01", dangerous, "1 trailing bytes"},
		{"no bytes", newSubject[int8](), "", dangerous, "empty payload"},
		{"extension for a map", newSubject[Loose](), "\x81\xa1C\xd4\x05\x80", "where a map is expected", "Loose.C: fixext1 where a map is expected"},
		{"interned string", newSubject[any](), "\xd4\x80\x00", dangerous, "interned strings are not supported"},
		{"nil for a time", newSubject[Times](), "\x81\xa1A\xc0", "panic", "accepts"},
		{"nanoseconds of more than a second", newSubject[Times](), "\x81\xa1A\xd7\xff\xee\x6b\x28\x00\x00\x00\x00\x00", "accepts", "Times.A: timestamp with 1000000000 nanoseconds, want 0 to 999999999"},
		{"string for a type with a binary form", newSubject[map[string]netip.Addr](), "\x81\xa1k\xa4::12", "accepts", "fixstr where the binary form of netip.Addr is expected"},
		{"nil for a pointer to a time", newSubject[Times](), "\x81\xa1B\xc0", "accepts", "accepts"},
		{"key that cannot be one", newSubject[map[any]int](), "\x81\x90\x01", "panic", "a []interface {} cannot be the key of a map"},
		{"interface with methods", newSubject[strict](), "\x81\xa1S\x01", "panic", "strict.S: int8 for encoding.TextMarshaler"},
		{"nil for an interface with methods", newSubject[strict](), "\x81\xa1S\xc0", "accepts", "accepts"},
		{"time for an interface with methods", newSubject[strict](), "\x81\xa1S\xd6\xff\x00\x00\x00\x01", "accepts", "accepts"},
		{"unexported embedded pointer", newSubject[withHidden](), "\x81\xa4Part\x01", "panic", "withHidden.Part: embedded pointer to mpplan_test.hiddenPart is not exported"},
		{"bin for an error", newSubject[Loose](), "\x81\xa1E\xc4\x01a", "panic", "accepts"},
		{"nil for methods on values", newSubject[withValue](), "\x81\xa1V\xc0", "panic", "accepts"},
		{"methods on pointers in a map", newSubject[map[string]Custom](), "\x81\xa1k\x92\xa0\x05", "accepts", "accepts"},
		{"nil for an any tagged intern", newSubject[interned](), "\x81\xa1A\xc0", "accepts", "accepts"},
		{"extension 13", newSubject[times](), "\x81\xa1T\x91\xd6\x0d\x00\x00\x00\x01", "got ext type=13", "accepts"},
		{"string for a time", newSubject[times](), "\x81\xa1T\x91\xb42006-01-02T15:04:05Z", "ext len", "accepts"},
		{"array for a time", newSubject[times](), "\x81\xa1T\x91\x92\x01\x02", "ext len", "accepts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.s.decode([]byte(tt.payload), defaults)
			checkOutcome(t, "here", err, tt.here)
			if len(tt.payload) == 0 && (!errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)) {
				t.Errorf("here: %v is not io.ErrUnexpectedEOF", err)
			}
			if tt.v5 != dangerous {
				_, err := v5Decode(tt.s.typ, []byte(tt.payload))
				checkOutcome(t, "v5", err, tt.v5)
			}
		})
	}
}

func checkOutcome(t *testing.T, who string, err error, want string) {
	t.Helper()
	if got := err == nil; got != (want == "accepts") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("%s: got error %v, want %s", who, err, want)
	}
}

// What is tagged intern is sent in full each time.
func TestIntern(t *testing.T) {
	s := newSubject[interned]()
	p, err := s.encode(&interned{"same", "same", "same"}, defaults)
	if err != nil || strings.Count(string(p), "\xa4same") != 3 {
		t.Fatalf("got %x, %v, want the string three times", p, err)
	}
	v, err := v5Decode(s.typ, p)
	if err != nil || *v.(*interned) != (interned{"same", "same", "same"}) {
		t.Errorf("v5: got %+v, %v", v, err)
	}
	if v, err := s.decode([]byte("\x81\xa1A\xc0"), mpplan.Options{}); err != nil || v.(*interned).A != nil {
		t.Errorf("nil: got %+v, %v", v, err)
	}
}
