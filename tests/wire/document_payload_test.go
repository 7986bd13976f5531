package wire

import (
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// A field is a kind of field in the table of docs/wire.md on msgpack.
type field struct {
	sent    string                    // what one of its values is sent as, in hex; the zero value where nil means the same
	zero    any                       // what nil arrives as
	samples map[string]string         // of what it may take, in hex, where those of all fields do not suit it
	encode  func() ([]byte, error)    // of that value
	decode  func([]byte) (any, error) // of any payload
}

// fieldOf is the field of the type T.
func fieldOf[T any](value T, sent string, samples ...string) field {
	var zero T
	f := field{
		sent: sent, zero: zero, samples: make(map[string]string),
		encode: func() ([]byte, error) { return qsocket.Msgpack[T]().NewEncoder().Append(nil, value) },
		decode: func(b []byte) (any, error) { return qsocket.Msgpack[T]().NewDecoder().Decode(b) },
	}
	for i := 0; i < len(samples); i += 2 {
		f.samples[samples[i]] = samples[i+1]
	}
	return f
}

// wireFormats are values of MessagePack, one of each format family.
var wireFormats = map[string]string{
	"bool": "c3", "int": "05", "float32": "ca 3fc00000", "float64": "cb 3ff8000000000000", "str": "a1 35", "bin": "c4 01 35",
	"array": "91 05", "map": "81 a1 35 05", "time": "d6 ff 00000005", "ext": "d4 05 01",
}

var wireFields = map[string][]field{
	"bool": {fieldOf(true, "c3")},
	"integer, time.Duration (nanoseconds)": {
		fieldOf(int(-1), "ff"), fieldOf(int8(5), "05"), fieldOf(uint64(1<<63), "cf 8000000000000000"), fieldOf(uint16(300), "cd 012c"),
		fieldOf(1000*time.Nanosecond, "cd 03e8"),
	},
	"float64":   {fieldOf(1.5, "cb 3ff8000000000000")},
	"float32":   {fieldOf(float32(1.5), "ca 3fc00000")},
	"string":    {fieldOf("a", "a1 61")},
	"[]byte":    {fieldOf([]byte("a"), "c4 01 61")},
	"[n]byte":   {fieldOf([2]byte{1, 2}, "c4 02 0102")},
	"slice":     {fieldOf([]int{1, 2}, "92 01 02")},
	"[n]T":      {fieldOf([2]int{1, 2}, "92 01 02")},
	"map":       {fieldOf(map[string]int{"b": 1, "a": 2}, "82 a161 02 a162 01")},
	"struct":    {fieldOf(Tick{"A", 1.5}, "82 a6 53796d626f6c a141 a5 5072696365 cb 3ff8000000000000", "array", "92 a1 35 05", "map", "80")},
	"time.Time": {fieldOf(time.Unix(5, 0), "d6 ff 00000005", "str", "b4 323032302d30312d30315430303a30303a30305a", "array", "92 05 06")},
	"error":     {fieldOf(errors.New("a"), "a1 61")},
	"type with MarshalText and UnmarshalText":     {fieldOf(*big.NewInt(5), "c4 01 35")},
	"type with MarshalBinary and UnmarshalBinary": {fieldOf(netip.AddrFrom4([4]byte{1, 2, 3, 4}), "c4 04 01020304", "bin", "c4 04 01020304", "str", "a7 312e322e332e34")},
	"any": {fieldOf[any]("a", "a1 61")},
}

// What each field is sent as, and takes, is what docs/wire.md says, and no more.
func TestWireDocumentMsgpack(t *testing.T) {
	page, _ := wireDocument(t)
	_, section, _ := strings.Cut(page, "| field of the Go type | sent as | takes |\n")
	section, _, _ = strings.Cut(section, "\n\n")
	rows := regexp.MustCompile(`(?m)^\| ([^|]*) \| ([^|]*) \| ([^|]*) \|$`).FindAllStringSubmatch(section, -1)
	if len(rows) != len(wireFields) {
		t.Errorf("got %d rows, want %d", len(rows), len(wireFields))
	}
	for _, row := range rows {
		fields := wireFields[row[1]]
		if fields == nil {
			t.Errorf("the row %q is not tested", row[1])
		}
		var takes []string
		for _, word := range strings.Split(row[3], ", ") {
			word, _, _ = strings.Cut(word, " ")
			if wireFormats[word] == "" {
				t.Errorf("%s: %q is no format", row[1], word)
			}
			takes = append(takes, word)
		}
		for _, f := range fields {
			name := fmt.Sprintf("%s (%T)", row[1], f.zero)
			if b, err := f.encode(); string(b) != string(testkit.Unhex(f.sent)) || err != nil {
				t.Errorf("%s: sent % x, %v, want %s", name, b, err, f.sent)
			} else if word := familyOf(b[0]); word != row[2] && row[1] != "any" {
				t.Errorf("%s: sent as %s, want %s", name, word, row[2])
			}
			for word, sample := range wireFormats {
				if own := f.samples[word]; own != "" {
					sample = own
				}
				if v, err := f.decode(testkit.Unhex(sample)); (err == nil) != slices.Contains(takes, word) {
					t.Errorf("%s: takes %s as %v, %v, but the page says: %s", name, word, v, err, row[3])
				}
			}
			v, err := f.decode([]byte{0xc0})
			if err != nil || !reflect.DeepEqual(v, f.zero) {
				t.Errorf("%s: nil arrives as %#v, %v, want %#v", name, v, err, f.zero)
			}
		}
	}
}

// familyOf names the format that begins with c, as the page does.
func familyOf(c byte) string {
	switch {
	case c <= 0x7f || c >= 0xe0 || c >= 0xcc && c <= 0xd3:
		return "int"
	case c&0xf0 == 0x80 || c == 0xde || c == 0xdf:
		return "map"
	case c&0xf0 == 0x90 || c == 0xdc || c == 0xdd:
		return "array"
	case c&0xe0 == 0xa0 || c >= 0xd9 && c <= 0xdb:
		return "str"
	case c >= 0xc4 && c <= 0xc6:
		return "bin"
	case c == 0xca:
		return "float32"
	case c == 0xcb:
		return "float64"
	case c == 0xc2 || c == 0xc3:
		return "bool"
	case c == 0xd6: // the ext of 4 bytes, which here is a time
		return "time"
	}
	return "something else"
}

type place struct{ Line int }

// What the sentences under that table say.
func TestWireDocumentMsgpackSentences(t *testing.T) {
	type message struct {
		place
		Int    int8
		Byte   uint8
		Float  float64
		Single float32
		Text   string
		Blob   []byte
		Pair   [2]int
		Bytes  [2]byte
		Place  place
		Any    any
		Map    map[string]int
		Time   time.Time
		To     *int
	}
	take := func(key, value string) string {
		return fmt.Sprintf("81 %02x %x", 0xa0|len(key), key) + value
	}
	one := 1
	for _, test := range []struct {
		name, payload string
		want          *message // nil: refused
	}{
		{"the field of an embedded struct", take("Line", "05"), &message{place: place{5}}},
		{"another case", take("int", "05"), &message{}},
		{"a name as bin", "81 c4 03 496e74 05", &message{Int: 5}},
		{"a name that is an int", "81 05 05", nil},
		{"an unknown key with an extension", take("x", "d4 05 01"), &message{}},
		{"an unknown key twice", "82 a178 01 a178 02", &message{}},
		{"a key twice", "82 a3 496e74 01 a3 496e74 02", nil},
		{"a key of a map twice", take("Map", "82 a178 01 a178 02"), nil},
		{"nil for a pointer", take("To", "c0"), &message{}},
		{"a pointer", take("To", "01"), &message{To: &one}},
		{"nil for a time", take("Time", "c0"), &message{Time: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)}},
		{"an int32", take("Int", "d2 ffffffff"), &message{Int: -1}},
		{"a uint64", take("Int", "cf 000000000000007f"), &message{Int: 127}},
		{"an integer that does not fit", take("Int", "cc 80"), nil},
		{"a negative one", take("Byte", "ff"), nil},
		{"an integer for a float", take("Float", "cf 0020000000000000"), &message{Float: 1 << 53}},
		{"one that it cannot hold", take("Float", "cf 0020000000000001"), nil},
		{"one that a float32 cannot hold", take("Single", "ce 01000001"), nil},
		{"a float for an integer", take("Int", "ca 3f800000"), nil},
		{"str that is not UTF-8", take("Text", "a1 ff"), nil},
		{"bin that is not UTF-8, for a string", take("Text", "c4 01 ff"), nil},
		{"str that is not UTF-8, for bytes", take("Blob", "a1 ff"), nil},
		{"bin of any bytes", take("Blob", "c4 01 ff"), &message{Blob: []byte{0xff}}},
		{"a timestamp 64", take("Time", "d7 ff 00000004 00000001"), &message{Time: time.Unix(1, 1)}},
		{"a timestamp 96", take("Time", "c7 0c ff 00000001 0000000000000001"), &message{Time: time.Unix(1, 1)}},
		{"10⁹ nanoseconds", take("Time", "c7 0c ff 3b9aca00 0000000000000001"), nil},
		{"fewer elements", take("Pair", "91 05"), &message{Pair: [2]int{5, 0}}},
		{"more elements", take("Pair", "93 05 05 05"), nil},
		{"fewer bytes", take("Bytes", "c4 01 05"), &message{Bytes: [2]byte{5, 0}}},
		{"more bytes", take("Bytes", "c4 03 050505"), nil},
		{"a struct as an array", take("Place", "91 05"), &message{Place: place{5}}},
		{"a struct as an array of none", take("Place", "90"), &message{}},
		{"a struct as an array of more", take("Place", "92 05 05"), nil},
		{"a struct as an array of fewer", "91 05", nil},
		{"an any with other keys", take("Any", "81 05 05"), nil},
		{"an any with a map", take("Any", "81 a178 05"), &message{Any: map[string]any{"x": int8(5)}}},
		{"100 levels", take("x", strings.Repeat("91", 98)+"90"), &message{}},
		{"101 levels", take("x", strings.Repeat("91", 99)+"90"), nil},
		{"a length beyond the end", take("Text", "a5 61"), nil},
		{"bytes behind the value", "80 80", nil},
		{"nothing", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := qsocket.Msgpack[message]().NewDecoder().Decode(testkit.Unhex(test.payload))
			switch {
			case test.want == nil && err == nil:
				t.Errorf("got %+v, want an error", got)
			case test.want != nil && (err != nil || !cmp.Equal(got, *test.want, cmp.AllowUnexported(message{}))):
				t.Errorf("got %+v, %v, want %+v", got, err, *test.want)
			}
		})
	}
}

