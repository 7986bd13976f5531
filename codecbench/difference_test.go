package codecbench_test

import (
	"math"
	"math/big"
	"net/netip"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/codecbench"
)

type everything struct {
	When   time.Time
	Ratio  float64
	Any    any
	Next   *everything
	Names  []string
	Blob   []byte
	Counts map[string]int
	Pair   [2]int8
	Peer   netip.Addr
	Huge   *big.Int
	Call   func()
	quote
	cache int
}

// TestChanged has a codec return something else than it was given.
func TestChanged(t *testing.T) {
	now := time.Now()
	loop := &everything{}
	loop.Next = loop
	for _, test := range []struct {
		name       string
		sent, back everything
		want       string // "": the same
	}{
		{"zero", everything{}, everything{}, ""},
		{"time in another zone", everything{When: now}, everything{When: now.UTC()}, ""},
		{"another time", everything{When: time.Unix(1, 0).UTC()}, everything{When: time.Unix(2, 0).UTC()},
			"everything.When was time.Time 1970-01-01 00:00:01 +0000 UTC and came back as time.Time 1970-01-01 00:00:02 +0000 UTC"},
		{"NaN", everything{Ratio: math.NaN()}, everything{Ratio: math.NaN()}, ""},
		{"number", everything{Ratio: 0.5}, everything{}, "everything.Ratio was float64 0.5 and came back as float64 0"},
		{"any", everything{Any: int64(1)}, everything{Any: int8(1)}, "everything.Any was int64 1 and came back as int8 1"},
		{"any is nil", everything{Any: "x"}, everything{}, `everything.Any was "x" and came back as nil`},
		{"any the same", everything{Any: []any{1, "a"}}, everything{Any: []any{1, "a"}}, ""},
		{"deep", everything{Next: &everything{Names: []string{"a", "b"}}}, everything{Next: &everything{Names: []string{"a", "c"}}},
			`everything.Next.Names[1] was "b" and came back as "c"`},
		{"pointer", everything{Next: &everything{}}, everything{Next: &everything{}}, ""},
		{"length", everything{Names: []string{"a"}}, everything{Names: []string{}}, "everything.Names had 1 elements and came back with 0"},
		{"empty and nil", everything{Names: []string{}}, everything{}, "everything.Names was []string [] and came back as nil"},
		{"bytes", everything{Blob: []byte{1, 2}}, everything{Blob: []byte{1, 3}}, "everything.Blob[1] was uint8 2 and came back as uint8 3"},
		{"map", everything{Counts: map[string]int{"a": 1}}, everything{Counts: map[string]int{"a": 1}}, ""},
		{"map elem", everything{Counts: map[string]int{"a": 1}}, everything{Counts: map[string]int{"a": 2}}, `everything.Counts["a"] was int 1 and came back as int 2`},
		{"map key", everything{Counts: map[string]int{"a": 1}}, everything{Counts: map[string]int{"b": 1}}, `everything.Counts["a"] did not come back`},
		{"map nil", everything{Counts: map[string]int{}}, everything{}, "everything.Counts was map[string]int map[] and came back as nil"},
		{"map length", everything{Counts: map[string]int{"a": 1}}, everything{Counts: map[string]int{}}, "everything.Counts had 1 elements and came back with 0"},
		{"array", everything{Pair: [2]int8{1, 2}}, everything{Pair: [2]int8{1, 0}}, "everything.Pair[1] was int8 2 and came back as int8 0"},
		{"opaque", everything{Peer: netip.MustParseAddr("::1")}, everything{Peer: netip.MustParseAddr("::1")}, ""},
		{"opaque numbers", everything{Huge: big.NewInt(1)}, everything{Huge: big.NewInt(1)}, ""},
		{"other opaque numbers", everything{Huge: big.NewInt(1)}, everything{Huge: big.NewInt(2)}, "everything.Huge.abs[0] was big.Word 1 and came back as big.Word 2"},
		{"func", everything{Call: func() {}}, everything{}, ""},
		{"embedded", everything{quote: quote{ID: 1}}, everything{}, "everything.quote.ID was uint64 1 and came back as uint64 0"},
		{"unexported", everything{cache: 1}, everything{}, ""},
		{"a loop", *loop, *loop, ""},
		{"long", everything{Names: []string{string(make([]byte, 500))}}, everything{Names: []string{""}},
			`everything.Names[0] was "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0… and came back as ""`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := changed(t, test.sent, test.back)
			if test.name == "func" {
				return // prints an address
			}
			want := test.want
			if want != "" {
				want = "sample 0: " + want
			}
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestChangedRoots(t *testing.T) {
	if got, want := changed(t, &quote{ID: 1}, &quote{ID: 2}), "sample 0: quote.ID was uint64 1 and came back as uint64 2"; got != want {
		t.Errorf("pointer: got %s, want %s", got, want)
	}
	if got, want := changed(t, &quote{}, nil), "sample 0: quote was *codecbench_test.quote &{0  0 []} and came back as nil"; got != want {
		t.Errorf("nil pointer: got %s, want %s", got, want)
	}
	if got, want := changed[any](t, 1, "a"), `sample 0: value was int 1 and came back as "a"`; got != want {
		t.Errorf("interface: got %s, want %s", got, want)
	}
	if got, want := changed(t, []int{1}, []int{2}), "sample 0: value[0] was int 1 and came back as int 2"; got != want {
		t.Errorf("slice: got %s, want %s", got, want)
	}
	if got := changed[any](t, nil, nil); got != "" {
		t.Errorf("nil interface: got %s", got)
	}
}

// changed returns what Measure says of a codec that returns back for sent.
func changed[T any](t *testing.T, sent, back T) string {
	t.Helper()
	results, err := codecbench.Measure([]T{sent}, qsocket.Stateless("changing",
		func(T) ([]byte, error) { return []byte{1}, nil },
		func(_ []byte, v *T) error { *v = back; return nil }))
	if err != nil {
		t.Fatal(err)
	}
	return results[0].Changed
}
