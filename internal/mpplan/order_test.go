package mpplan_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/fb9bb4ed/qsocket/internal/mpplan"
	"github.com/fb9bb4ed/qsocket/internal/mpscan"
)

// Fields may come in any order, be absent, be there twice and be unknown: the
// decoder expects them in the order of declaration, and must not depend on it.
func TestFieldsInAnyOrder(t *testing.T) {
	for _, s := range []subject{
		newSubject[Numbers](), newSubject[Strings](), newSubject[Tagged](), newSubject[Embeds](),
		newSubject[Nested](), newSubject[Wide](), newSubject[Order](),
	} {
		t.Run(s.typ.String(), func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 4))
			for range 300 {
				v := reflect.New(s.typ)
				random(r, v.Elem(), 0)
				p, err := s.encode(v.Interface(), defaults)
				if err != nil {
					t.Fatal(err)
				}
				compare(t, s, disorder(t, r, entries(t, p)))
			}
		})
	}
}

// entries returns the encoded entries of the map p.
func entries(t *testing.T, p []byte) (all [][]byte) {
	var scan mpscan.Scanner
	i := 1
	if p[0] == 0xde {
		i = 3
	}
	for i < len(p) {
		key, err := scan.Skip(p, i, 0)
		if err != nil {
			t.Fatal(err)
		}
		end, err := scan.Skip(p, key, 0)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p[i:end])
		i = end
	}
	return all
}

// disorder makes a map of most of the entries: some swapped, some left out,
// unknown ones between them, and now and then one twice.
func disorder(t *testing.T, r *rand.Rand, all [][]byte) []byte {
	all = slices.Clone(all)
	for range r.IntN(4) {
		switch n := len(all); r.IntN(8) {
		case 0, 1:
			i, j := r.IntN(n+1), r.IntN(n+1)
			all = slices.Insert(all, i, []byte("\xa1?\x93\x01\xa0\xc0"))
			if j < len(all) {
				all = slices.Delete(all, j, j+1)
			}
		case 2, 3, 4:
			if n > 1 {
				i, j := r.IntN(n), r.IntN(n)
				all[i], all[j] = all[j], all[i]
			}
		case 5, 6:
			if n > 0 {
				i := r.IntN(n)
				all = slices.Delete(all, i, i+1)
			}
		case 7:
			if n > 0 {
				all = slices.Insert(all, r.IntN(n+1), all[r.IntN(n)])
			}
		}
	}
	p := []byte{0xde, byte(len(all) >> 8), byte(len(all))}
	return append(p, slices.Concat(all...)...)
}

// Whatever is behind embedded pointers is reached through them alone. The race
// detector's build checks each pointer that is made on the way.
func TestLargeEmbeddedPointer(t *testing.T) {
	type outer struct {
		A int64
		*Large
		B string
	}
	want := &outer{A: 1, Large: &Large{Z: 2, S: "three"}, B: "four"}
	s := newSubject[outer]()
	for _, arrays := range []bool{false, true} {
		p, err := s.encode(want, mpplan.Options{Arrays: arrays})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.decode(p, defaults); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("arrays %v: got %+v, %v", arrays, got, err)
		}
	}
}

// Large is larger than what it is embedded in.
type Large struct {
	Pad [4000]byte `msgpack:"-"`
	Z   int64
	S   string
}

// A name that two fields have stands for the last of them.
func TestOneNameForTwoFields(t *testing.T) {
	type message struct {
		A int `msgpack:"x"`
		B int `msgpack:"x"`
		C int
	}
	for _, p := range []string{"\x81\xa1x\x05", "\x82\xa1x\x05\xa1C\x01", "\x82\xa1C\x01\xa1x\x05", "\x93\x01\x02\x03"} {
		compare(t, newSubject[message](), []byte(p))
		got, err := newSubject[message]().decode([]byte(p), defaults)
		want, wantErr := v5Decode(reflect.TypeFor[message](), []byte(p))
		if err != nil || wantErr != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%x: got %+v, %v, want %+v, %v", p, got, err, want, wantErr)
		}
	}
}

