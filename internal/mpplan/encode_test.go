package mpplan_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/mpplan"
	"github.com/vmihailenco/msgpack/v5"
)

// subject is a type that plan and v5 encode and decode.
type subject struct {
	typ    reflect.Type
	encode func(v any, o mpplan.Options) ([]byte, error) // v is a *T
	decode func(p []byte, o mpplan.Options) (any, error) // returns a *T
}

func newSubject[T any]() subject {
	plan := mpplan.For[T]()
	var dec mpplan.Decoder // used again and again, as that of a connection
	return subject{
		reflect.TypeFor[T](),
		func(v any, o mpplan.Options) ([]byte, error) {
			return plan.Append(&mpplan.Encoder{Options: o}, nil, v.(*T))
		},
		func(p []byte, o mpplan.Options) (any, error) {
			v := new(T)
			if dec.Options != o {
				dec = mpplan.Decoder{Options: o}
			}
			err := plan.Decode(&dec, p, v)
			return v, err
		},
	}
}

// encode encodes whatever v points to.
func encode(v any, arrays bool) ([]byte, error) {
	return mpplan.AppendValue(&mpplan.Encoder{Options: mpplan.Options{Arrays: arrays}}, nil, v)
}

// v5Encode encodes what v points to as v5 does at its best.
func v5Encode(v any, arrays bool) ([]byte, error) {
	var buf bytes.Buffer
	enc := msgpack.NewEncoder(&buf)
	enc.UseCompactInts(true)
	enc.SetSortMapKeys(true)
	enc.UseArrayEncodedStructs(arrays)
	err := enc.Encode(v)
	return buf.Bytes(), err
}

type (
	Text   string
	Upper  string
	Point  struct{ X, Y int8 }
	Header struct {
		Seq  int
		Meta map[int]string `msgpack:",omitempty"`
	}
	Opt struct {
		A int               `msgpack:"a,omitempty"`
		M map[string]string `msgpack:",omitempty"`
	}
	hidden struct {
		Seen   map[uint8]bool
		unseen int
	}
	Node struct {
		Kids []*Node
		M    map[int]*Node
	}
)

func (u Upper) MarshalText() ([]byte, error) { return []byte(strings.ToUpper(string(u))), nil }

// Stamp is a map that encodes itself.
type Stamp map[int]int

func (s Stamp) EncodeMsgpack(enc *msgpack.Encoder) error { return enc.EncodeInt(int64(len(s))) }

