package schema_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/schema"
)

const example = `union(msgpack,gob)
message Event
union Event
 1 msgpack Placed
 2 gob *Filled
 7 msgpack opaque(Cancelled) strict
struct Placed
 ID uint64
 Price float64
 At time
 Tags []string
 Attr map[string]any
 Next *Placed
 "with a space" [4]uint8
 Symbol string alias Ticker
tuple Filled
 X int
 Y quoted(int64)
`

func TestParse(t *testing.T) {
	s, err := schema.Parse(example)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.String(); got != example {
		t.Errorf("got %s, want %s", got, example)
	}
	if len(s.Defs) != 3 || len(s.Defs[0].Variants) != 3 || len(s.Defs[1].Fields) != 8 {
		t.Errorf("got %+v", s.Defs)
	}
	if f := s.Defs[1].Fields[7]; f.Name != "Symbol" || f.Alias != "Ticker" || f.Type.Kind != schema.String {
		t.Errorf("got field %+v", f)
	}
	if got, want := schema.Fingerprint(example), 32; len(got) != want {
		t.Errorf("fingerprint %q of %d digits, want %d", got, len(got), want)
	}
	if schema.Fingerprint("") != "" || schema.Fingerprint(example) == schema.Fingerprint(example+"\n") {
		t.Error("fingerprint of nothing, or of another text, is the same")
	}
}

