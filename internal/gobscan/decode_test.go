package gobscan_test

import (
	"bytes"
	"encoding/gob"
	"errors"
	"io"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/fb9bb4ed/qsocket/internal/gobscan"
)

type (
	everything struct {
		I8    int8
		I16   int16
		I32   *int32
		I64   int64
		Int   int
		U8    uint8
		U16   uint16
		U32   **uint32
		U64   uint64
		Uint  uint
		Ptr   uintptr
		F32   float32
		F64   float64
		OK    bool
		Text  word
		Texts []string
		Words []word
		Raw   []byte
		Raws  [][]byte
		Grid  [2][3]int16
		When  time.Time
		Until *time.Time
		Kids  []everything
		Next  *everything
		By    map[word]*everything
		Opt   []*int
		None  []struct{}
		Zero  [0]int
	}
	word string

	// What else can be sent to it.
	narrow struct {
		I64 int8
		U64 uint32
		F64 float32
		Int *int16
	}
	some struct {
		F64  float64
		Kids []struct{ U8 uint8 }
		By   map[word]struct{ Text string }
	}
	promoted struct{ inner }
	inner    struct{ Int int }
	shout    string // has methods
)

func (s shout) MarshalBinary() ([]byte, error)  { return []byte(s + "!"), nil }
func (s *shout) UnmarshalBinary(b []byte) error { *s = shout(b[:len(b)-1]); return nil }
func full(depth int) everything {
	n, u := int32(-5), uint32(7)
	pu, t, k := &u, time.Unix(1, 2).UTC(), 3
	v := everything{
		I8: -128, I16: 32767, I32: &n, I64: math.MinInt64, Int: -1, U8: 255, U16: 65535, U32: &pu, U64: math.MaxUint64,
		Uint: 1, Ptr: 2, F32: 1.5, F64: math.NaN(), OK: true, Text: "text", Texts: []string{"a", "", "c"}, Words: []word{"d"},
		Raw: []byte("raw"), Raws: [][]byte{{1}, nil, {2}}, Grid: [2][3]int16{{1, 0, -1}, {300}}, When: t, Until: &t,
		Opt: []*int{&k}, None: make([]struct{}, 3),
	}
	if depth > 0 {
		next := full(depth - 1)
		v.Kids, v.Next, v.By = []everything{next, {}}, &next, map[word]*everything{"": {}, "k": &next}
	}
	v.F64 = 0.1
	return v
}

// stream decodes payloads as the codec does.
type stream struct {
	t    reflect.Type
	scan *gobscan.Scanner
}

func newStream(t reflect.Type) *stream {
	return &stream{t, gobscan.New(t)}
}

func (s *stream) decode(p []byte) (any, error) {
	v := reflect.New(s.t)
	if err := s.scan.Scan(p); err != nil {
		return nil, err
	}
	if err := s.scan.Decode(p, v); err != nil {
		return nil, err
	}
	return v.Elem().Interface(), nil
}

// Decode does what gob does.
func TestDecodeAsGob(t *testing.T) {
	small := everything{I64: 1, U64: 2, F64: 3, Int: 4, Kids: []everything{{U8: 1}}, By: map[word]*everything{"k": {Text: "t"}}}
	for _, tt := range []struct {
		name string
		sent any
		t    reflect.Type
	}{
		{"everything", full(2), reflect.TypeFor[everything]()},
		{"nothing", everything{}, reflect.TypeFor[everything]()},
		{"behind pointers", full(1), reflect.TypeFor[**everything]()},
		{"narrower", small, reflect.TypeFor[narrow]()},
		{"only some", full(2), reflect.TypeFor[some]()},
		{"no struct", []word{"a", "b"}, reflect.TypeFor[[]string]()},
		{"integer", int8(-3), reflect.TypeFor[int]()},
		{"time", time.Unix(3, 4).UTC(), reflect.TypeFor[time.Time]()},
		{"map", map[int8][]word{-1: {"a"}, 2: nil}, reflect.TypeFor[map[int][]string]()},
		{"interface", struct{ A any }{1}, reflect.TypeFor[struct{ A any }]()},
		{"interface that is skipped", struct {
			A any
			B int
		}{1, 2}, reflect.TypeFor[struct{ B int }]()},
		{"complex", struct{ A complex64 }{1i}, reflect.TypeFor[struct{ A complex64 }]()},
		{"complex that is skipped", struct {
			A complex64
			B int
		}{1i, 2}, reflect.TypeFor[struct{ B int }]()},
		{"methods", struct{ A shout }{"a"}, reflect.TypeFor[struct{ A shout }]()},
		{"slice of types with methods", []shout{"a", "b"}, reflect.TypeFor[[]shout]()},
		{"methods of another package", struct{ A *big.Int }{big.NewInt(5)}, reflect.TypeFor[struct{ A *big.Int }]()},
		{"methods that are skipped", struct {
			A shout
			B int
		}{"a", 2}, reflect.TypeFor[struct{ B int }]()},
		{"recursive map in another", map[string]dict{"a": {"b": nil}}, reflect.TypeFor[dict]()},
		{"recursive slice in another", []list{{nil, {}}}, reflect.TypeFor[list]()},
		{"the same behind a pointer", []list{{nil, {}}}, reflect.TypeFor[*list]()},
		{"field of an embedded struct", small, reflect.TypeFor[promoted]()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			payloads := encode(t, tt.sent, tt.sent, tt.sent)
			s := newStream(tt.t)
			plain := gob.NewDecoder(bytes.NewReader(bytes.Join(payloads, nil)))
			for i, p := range payloads {
				want := reflect.New(tt.t)
				if err := plain.DecodeValue(want); err != nil {
					t.Fatal(err)
				}
				got, err := s.decode(p)
				if err != nil || !reflect.DeepEqual(got, want.Elem().Interface()) {
					t.Errorf("payload %d: got %+v, %v\nwant %+v", i, got, err, want.Elem())
				}
			}
		})
	}
}

