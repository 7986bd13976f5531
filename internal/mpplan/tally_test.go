package mpplan_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/mpplan"
)

// What an encoder counts with Tally is at least half of what a decoder then allocates, but for
// the bytes of strings: that is what the codec relies on when it does not try.
func TestTally(t *testing.T) {
	all := append(subjects(), newSubject[map[string][1024]byte](), newSubject[[]*Large](), newSubject[map[int]map[string]*Point](),
		newSubject[[]struct{ *Large }](), newSubject[map[Point][]string](), newSubject[[]Wide](), newSubject[[]map[uint64]any]())
	for _, s := range all {
		t.Run(s.typ.String(), func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, 8))
			for range 300 {
				v := reflect.New(s.typ)
				random(r, v.Elem(), 0)
				e := mpplan.Encoder{Options: mpplan.Options{Arrays: r.IntN(2) == 0}, Tally: true}
				p, err := mpplan.AppendValue(&e, nil, v.Interface())
				if err != nil {
					t.Fatal(err)
				}
				d := mpplan.Decoder{Options: mpplan.Options{Expansion: 1 << 20}}
				if err := mpplan.DecodeValue(&d, p, reflect.New(s.typ).Interface()); err != nil {
					t.Fatal(err)
				}
				if most := 2*e.Held() + len(p) + len(p)/4 + 1024; d.Spent(len(p)) > most {
					t.Fatalf("%d bytes are allocated for %x, of which %d are counted: want %d at most", d.Spent(len(p)), p, e.Held(), most)
				}
			}
		})
	}
}

// Maps of any size are in the order of their keys.
func TestOrderOfMany(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	text := func() string {
		b := make([]byte, r.IntN(20))
		for i := range b {
			b[i] = "\x00\x01ab\x7f"[r.IntN(5)]
		}
		return []string{"", "a common beginning", "b"}[r.IntN(3)] + string(b)
	}
	for range 300 {
		n := r.IntN(40) * r.IntN(20)
		checkOrder(t, n, text)
		checkOrder(t, n, func() int { return int(r.Uint64()) >> r.IntN(64) })
		checkOrder(t, n, func() uint64 { return r.Uint64() >> r.IntN(64) })
		checkOrder(t, n, func() int16 { return int16(r.Uint32()) })
		checkOrder(t, n, func() float64 { return float64(r.Int64()) / float64(1+r.IntN(1e6)) })
		checkOrder(t, n, func() Text { return Text(text()) })
	}
}

func checkOrder[K cmp.Ordered](t *testing.T, n int, key func() K) {
	t.Helper()
	m := make(map[K]int)
	for i := range n {
		m[key()] = i
	}
	var keys []K
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	got, err := encode(&m, false)
	if err != nil {
		t.Fatal(err)
	}
	var want []byte
	for _, k := range keys {
		entry, err := encode(&map[K]int{k: m[k]}, false)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, entry[1:]...)
	}
	if head := len(got) - len(want); head < 1 || head > 5 || !bytes.Equal(got[head:], want) {
		t.Fatalf("%d keys: got %x\nwant %x", len(m), got, want)
	}
	again := make(map[K]int)
	var d mpplan.Decoder
	if err := mpplan.DecodeValue(&d, got, &again); err != nil || !reflect.DeepEqual(m, again) {
		t.Fatalf("decoded to %v, %v, want %v", again, err, m)
	}
}

// Numbers and strings in interfaces share memory, but never a byte of it, with each other or
// with those of another message.
func TestBoxesStayAsTheyAre(t *testing.T) {
	var d mpplan.Decoder
	r := rand.New(rand.NewPCG(11, 12))
	var got, want []any
	for i := range 200 {
		var v any = []any{float64(i), int64(-1<<40 - i), fmt.Sprint("text ", i), uint16(1000 + i), float32(i), []any{uint32(70000 + i), "a"}}
		for range r.IntN(40) {
			v = append(v.([]any), fmt.Sprint(r.IntN(1000)), r.Float64())
		}
		p, err := encode(&v, false)
		if err != nil {
			t.Fatal(err)
		}
		var w any
		if err := mpplan.DecodeValue(&d, p, &w); err != nil {
			t.Fatal(err)
		}
		got, want = append(got, w), append(want, v)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
