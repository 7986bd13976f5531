package qsockettest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
)

// said is a chat of which versions are made by changes.
type (
	said     struct{ Room, Text string }
	presence struct {
		User   string
		Online bool
	}
	renamedType struct{ Room, Text string }
	shout       struct{ Room, Text string }
	saidElse    struct{ Room, Reason, Until string }
	saidMore    struct{ Room, Text, Lang string }
	room        struct{ Room string }
	ping        struct{}
	leg         struct{ Qty int }
	part        struct{ Qty int }
	note        string
	topic       string
)

// chat is the protocol with these cases, whose types go by the names given to them.
func chat(cases ...qsocket.Variant[any]) qsocket.Protocol[any] {
	return qsocket.Protocol[any]{Name: "chat/1", Codec: qsocket.Union(cases...)}
}

func of[V any](tag uint64) qsocket.Variant[any] { return qsocket.Case[any](tag, qsocket.Msgpack[V]()) }

func skip() qsocket.Variant[any] { return qsocket.SkipUnknown[any]() }

func otherwise() qsocket.Variant[any] {
	return qsocket.Otherwise(func(uint64, []byte) (any, error) { return nil, nil })
}

// message is a protocol of one type, which always goes by the same name.
func message[T any](opts ...qsocket.MsgpackOption) qsocket.Protocol[any] {
	return qsocket.Protocol[any]{Name: "chat/1", Codec: qsocket.Union(qsocket.Case[any](1, renamedCodec[T]{qsocket.Msgpack[T](opts...)}))}
}

func jsonMessage[T any]() qsocket.Protocol[any] {
	return qsocket.Protocol[any]{Name: "chat/1", Codec: qsocket.Union(qsocket.Case[any](1, qsocket.JSON[T]()))}
}

func gobMessage[T any]() qsocket.Protocol[any] {
	return qsocket.Protocol[any]{Name: "chat/1", Codec: qsocket.Union(qsocket.Case[any](1, qsocket.Gob[T]()))}
}

type renamedCodec[T any] struct{ qsocket.Codec[T] }

func (c renamedCodec[T]) Schema() string { return qsocket.Protocol[T]{Codec: c.Codec}.Schema() }