// What does not fit is an error that names the field.
func TestDecodeRefuses(t *testing.T) {
	type deep struct{ In []narrow }
	type box struct {
		A  any
		IO io.Reader
		Z  complex64
	}
	type boxes struct{ A, IO any }
	type wide struct{ Z complex128 }
	for _, tt := range []struct {
		v    any
		t    reflect.Type
		want string
	}{
		{everything{I64: 128}, reflect.TypeFor[narrow](), `value for "I64" out of range`},
		{everything{I64: -129}, reflect.TypeFor[narrow](), `value for "I64" out of range`},
		{everything{U64: 1 << 32}, reflect.TypeFor[narrow](), `value for "U64" out of range`},
		{everything{F64: 1e39}, reflect.TypeFor[narrow](), `value for "F64" out of range`},
		{everything{F64: -1e39}, reflect.TypeFor[narrow](), `value for "F64" out of range`},
		{everything{Int: 1 << 15}, reflect.TypeFor[narrow](), `value for "Int" out of range`},
		{struct{ In []everything }{[]everything{{}, {I64: 300}}}, reflect.TypeFor[deep](), `value for "I64" out of range`},
		{[]int{1, 300}, reflect.TypeFor[[]int8](), `value for "[]int8" out of range`},
		{wide{1e39i}, reflect.TypeFor[box](), `value for "Z" out of range`},
		{boxes{IO: 1}, reflect.TypeFor[struct{ IO io.Reader }](), `value for "IO": int is not assignable to type io.Reader`},
		{struct{ When time.Time }{time.Unix(1, 0)}, reflect.TypeFor[struct{ When picky }](), `value for "When": too early`},
		{struct{ A, Deep int }{1, 2}, reflect.TypeFor[struct {
			*Far
			A int
		}](), `embedded struct behind a nil pointer`},
		{struct{ A int }{1}, reflect.TypeFor[struct{ B int }](), `no fields matched`},
		{struct{ A, B []int }{[]int{1}, nil}, reflect.TypeFor[struct{ A map[int]int }](), `cannot be decoded into`},
		{shout("a"), reflect.TypeFor[picky](), `cannot be decoded into`}, // BinaryUnmarshaler, GobDecoder
	} {
		if got, err := newStream(tt.t).decode(encode(t, tt.v)[0]); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v into %v: got %+v, %v, want %q", tt.v, tt.t, got, err, tt.want)
		}
		if strings.Contains(tt.want, "nil pointer") {
			continue // gob panics
		}
		if err := gob.NewDecoder(bytes.NewReader(encode(t, tt.v)[0])).DecodeValue(reflect.New(tt.t)); err == nil {
			t.Errorf("%+v into %v: gob has no error", tt.v, tt.t)
		}
	}
}

// Far is embedded by a pointer.
type Far struct{ Deep int }

// picky decodes nothing.
type picky struct{}

func (*picky) GobDecode([]byte) error { return errors.New("too early") }

// A method may keep the bytes that it decodes: they are not those of the payload.
func TestDecodeMethodKeeps(t *testing.T) {
	p := encode(t, keeper("kept"))[0]
	v, err := newStream(reflect.TypeFor[keeper]()).decode(p)
	clear(p)
	if got, ok := v.(keeper); err != nil || !ok || string(got) != "kept" {
		t.Errorf("got %q, %v, want %q", v, err, "kept")
	}
}

type keeper []byte

func (k keeper) GobEncode() ([]byte, error) { return k, nil }
func (k *keeper) GobDecode(b []byte) error  { *k = b; return nil }

