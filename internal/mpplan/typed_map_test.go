package mpplan_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/mpplan"
)

// Maps are encoded as v5 does whatever maps were encoded before them: with the same keys, with as many others, inside and beside each other.
func TestMapsOneAfterTheOther(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	keySets := make([][]string, 12)
	for i := range keySets {
		for range r.IntN(5 + 5*i) {
			keySets[i] = append(keySets[i], fmt.Sprintf("%.*d", r.IntN(40), r.IntN(1000)))
		}
	}
	var object func(depth int) map[string]any
	object = func(depth int) map[string]any {
		m := make(map[string]any)
		for _, k := range keySets[r.IntN(len(keySets))] {
			switch n := r.IntN(6); {
			case n == 0 && depth < 3:
				m[k] = object(depth + 1)
			case n == 1 && depth < 3:
				m[k] = []any{object(depth + 1), object(depth + 1), object(depth + 1)}
			case n == 2:
				m[k] = "text"
			default:
				m[k] = int64(n)
			}
		}
		if r.IntN(20) == 0 {
			m[fmt.Sprint(r.IntN(1000))] = true
		}
		return m
	}
	var e mpplan.Encoder
	check := func(v, same any) { // v5 sorts maps of any
		t.Helper()
		got, err := mpplan.AppendValue(&e, nil, v)
		want, wantErr := v5Encode(same, false)
		if err != nil || wantErr != nil || !bytes.Equal(got, want) {
			t.Fatalf("%v\ngot  %x, %v\nwant %x, %v", v, got, err, want, wantErr)
		}
	}
	for range 2000 {
		m := object(0)
		check(&m, &m)
		counts, same := make(map[string]int), make(map[string]any)
		for _, k := range keySets[r.IntN(len(keySets))] {
			counts[k] = r.IntN(1000)
			same[k] = counts[k]
		}
		check(&counts, &same)
	}
	long := map[string]any{string(bytes.Repeat([]byte("k"), 2000)): 1, "": 2}
	for range 10 {
		check(&long, &long)
	}
}
