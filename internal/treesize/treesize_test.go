package treesize_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/internal/treesize"
)

type big struct{ A [128]int64 }

type tree struct {
	S string
	L []tree
	M map[string]tree
	P *tree
	V any
}

// link is one of a list that a method has made, as those of ordered maps do: no payload is nested so deep.
type link struct {
	Next, Previous *link
	Value          any
}

// A long list takes as much as there may be, and no stack.
func TestOfList(t *testing.T) {
	defer debug.SetMaxStack(debug.SetMaxStack(8 << 20))
	root := new(link)
	root.Next, root.Previous = root, root
	for range 1 << 20 {
		l := &link{Next: root.Next, Previous: root, Value: "v"}
		l.Next.Previous, root.Next = l, l
	}
	const limit = 1 << 30
	if got := treesize.Of(reflect.ValueOf(root), limit); got <= limit {
		t.Errorf("got %d bytes, want more than the limit", got)
	}
	if got := treesize.Of(reflect.ValueOf(&link{Next: &link{Next: new(link)}}), limit); got < 3*int(reflect.TypeFor[link]().Size()) || got > 200 {
		t.Errorf("got %d bytes for a short list", got)
	}
}

// What is measured is what a decoded value takes, or up to two thirds more; and no more than the
// factor of its type allows for the payload.
func TestOf(t *testing.T) {
	numbered := func(n int) string { // all different, as some versions share those that are not
		var l []string
		for i := range n {
			l = append(l, fmt.Sprintf(`"a string of some length %d"`, i))
		}
		return "[" + strings.Join(l, ",") + "]"
	}
	list := func(s string, n int) string { return "[" + strings.Repeat(s+",", n-1) + s + "]" }
	for _, test := range []struct {
		name    string
		into    any
		payload string
	}{
		{"strings", new([]string), numbered(2000)},
		{"empty strings", new([]string), list(`""`, 2000)},
		{"numbers", new([]int), list("0", 5000)},
		{"small numbers", new([]int32), list("0", 5000)},
		{"structs", new([]big), list("{}", 2000)},
		{"pointers", new([]*big), list("{}", 2000)},
		{"any of numbers", new(any), list("1.5", 5000)},
		{"any of lists", new(any), list("[]", 5000)},
		{"any of maps", new(any), list("{}", 5000)},
		{"any of maps of one", new(any), list(`{"":0}`, 3000)},
		{"any of maps of nine", new(any), list(`{"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0}`, 1000)},
		{"any of lists of one", new(any), list(`[0]`, 3000)},
		{"maps", new([]map[string]int), list(`{"a":1}`, 2000)},
		{"maps of structs", new([]map[string]big), list(`{"":{}}`, 200)},
		{"trees", new([]tree), list(`{"L":[{}],"M":{"":{}},"P":{}}`, 500)},
		{"trees of any", new([]tree), list(`{"V":{"":[]}}`, 500)},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := testkit.LiveHeap()
			if err := json.Unmarshal([]byte(test.payload), test.into); err != nil {
				t.Fatal(err)
			}
			want := int(testkit.HeapPer(1, before))
			v := reflect.ValueOf(test.into).Elem()
			got := treesize.Of(v, 1<<30)
			runtime.KeepAlive(test.into)
			factor := treesize.JSONFactor(v.Type())
			t.Logf("%d bytes for a payload of %d: factor %.1f of %d; measured %d", want, len(test.payload), float64(want)/float64(len(test.payload)), factor, got)
			if got < want*3/4 || got > want*5/3+4096 {
				t.Errorf("measured %d bytes, want about %d", got, want)
			}
			if want > factor*len(test.payload)+4096 {
				t.Errorf("%d bytes for a payload of %d, want at most %d times as many", want, len(test.payload), factor)
			}
		})
	}
}

// Measuring stops at the limit, also in a value that contains itself.
func TestOfStops(t *testing.T) {
	loop := &tree{}
	loop.P = loop
	empty := make([]struct{}, 1<<40)
	for name, v := range map[string]any{"cycle": loop, "large": make([]big, 100), "empty": empty} {
		if got := treesize.Of(reflect.ValueOf(v), 10_000); got > 10_000+200<<10 {
			t.Errorf("%s: measured %d bytes, want to stop at 10,000", name, got)
		}
	}
}

// What times say of the zone of this machine is there once for all of them, and not
// walked for each.
func TestTimesShareTheirZone(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	local := time.Local
	time.Local = berlin
	defer func() { time.Local = local }()
	for text, most := range map[string]int{
		`"2020-01-01T00:00:00+01:00"`: 24, // that of Berlin
		`"2020-01-01T00:00:00Z"`:      24,
		`"2020-01-01T00:00:00+01:23"`: 24 + 300,
	} {
		const n = 1000
		var times []time.Time
		if err := json.Unmarshal([]byte("["+strings.Repeat(text+",", n-1)+text+"]"), &times); err != nil {
			t.Fatal(err)
		}
		if got, least := treesize.Of(reflect.ValueOf(times), 1<<30)/n, most*3/4; got > 2*most || got < least {
			t.Errorf("%s takes %d bytes, want %d to %d", text, got, least, 2*most)
		}
	}
}