// Every character that a name can have comes back.
func TestParseNames(t *testing.T) {
	for _, name := range []string{"a", "a-b.c", "a b", `"`, `\`, `\u0041`, "ü", "日本", "\n", "\x7f", "\u2028", "a:b", "#", "alias", " alias x", "\U0001f600", ""} {
		s := &schema.Schema{Codec: name, Root: schema.BasicType(schema.Any)}
		s.Root = &schema.Type{Kind: schema.Named, Def: &schema.Def{Name: "M", Fields: []schema.Field{{Name: name, Type: schema.BasicType(schema.Int)}}}}
		s.Defs = []*schema.Def{s.Root.Def}
		got, err := schema.Parse(s.String())
		if err != nil {
			t.Errorf("%q: %v in\n%s", name, err, s)
			continue
		}
		if got.Codec != name || got.Defs[0].Fields[0].Name != name {
			t.Errorf("got %q and %q, want %q", got.Codec, got.Defs[0].Fields[0].Name, name)
		}
	}
}

var refused = []struct{ name, text, err string }{
	{"empty", "", "line 1: text ends where the name of a codec"},
	{"no message", "msgpack\n", "line 2: text ends where a message"},
	{"no newline", "msgpack\nmessage int", "line 2: line is not ended"},
	{"no codec", "\nmessage int\n", "line 1: got \"\", want a name"},
	{"another word", "msgpack\nmassage int\n", "line 2: got \"massage int\""},
	{"no type", "msgpack\nmessage \n", "line 2: got \"\", want a type"},
	{"two types", "msgpack\nmessage int int\n", "line 2: \" int\" after"},
	{"flags out of order", "msgpack strict ordered\nmessage int\n", "line 1: got \"ordered\", want flags"},
	{"flag twice", "msgpack strict strict\nmessage int\n", "line 1: got \"strict\", want flags"},
	{"two spaces", "msgpack  strict\nmessage int\n", "line 1: got \" strict\", want flags"},
	{"carriage return", "msgpack\r\nmessage int\r\n", "line 2: \"\\r\" after"},
	{"not UTF-8", "msgpack\nmessage \xff\n", "text is not UTF-8"},
	{"too long", strings.Repeat("a", schema.MaxText+1), "text of 65537 bytes"},
	{"undefined", "msgpack\nmessage A\n", "line 3: text ends where the definition of A"},
	{"unused", "msgpack\nmessage int\nstruct A\n", "line 3: definition of \"A\", which is not used"},
	{"twice", "msgpack\nmessage A\nstruct A\nstruct A\n", "line 4: definition of \"A\", which is not used"},
	{"out of order", "msgpack\nmessage A\nstruct A\n X B\n Y C\nstruct C\nstruct B\n", "line 6: definition of \"C\", want the one of B"},
	{"reserved", "msgpack\nmessage map\nstruct map\n", "line 2: map is not the name"},
	{"field without type", "msgpack\nmessage A\nstruct A\n X\n", "line 4: field \"X\" has no type"},
	{"field twice", "msgpack\nmessage A\nstruct A\n X int\n X int\n", "line 5: field \"X\" is there twice"},
	{"alias of itself", "msgpack\nmessage A\nstruct A\n X int alias X\n", "line 4: alias \"X\""},
	{"alias of another", "msgpack\nmessage A\nstruct A\n X int\n Y int alias X\n", "line 5: alias \"X\""},
	{"after a field", "msgpack\nmessage A\nstruct A\n X int strict\n", "line 4: unexpected \" strict\""},
	{"empty line", "msgpack\nmessage A\nstruct A\n\n X int\n", "line 4: got \"\", want struct"},
	{"unnecessary quotes", "msgpack\nmessage A\nstruct A\n \"X\" int\n", "line 4: not in canonical form"},
	{"missing quotes", "msgpack\nmessage A\nstruct A\n X: int\n", "line 4: not in canonical form"},
	{"unnecessary escape", "msgpack\nmessage A\nstruct A\n \"\\u0041 \" int\n", "line 4: not in canonical form"},
	{"half of a pair", "msgpack\nmessage A\nstruct A\n \"\\ud800\" int\n", "line 4: escape"},
	{"open quote", "msgpack\nmessage A\nstruct A\n \"X int\n", "line 4: name has no quote"},
	{"open escape", "msgpack\nmessage A\nstruct A\n \"\\u12\n", "line 4: name ends within"},
	{"long name", "msgpack\nmessage A\nstruct A\n " + strings.Repeat("a", 201) + " int\n", "line 4: name of 201 bytes"},
	{"long type", "msgpack\nmessage " + strings.Repeat("a", 201) + "\n", "line 2: got \"aaa"},
	{"deep", "msgpack\nmessage " + strings.Repeat("[]", 40000/2) + "int\n", "line 2: type is nested deeper than 32"},
	{"pointers", "msgpack\nmessage **int\n", "line 2: pointer to a pointer"},
	{"array without end", "msgpack\nmessage [3int\n", "line 2: got \"int\", want the ]"},
	{"array of -1", "msgpack\nmessage [-1]int\n", "line 2: got \"-1]int\", want a number"},
	{"array of 03", "msgpack\nmessage [03]int\n", "line 2: got \"03]int\", want a number"},
	{"huge array", "msgpack\nmessage [99999999999]int\n", "line 2: got \"99999999999]int\", want a number up to 2147483647"},
	{"map without key", "msgpack\nmessage map[]int\n", "line 2: got \"]int\", want a type"},
	{"quoted struct", "json\nmessage quoted(A)\nstruct A\n", "line 2: want a number, bool or string"},
	{"opaque without name", "msgpack\nmessage opaque()\n", "line 2: want a name"},
	{"digit first", "msgpack\nmessage 1A\n", "line 2: got \"1A\", want a type"},
	{"case twice", "union(a)\nmessage U\nunion U\n 1 a int\n 1 a int\n", "line 5: case 1 after case 1"},
	{"case out of order", "union(a)\nmessage U\nunion U\n 2 a int\n 1 a int\n", "line 5: case 1 after case 2"},
	{"case without codec", "union(a)\nmessage U\nunion U\n 2\n", "line 4: case 2 has no codec"},
	{"case without type", "union(a)\nmessage U\nunion U\n 2 a\n", "line 4: case 2 has no type"},
	{"case too large", "union(a)\nmessage U\nunion U\n 18446744073709551616 a int\n", "line 4: got"},
	{"union in a field", "msgpack\nmessage A\nstruct A\n X U\nunion U\n", "line 5: union U is part of another type"},
	{"union in a slice", "msgpack\nmessage []U\nunion U\n", "line 3: union U is part of another type"},
	{"union in itself", "union(a)\nmessage U\nunion U\n 1 a []U\n", "line 4: union U is part of another type"},
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range refused {
		t.Run(tt.name, func(t *testing.T) {
			s, err := schema.Parse(tt.text)
			if err == nil {
				t.Fatalf("got %q, want an error", s)
			}
			if want := "schema: " + tt.err; !strings.HasPrefix(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

// FuzzParse requires of a text that is accepted that it is the canonical one, and
// that comparing it with itself and others ends and finds the same from both ends.
func FuzzParse(f *testing.F) {
	f.Add(example)
	for _, tt := range refused {
		if len(tt.text) < 1000 {
			f.Add(tt.text)
		}
	}
	other, err := schema.Parse(example)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := schema.Parse(text)
		if err != nil {
			return
		}
		if s.String() != text {
			t.Fatalf("got %q, want %q", s, text)
		}
		if diffs := schema.Compare(s, s); len(diffs) > 0 && diffs[len(diffs)-1].Local != "large" {
			t.Errorf("differs from itself: %v in\n%s", diffs, text)
		}
		there, back := schema.Compare(s, other), schema.Compare(other, s)
		if breaking(there) != breaking(back) {
			t.Errorf("breaking %s, but from the other end %s", breaking(there), breaking(back))
		}
	})
}

func breaking(diffs []schema.Difference) string {
	var paths []string
	for _, d := range diffs {
		if d.Breaking {
			paths = append(paths, d.Path)
		}
	}
	slices.Sort(paths)
	return strings.Join(paths, " ")
}