// What is nil is sent as nil, and a pointer as what it points to.
func TestWireDocumentMsgpackNil(t *testing.T) {
	type pointers struct {
		A any
		B []byte
		E error
		M map[string]int
		P *int
		S []int
	}
	five := 5
	for _, test := range []struct {
		value pointers
		want  string
	}{
		{pointers{}, "86 a141 c0 a142 c0 a145 c0 a14d c0 a150 c0 a153 c0"},
		{pointers{&five, []byte{}, errors.New(""), map[string]int{}, &five, []int{}}, "86 a141 05 a142 c400 a145 a0 a14d 80 a150 05 a153 90"},
	} {
		b, err := qsocket.Msgpack[pointers]().NewEncoder().Append(nil, test.value)
		if want := testkit.Unhex(test.want); err != nil || string(b) != string(want) {
			t.Errorf("got % x, %v, want % x", b, err, want)
		}
	}
}

// The same for JSON.
func TestWireDocumentJSONSentences(t *testing.T) {
	type message struct {
		Int  int
		INT  int
		Blob []byte
		Time time.Time
		Any  any
	}
	deep := func(n int) string { return `{"Any":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}` }
	for _, test := range []struct {
		name, payload string
		want          *message // nil: refused; the Any is not compared
	}{
		{"a name", `{"Int":1}`, &message{Int: 1}},
		{"the same in another case", `{"INT":1}`, &message{INT: 1}},
		{"no name but for the case", `{"int":1}`, &message{Int: 1}},
		{"unknown", `{"x":1}`, &message{}},
		{"null", `null`, &message{}},
		{"null for each", `{"Int":null,"Blob":null,"Time":null}`, &message{}},
		{"base64", `{"Blob":"/w=="}`, &message{Blob: []byte{0xff}}},
		{"a time", `{"Time":"2020-01-01T00:00:00Z"}`, &message{Time: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)}},
		{"a fraction", `{"Int":1.0}`, nil},
		{"an exponent", `{"Int":1e0}`, nil},
		{"a key twice", `{"x":1,"x":1}`, nil},
		{"an end of line", "{}\n", nil},
		{"white space", "{} ", nil},
		{"two values", "{}{}", nil},
		{"nothing", "", nil},
		{"not UTF-8", "{\"x\":\"\xff\"}", nil},
		{"100 levels", deep(100), &message{}},
		{"101 levels", deep(101), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := qsocket.JSON[message]().NewDecoder().Decode([]byte(test.payload))
			got.Any = nil
			switch {
			case test.want == nil && err == nil:
				t.Errorf("got %+v, want an error", got)
			case test.want != nil && (err != nil || !cmp.Equal(got, *test.want)):
				t.Errorf("got %+v, %v, want %+v", got, err, *test.want)
			}
		})
	}
}
