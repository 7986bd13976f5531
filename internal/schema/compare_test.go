package schema_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/google/go-cmp/cmp"
)

// placed is a text for a message Placed with the fields given, and with the types
// of lines that begin with struct, tuple or union.
func placed(head string, lines ...string) string {
	text := head + "\nmessage Placed\n"
	kind := "struct"
	if rest, ok := strings.CutPrefix(head, "tuple "); ok {
		text, kind = rest+"\nmessage Placed\n", "tuple"
	}
	text += kind + " Placed\n"
	for _, l := range lines {
		switch word, _, _ := strings.Cut(l, " "); word {
		case "struct", "tuple", "union":
		default:
			text += " "
		}
		text += l + "\n"
	}
	return text
}

func parse(t *testing.T, text string) *schema.Schema {
	t.Helper()
	s, err := schema.Parse(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return s
}

var comparisons = []struct {
	name        string
	local, peer string
	want        []string // breaking ones have a ! before them
	change      string   // the first one, for a reader that compares old code with new
}{
	{
		"nothing", placed("msgpack", "A int", "B string"), placed("msgpack", "B string", "A int64"), nil, "",
	}, {
		"another type", placed("msgpack", "Price float64"), placed("msgpack", "Price string"),
		[]string{"!Placed.Price is float64 here and string at the peer: neither decodes the other"},
		"field Placed.Price was string and is float64 now: old and new peers cannot decode each other",
	}, {
		"one way", placed("msgpack", "Price float64"), placed("msgpack", "Price int"),
		[]string{"!Placed.Price is float64 here and int at the peer: the peer cannot decode it"},
		"field Placed.Price was int and is float64 now: old peers cannot decode it",
	}, {
		"the other way", placed("msgpack", "Price int"), placed("msgpack", "Price float64"),
		[]string{"!Placed.Price is int here and float64 at the peer: what the peer sends cannot be decoded"},
		"field Placed.Price was float64 and is int now: what old peers send cannot be decoded",
	}, {
		"only at the peer", placed("msgpack"), placed("msgpack", "Venue string"),
		[]string{"Placed.Venue is only at the peer: it is skipped"},
		"field Placed.Venue is gone (it was string): where old peers send it, it is skipped",
	}, {
		"only here", placed("gob", "V int", "Venue string"), placed("gob", "V int"),
		[]string{"Placed.Venue is only here: the peer skips it"},
		"field Placed.Venue is new (string): old peers skip it",
	}, {
		"only here, and the peer is strict", placed("msgpack strict", "Venue string"), placed("msgpack strict"),
		[]string{"!Placed.Venue is only here: the peer refuses it"},
		"field Placed.Venue is new (string): old peers refuse it",
	}, {
		"only at the peer, and this end is strict", placed("msgpack strict"), placed("msgpack", "Venue string"),
		[]string{"!Placed.Venue is only at the peer: it is refused"},
		"field Placed.Venue is gone (it was string): where old peers send it, it is refused",
	}, {
		"smaller numbers", placed("msgpack", "N int8"), placed("msgpack", "N int"),
		[]string{"Placed.N is int8 here and int at the peer: numbers that do not fit are refused"},
		"field Placed.N was int and is int8 now: numbers that do not fit are refused",
	}, {
		"nil", placed("msgpack", "N *int", "T *time"), placed("msgpack", "N int", "T time"),
		[]string{
			"Placed.N is *int here and int at the peer: nil arrives as the zero value",
			"Placed.T is *time here and time at the peer: nil arrives as the zero value",
		},
		"field Placed.N was int and is *int now: nil arrives as the zero value",
	}, {
		"inside slices and maps",
		placed("msgpack", "Legs []Leg", "M map[string][]int", "struct Leg", "Qty int"),
		placed("msgpack", "Legs [3]Order", "M map[int][]string", "struct Order", "Qty bool"),
		[]string{
			"!Placed.M[key] is string here and int at the peer: neither decodes the other",
			"!Placed.Legs[].Qty is int here and bool at the peer: neither decodes the other",
			"!Placed.M[][] is int here and string at the peer: neither decodes the other",
			"Placed.Legs is []Leg here and [3]Order at the peer: what is longer than the array is refused",
		}, "",
	}, {
		"recursive", placed("json", "N int", "Next *Placed", "All []Placed"), placed("json", "N bool", "Next *Placed", "All []Placed"),
		[]string{"!Placed.N is int here and bool at the peer: neither decodes the other"}, "",
	}, {
		"a renamed type", placed("msgpack", "N Leg", "struct Leg", "Qty int"), "msgpack\nmessage Order\nstruct Order\n N Part\nstruct Part\n Qty bool\n",
		[]string{"!message.N.Qty is int here and bool at the peer: neither decodes the other"}, "",
	}, {
		"an alias", placed("msgpack", "Cost float64 alias Price"), placed("msgpack", "Price string"),
		[]string{
			"!Placed.Cost is float64 here and string at the peer: neither decodes the other",
			"Placed.Cost is only here: the peer skips it",
		}, "",
	}, {
		"an alias of the same type", placed("msgpack strict", "Cost float64 alias Price"), placed("msgpack", "Price float64"),
		[]string{"Placed.Cost is only here: the peer skips it"}, "",
	}, {
		"an alias and its field", placed("msgpack", "Cost int alias Price"), placed("msgpack", "Cost int", "Price int"),
		[]string{
			"!Placed.Cost is Cost here and Cost and Price at the peer: what the peer sends cannot be decoded",
		}, "",
	}, {
		"case of names in JSON", placed("json", "qty int"), placed("json", "Qty int"), nil, "",
	}, {
		"two names for one in JSON", placed("json", "qty int"), placed("json", "Qty int", "qty int"),
		[]string{"!Placed.qty is qty here and Qty and qty at the peer: both arrive in one field"}, "",
	}, {
		"case of names elsewhere", placed("msgpack", "qty int"), placed("msgpack", "Qty int"),
		[]string{"Placed.Qty is only at the peer: it is skipped", "Placed.qty is only here: the peer skips it"}, "",
	}, {
		"bytes in JSON", placed("json", "B bytes"), placed("json", "B string"),
		[]string{"!Placed.B is bytes here and string at the peer: a string is taken for base64 and arrives as other bytes, if at all"},
		"field Placed.B was string and is bytes now: a string is taken for base64 and arrives as other bytes, if at all",
	}, {
		"no field in common in gob", placed("gob", "A int"), placed("gob", "B int"),
		[]string{
			"!Placed is {A} here and {B} at the peer: neither decodes the other",
			"Placed.A is only here: the peer skips it",
			"Placed.B is only at the peer: it is skipped",
		}, "Placed was {B} and is {A} now: old and new peers cannot decode each other",
	}, {
		"an any is gone in gob", placed("gob", "A int"), placed("gob", "A int", "B []any"),
		[]string{"Placed.B is only at the peer: it is skipped, or refused if gob cannot skip what an interface holds"}, "",
	}, {
		"a tuple grows", placed("tuple msgpack", "A int", "B int"), placed("tuple msgpack", "A int"),
		[]string{"!Placed is a tuple of 2 here and a tuple of 1 at the peer: neither decodes the other"},
		"Placed was a tuple of 1 and is a tuple of 2 now: old and new peers cannot decode each other",
	}, {
		"fields of a tuple change places", placed("tuple msgpack", "A int", "B int"), placed("tuple msgpack", "B int", "A int"),
		[]string{
			"!Placed.1 is A here and B at the peer: fields go by position, it arrives in another field",
			"!Placed.2 is B here and A at the peer: fields go by position, it arrives in another field",
		}, "",
	}, {
		"a field of a tuple is renamed", placed("tuple msgpack", "A int", "B int"), placed("tuple msgpack", "A int", "C int"),
		[]string{"Placed.2 is B here and C at the peer: fields go by position, it arrives under the other name"}, "",
	}, {
		"a tuple for a struct", placed("tuple msgpack strict", "A int", "B int"), placed("msgpack", "A int", "C int"),
		[]string{
			"!Placed.C is only at the peer: it is refused",
			"Placed.2 is B here and C at the peer: fields go by position, it arrives under the other name",
		}, "",
	}, {
		"opaque", placed("msgpack", "A opaque(Decimal)", "B opaque(Decimal)"), placed("msgpack", "A opaque(Decimal)", "B string"),
		[]string{"Placed.B is opaque(Decimal) here and string at the peer: loses values, unless the methods at one end keep to the form at the other"}, "",
	}, {
		"opaque, of another type", placed("msgpack", "A opaque(Decimal)"), placed("msgpack", "A opaque(Number)"),
		[]string{"Placed.A is opaque(Decimal) here and opaque(Number) at the peer: nothing is known about what a type does by itself"}, "",
	}, {
		"opaque key", placed("json", "A map[opaque(Side)]int"), placed("json", "A map[int]int"),
		[]string{"Placed.A[key] is opaque(Side) here and int at the peer: loses values, unless the methods at one end keep to the form at the other, keys that are no integers are refused"}, "",
	}, {
		"a map for a struct", placed("msgpack", "M map[string]int"), placed("msgpack strict", "M Leg", "struct Leg", "Qty int"),
		[]string{"Placed.M is map[string]int here and Leg at the peer: keys that are no names of fields are refused"}, "",
	}, {
		"another message", "json\nmessage int\n", "json\nmessage string\n",
		[]string{"!message is int here and string at the peer: neither decodes the other"},
		"message was string and is int now: old and new peers cannot decode each other",
	}, {
		"codecs", "json\nmessage int\n", "gob\nmessage int\n",
		[]string{"!codec is json here and gob at the peer: neither decodes the other"},
		"codec was gob and is json now: old and new peers cannot decode each other",
	}, {
		"an unknown codec", placed("cbor", "A int", "B int"), placed("cbor", "A int", "B string"),
		[]string{"Placed.B is int here and string at the peer: what follows depends on the codec cbor"}, "",
	}, {
		"UTF-8", "msgpack\nmessage string\n", "msgpack invalid-utf8\nmessage string\n",
		[]string{"message is UTF-8 here and invalid-utf8 at the peer: strings that are not UTF-8 are refused"}, "",
	}, {
		"unions",
		"union(msgpack,gob)\nmessage Event\nunion Event\n 1 msgpack Placed\n 2 gob *Filled\n 3 msgpack int\nstruct Placed\n Price float64\nstruct Filled\n N int\n",
		"union(msgpack)\nmessage Event\nunion Event\n 1 msgpack Placed strict\n 2 msgpack *Filled\n 3 msgpack bool\n 4 msgpack Late\nstruct Placed\n Price string\n" +
			"struct Filled\n N int\nstruct Late\n",
		[]string{
			"!case 2 is gob *Filled here and msgpack *Filled at the peer: neither decodes the other",
			"!case 3 is int here and bool at the peer: neither decodes the other",
			"!Placed.Price is float64 here and string at the peer: neither decodes the other",
			"!codec is union(msgpack,gob) here and union(msgpack) at the peer: neither decodes the other",
			"case 4 is only at the peer: it is answered with an error unless this end has SkipUnknown or Otherwise",
		}, "case 2 was msgpack *Filled and is gob *Filled now: old and new peers cannot decode each other",
	}, {
		"unions in unions",
		"union(union(gob))\nmessage A\nunion A\n 1 union(gob) B\nunion B\n 5 gob int\n",
		"union(union(gob))\nmessage A\nunion A\n 1 union(gob) B\nunion B\n 5 gob string\n 6 gob int\n",
		[]string{
			"!case 1, case 5 is int here and string at the peer: neither decodes the other",
			"case 1, case 6 is only at the peer: it is answered with an error unless this end has SkipUnknown or Otherwise",
		}, "",
	}, {
		"a union for a struct", "union(msgpack)\nmessage A\nunion A\n 1 msgpack int\n", "msgpack\nmessage int\n",
		[]string{"!codec is union(msgpack) here and msgpack at the peer: neither decodes the other"}, "",
	},
}

func TestCompare(t *testing.T) {
	for _, tt := range comparisons {
		t.Run(tt.name, func(t *testing.T) {
			local, peer := parse(t, tt.local), parse(t, tt.peer)
			diffs := schema.Compare(local, peer)
			var got []string
			for _, d := range diffs {
				mark := ""
				if d.Breaking {
					mark = "!"
				}
				got = append(got, mark+d.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if tt.change != "" && (len(diffs) == 0 || diffs[0].Change() != tt.change) {
				t.Errorf("got %v, want %q first", changes(diffs), tt.change)
			}
			paths := func(diffs []schema.Difference) (paths []string) {
				for _, d := range diffs {
					paths = append(paths, d.Path+map[bool]string{true: "!"}[d.Breaking])
				}
				slices.Sort(paths)
				return paths
			}
			if diff := cmp.Diff(paths(diffs), paths(schema.Compare(peer, local))); diff != "" {
				t.Errorf("paths from here and from the other end:\n%s", diff)
			}
		})
	}
}

func changes(diffs []schema.Difference) (list []string) {
	for _, d := range diffs {
		list = append(list, d.Change())
	}
	return list
}

// A breaking difference is found behind any number of harmless ones, which are left out.
func TestCompareFindsBreakingBehindHarmless(t *testing.T) {
	for _, n := range []int{10, 300, 1000, 3000} {
		var fields, cases strings.Builder
		for i := range n {
			fmt.Fprintf(&fields, " F%d int\n", i)
			fmt.Fprintf(&cases, " %d json bool\n", i+2)
		}
		for name, texts := range map[string][2]string{
			"fields":  {"json\nmessage A\nstruct A\n Z B\nstruct B\n N int\n", "json\nmessage A\nstruct A\n" + fields.String() + " Z B\nstruct B\n N string\n"},
			"structs": {"json\nmessage A\nstruct A\n Y B\n Z C\nstruct B\nstruct C\n N int\n", "json\nmessage A\nstruct A\n Y B\n Z C\nstruct B\n" + fields.String() + "struct C\n N string\n"},
			"cases":   {"union(json)\nmessage E\nunion E\n 1000000 json int\n", "union(json)\nmessage E\nunion E\n" + cases.String() + " 1000000 json string\n"},
		} {
			local, peer := parse(t, texts[0]), parse(t, texts[1])
			for from, diffs := range map[string][]schema.Difference{"here": schema.Compare(local, peer), "the other end": schema.Compare(peer, local)} {
				if len(diffs) < 2 || !diffs[0].Breaking || diffs[1].Breaking {
					t.Errorf("%s, %d harmless ones: from %s got %d differences, %v first, want a breaking one", name, n, from, len(diffs), diffs[0])
				}
				size, last := 0, ""
				for _, d := range diffs {
					last = d.String()
					size += len(last) + 1
				}
				if more := last == "and more"; size > schema.MaxListed || n <= 10 && more || n >= 1000 && !more {
					t.Errorf("%s, %d harmless ones: from %s got %d bytes, the last line %q", name, n, from, size, last)
				}
			}
		}
	}
}

// What a peer has chosen cannot be mistaken for anything else on a terminal or in a log.
func TestDifferencesAreQuoted(t *testing.T) {
	local := parse(t, "union(json)\nmessage E\nunion E\n 1 json A\n 2 json int\nstruct A\n N int\n")
	for _, tt := range []struct{ name, want string }{
		{`"\u001b[31m"`, `"\u001b[31m"`},
		{`"\u000a"`, `"\u000a"`},
		{"\"\u202e\"", `"\u202e"`},
		{`"\u2028"`, `"\u2028"`},
		{"\"\U000e0001\"", `"\U000e0001"`},
		{"\"\u00ad\"", `"\u00ad"`},
		{`"日本"`, `"日本"`},
		{`"a \"b\""`, `"a \"b\""`},
	} {
		peer := parse(t, tt.name+"\nmessage E\nunion E\n 1 json A\n 2 "+tt.name+" int\nstruct A\n N int\n "+tt.name+" int\n")
		diffs := schema.Compare(local, peer)
		var all strings.Builder
		for _, d := range diffs {
			all.WriteString(d.String() + "\n")
		}
		for _, want := range []string{
			"codec is union(json) here and " + tt.want + " at the peer",
			"case 2 is json int here and " + tt.want + " int at the peer",
			"A." + tt.want + " is only at the peer",
		} {
			if !strings.Contains(all.String(), want) {
				t.Errorf("%s: got %q, want: %s", tt.name, all.String(), want)
			}
		}
	}
}

// Long parts keep their ends.
func TestDifferencesAreCut(t *testing.T) {
	name := strings.Repeat("日", 66) // 198 bytes
	text := "json\nmessage A0\n"
	for i := range 20 {
		text += fmt.Sprintf("struct A%d\n \"%s\" *A%d\n", i, name, i+1)
	}
	local, peer := parse(t, text+"struct A20\n N int\n"), parse(t, text+"struct A20\n N "+strings.Repeat("[]", 30)+"opaque("+strings.Repeat("x", 200)+")\n")
	diffs := schema.Compare(local, peer)
	if len(diffs) != 1 {
		t.Fatalf("got %v, want one difference", diffs)
	}
	d := diffs[0]
	if !strings.HasPrefix(d.Path, `A0."日日`) || !strings.HasSuffix(d.Path, `日日".N`) || !strings.Contains(d.Path, "日…日") || len(d.Path) > 256 || len(d.Path) < 250 {
		t.Errorf("got the path %q", d.Path)
	}
	if !strings.HasPrefix(d.Peer, "[][]") || !strings.HasSuffix(d.Peer, "xx)") || !strings.Contains(d.Peer, "…") || len(d.Peer) != 256 {
		t.Errorf("got the type %q", d.Peer)
	}
	if strings.Contains(d.String(), "\uFFFD") {
		t.Errorf("cut within a character: %q", d.String())
	}
}

// Neither goes on when the result is of no use.
func TestContextEnds(t *testing.T) {
	text := func(typ string) string {
		s := "json\nmessage A\nstruct A\n"
		for i := range 1000 {
			s += fmt.Sprintf(" F%d %s\n", i, typ)
		}
		return s
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := schema.ParseContext(ctx, text("int")); !errors.Is(err, context.Canceled) {
		t.Errorf("ParseContext: got %v", err)
	}
	local, peer := parse(t, text("int")), parse(t, text("int8"))
	if diffs, err := schema.CompareContext(ctx, local, peer); diffs != nil || err != context.Canceled {
		t.Errorf("CompareContext: got %d differences, %v", len(diffs), err)
	}
}

// Two descriptions of full length are compared to the end, even if they differ in each field.
func TestCompareOfFullLength(t *testing.T) {
	var a, b strings.Builder
	a.WriteString("msgpack\nmessage A\nstruct A\n")
	b.WriteString("msgpack\nmessage A\nstruct A\n")
	for i := 0; b.Len() < schema.MaxText-100; i++ {
		fmt.Fprintf(&a, " Field%d []int\n", i)
		fmt.Fprintf(&b, " Field%d []int8\n", i)
	}
	local, peer := parse(t, a.String()+" Zero int\n"), parse(t, b.String()+" Zero string\n")
	diffs := schema.Compare(local, peer)
	if d := diffs[0]; !d.Breaking || d.Path != "A.Zero" {
		t.Errorf("got %v first, want that Zero breaks", d)
	}
	if last := diffs[len(diffs)-1]; last.Local == "large" {
		t.Errorf("got %v, want it to be compared to the end", last)
	}
}
