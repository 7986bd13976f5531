package mpplan_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/mpplan"
	"github.com/vmihailenco/msgpack/v5"
)

// shout is encoded in upper case.
type shout string

func (s shout) MarshalText() ([]byte, error)     { return []byte(strings.ToUpper(string(s))), nil }
func (s *shout) UnmarshalText(text []byte) error { *s = shout(text); return nil }

// A map whose keys would not be keys where they arrive, or would be one, is refused by the
// encoder: the decoder refuses it too. All others arrive.
func TestKeysThatDoNotArrive(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	there := at.In(time.FixedZone("there", 3600))
	keyed(t, "one time in two zones", map[time.Time]int{at: 1, there: 2}, "encoded alike")
	keyed(t, "two times", map[time.Time]int{at: 1, at.Add(1): 2}, "")
	keyed(t, "one number of two types", map[any]int{int8(1): 1, int64(1): 2}, "encoded alike")
	keyed(t, "numbers and strings", map[any]int{int8(1): 1, 2.5: 2, "1": 3, true: 4, nil: 5}, "")
	keyed(t, "methods that forget", map[shout]int{"a": 1, "A": 2, "b": 3}, "encoded alike")
	keyed(t, "a method", map[shout]int{"A": 1, "B": 2}, "")
	keyed(t, "array in an any", map[any]int{[2]int{1, 2}: 1}, "cannot be the key")
	keyed(t, "bytes in an any", map[any]int{[2]byte{1, 2}: 1}, "cannot be the key")
	keyed(t, "struct in an any", map[any]int{struct{ A int }{1}: 1}, "cannot be the key")
	keyed(t, "pointer in an any", map[any]int{&[]int{1}: 1}, "cannot be the key")
	keyed(t, "arrays", map[[2]int]int{{1, 2}: 1, {2, 1}: 2}, "")
	keyed(t, "pointers", map[*int]int{new(int): 1}, "")
	keyed(t, "two pointers to one value", map[*int]int{new(int): 1, new(int): 2}, "")
	keyed(t, "the same in structs", map[struct{ P *int }]int{{new(int)}: 1, {new(int)}: 2}, "")
	keyed(t, "the same in an any", map[any]int{new(int): 1, new(int): 2}, "encoded alike")
	keyed(t, "no numbers", map[float64]int{math.NaN(): 1, math.NaN(): 2}, "")
	keyed(t, "structs", map[struct{ A, B int }]int{{1, 2}: 1, {2, 1}: 2}, "")
	keyed(t, "numbers, in an any", map[string]any{"a": map[int]int{1: 2}}, "want a string")
	keyed(t, "strings, in an any", map[string]any{"a": map[shout]int{"A": 2}, "b": map[any]int{"c": 1, "d": 2}}, "")
	keyed(t, "strings of two kinds, in an any", map[string]any{"a": map[any]int{"A": 1, shout("A"): 2}}, "arrive as the string")
	keyed(t, "pointers, in an any", []any{map[*string]int{new(string): 1, new(string): 2}}, "arrive as the string")
	keyed(t, "nil, in an any", []any{map[*string]int{nil: 1}}, "want a string")
	keyed(t, "no map, in an any", []any{map[int]int{}, map[int]int(nil)}, "")
	keyed(t, "a method's, in an any", []any{msgpack.RawMessage{0x81, 1, 1}}, "cannot arrive in an interface")
	keyed(t, "a method's, in a struct in an any", []any{struct{ M msgpack.RawMessage }{msgpack.RawMessage{0x91, 0x81, 1, 1}}}, "cannot arrive in an interface")
	keyed(t, "a method's, not in an any", struct{ M msgpack.RawMessage }{msgpack.RawMessage{0x91, 0x81, 1, 1}}, "")
	keyed(t, "nil and typed nil", map[any]int{nil: 1, (*int)(nil): 2}, "encoded alike")
}

func keyed[M any](t *testing.T, name string, m M, want string) {
	t.Run(name, func(t *testing.T) {
		p, err := mpplan.For[M]().Append(new(mpplan.Encoder), nil, &m)
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got % x, %v, want error %s", p, err, want)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		got := new(M)
		if err := mpplan.For[M]().Decode(new(mpplan.Decoder), p, got); err != nil {
			t.Error(err)
		}
	})
}

// Keys with pointers stay different where they arrive, but for those that arrive as nil.
func TestPointersInKeysThatArriveAsNil(t *testing.T) {
	var none, other []byte
	one, same := []byte{1}, []byte{1}
	type key struct {
		P *[]byte
		N int
	}
	for _, tt := range []struct {
		name string
		v    any
		ok   bool
	}{
		{"nil and a pointer to nil", &map[*[]byte]int{nil: 1, &none: 2}, false},
		{"pointers to nil", &map[*[]byte]int{&none: 1, &other: 2}, false},
		{"pointers to equals", &map[*[]byte]int{&one: 1, &same: 2}, true},
		{"one pointer to nil", &map[*[]byte]int{&one: 1, &none: 2}, true},
		{"in structs", &map[key]int{{nil, 1}: 1, {&none, 1}: 2}, false},
		{"in structs that differ", &map[key]int{{nil, 1}: 1, {&none, 2}: 2}, true},
		{"in structs, to equals", &map[key]int{{&one, 1}: 1, {&same, 1}: 2}, true},
		{"in arrays", &map[[2]*[]byte]int{{&one, nil}: 1, {&same, &none}: 2}, true},
		{"in arrays, all nil", &map[[2]*[]byte]int{{&other, nil}: 1, {nil, &none}: 2}, false},
	} {
		_, err := encode(tt.v, false)
		if (err == nil) != tt.ok || err != nil && !strings.Contains(err.Error(), "encoded alike") {
			t.Errorf("%s: got %v, want it accepted: %v", tt.name, err, tt.ok)
		}
	}
}