// The strings of a message share memory, but never a byte of it, with each other or
// with those of another message.
func TestStringsShareMemory(t *testing.T) {
	type message struct {
		A, B, C string
		D       []string
		E       map[string]string
		F       any
	}
	plan := mpplan.For[message]()
	var dec mpplan.Decoder
	r := rand.New(rand.NewPCG(5, 6))
	var known []string
	fresh := 10 // of 10 strings, how many are new
	text := func() string {
		if len(known) > 0 && r.IntN(10) >= fresh {
			return known[r.IntN(len(known))]
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
	var got, want []message
	for n := range 3000 {
		fresh = n / 300 // few are at first, then too many for them to be kept
		m := message{A: text(), B: text(), C: text(), D: []string{}, E: map[string]string{text(): text()}, F: text()}
		for range r.IntN(30) {
			m.D = append(m.D, text())
		}
		p, err := plan.Append(new(mpplan.Encoder), nil, &m)
		if err != nil {
			t.Fatal(err)
		}
		var v message
		if err := plan.Decode(&dec, p, &v); err != nil {
			t.Fatal(err)
		}
		if r.IntN(10) == 0 { // an error must not disturb what follows
			if err := plan.Decode(&dec, p[:len(p)-1], new(message)); err == nil {
				t.Fatal("a payload that is cut off was decoded")
			}
		}
		clear(p)
		got, want = append(got, v), append(want, m)
	}
	if !reflect.DeepEqual(got, want) {
		t.Error("strings have changed")
	}
}

// What the strings of a message cost: nothing if they have come before, and one
// allocation if they have not and the decoder has seen that this is the rule.
func TestStringsCostOneAllocation(t *testing.T) {
	type message struct{ A, B, C, D string }
	plan := mpplan.For[message]()
	var payloads [][]byte
	for i := range 2000 {
		at := func(prefix string) string { return fmt.Sprint(prefix, i) }
		p, err := plan.Append(new(mpplan.Encoder), nil, &message{at("some"), at("and more "), at("than fits "), at("into one word ")})
		if err != nil {
			t.Fatal(err)
		}
		payloads = append(payloads, p)
	}
	for name, test := range map[string]struct {
		different int
		want      float64
	}{"the same": {1, 0}, "others": {1000, 1}} {
		var dec mpplan.Decoder
		var v message
		n := 0
		decode := func() {
			if err := plan.Decode(&dec, payloads[n%test.different], &v); err != nil {
				t.Fatal(err)
			}
			n++
		}
		for range 200 {
			decode()
		}
		if got := testing.AllocsPerRun(1000, decode); got != test.want {
			t.Errorf("%s: %v allocations for a message of 4 strings, want %v", name, got, test.want)
		}
	}
}

// A slice of strings that shares memory with others must not keep long strings of them.
func TestSharedSlicesHoldShortStrings(t *testing.T) {
	plan := mpplan.For[[]string]()
	var dec mpplan.Decoder
	decode := func(ss []string) (v []string) {
		p, err := plan.Append(new(mpplan.Encoder), nil, &ss)
		if err == nil {
			err = plan.Decode(&dec, p, &v)
		}
		if err != nil || !reflect.DeepEqual(v, ss) {
			t.Fatalf("%q became %q, %v", ss, v, err)
		}
		return v
	}
	for range 100 {
		decode([]string{"short", "ones"})
	}
	before, long := decode([]string{"short"}), decode([]string{"short", strings.Repeat("long", 100)})
	after := decode([]string{"ones"})
	if cap(before) != 1 || &unsafe.Slice(&before[0], 4)[3] != &after[0] {
		t.Error("short slices do not lie side by side, so the test says nothing")
	}
	if got := unsafe.Slice(&before[0], 4)[1:3]; got[0] != "" || got[1] != "" {
		t.Errorf("%q are left beside a short string", got)
	}
	if &long[0] == &unsafe.Slice(&before[0], 4)[1] {
		t.Error("a long string is beside a short one")
	}
}

// Long strings in short slices make these be allocated twice, which the limit covers.
func TestLongStringsInShortSlicesCountTwice(t *testing.T) {
	type message [4000][]string
	plan := mpplan.For[message]()
	lengths := [...]int{4, 4, 4, 1} // and so 3 strings of each 16 get lost
	for _, expansion := range []int{1, 2, 3, 8} {
		refused := 0
		for filled := 100; filled < 4000; filled += 300 {
			var m message
			for i := range filled {
				m[i] = make([]string, lengths[i%4])
				m[i][len(m[i])-1] = strings.Repeat("x", 33)
			}
			p, err := plan.Append(new(mpplan.Encoder), nil, &m)
			if err != nil {
				t.Fatal(err)
			}
			dec := &mpplan.Decoder{Options: mpplan.Options{Expansion: expansion}}
			got := new(message)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err = plan.Decode(dec, p, got)
			runtime.ReadMemStats(&after)
			if err != nil {
				refused++
			}
			limit := uint64(mpplan.FreeExpansion + expansion*len(p))
			if used := after.TotalAlloc - before.TotalAlloc; used > limit && err == nil {
				t.Errorf("MaxExpansion %d, %d bytes: %d bytes allocated, want at most %d", expansion, len(p), used, limit)
			}
			if err == nil && !reflect.DeepEqual(*got, m) {
				t.Error("decoded something else")
			}
		}
		if expansion == 1 && refused == 0 || expansion == 8 && refused > 0 {
			t.Errorf("MaxExpansion %d: %d messages were refused", expansion, refused)
		}
	}
}
