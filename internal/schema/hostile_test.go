package schema_test

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

const descriptions = "../../tests/hostile/testdata/descriptions/cases.txt"

// hostilePairs calls f with each description of the corpus and each of the servers that
// it is sent to.
func hostilePairs(t testing.TB, f func(name, ours, theirs string)) {
	t.Helper()
	cases, err := testkit.ReadGenerated(descriptions)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		for _, s := range testkit.DescribedServers() {
			text, err := c.Text(map[string]string{"head": s.Head, "codec": s.Codec})
			if err != nil {
				t.Fatal(err)
			}
			if len(text) > schema.MaxText {
				t.Errorf("%s has %d bytes", c.Name, len(text))
				continue
			}
			f(c.Name+", "+s.Name, s.Text, text)
		}
	}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// maxAllocated is what any two texts may cost, bytes.
const maxAllocated = 8 << 20

// check compares two descriptions, the second one of which has to be parsed first, and
// reports what is wrong with the result and with its costs. understood says that the
// second text is a description.
func check(t testing.TB, local *schema.Schema, theirs string) (understood bool, size uint64) {
	t.Helper()
	var diffs []schema.Difference
	var peer *schema.Schema
	var err error
	size = allocated(func() {
		if peer, err = schema.Parse(theirs); err == nil {
			diffs = schema.Compare(local, peer)
		}
	})
	if size > maxAllocated && !testkit.RaceEnabled {
		t.Errorf("%d bytes allocated, want at most %d", size, maxAllocated)
	}
	if err != nil {
		if s := err.Error(); !printable(s) || len(s) > 1024 {
			t.Errorf("an error of %d bytes: %q", len(s), s)
		}
		return false, size
	}
	if n := schema.Steps(local, peer); n > 2*schema.MaxSteps {
		t.Errorf("%d steps, want little more than %d", n, schema.MaxSteps)
	}
	back := schema.Compare(peer, local)
	total := 0
	for _, list := range [][]schema.Difference{diffs, back} {
		total = 0
		for _, d := range list {
			total += len(d.String()) + 1
			for _, part := range []string{d.Path, d.Local, d.Peer} {
				if len(part) > schema.MaxPart || !utf8.ValidString(part) {
					t.Errorf("a part of %d bytes: %q", len(part), part)
				}
			}
			if !printable(d.String()) || !printable(d.Change()) {
				t.Errorf("not printable: %q", d.String())
			}
		}
		if total > schema.MaxListed {
			t.Errorf("differences of %d bytes", total)
		}
	}
	if a, b := found(diffs), found(back); !slices.Equal(a, b) {
		t.Errorf("from here %q\nfrom the other end %q", a, b)
	}
	return true, size
}

// found lists the paths and the breaking ones.
func found(diffs []schema.Difference) (list []string) {
	for _, d := range diffs {
		list = append(list, fmt.Sprint(d.Path, d.Breaking))
	}
	slices.Sort(list)
	return list
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) && utf8.ValidString(s)
}

// TestHostile compares all of the corpus with what real services have, within bounds.
func TestHostile(t *testing.T) {
	understood, worst, most := 0, "", uint64(0)
	hostilePairs(t, func(name, ours, theirs string) {
		local, err := schema.Parse(ours)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			ok, size := check(t, local, theirs)
			if ok {
				understood++
			}
			if size > most {
				worst, most = name, size
			}
		})
	})
	t.Logf("%d of them are descriptions; the dearest is %s: %d KiB", understood, worst, most>>10)
	if understood < 250 {
		t.Errorf("%d descriptions are understood, the others test little", understood)
	}
}