// Each change stands under one heading, with a sentence that says what is wrong.
func TestGoldenChanges(t *testing.T) {
	for _, tt := range []struct {
		name     string
		old, new qsocket.Protocol[any]
		heading  string // "" for no difference
		says     string
	}{
		// What breaks.
		{"a field is renamed", message[struct{ Room, Text string }](), message[struct{ Room, Body string }](), "breaks", "looks like a rename, with Body in the other version"},
		{"a nested field is renamed", message[struct{ L []struct{ A, B int } }](), message[struct{ L []struct{ A, C int } }](), "breaks", "looks like a rename"},
		{"a field is renamed, gob", gobMessage[struct{ Room, Text string }](), gobMessage[struct{ Room, Body string }](), "breaks", "looks like a rename"},
		{"a field is renamed, json", jsonMessage[struct{ Room, Text string }](), jsonMessage[struct{ Room, Body string }](), "breaks", "looks like a rename"},
		{"a field and its type are renamed", message[struct{ Leg leg }](), message[struct{ Part part }](), "breaks", "looks like a rename"},
		{"a field is renamed and wider", message[struct{ Qty int32 }](), message[struct{ Amount *int64 }](), "breaks", "looks like a rename"},
		{"a rename among many fields that are gone", qsocket.Protocol[any]{Name: "chat/1", Codec: manyFields{qsocket.Msgpack[any](), 400, "Old"}}, qsocket.Protocol[any]{Name: "chat/1", Codec: manyFields{qsocket.Msgpack[any](), 0, "New"}}, "breaks", "looks like a rename, with New in the other version"},
		{"a tag is used again by a type with a field of the same name", chat(of[said](1), skip()), chat(of[saidElse](1), skip()), "breaks", "the tag has been given to another message"},
		{"a tag is used again after an empty message", chat(of[ping](1), skip()), chat(of[said](1), skip()), "breaks", "the tag has been given to another message"},
		{"a message is two, of which the old name has the new tag", chat(of[said](1), skip()), chat(of[room](1), of[said](2), skip()), "breaks", "case 1 was msgpack said and is msgpack room now"},
		{"tags are exchanged", chat(of[said](1), of[presence](2), skip()), chat(of[presence](1), of[said](2), skip()), "breaks", "case 1 was msgpack said and is msgpack presence now"},
		{"tags of like types are exchanged", chat(of[said](1), of[shout](2), skip()), chat(of[shout](1), of[said](2), skip()), "breaks", "the tag has been given to another message"},
		{"tags of strings are exchanged", chat(of[note](1), of[topic](2), skip()), chat(of[topic](1), of[note](2), skip()), "breaks", "the tag has been given to another message"},
		{"a tag is used again", chat(of[said](1), skip()), chat(of[presence](1), skip()), "breaks", "the tag has been given to another message"},
		{"a tag has moved", chat(of[said](1), of[presence](2), skip()), chat(of[said](1), of[presence](3), skip()), "breaks", "the message has another tag in the other version"},
		{"a case is new, and old peers do not skip it", chat(of[said](1)), chat(of[said](1), of[presence](2)), "breaks", "old peers have no SkipUnknown"},
		{"a case is gone, and new peers do not skip it", chat(of[said](1), of[presence](2), skip()), chat(of[said](1)), "breaks", "without SkipUnknown the connection ends"},
		{"another codec of a case", chat(of[said](1), of[note](2), skip()), chat(of[said](1), qsocket.Case[any](2, qsocket.JSON[note]()), skip()), "breaks", "case 2 was msgpack string and is json string now"},
		{"another type", message[struct{ N int }](), message[struct{ N string }](), "breaks", "it cannot be decoded"},
		{"a float is wider, which old peers refuse in msgpack", message[struct{ N float32 }](), message[struct{ N float64 }](), "breaks", "N was float32 and is float64 now"},
		{"keys of a map", message[struct{ M map[string]int }](), message[struct{ M map[int]int }](), "breaks", "M[key] was string and is int now"},
		{"a type gets methods", message[struct{ L int }](), message[struct{ L level }](), "breaks", "L was int and is opaque(level) now"},
		{"a type loses methods", message[struct{ L level }](), message[struct{ L int }](), "breaks", "L was opaque(level) and is int now"},
		{"a field among those of an array", message[said](qsocket.ArrayEncodedStructs()), message[struct{ Room, Text, Time string }](qsocket.ArrayEncodedStructs()), "breaks", "was a tuple of 2 and is a tuple of 3 now"},
		{"fields of an array change places", message[struct{ A, B string }](qsocket.ArrayEncodedStructs()), message[struct{ B, A string }](qsocket.ArrayEncodedStructs()), "breaks", "it arrives in another field"},
		{"a field is new, and old peers are strict", message[struct{ A int }](qsocket.DisallowUnknownFields()), message[struct{ A, B int }](qsocket.DisallowUnknownFields()), "breaks", "old peers refuse it"},
		{"string to number in json", jsonMessage[struct{ N string }](), jsonMessage[struct{ N int }](), "breaks", "N was string and is int now"},

		// What loses.
		{"a field is gone", message[struct{ A, B int }](), message[struct{ A int }](), "loses", "B is gone (it was int)"},
		{"a number is narrower", message[struct{ N int64 }](), message[struct{ N int32 }](), "loses", "numbers that do not fit are refused"},
		{"a case is gone, and new peers skip it", chat(of[said](1), of[presence](2), skip()), chat(of[said](1), skip()), "loses", "it is skipped"},
		{"it becomes strict", message[struct{ A int }](), message[struct{ A int }](qsocket.DisallowUnknownFields()), "loses", "was lenient and is strict now"},
		{"a union becomes closed", chat(of[said](1), skip()), chat(of[said](1)), "loses", "was open and is closed now"},
		{"nil is no more", message[struct{ A *int }](), message[struct{ A int }](), "loses", "nil arrives as the zero value"},
		{"strings must be UTF-8", message[struct{ A string }](qsocket.AllowInvalidUTF8()), message[struct{ A string }](), "loses", "strings that are not UTF-8 are refused"},

		{"a field is renamed, with an alias", message[struct{ A int }](), message[struct {
			B int `msgpack:"B,alias:A"`
		}](), "loses", "what old peers send as A arrives in it"},
		{"structs become arrays", message[said](), message[said](qsocket.ArrayEncodedStructs()), "loses", "was a struct and is a tuple now"},

		// What is safe.
		{"a field is new", message[struct{ A int }](), message[struct{ A, B int }](), "safe", "B is new (int)"},
		{"a nested field is new", message[struct{ L []struct{ A int } }](), message[struct {
			L []struct {
				A int
				B string
			}
		}](), "safe", "B is new (string)"},
		{"a field is new, gob", gobMessage[struct{ A int }](), gobMessage[struct{ A, B int }](), "safe", "B is new (int)"},
		{"a field is new, json", jsonMessage[struct{ A int }](), jsonMessage[struct{ A, B int }](), "safe", "B is new (int)"},
		{"a case is new, and old peers skip it", chat(of[said](1), skip()), chat(of[said](1), of[presence](2), skip()), "safe", "old peers skip it"},
		{"a case is new, and old programs take it", chat(of[said](1), otherwise()), chat(of[said](1), of[presence](2), otherwise()), "safe", "case 2 is new"},
		{"a number is wider", message[struct{ N int32 }](), message[struct{ N int64 }](), "safe", "N was int32 and is int64 now"},
		{"a float is wider, gob", gobMessage[struct{ N float32 }](), gobMessage[struct{ N float64 }](), "safe", "N was float32 and is float64 now"},
		{"a pointer", message[struct{ N int }](), message[struct{ N *int }](), "safe", "N was int and is *int now"},
		{"a union becomes open", chat(of[said](1)), chat(of[said](1), skip()), "safe", "was closed and is open now"},
		{"it is no longer strict", message[struct{ A int }](qsocket.DisallowUnknownFields()), message[struct{ A int }](), "safe", "was strict and is lenient now"},
		{"a field gets an alias", message[struct {
			A int `msgpack:"A"`
		}](), message[struct {
			A int `msgpack:"A"`
			B int `msgpack:"B,alias:Bee"`
		}](), "safe", "B is new"},

		// What is no difference.
		{"nothing", chat(of[said](1)), chat(of[said](1)), "", ""},
		{"a new version of a message beside the old one, which gets another name", chat(of[said](1), skip()), chat(of[renamedType](1), of[saidMore](2), skip()), "safe", "case 2 is new"},
		{"another name of a type", chat(of[said](1), skip()), chat(of[renamedType](1), skip()), "", ""},
		{"another name of a string", chat(of[note](1), skip()), chat(of[topic](1), skip()), "", ""},
		{"another order of fields", message[struct{ A, B int }](), message[struct{ B, A int }](), "", ""},
		{"another order of fields, gob", gobMessage[struct{ A, B int }](), gobMessage[struct{ B, A int }](), "", ""},
		{"another order of cases", chat(of[said](1), of[presence](2)), chat(of[presence](2), of[said](1)), "", ""},
		{"int and int64", message[struct{ N int }](), message[struct{ N int64 }](), "", ""},
		{"a named number", message[struct{ N uint8 }](), message[struct{ N kind }](), "", ""},
		{"fields come from an embedded struct", message[struct{ Room, Text string }](), message[struct{ Embedded }](), "", ""},
		{"Otherwise in place of SkipUnknown", chat(of[said](1), skip()), chat(of[said](1), otherwise()), "", ""},
		{"omitempty", message[struct{ A string }](), message[struct {
			A string `msgpack:",omitempty"`
		}](), "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			record(t, tt.old)
			f := runGolden(tt.new)
			got := strings.Join(f.errors, "\n")
			if tt.heading == "" {
				if got != "" || f.fatal != "" {
					t.Errorf("got %s, want no difference", got)
				}
				return
			}
			if f.fatal != "" || !strings.Contains(got, "\n"+tt.heading+":\n") || !strings.Contains(got, tt.says) {
				t.Errorf("got %s %s\nwant %s: %s", f.fatal, got, tt.heading, tt.says)
			}
			for _, worse := range []string{"breaks", "loses"} {
				if worse == tt.heading {
					break
				}
				if strings.Contains(got, "\n"+worse+":\n") {
					t.Errorf("a false alarm:\n%s", got)
				}
			}
			t.Setenv("QSOCKET_UPDATE", "1")
			f = runGolden(tt.new)
			t.Setenv("QSOCKET_UPDATE", "")
			if recorded := len(f.errors) == 0; recorded != (tt.heading != "breaks") {
				t.Errorf("-update: recorded %v, %q", recorded, f.errors)
			}
		})
	}
}

