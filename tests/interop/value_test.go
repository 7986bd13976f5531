package interop

import (
	"math"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/google/go-cmp/cmp"
)

// A Value is the message of most cases. It has no float32: languages that have one kind of float
// send a float64 for it, which a float32 does not take.
type Value struct {
	Int   int64
	Uint  uint64
	Float float64
	Flag  bool
	Text  string
	Blob  []byte
	Time  time.Time
	List  []int64
	Map   map[string]int64
	Keys  map[int64]string
	Next  *Value
	Any   any
}

// canonicalOf is how the library writes v: two values that mean the same are written so.
func canonicalOf(v Value) string {
	b, err := qsocket.Msgpack[Value]().NewEncoder().Append(nil, v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// expect compares by what is written, in which the sizes of the integers of an any do not count.
func expect(t *testing.T, name string, got, want Value) {
	t.Helper()
	if canonicalOf(got) != canonicalOf(want) {
		t.Errorf("%s: got %+v, want %+v\n%s", name, got, want, cmp.Diff(got, want))
	}
}

// values are sent to a peer, and come back.
func (m match) list() (list []Value) {
	for _, v := range values() {
		at, isTime := v.Any.(time.Time)
		switch {
		case m.typed && v.Any != nil:
			continue
		case m.largest == 255 && len(canonicalOf(v)) > 180:
			continue // the peer's spelling of it may be longer than a frame
		case m.pickles && isTime:
			v.Any = at.Truncate(time.Microsecond)
		case m.pickles: // a datetime has no nanoseconds
			v.Time = v.Time.Truncate(time.Microsecond)
		}
		list = append(list, v)
	}
	return list
}

func values() []Value {
	list := []Value{
		{},
		{Int: 1<<63 - 1, Uint: 1<<64 - 1, Float: math.MaxFloat64, Flag: true, Text: "é😀", Blob: []byte{0, 0xff}},
		{Text: "", Blob: []byte{}, List: []int64{}, Map: map[string]int64{}, Keys: map[int64]string{}},
		{List: []int64{1, -1, 1 << 53, -1 << 63}, Map: map[string]int64{"a": 1, "": 1 << 62}, Keys: map[int64]string{-1: "a", 1 << 40: "b"}},
		{Next: &Value{Int: -5, Text: "nested"}},
		{Any: []any{"text", []byte("bytes"), nil, true, 1.5, int64(1) << 60, map[string]any{"key": int64(-7)}}},
		{Any: time.Unix(5, 6)},
		{Float: math.Inf(-1)}, {Float: math.Copysign(0, -1)}, {Float: 5}, {Float: 1 << 60},
	}
	for _, bits := range []uint{7, 8, 15, 16, 31, 32, 53, 62} {
		list = append(list, Value{Int: 1 << bits, Uint: 1<<bits - 1}, Value{Int: -1 << bits, Uint: 1 << bits}, Value{Int: -1<<bits - 1, Uint: 1<<bits + 1})
	}
	for _, at := range []time.Time{
		time.Unix(0, 0), time.Unix(5, 0), time.Unix(1<<32-1, 0), time.Unix(1<<32, 0), time.Unix(5, 999_999_999), time.Unix(1<<34-1, 1),
		time.Unix(1<<34, 0), time.Unix(-1, 999_999_999), time.Unix(-1, 0), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 1, time.UTC),
	} {
		list = append(list, Value{Time: at})
	}
	return list
}

// An offer is a value of a peer's own language, and what it is here; nil: it is refused.
type offer struct {
	name string
	want *Value
	may  bool // the language may have no such value, or write it as what is taken
}

// offers are grouped by what they try.
var offers = map[string][]offer{
	"integers": {
		{"2^31", &Value{Int: 1 << 31}, false}, {"-2^31-1", &Value{Int: -1<<31 - 1}, false}, {"2^32", &Value{Int: 1 << 32}, false},
		{"2^53+1", &Value{Int: 1<<53 + 1}, false}, {"2^63-1", &Value{Int: 1<<63 - 1}, false}, {"-2^63", &Value{Int: -1 << 63}, false},
		{"2^63", nil, false}, {"uint 2^63", &Value{Uint: 1 << 63}, false}, {"uint 2^64-1", &Value{Uint: 1<<64 - 1}, false},
		{"uint 2^64", nil, true}, {"uint -1", nil, false}, {"float 5 for an int", nil, false},
	},
	"floats": {
		{"int 5 for a float", &Value{Float: 5}, false}, {"int 2^53+1 for a float", nil, false}, {"1.5", &Value{Float: 1.5}, false},
	},
	"times": {
		{"time 32", &Value{Time: time.Unix(5, 0)}, false}, {"time 64", &Value{Time: time.Unix(5, 999_999_999)}, false},
		{"time 96", &Value{Time: time.Unix(1<<34, 1)}, false}, {"before 1970", &Value{Time: time.Unix(-1, 999_999_999)}, false},
		{"text for a time", &Value{Time: time.Unix(1577836800, 0)}, false}, {"int for a time", nil, false},
	},
	"nil": {
		{"nil for each field", &Value{}, false}, {"no fields", &Value{}, false}, {"nil for the message", &Value{}, false}, {"nil in a list", &Value{List: []int64{1, 0}}, false},
	},
	"text and bytes": {
		{"str for bytes", &Value{Blob: []byte("é")}, false}, {"bin for text", &Value{Text: "é"}, false}, {"bin that is no UTF-8 for text", nil, false},
		{"text of four bytes", &Value{Text: "😀"}, false}, {"int for text", nil, false},
	},
	"maps and extensions": {
		{"int keys", &Value{Keys: map[int64]string{1: "a", -1: "b"}}, false}, {"int keys in an any", nil, false}, {"int keys for str keys", nil, false},
		{"an unknown key", &Value{Int: 5}, false}, {"an unknown extension for an unknown key", &Value{Int: 5}, false}, {"an unknown extension in an any", nil, false},
		{"list for a map", nil, false},
	},
}

// pickles are what a program in Python may have in its pickles.
var pickles = map[string][]offer{
	"integers": offers["integers"],
	"floats": {
		{"int 5 for a float", &Value{Float: 5}, false}, {"int 2^53+1 for a float", nil, false}, {"1.5", &Value{Float: 1.5}, false},
		{"Decimal for a float", nil, false},
	},
	"times": {
		{"datetime", &Value{Time: time.Unix(1577836800, 0)}, false}, {"datetime elsewhere", &Value{Time: time.Unix(1577836800, 0)}, false},
		{"before 1970", &Value{Time: time.Unix(-1, 999_999_000)}, false}, {"datetime without a timezone", nil, false},
		{"date for a time", nil, false}, {"int for a time", nil, false},
	},
	"nil": offers["nil"],
	"text and bytes": {
		{"bytes", &Value{Blob: []byte{0xff}}, false}, {"bytearray", &Value{Blob: []byte{0xff}}, false}, {"str for bytes", nil, false},
		{"bytes for text", nil, false}, {"text of four bytes", &Value{Text: "😀"}, false}, {"int for text", nil, false},
	},
	"maps and extensions": {
		{"int keys", &Value{Keys: map[int64]string{1: "a", -1: "b"}}, false}, {"int keys for str keys", nil, false}, {"an unknown key", &Value{Int: 5}, false},
		{"tuple for a list", &Value{List: []int64{1, 2}}, false}, {"a class", nil, false}, {"list for a map", nil, false},
	},
}
