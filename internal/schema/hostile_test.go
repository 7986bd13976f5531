package schema_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// fill repeats what line makes until a text of the greatest length is full.
func fill(head string, line func(i int) string) string {
	var b strings.Builder
	b.WriteString(head)
	for i := 0; ; i++ {
		s := line(i)
		if b.Len()+len(s) > schema.MaxText {
			return b.String()
		}
		b.WriteString(s)
	}
}

// Texts that are as large as they may be, and made to take long.
var hostile = map[string]string{
	"fields": fill("json\nmessage A\nstruct A\n", func(i int) string { return fmt.Sprintf(" F%d any\n", i) }),
	"chain":  chain("json", 3500, func(i int) string { return " X int\n" }),
	"long names": chain("json", 250, func(i int) string {
		return " " + strings.Repeat("x", 190) + " " + map[bool]string{true: "int", false: "bytes"}[i%2 == 0] + "\n"
	}),
	"cases":   fill("union(a)\nmessage U\nunion U\n", func(i int) string { return fmt.Sprintf(" %d a int\n", i) }),
	"flags":   "msgpack" + strings.Repeat(" a", 30000) + "\nmessage int\n",
	"escapes": "msgpack\nmessage A\nstruct A\n \"" + strings.Repeat(`\u0001`, 10000) + "\" int\n",
	"unions":  fill("union(a)\nmessage U\nunion U\n", func(i int) string { return fmt.Sprintf(" %d a U\n", i) }),
	"to one":  fill("json\nmessage A\nstruct A\n N A\n", func(i int) string { return fmt.Sprintf(" F%d A\n", i) }),
}

// chain is a list of structs, each of which has the next one as its field Next.
func chain(codec string, n int, field func(i int) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nmessage A0\n", codec)
	for i := range n {
		fmt.Fprintf(&b, "struct A%d\n%s", i, field(i))
		if i < n-1 {
			fmt.Fprintf(&b, " N *A%d\n", i+1)
		}
		if b.Len() > schema.MaxText-500 {
			fmt.Fprintf(&b, "struct A%d\n", i+1)
			break
		}
	}
	return b.String()
}

// TestHostile compares large texts with each other. What it allocates says that
// the work stays within bounds: differences are told with their paths.
func TestHostile(t *testing.T) {
	var parsed []*schema.Schema
	var names []string
	for name, text := range hostile {
		if len(text) > schema.MaxText {
			t.Fatalf("%s has %d bytes", name, len(text))
		}
		s, err := schema.Parse(text)
		if err != nil {
			if name != "flags" && name != "escapes" {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		parsed, names = append(parsed, s), append(names, name)
	}
	ours, err := schema.Parse("json\nmessage A\nstruct A\n X string\n N *A\n F1 map[string]any\n F2 []A\n" +
		" " + strings.Repeat("x", 190) + " string\n")
	if err != nil {
		t.Fatal(err)
	}
	parsed, names = append(parsed, ours), append(names, "ours")
	for i, a := range parsed {
		for j, b := range parsed {
			diffs := schema.Compare(a, b)
			size := 0
			for _, d := range diffs {
				size += len(d.String())
			}
			if len(diffs) > 10000 || size > 8<<20 {
				t.Errorf("%s and %s: %d differences of %d bytes", names[i], names[j], len(diffs), size)
			}
		}
	}
}