// TestHostileToEachOther compares a part of the corpus with itself: services may have
// large descriptions.
func TestHostileToEachOther(t *testing.T) {
	if testing.Short() || testkit.RaceEnabled {
		t.Skip("compares some hundred pairs, one after the other")
	}
	var texts, names []string
	hostilePairs(t, func(name, _, theirs string) {
		if strings.HasSuffix(name, " recursive") {
			texts, names = append(texts, theirs), append(names, name)
		}
	})
	for i, text := range texts {
		local, err := schema.Parse(text)
		if err != nil {
			continue
		}
		for j := i % 3; j < len(texts); j += 3 * 7 { // those with the same codec, now and then
			t.Run(names[i]+", "+names[j], func(t *testing.T) { check(t, local, texts[j]) })
		}
	}
}

// FuzzCompare compares two descriptions within the bounds of the corpus, from both ends.
func FuzzCompare(f *testing.F) {
	f.Add(example, example)
	f.Add(orderText("N int"), orderText("N int8\n Venue string"))
	for _, tt := range comparisons {
		f.Add(tt.local, tt.peer)
	}
	n := 0
	hostilePairs(f, func(name, ours, theirs string) {
		if n++; n%9 == n/9%9 && len(theirs) < 3000 {
			f.Add(ours, theirs)
		}
	})
	for _, text := range smallHostile {
		for _, other := range smallHostile {
			f.Add(text, other)
		}
	}
	f.Fuzz(func(t *testing.T, ours, theirs string) {
		local, err := schema.Parse(ours)
		if err != nil {
			return
		}
		check(t, local, theirs)
	})
}

// smallHostile is what the corpus has, short enough for the fuzzer to play with.
var smallHostile = []string{
	"msgpack\nmessage A\nstruct A\n \"\\u0001\\u0001\" *B alias Next\nstruct B\n \"\u202e\" int alias N\n Kids []A\n Any any\n",
	"msgpack\nmessage Recursive\nstruct Recursive\n Name string\n Next *Recursive\n Kids []Recursive\n Index map[string]Recursive\n Any any\n N int8\n",
	"json\nmessage A\nstruct A\n name string\n Name opaque(X)\n NAME quoted(int)\n Next map[map[string]A]bytes\n",
	"json\nmessage A\nstruct A\n Name string\n nAme []any\n Next map[int]B\nstruct B\n Next A alias Kids\n",
	"gob\nmessage A\nstruct A\n Next B\n Kids []B\nstruct B\n Name string\n Next A\n",
	"gob\nmessage A\nstruct A\n Next B\n Kids []C\nstruct B\n Name string\nstruct C\n Name int\n",
	"union(msgpack,json)\nmessage E\nunion E\n 1 msgpack A strict\n 2 json A\n 3 union(x) E\ntuple A\n X int\n Y A\n",
	"union(msgpack)\nmessage E\nunion E\n 1 msgpack A\n 2 \"\\u001b\" A\n 3 union(x) F\nstruct A\n Y A\n X string\nunion F\n 1 msgpack []A\n",
}

func BenchmarkCompare(b *testing.B) {
	worst := map[string]bool{
		"long path, 3,500 fields": true, "deep expression": true, "3,500 cases": true, "one struct, many fields": true,
		"loop of structs": true, "gob confusion": true, "aliases of all fields": true, "short unknown fields": true, "cases with flags": true,
	}
	hostilePairs(b, func(name, ours, theirs string) {
		if kind := name[:strings.LastIndex(name, ", ")]; worst[kind] && !strings.HasSuffix(name, " nested") {
			benchCompare(b, name, ours, theirs)
		}
	})
	benchCompare(b, "honest", orderText("N int"), orderText("N int8\n Venue string"))
}

// orderText is a description of a usual size.
func orderText(field string) string {
	return "msgpack\nmessage Order\nstruct Order\n ID uint64\n Symbol string\n Price float64\n Qty int\n At time\n Tags []string\n Legs []Leg\n " + field + "\nstruct Leg\n Symbol string\n Qty int\n Ratio float64\n"
}

func benchCompare(b *testing.B, name, ours, theirs string) {
	local, err := schema.Parse(ours)
	if err != nil {
		b.Fatal(err)
	}
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if peer, err := schema.Parse(theirs); err == nil {
				schema.Compare(local, peer)
			}
		}
	})
}
