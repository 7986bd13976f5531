package mpplan_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

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

// disorder makes a map of most of the entries: some exchanged, some absent, some
// between that nobody knows, and once in a while one twice.
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
	text := func() string {
		b := make([]byte, r.IntN(40))
		for i := range b {
			b[i] = byte('a' + r.IntN(26))
		}
		return string(b)
	}
	var got, want []message
	for range 500 {
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

// Once the decoder knows what to expect, the short strings of a message cost one
// allocation.
func TestStringsCostOneAllocation(t *testing.T) {
	type message struct{ A, B, C, D string }
	plan := mpplan.For[message]()
	p, err := plan.Append(new(mpplan.Encoder), nil, &message{"some text", "and more", "than fits", "into one word"})
	if err != nil {
		t.Fatal(err)
	}
	var dec mpplan.Decoder
	var v message
	if n := testing.AllocsPerRun(100, func() {
		if err := plan.Decode(&dec, p, &v); err != nil {
			t.Fatal(err)
		}
	}); n != 1 {
		t.Errorf("%v allocations for a message of 4 strings, want 1", n)
	}
}