// A stream can have values of several types.
func TestDecodeOtherType(t *testing.T) {
	type other struct{ I64, Int int }
	payloads := encode(t, everything{I64: 1}, everything{I64: 2}, other{I64: 3}, other{I64: 4}, everything{I64: 5})
	s := newStream(reflect.TypeFor[narrow]())
	for i, p := range payloads {
		if got, err := s.decode(p); err != nil || got != (narrow{I64: int8(i + 1)}) {
			t.Errorf("payload %d: got %+v, %v", i, got, err)
		}
	}
}

// gob decodes what comes a second time on top of the first. No encoder of Go writes
// such types.
func TestDecodeNameTwice(t *testing.T) {
	type pair struct{ A, B int }
	type twice[T any] struct{ FieldA, FieldB T }
	for _, tt := range []struct {
		sent any
		t    reflect.Type
	}{
		{twice[map[string]int]{map[string]int{"a": 1}, map[string]int{"b": 2}}, reflect.TypeFor[twice[map[string]int]]()},
		{twice[*pair]{&pair{1, 0}, &pair{0, 2}}, reflect.TypeFor[twice[*pair]]()},
		{twice[[]pair]{[]pair{{1, 2}, {3, 4}}, []pair{{0, 2}, {0, 1}, {5, 0}}}, reflect.TypeFor[twice[[]pair]]()},
		{twice[[1][]int]{[1][]int{{1}}, [1][]int{}}, reflect.TypeFor[twice[[1][]int]]()},
	} {
		payloads := encode(t, tt.sent, tt.sent, tt.sent)
		s := newStream(tt.t)
		var all bytes.Buffer
		plain := gob.NewDecoder(&all)
		for i, p := range payloads {
			p = bytes.ReplaceAll(p, []byte("FieldB"), []byte("FieldA"))
			all.Write(p)
			want := reflect.New(tt.t)
			if err := plain.DecodeValue(want); err != nil {
				t.Fatal(err)
			}
			if got, err := s.decode(p); err != nil || !reflect.DeepEqual(got, want.Elem().Interface()) {
				t.Errorf("%v, payload %d: got %+v, %v\nwant %+v", tt.t, i, got, err, want.Elem())
			}
		}
	}
}

// Strings of values stay what they are, and so do slices
// of them, whatever memory they share.
func TestStringsShareMemory(t *testing.T) {
	type message struct {
		A, B  string
		Texts []string
		Words []word
		By    map[string]string
	}
	r := rand.New(rand.NewPCG(3, 4))
	var known []string
	fresh := 0
	text := func() string {
		if len(known) == 20 && r.IntN(10) >= fresh {
			return known[r.IntN(20)]
		}
		b := make([]byte, r.IntN(40))
		for i := range b {
			b[i] = byte('a' + r.IntN(26))
		}
		if len(known) < 20 {
			known = append(known, string(b))
		}
		return string(b)
	}
	var sent []any
	for n := range 3000 {
		fresh = n / 300 // few are at first, then too many for them to be kept
		m := message{A: text(), B: text()}
		for range r.IntN(8) {
			m.Texts = append(m.Texts, text())
			m.Words = append(m.Words, word(text()))
		}
		if n%3 == 0 {
			m.By = map[string]string{text(): text()}
		}
		sent = append(sent, m)
	}
	s := newStream(reflect.TypeFor[message]())
	var got []any
	for _, p := range encode(t, sent...) {
		v, err := s.decode(p)
		if err != nil {
			t.Fatal(err)
		}
		clear(p)
		got = append(got, v)
	}
	if !reflect.DeepEqual(got, sent) {
		t.Error("strings have changed")
	}
}

// A short slice of strings that lies beside others takes no long string there.
func TestLongStringsAreNotShared(t *testing.T) {
	type message struct{ Texts []string }
	var sent []any
	for range 100 {
		sent = append(sent, message{[]string{"a", "short", "one"}})
	}
	sent = append(sent, message{[]string{"short"}}, message{[]string{"short", strings.Repeat("long", 100)}}, message{[]string{"one"}})
	s := newStream(reflect.TypeFor[message]())
	var got [][]string
	for i, p := range encode(t, sent...) {
		v, err := s.decode(p)
		if err != nil || !reflect.DeepEqual(v, sent[i]) {
			t.Fatalf("got %v, %v, want %v", v, err, sent[i])
		}
		got = append(got, v.(message).Texts)
	}
	before, long, after := got[100], got[101], got[102]
	slab := unsafe.Slice(&before[0], 4)
	if cap(before) != 1 || &slab[3] != &after[0] {
		t.Fatal("short slices do not lie side by side, so the test says nothing")
	}
	if slab[1] != "" || slab[2] != "" || &long[0] == &slab[1] {
		t.Errorf("%q lies beside short strings", slab[1:3])
	}
}