type kind uint8

// manyFields describes a message with so many fields and another one.
type manyFields struct {
	qsocket.Codec[any]
	n    int
	name string
}

func (c manyFields) Schema() string {
	var b strings.Builder
	b.WriteString("msgpack\nmessage M\nstruct M\n " + c.name + " int\n")
	for i := range c.n {
		fmt.Fprintf(&b, " Analytics%d string\n", i)
	}
	return b.String()
}

// A value of QSOCKET_UPDATE that is not understood records nothing.
func TestGoldenUpdateValues(t *testing.T) {
	t.Chdir(t.TempDir())
	record(t, chat(of[said](1), skip()))
	for value, says := range map[string]string{"0": "", "false": "", "no": "QSOCKET_UPDATE is \"no\", want 1, breaking, 0 or nothing", "BREAKING": "want 1, breaking", "garbage": "want 1, breaking"} {
		t.Setenv("QSOCKET_UPDATE", value)
		f := runGolden(chat(of[said](1), of[presence](2), skip()))
		if says == "" && len(f.errors) != 1 || !strings.Contains(f.fatal, says) {
			t.Errorf("%q: got %+v", value, f)
		}
	}
}

// Embedded has fields that are those of the message.
type Embedded struct{ Room, Text string }

// A record of before unions said whether they skip unknown cases stays valid, and a case that
// is added is judged as what it is: nobody knows.
func TestGoldenOfOlderUnion(t *testing.T) {
	t.Chdir(t.TempDir())
	old := olderUnion{chat(of[said](1), skip()).Codec}
	record(t, qsocket.Protocol[any]{Name: "chat/1", Codec: old})
	for _, p := range []qsocket.Protocol[any]{chat(of[said](1), skip()), chat(of[said](1))} {
		if f := runGolden(p); len(f.errors) > 0 || f.fatal != "" {
			t.Errorf("nothing has changed, but %+v", f)
		}
	}
	f := runGolden(chat(of[said](1), of[presence](2), skip()))
	if got := strings.Join(f.errors, ""); !strings.Contains(got, "loses:\n  case 2 is new") || !strings.Contains(got, "which the record does not say") || strings.Contains(got, "breaks:") {
		t.Errorf("got %+v", f)
	}
}

// olderUnion describes itself as unions did that did not say what they do with unknown cases.
type olderUnion struct{ qsocket.Codec[any] }

func (c olderUnion) Schema() string {
	return strings.Replace(qsocket.Protocol[any]{Codec: c.Codec}.Schema(), " open\n", "\n", 1)
}
