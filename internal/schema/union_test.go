package schema_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/google/go-cmp/cmp"
)

func TestUnion(t *testing.T) {
	leg := func(typ string) string { return "struct Leg\n N " + typ + "\n" }
	tests := []struct {
		name  string
		union string
		cases []schema.Case
		want  string
	}{
		{"none", "Event", nil, "union()\nmessage Event\nunion Event\n"},
		{"in order of tags, with each codec once", "orders.Event", []schema.Case{
			{Tag: 7, Codec: "msgpack", Text: "msgpack strict\nmessage *Late\nstruct Late\n N int\n"},
			{Tag: 1, Codec: "msgpack", Text: "msgpack\nmessage Placed\nstruct Placed\n Leg Leg\n" + leg("int")},
			{Tag: 3, Codec: "raw", Type: "orders.Blob"},
			{Tag: 2, Codec: "gob", Text: "gob\nmessage int\n"},
			{Tag: 5, Codec: "raw"},
		}, `union(msgpack,gob,raw)
message Event
union Event
 1 msgpack Placed
 2 gob int
 3 raw opaque(Blob)
 5 raw opaque(unknown)
 7 msgpack *Late strict
struct Placed
 Leg Leg
struct Late
 N int
struct Leg
 N int
`},
		{"the same type in two cases", "E", []schema.Case{
			{Tag: 1, Codec: "msgpack", Text: "msgpack\nmessage A\nstruct A\n L Leg\n" + leg("int")},
			{Tag: 2, Codec: "msgpack", Text: "msgpack\nmessage B\nstruct B\n L Leg\n" + leg("int")},
		}, "union(msgpack)\nmessage E\nunion E\n 1 msgpack A\n 2 msgpack B\nstruct A\n L Leg\nstruct B\n L Leg\n" + leg("int")},
		{"two types of one name, and what uses them", "E", []schema.Case{
			{Tag: 1, Codec: "msgpack", Text: "msgpack\nmessage A\nstruct A\n L Leg\n" + leg("int")},
			{Tag: 2, Codec: "msgpack", Text: "msgpack\nmessage A\nstruct A\n L Leg\n" + leg("string")},
			{Tag: 3, Codec: "msgpack", Text: "msgpack\nmessage A\nstruct A\n L Leg\n" + leg("int")},
		}, `union(msgpack)
message E
union E
 1 msgpack A
 2 msgpack A2
 3 msgpack A
struct A
 L Leg
struct A2
 L Leg2
struct Leg
 N int
struct Leg2
 N string
`},
		{"a name that was made for another", "E", []schema.Case{
			{Tag: 1, Codec: "msgpack", Text: "msgpack\nmessage Leg\n" + leg("int")},
			{Tag: 2, Codec: "msgpack", Text: "msgpack\nmessage Leg\nstruct Leg\n M *Leg2\nstruct Leg2\n N int\n"},
			{Tag: 3, Codec: "msgpack", Text: "msgpack\nmessage Leg\nstruct Leg\n Next *Leg\n"},
		}, `union(msgpack)
message E
union E
 1 msgpack Leg
 2 msgpack Leg2
 3 msgpack Leg3
struct Leg
 N int
struct Leg2
 M *Leg22
struct Leg3
 Next *Leg3
struct Leg22
 N int
`},
		{"a struct with the name of the union", "E", []schema.Case{
			{Tag: 1, Codec: "json", Text: "json\nmessage E\nstruct E\n N int\n"},
		}, "union(json)\nmessage E\nunion E\n 1 json E2\nstruct E2\n N int\n"},
		{"a union", "E", []schema.Case{
			{Tag: 1, Codec: "union(json)", Text: "union(json)\nmessage F\nunion F\n 1 json int\n"},
		}, "union(union(json))\nmessage E\nunion E\n 1 union(json) F\nunion F\n 1 json int\n"},
		{"an interface without a name", "", nil, "union()\nmessage _\nunion _\n"},
		{"a reserved name", "any", nil, "union()\nmessage any2\nunion any2\n"},
		{"a codec with an odd name", "E", []schema.Case{{Tag: 1, Codec: "my codec", Type: "[]int"}},
			"\"union(my codec)\"\nmessage E\nunion E\n 1 \"my codec\" opaque(__int)\n"},
		{"a text that is none", "E", []schema.Case{{Tag: 1, Codec: "json", Text: "json\n"}}, ""},
		{"a tag twice", "E", []schema.Case{{Tag: 1, Codec: "json"}, {Tag: 1, Codec: "json"}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for open, flag := range map[bool]string{true: " open\n", false: " closed\n"} {
				got, err := schema.Union(tt.union, open, tt.cases)
				if (err == nil) != (got != "") {
					t.Errorf("got %q, %v", got, err)
				}
				if diff := cmp.Diff(strings.Replace(tt.want, "\n", flag, 1), got); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			}
		})
	}
}

// Many cases are merged, and too many are no text.
func TestUnionOfMany(t *testing.T) {
	cases := func(n int) (cases []schema.Case) {
		for i := range n {
			cases = append(cases, schema.Case{
				Tag: uint64(i), Codec: "msgpack",
				Text: fmt.Sprintf("msgpack\nmessage A\nstruct A\n Field%d int\n", i),
			})
		}
		return cases
	}
	text, err := schema.Union("E", false, cases(1000))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(text, "struct A"); got != 1000 {
		t.Errorf("got %d structs, want 1000", got)
	}
	if text, err := schema.Union("E", false, cases(3000)); text != "" || err == nil {
		t.Errorf("got %d bytes, %v, want an error", len(text), err)
	}
}