func TestOrder(t *testing.T) {
	for _, tt := range []struct {
		name string
		v    any // a pointer
		want string
	}{
		{"strings", &map[string]int{"b": 1, "a": 2, "": 3, "aa": 4}, "84 a0 03 a1 61 02 a2 61 61 04 a1 62 01"},
		{"named strings", &map[Text]Text{"b": "1", "a": "2"}, "82 a1 61 a1 32 a1 62 a1 31"},
		{"bytewise, not by length of the encoding", &map[string]uint8{"b": 1, strings.Repeat("a", 3): 2}, "82 a3 61 61 61 02 a1 62 01"},
		{"bools", &map[bool]int{true: 1, false: 0}, "82 c2 00 c3 01"},
		{"ints", &map[int]bool{-1: true, 1: true, -200: true, 0: true}, "84 d1 ff 38 c3 ff c3 00 c3 01 c3"},
		{"int64 limits", &map[int64]int{math.MaxInt64: 1, math.MinInt64: 0}, "82 d3 80 00 00 00 00 00 00 00 00 cf 7f ff ff ff ff ff ff ff 01"},
		{"int8", &map[int8]int{3: 1, -3: 0}, "82 fd 00 03 01"},
		{"uints", &map[uint16]string{256: "", 2: "", 128: ""}, "83 02 a0 cc 80 a0 cd 01 00 a0"},
		{"uint64 limit", &map[uint64]int{math.MaxUint64: 1, 1: 0}, "82 01 00 cf ff ff ff ff ff ff ff ff 01"},
		{"floats", &map[float32]int{1: 2, -2: 0, -1: 1, float32(math.Inf(1)): 3}, "84 ca c0 00 00 00 00 ca bf 80 00 00 01 ca 3f 80 00 00 02 ca 7f 80 00 00 03"},
		{"arrays of bytes", &map[[2]byte]int{{2, 1}: 1, {1, 2}: 0}, "82 c4 02 01 02 00 c4 02 02 01 01"},
		{"structs", &map[Point]int{{2, 1}: 1, {1, 2}: 0}, "82 82 a1 58 01 a1 59 02 00 82 a1 58 02 a1 59 01 01"},
		{"interfaces", &map[any]any{"a": 1, 2: 2, nil: 3}, "83 02 02 a1 61 01 c0 03"},
		{"keys that encode themselves", &map[Upper]int{"b": 1, "a": 0}, "82 c4 01 41 00 c4 01 42 01"},
		{"inside any", &[]any{map[Text]int{"2": 0, "1": 0}, map[string]any{"b": map[any]int{"2": 0, "1": 0}, "a": 0}},
			"92 82 a1 31 00 a1 32 00 82 a1 61 00 a1 62 82 a1 31 00 a1 32 00"},
		{"inside maps", &map[int]map[string]int{2: {"b": 0, "a": 0}, 1: {"d": 0, "c": 0}}, "82 01 82 a1 63 00 a1 64 00 02 82 a1 61 00 a1 62 00"},
		{"behind pointers", &struct{ P **map[int]int }{ptr(ptr(map[int]int{2: 0, 1: 0}))}, "81 a1 50 82 01 00 02 00"},
		{"recursive", &Node{M: map[int]*Node{2: nil, 1: {}}}, "82 a4 4b 69 64 73 c0 a1 4d 82 01 82 a4 4b 69 64 73 c0 a1 4d c0 02 c0"},
		{"encodes itself", &struct{ S Stamp }{Stamp{1: 1, 2: 2}}, "81 a1 53 02"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want, err := hex.DecodeString(strings.ReplaceAll(tt.want, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			for range 20 { // the order of a range differs from one to the next
				got, err := encode(tt.v, false)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, want) {
					t.Fatalf("got  % x\nwant % x", got, want)
				}
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

// With at most one entry in each map, v5 itself has only one way to encode.
func TestSameAsV5(t *testing.T) {
	type named struct{ M map[int]int }
	one, name := map[int]string{1: "one"}, map[string]string{"1": "one"}
	for _, v := range []any{
		ptr(map[int]string(nil)), ptr(map[int]string{}), &one,
		ptr([]map[int]string(nil)), ptr([]map[int]string{nil, {}, one}), ptr([2]map[int]string{one}),
		ptr(any(nil)), ptr(any(name)), ptr(any(&name)), ptr([]any{nil, 1, "a", []byte("b"), 2.5, time.Unix(1, 2), name, []string{"c"}}),
		ptr((*map[int]string)(nil)), ptr(map[string]any(nil)), ptr(map[string]any{"a": name}),
		ptr(map[int][]byte{1: nil}), ptr(map[float64]time.Time{1: time.Unix(5, 0)}), ptr(map[time.Time]int{time.Unix(5, 0): 1}),
		&Header{Seq: 1}, &Header{Meta: one}, &Node{Kids: []*Node{nil, {}}},
		&struct {
			Header
			X any
		}{Header{1, one}, 5},
		&struct {
			*Header
			X any
		}{nil, 5},
		&struct {
			*Header
			X any
		}{&Header{2, nil}, 5},
		&struct {
			Header `msgpack:",noinline"`
			X      map[int]int
		}{X: map[int]int{1: 2}},
		&struct { // a name that is there keeps the embedded struct in one piece
			Seq    string
			Header `msgpack:"h"`
		}{Header: Header{2, one}},
		&struct {
			hidden
			M map[int]int
		}{hidden: hidden{unseen: 1}},
		&struct {
			_msgpack struct{} `msgpack:",as_array"`
			A        int
			M        map[int]int `msgpack:"m,omitempty"`
		}{A: 1},
		&struct {
			_msgpack struct{} `msgpack:",omitempty"`
			A        int
			B        Opt
			C        *Opt
			D        any
			E        time.Time
			F        float64
			G        [0]int
			H        map[int]int
			I        Point
			J        bool
			K        uint8
		}{F: math.Copysign(0, -1), D: Opt{}},
		&struct {
			A int            `msgpack:"-"`
			B map[int]string `msgpack:"b,omitempty,alias:bee"`
			C map[int]string `msgpack:"alias:cee"`
			d map[int]string
			E error
			F time.Duration
			G [3]byte
			H []string
			I Opt  `msgpack:",omitempty"`
			J *Opt `msgpack:"j,omitempty"`
			K chan int
		}{B: one, C: one, I: Opt{M: name}},
		&struct {
			A any    `msgpack:"'quo,ted',omitempty"`
			B string `msgpack:",intern"`
		}{},
		&struct{ named }{named{map[int]int{1: 1}}},
		ptr(struct {
			A, B any
			C    struct{ D map[Text][]any }
		}{C: struct{ D map[Text][]any }{map[Text][]any{"x": {1, nil}}}}),
	} {
		for _, arrays := range []bool{false, true} {
			t.Run(reflect.TypeOf(v).Elem().String(), func(t *testing.T) {
				got, gotErr := encode(v, arrays)
				want, wantErr := v5Encode(v, arrays)
				if (gotErr != nil) != (wantErr != nil) {
					t.Fatalf("got error %v, want %v", gotErr, wantErr)
				}
				if wantErr == nil && !bytes.Equal(got, want) {
					t.Errorf("got  % x\nwant % x", got, want)
				}
			})
		}
	}
}

// A map that holds itself is an error, not the end of the stack.
func TestCycle(t *testing.T) {
	m := map[string]any{}
	m["m"] = m
	_, err := encode(&m, false)
	if err == nil || !strings.Contains(err.Error(), "deeper than 100") {
		t.Errorf("got %v, want an error about nesting", err)
	}
}

// Two fields of one name would be two entries with one key, which no peer can
// tell apart. As an array the struct can be sent.
func TestNamesTwice(t *testing.T) {
	v := struct {
		A int
		B int `msgpack:"A"`
	}{1, 2}
	if _, err := encode(&v, false); err == nil || !strings.Contains(err.Error(), `are named "A"`) {
		t.Errorf("got %v, want an error about A", err)
	}
	if got, err := encode(&v, true); err != nil || string(got) != "\x92\x01\x02" {
		t.Errorf("as array: got %x, %v, want 920102", got, err)
	}
}
