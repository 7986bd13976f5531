package pickle_test

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/pickle"
)

func encodes[T any](v T, opts ...pickle.Option) (string, error) {
	b, err := pickle.Codec[T](opts...).NewEncoder().Append(nil, v)
	return string(b), err
}

// What is written, byte by byte, with protocol 4 and, where it differs, with 3.
func TestEncode(t *testing.T) {
	tests := []struct {
		name        string
		v           any
		want, want3 string
	}{
		{"nil", nil, "N", ""},
		{"bools", []bool{true, false}, "](\x88\x89e", ""},
		{"small ints", []int{0, 255, 256, 65535, 65536, -1}, "](K\x00K\xffM\x00\x01M\xff\xffJ\x00\x00\x01\x00J\xff\xff\xff\xffe", ""},
		{"int64", int64(math.MinInt64), "\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80", ""},
		{"uint64", uint64(math.MaxUint64), "\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\x00", ""},
		{"beyond 32 bits", int64(1) << 31, "\x8a\x05\x00\x00\x00\x80\x00", ""},
		{"big", new(big.Int).Lsh(big.NewInt(-1), 64), "\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\xff", ""},
		{"NaN", math.NaN(), "G\x7f\xf8\x00\x00\x00\x00\x00\x01", ""},
		{"float32", float32(0.5), "G\x3f\xe0\x00\x00\x00\x00\x00\x00", ""},
		{"string", "é", "\x8c\x02\xc3\xa9", "X\x02\x00\x00\x00\xc3\xa9"},
		{"long string", strings.Repeat("a", 256), "X\x00\x01\x00\x00" + strings.Repeat("a", 256), ""},
		{"bytes", []byte{1}, "C\x01\x01", ""},
		{"byte array", [1]byte{1}, "C\x01\x01", ""},
		{"nil slice", []int(nil), "N", ""},
		{"empty slice", []int{}, "]", ""},
		{"arrays", [2][]int{}, "NN\x86", ""},
		{"array of 4", [4]int8{}, "(K\x00K\x00K\x00K\x00t", ""},
		{"array of 0", [0]int{}, ")", ""},
		{"map in order", map[string]int{"b": 1, "a": 2, "": 3}, "}(\x8c\x00K\x03\x8c\x01aK\x02\x8c\x01bK\x01u", "}(X\x00\x00\x00\x00K\x03X\x01\x00\x00\x00aK\x02X\x01\x00\x00\x00bK\x01u"},
		{"numbers in order", map[any]any{2: nil, -1.5: nil, uint8(1): nil, false: nil, nil: nil}, "}(NNG\xbf\xf8\x00\x00\x00\x00\x00\x00N\x89NK\x01NK\x02Nu", ""},
		{"set", map[int]struct{}{2: {}, 1: {}}, "\x8f(K\x01K\x02\x90", "cbuiltins\nset\n](K\x01K\x02e\x85R"},
		{"empty set", map[int]struct{}{}, "\x8f", "cbuiltins\nset\n]\x85R"},
		{"struct", item{N: 1}, "}(\x8c\x04name\x8c\x00\x8c\x01nK\x01\x8c\x04TagsNu", "}(X\x04\x00\x00\x00nameX\x00\x00\x00\x00X\x01\x00\x00\x00nK\x01X\x04\x00\x00\x00TagsNu"},
		{"omitempty", item{}, "}(\x8c\x04name\x8c\x00\x8c\x04TagsNu", "}(X\x04\x00\x00\x00nameX\x00\x00\x00\x00X\x04\x00\x00\x00TagsNu"},
		{"no fields", struct{}{}, "}", ""},
		{"zero Date", pickle.Date{}, "N", ""},
		{"empty Decimal", pickle.Decimal(""), "N", ""},
		{"duration", -time.Microsecond, "\x8c\x08datetime\x8c\x09timedelta\x93J\xff\xff\xff\xffJ\x7f\x51\x01\x00J\x3f\x42\x0f\x00\x87R", "cdatetime\ntimedelta\nJ\xff\xff\xff\xffJ\x7f\x51\x01\x00J\x3f\x42\x0f\x00\x87R"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want3 == "" {
				tt.want3 = tt.want
			}
			if got, err := encodes(tt.v); err != nil || got != "\x80\x04"+tt.want+"." {
				t.Errorf("got %q, error %v, want %q", got, err, tt.want)
			}
			if got, err := encodes(tt.v, pickle.Protocol3()); err != nil || got != "\x80\x03"+tt.want3+"." {
				t.Errorf("protocol 3: got %q, error %v, want %q", got, err, tt.want3)
			}
		})
	}
}

