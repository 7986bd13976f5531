package intern

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"unsafe"
)

func use(t *Table) {
	for t.in == nil {
		t.String([]byte("x"))
	}
}

func TestEqualStringsShareMemory(t *testing.T) {
	var table Table
	use(&table)
	for n := range MaxLen + 3 {
		b := bytes.Repeat([]byte{'a'}, n)
		for i := range max(n, 1) { // n strings that differ in one byte each
			if n > 0 {
				b[i]++
			}
			first, again := table.String(b), table.String(b)
			if first != string(b) || again != string(b) {
				t.Fatalf("%q and %q for %q", first, again, b)
			}
			if shared := unsafe.StringData(first) == unsafe.StringData(again); shared != (n <= MaxLen) {
				t.Errorf("%d bytes: memory is shared: %v", n, shared)
			}
			if n > 0 {
				b[i]--
			}
		}
	}
}

// Whatever goes through a Table comes out the same and stays so, also where strings
// differ in a single byte and the memory they came in is used again.
func TestStringsAreWhatTheyWere(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var table Table
	var got, want []string
	scratch := make([]byte, 0, 64)
	wasUsed, wasGivenUp := false, false
	for i := range 200_000 {
		scratch = scratch[:r.IntN(MaxLen+4)]
		variety := 1 + i/50_000
		for k := range scratch {
			scratch[k] = 'a'
		}
		for range variety {
			if len(scratch) > 0 {
				scratch[r.IntN(len(scratch))] = byte(r.IntN(1 << variety))
			}
		}
		want = append(want, strings.Clone(string(scratch)))
		got = append(got, table.String(scratch))
		wasGivenUp = wasGivenUp || wasUsed && table.in == nil
		wasUsed = wasUsed || table.in != nil
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%d: %q became %q", i, want[i], got[i])
		}
	}
	if !wasUsed || !wasGivenUp {
		t.Errorf("in use: %v, given up: %v, want both", wasUsed, wasGivenUp)
	}
}

// A Table is given up where strings do not come again, and tried once more later.
func TestUselessTableIsGivenUp(t *testing.T) {
	var table Table
	used := 0
	const n = 4*pause + 1000
	for i := range n {
		table.String(fmt.Append(nil, i))
		if table.in != nil {
			used++
		}
	}
	if want := 5 * trial; used < trial || used > want {
		t.Errorf("in use for %d of %d different strings, want %d to %d", used, n, trial, want)
	}
	for i := range 2 * pause {
		table.String(fmt.Append(nil, i%10))
	}
	if table.in == nil {
		t.Error("not in use although all strings come again")
	}
	for i := range 100 * trial {
		table.String(fmt.Append(nil, max(i%3-1, 0)*i))
	}
	if table.in == nil {
		t.Error("given up although two of three strings come again")
	}
}

func TestSlices(t *testing.T) {
	var table Table
	if s, shared := table.Slice(2); shared || len(s) != 2 {
		t.Errorf("a Table that is not in use returned %d strings, shared: %v", len(s), shared)
	}
	use(&table)
	var all [][]string
	for i := range 1000 {
		n := i % 7
		s, shared := table.Slice(n)
		if len(s) != n || cap(s) != n || shared != (n <= slabPart) {
			t.Fatalf("Slice(%d) has %d of %d strings, shared: %v", n, len(s), cap(s), shared)
		}
		for k := range s {
			if s[k] != "" {
				t.Fatalf("string %d is %q, want it empty", k, s[k])
			}
			s[k] = fmt.Sprint(i, k)
		}
		all = append(all, s)
	}
	for i, s := range all {
		for k := range s {
			if want := fmt.Sprint(i, k); s[k] != want {
				t.Fatalf("slice %d has %q at %d, want %q", i, s[k], k, want)
			}
		}
	}
	if n := testing.AllocsPerRun(1000, func() { table.Slice(1) }); n != 0 {
		t.Errorf("%v allocations for a slice of one string, want 1 in %d", n, slab)
	}
}

func BenchmarkTable(b *testing.B) {
	for _, known := range []int{4, 100, 1 << 20} {
		b.Run(fmt.Sprintf("different=%d", known), func(b *testing.B) {
			texts := make([][]byte, known)
			for i := range texts {
				texts[i] = fmt.Appendf(nil, "desk-%d/algo", i)
			}
			var table Table
			b.ReportAllocs()
			for i := range b.N {
				table.String(texts[i%known])
			}
		})
	}
}

// A Table holds no more than it says, and allocates no more besides what it returns.
func TestMemory(t *testing.T) {
	var table Table
	if n := Overhead + 2*pairs*(MaxLen+1); n >= 5<<10 {
		t.Errorf("the Table, its strings and a slab take %d bytes, want less than 5 KiB", n)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	use(&table)
	for range warmUp {
		table.Slice(slabPart)
		table.String([]byte("x"))
	}
	runtime.ReadMemStats(&after)
	slices := warmUp * slabPart * int(unsafe.Sizeof(""))
	if n := after.TotalAlloc - before.TotalAlloc; n > uint64(slices+Overhead) {
		t.Errorf("%d slices took %d bytes, want at most %d and %d", warmUp, n, slices, Overhead)
	}
}
