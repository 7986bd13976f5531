package pickle_test

import (
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/pickle"
	"github.com/google/go-cmp/cmp"
)

// decodes decodes payload to a T.
func decodes[T any](payload string, opts ...pickle.Option) (any, error) {
	return pickle.Codec[T](opts...).NewDecoder().Decode([]byte(payload))
}

type item struct {
	Name string `pickle:"name"`
	N    uint8  `pickle:"n,omitempty"`
	Tags []string
}

type outer struct {
	Items []item
	At    map[string][2]int16
}

// What types take. A want that is a string is part of the error.
func TestDecodeTypes(t *testing.T) {
	type wantError string
	tests := []struct {
		name    string
		decode  func(string, ...pickle.Option) (any, error)
		payload string
		want    any
	}{
		{"None for an int", decodes[int], "N.", 0},
		{"None for a slice", decodes[[]int], "N.", []int(nil)},
		{"None for a pointer", decodes[*int], "N.", (*int)(nil)},
		{"pointer", decodes[*int], "K\x07.", ptr(7)},
		{"int8", decodes[int8], "J\x80\xff\xff\xff.", int8(-128)},
		{"int8 overflows", decodes[int8], "K\x80.", wantError("128 overflows int8")},
		{"uint8 overflows", decodes[uint8], "J\xff\xff\xff\xff.", wantError("-1 overflows uint8")},
		{"uint64", decodes[uint64], "\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\x00.", uint64(1<<64 - 1)},
		{"uint64 overflows", decodes[uint64], "\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.", wantError("18446744073709551616 overflows uint64")},
		{"int64 overflows", decodes[int64], "\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00.", wantError("9223372036854775808 overflows int64")},
		{"int64 overflows by far", decodes[int64], "\x8a\x64" + strings.Repeat("\x7f", 100) + ".", wantError("an int of 100 bytes overflows int64")},
		{"float for an int", decodes[int], "G\x3f\xf0\x00\x00\x00\x00\x00\x00.", wantError("a float for int")},
		{"bool for an int", decodes[int], "\x88.", wantError("a bool for int")},
		{"int for a bool", decodes[bool], "K\x01.", wantError("an int for bool")},
		{"int for a float", decodes[float64], "K\x01.", 1.0},
		{"2^53+1 for a float", decodes[float64], "\x8a\x07\x01\x00\x00\x00\x00\x00\x20.", wantError("9007199254740993 is no float64")},
		{"2^63-1 for a float", decodes[float64], "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f.", wantError("9223372036854775807 is no float64")},
		{"2^64 for a float", decodes[float64], "\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.", float64(1 << 64)},
		{"0.1 for a float32", decodes[float32], "G\x3f\xb9\x99\x99\x99\x99\x99\x9a.", wantError("0.1 is no float32")},
		{"1.5 for a float32", decodes[float32], "G\x3f\xf8\x00\x00\x00\x00\x00\x00.", float32(1.5)},
		{"big", decodes[*big.Int], "K\x01.", big.NewInt(1)},
		{"bytes for a string", decodes[string], "C\x01a.", wantError("bytes for string")},
		{"str for bytes", decodes[[]byte], "\x8c\x01a.", wantError("a str for []uint8")},
		{"bytes for an array", decodes[[2]byte], "C\x02ab.", [2]byte{'a', 'b'}},
		{"bytes for a shorter array", decodes[[1]byte], "C\x02ab.", wantError("2 bytes for [1]uint8")},
		{"latin1 for bytes", decodes[[]byte], "c_codecs\nencode\n\x8c\x02\xc3\xbf\x8c\x06latin1\x86R.", []byte{0xff}},
		{"tuple for a slice", decodes[[]int], "K\x01K\x02\x86.", []int{1, 2}},
		{"set for a slice", decodes[[]int], "\x8f(K\x01\x90.", []int{1}},
		{"list for an array", decodes[[2]int], "](K\x01K\x02e.", [2]int{1, 2}},
		{"list for a longer array", decodes[[3]int], "](K\x01K\x02e.", wantError("a list of 2 items for [3]int")},
		{"set", decodes[map[string]struct{}], "\x8f(\x8c\x01a\x90.", map[string]struct{}{"a": {}}},
		{"set for a map", decodes[map[string]bool], "\x8f(\x8c\x01a\x90.", wantError("a set for map[string]bool")},
		{"dict for a set", decodes[map[string]struct{}], "}\x8c\x01aNs.", wantError("a dict for map[string]struct {}")},
		{"tuple as a key", decodes[map[[2]int]string], "}K\x01K\x02\x86\x8c\x01as.", map[[2]int]string{{1, 2}: "a"}},
		{"None as a key", decodes[map[string]int], "}NK\x01s.", wantError("None for string")},
		{"key twice", decodes[map[float64]int], "}(K\x01NG\x3f\xf0\x00\x00\x00\x00\x00\x00Nu.", wantError("1 is in a dict twice")},
		{"str for a duration", decodes[time.Duration], "\x8c\x021s.", wantError("a str for time.Duration")},
		{"int for a duration", decodes[time.Duration], "K\x01.", wantError("an int for time.Duration")},
		{"Decimal for a float", decodes[float64], "cdecimal\nDecimal\n\x8c\x041.50\x85R.", wantError("a Decimal for float64")},
		{"bad address", decodes[everything], "}\x8c\x04Addr\x8c\x03a.bs.", wantError("everything.Addr: ParseAddr")},
		{"struct", decodes[item], "}(\x8c\x04name\x8c\x01x\x8c\x01nK\x05u.", item{Name: "x", N: 5}},
		{"struct in another order", decodes[item], "}(\x8c\x04TagsN\x8c\x01nK\x05u.", item{N: 5}},
		{"unknown field", decodes[item], "}(\x8c\x01zK\x01\x8c\x01nK\x05u.", item{N: 5}},
		{"name of the field", decodes[item], "}\x8c\x01NK\x01s.", item{}},
		{"field twice", decodes[item], "}(\x8c\x01nK\x01\x8c\x01nK\x01u.", wantError("field N is there twice")},
		{"list for a struct", decodes[item], "].", wantError("a list for pickle_test.item")},
		{"way to a field", decodes[outer], "}\x8c\x05Items](}}\x8c\x01nM\x00\x01ses.", wantError("pickle: outer.Items[1].N: 256 overflows uint8")},
		{"way to an entry", decodes[*outer], "}\x8c\x02At}\x8c\x01k(K\x01\x88tss.", wantError(`pickle: outer.At["k"][1]: a bool for int16`)},
		{"field of an embedded struct", decodes[everything], "}\x8c\x05inner\x8c\x01xs.", everything{Embedded: Embedded{Inner: "x"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.decode(tt.payload)
			if want, ok := tt.want.(wantError); ok {
				if err == nil || !strings.Contains(err.Error(), string(want)) {
					t.Fatalf("got %v, error %v, want error %q", got, err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got, equal, cmp.Exporter(func(reflect.Type) bool { return true })); d != "" {
				t.Error(d)
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

func TestDisallowUnknownFields(t *testing.T) {
	_, err := decodes[item]("}\x8c\x01zK\x01s.", pickle.DisallowUnknownFields())
	if err == nil || !strings.Contains(err.Error(), `unknown field "z"`) {
		t.Errorf("got error %v, want one that names z", err)
	}
}

func TestMaxExpansion(t *testing.T) {
	payload := "(" + strings.Repeat("N", 1000) + "t."
	type large [1000]byte
	if _, err := decodes[[]*large](payload); err != nil {
		t.Errorf("got error %v for pointers that are nil", err)
	}
	if _, err := decodes[[]large](payload); err == nil || !strings.Contains(err.Error(), "MaxExpansion") {
		t.Errorf("got error %v, want one about MaxExpansion", err)
	}
	if v, err := decodes[[]large](payload, pickle.MaxExpansion(2000)); err != nil || len(v.([]large)) != 1000 {
		t.Errorf("got error %v with MaxExpansion(2000)", err)
	}
}

// The strings that a list has in common are made once.
func TestSharedStrings(t *testing.T) {
	payload := "](X\x00\x00\x01\x00" + strings.Repeat("a", 1<<16) + "\x94" + strings.Repeat("h\x00", 10_000) + "e."
	v, err := decodes[[]string](payload)
	if err != nil {
		t.Fatal(err)
	}
	if s := v.([]string); len(s) != 10_001 || s[10_000] != s[0] || len(s[0]) != 1<<16 {
		t.Errorf("got %d strings", len(s))
	}
}

// What is shared is looked at as often as it occurs, within a bound.
func TestSharedWork(t *testing.T) {
	long := "\x8d\x40\x0d\x03\x00\x00\x00\x00\x00" + strings.Repeat("1", 200_000) + "\x94"
	const latin1, many = "\x8c\x06latin1\x94", 20_000
	tests := []struct {
		name, payload string
		decode        func(string, ...pickle.Option) (any, error)
	}{
		{"encode", "}\x8c\x01x(" + long + latin1 + "c_codecs\nencode\n\x94" + strings.Repeat("h\x02h\x00h\x01\x86R", many) + "ts.", decodes[struct{}]},
		{"Decimal", "}\x8c\x01x(" + long + "cdecimal\nDecimal\n\x94" + strings.Repeat("h\x01h\x00\x85R", many) + "ts.", decodes[struct{}]},
		{"key of anys", "(" + long + strings.Repeat("}h\x00Ns", many) + "t.", decodes[[]any]},
		{"keys that are skipped", "](}\x94(\x8c\x01x\x94" + strings.Repeat("Nh\x01", many) + "Nu" + strings.Repeat("h\x00", many) + "e.", decodes[[]struct{}]},
		{"key of sets", "(" + long + strings.Repeat("(h\x00\x91", many) + "t.", decodes[[]any]},
		{"key of maps", "](}" + long + "Ns" + strings.Repeat("}h\x00Ns", many) + "e.", decodes[[]map[string]int]},
	}
	for _, tt := range tests {
		if _, err := tt.decode(tt.payload, pickle.MaxExpansion(100)); err == nil || !strings.Contains(err.Error(), "MaxExpansion") {
			t.Errorf("%s: got error %v, want one about MaxExpansion", tt.name, err)
		}
	}
	payload := "(" + long + "t."
	if _, err := decodes[[]string](payload); err != nil {
		t.Error(err)
	}
}

// A datetime without a timezone is the time when clocks in the zone show it.
func TestNaiveIn(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no zones: ", err)
	}
	naive := func(b string) string { return "cdatetime\ndatetime\nC\x0a" + b + "\x00\x00\x00\x85R." }
	tests := []struct{ name, wall, want string }{
		{"summer", "\x07\xea\x07\x01\x0c\x00\x00", "2026-07-01T10:00:00Z"},
		{"winter", "\x07\xea\x01\x01\x0c\x00\x00", "2026-01-01T11:00:00Z"},
		{"the first of two", "\x07\xea\x0a\x19\x02\x1e\x00", "2026-10-25T00:30:00Z"},
		{"the second of two", "\x07\xea\x8a\x19\x02\x1e\x00", "2026-10-25T01:30:00Z"},
		{"one with a fold that means nothing", "\x07\xea\x87\x01\x0c\x00\x00", "2026-07-01T10:00:00Z"},
		{"just before", "\x07\xea\x03\x1d\x01\x3b\x3b", "2026-03-29T00:59:59Z"},
		{"none", "\x07\xea\x03\x1d\x02\x1e\x00", "clocks are put forward"},
		{"before there were zones", "\x06\xa4\x01\x01\x00\x00\x00", "1699-12-31T23:06:32Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := decodes[time.Time](naive(tt.wall), pickle.NaiveIn(berlin))
			if err != nil {
				if !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("got error %v, want %s", err, tt.want)
				}
				return
			}
			if got := v.(time.Time).UTC().Format(time.RFC3339); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	if _, err := decodes[any](naive(tests[0].wall)); err == nil || !strings.Contains(err.Error(), "2026-07-01 12:00:00.000000 without a timezone") {
		t.Errorf("got error %v, want one that tells of timezones", err)
	}
}

// A time keeps its offset, and is in UTC if that is 0.
func TestDecodeTime(t *testing.T) {
	const head = "cdatetime\ndatetime\nC\x0a\x07\xea\x07\x01\x0c\x00\x00\x00\x00\x07cdatetime\ntimezone\ncdatetime\ntimedelta\n"
	v, err := decodes[any](head + "K\x00K\x00K\x00\x87R\x85R\x86R.")
	if got, ok := v.(time.Time); err != nil || !ok || got.Location() != time.UTC || got.Nanosecond() != 7000 {
		t.Errorf("got %v, error %v, want UTC and 7 µs", v, err)
	}
	v, err = decodes[any](head + "J\xff\xff\xff\xffJ\x7f\x51\x01\x00K\x00\x87R\x85R\x86R.") // a second less than a day: -1 s
	if got, ok := v.(time.Time); err != nil || !ok || got.UTC().Second() != 1 {
		t.Errorf("got %v, error %v, want an offset of a second", v, err)
	}
}