type ring struct{ Next *ring }

// What cannot be said is an error, after which the encoder goes on to work.
func TestEncodeRefuses(t *testing.T) {
	around := &ring{}
	around.Next = around
	self := []any{nil}
	self[0] = self
	var pointer any
	pointer = &pointer
	deep := any(nil)
	for range 101 {
		deep = []any{deep}
	}
	tests := []struct {
		name string
		v    any
		want string
	}{
		{"chan", make(chan int), "cannot be encoded"},
		{"func in a slice", []any{1, func() {}}, "message[1]: message: func() cannot be encoded"},
		{"complex", 1i, "complex128 cannot be encoded"},
		{"string that is not UTF-8", "a\xff", "byte 0xff at offset 1"},
		{"key that is not UTF-8", map[string]int{"\xff": 1}, "byte 0xff"},
		{"ring", around, "a value that contains itself"},
		{"slice in itself", self, "a value that contains itself"},
		{"pointer to itself", pointer, "a value that contains itself"},
		{"deep", deep, "nested deeper than 100"},
		{"time with nanoseconds", time.Unix(0, 1), "Truncate(time.Microsecond)"},
		{"year 10000", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "year 10000"},
		{"year 0", time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), "year 0"},
		{"zone of a day", time.Unix(0, 0).In(time.FixedZone("", 86400)), "offset of 86400 seconds"},
		{"duration with nanoseconds", time.Duration(1), "Truncate(time.Microsecond)"},
		{"date", pickle.Date{Year: 2026, Month: 2, Day: 30}, "2026-02-30, which there is not"},
		{"time of day", pickle.TimeOfDay(24 * time.Hour), "below 24h"},
		{"Decimal", pickle.Decimal("1,5"), "which Python would refuse"},
		{"Decimal with spaces", pickle.Decimal(" 1"), "which Python would refuse"},
		{"1 and 1.0", map[any]int{1: 1, 1.0: 2}, "keys 1 and 1 are one in Python"},
		{"1 and true", map[any]struct{}{1: {}, true: {}}, "are one in Python"},
		{"int and int8", map[any]int{1: 1, int8(1): 2}, "are one in Python"},
		{"2^53 and 2^53 as a float", map[any]int{1 << 53: 1, float64(1 << 53): 2}, "are one in Python"},
		{"slice as a key", map[any]int{[1]any{1}: 1, struct{}{}: 2}, "cannot be the key of a dict"},
		{"zero Date as a key", map[pickle.Date]int{{}: 1}, "which is None"},
		{"struct with methods of an embedded one", struct {
			time.Time
			N int
		}{}, "N would be lost"},
	}
	enc := pickle.Codec[any]().NewEncoder()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := enc.Append([]byte("x"), tt.v)
			if err == nil || !strings.Contains(err.Error(), tt.want) || string(b) != "x" {
				t.Errorf("got %q, error %v, want error %q", b, err, tt.want)
			}
			if b, err := enc.Append(nil, []any{deepest()}); err != nil {
				t.Errorf("got %q, error %v after it", b, err)
			}
		})
	}
}

// deepest is as deep as can be, in another slice.
func deepest() (v any) {
	for range 99 {
		v = []any{v}
	}
	return v
}

// Neighbours among large numbers are different keys.
func TestLargeKeys(t *testing.T) {
	m := map[any]struct{}{int64(1) << 53: {}, int64(1)<<53 + 1: {}, uint64(1)<<63 + 1: {}, uint64(1) << 63: {}, math.Inf(1): {}, math.NaN(): {}}
	m[math.NaN()] = struct{}{}
	got, err := encodes[any](m)
	if err != nil || strings.Count(got, "\x8a") != 4 {
		t.Errorf("got %q, error %v", got, err)
	}
	typed := map[int64]int{1 << 53: 0, 1<<53 + 1: 1, 1<<53 + 2: 2}
	got, err = encodes[any](typed)
	if want := fmt.Sprintf("\x80\x04}(\x8a\x07%sK\x00\x8a\x07%sK\x01\x8a\x07%sK\x02u.", "\x00\x00\x00\x00\x00\x00\x20", "\x01\x00\x00\x00\x00\x00\x20", "\x02\x00\x00\x00\x00\x00\x20"); err != nil || got != want {
		t.Errorf("got %q, error %v, want %q", got, err, want)
	}
}
