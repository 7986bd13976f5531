package qsocket_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

func TestJSONGolden(t *testing.T) {
	type message struct {
		B string         `json:"b"`
		A map[string]int `json:"a,omitempty"`
		C []byte
	}
	c := qsocket.JSON[message]()
	enc := c.NewEncoder()
	for _, tt := range []struct {
		v    message
		want string
	}{
		{message{B: "<&>\u2028\x00", A: map[string]int{"z": 1, "a": 2}, C: []byte{1, 2}}, `{"b":"<&>\u2028\u0000","a":{"a":2,"z":1},"C":"AQI="}`},
		{message{}, `{"b":"","C":null}`},
		{message{B: "\uFFFD \\ufffd"}, "{\"b\":\"\uFFFD \\\\ufffd\",\"C\":null}"},
	} {
		if got := string(codecAppend(t, enc, tt.v)); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestJSONRefusesValue(t *testing.T) {
	c := qsocket.JSON[any]()
	enc, dec := c.NewEncoder(), c.NewDecoder()
	deep := any(1)
	for range 101 {
		deep = []any{deep}
	}
	for _, tt := range []struct {
		name string
		v    any
		want string
	}{
		{"channel", make(chan int), "unsupported type"},
		{"deep", deep, `'[' at byte 100 is nested deeper than 100 levels`},
		{"not UTF-8", map[string]any{"a": "b\xff"}, "string of 2 bytes is not UTF-8: byte 0xff at offset 1"},
		{"key not UTF-8", map[string]any{"a\xff": 1}, "string of 2 bytes is not UTF-8: byte 0xff at offset 1"},
		{"marshaler", json.RawMessage("[1,"), "unexpected end"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			codecRefuse(t, enc, tt.v, tt.want)
			if got := codecDecode(t, dec, codecAppend(t, enc, any("good"))); got != "good" {
				t.Errorf("after the error: got %v, want good", got)
			}
		})
	}
}

func TestJSONRefusesPayload(t *testing.T) {
	const eof = "unexpected EOF"
	for _, tt := range []struct{ name, payload, want string }{
		{"empty", "", eof},
		{"open array", "[1,[2]", eof},
		{"open object", `{"a":1`, eof},
		{"open string", `"abc`, eof},
		{"open escape", `"abc\`, eof},
		{"closed by an escaped quote", `"abc\"`, eof},
		{"half a literal", "tru", eof},
		{"half a number", "-", eof},
		{"half a fraction", "1.", eof},
		{"half an escape", `"\u12"`, "escape"}, // encoding/json has other words from Go 1.27 on
		{"newline after the value", "1\n", `trailing white space '\n' at byte 1`},
		{"two values", "1 2", "after top-level value"},
		{"bracket after the value", "1]", "after top-level value"},
		{"deep", strings.Repeat("[", 101) + strings.Repeat("]", 101), "'[' at byte 100 is nested deeper than 100 levels"},
		{"deep in an object", strings.Repeat(`{"a":`, 101) + "1" + strings.Repeat("}", 101), "'{' at byte 500 is nested deeper than 100 levels"},
		{"5 MB of brackets", strings.Repeat("[", 5<<20), "nested deeper than 100 levels"},
		{"not UTF-8", "\"\xff\"", "payload is not UTF-8"},
		{"high surrogate alone", `"\ud83dx"`, `lone surrogate \ud83d at byte 1`},
		{"low surrogate alone", `"\udE00"`, `lone surrogate \udE00 at byte 1`},
		{"two high surrogates", `"\ud83d\ud83d"`, `lone surrogate \ud83d at byte 1`},
		{"no JSON", "hello", "invalid character"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := qsocket.JSON[any]().NewDecoder().Decode([]byte(tt.payload))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
			if got := errors.Is(err, io.ErrUnexpectedEOF); got != (tt.want == eof) {
				t.Errorf("is io.ErrUnexpectedEOF: got %v, want %v", got, !got)
			}
		})
	}
}

func TestJSONAccepts(t *testing.T) {
	for _, tt := range []struct{ name, payload, want string }{
		{"surrogate pair", `"\ud83d\uDE00"`, "\U0001F600"},
		{"brackets in a string", `"` + strings.Repeat("[{", 200) + `"`, strings.Repeat("[{", 200)},
		{"backslashes", `"\\\"\\"`, `\"\`},
		{"replacement character", `"\ufffd"`, "\uFFFD"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := codecDecode(t, qsocket.JSON[string]().NewDecoder(), []byte(tt.payload)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A number that does not fit is an error, and what was decoded before it does
// not shine through the next message.
func TestJSONFreshValue(t *testing.T) {
	type message struct {
		A, B uint8
		M    map[string]int
	}
	dec := qsocket.JSON[message]().NewDecoder()
	if got := codecDecode(t, dec, []byte(`{"A":1,"B":2,"M":{"x":1}}`)); got.A != 1 || got.B != 2 || got.M["x"] != 1 {
		t.Errorf("got %+v", got)
	}
	for _, payload := range []string{`{"A":3,"B":300}`, `{"A":4,"B":-1}`} {
		if _, err := dec.Decode([]byte(payload)); err == nil {
			t.Errorf("%s: got no error", payload)
		}
	}
	if got := codecDecode(t, dec, []byte(`{"B":5}`)); got.A != 0 || got.B != 5 || got.M != nil {
		t.Errorf("got %+v, want B alone", got)
	}
}

// Types that return what they hold, on values and on pointers.
type (
	jsonText    struct{ S string }
	jsonTextPtr struct{ S string }
	jsonRaw     struct{ S string }
	jsonTextKey string
	jsonEmbeds  struct {
		*jsonInner
		Name string
	}
	jsonInner struct{ Deep string }
)

func (v jsonText) MarshalText() ([]byte, error)     { return []byte(v.S), nil }
func (v *jsonText) UnmarshalText(b []byte) error    { v.S = string(b); return nil }
func (v *jsonTextPtr) MarshalText() ([]byte, error) { return []byte(v.S), nil }
func (v *jsonTextPtr) UnmarshalText(b []byte) error { v.S = string(b); return nil }
func (v jsonRaw) MarshalJSON() ([]byte, error)      { return []byte(`"` + v.S + `"`), nil }
func (v *jsonRaw) UnmarshalJSON(b []byte) error     { v.S = string(b[1 : len(b)-1]); return nil }
func (v jsonTextKey) MarshalText() ([]byte, error)  { return []byte(v), nil }
func (v *jsonTextKey) UnmarshalText(b []byte) error { *v = jsonTextKey(b); return nil }

// A string that is not UTF-8 is refused wherever it stands, and the character U+FFFD is
// taken wherever that stands, with every version of encoding/json.
func TestJSONInvalidUTF8(t *testing.T) {
	for name, with := range map[string]func(s string) any{
		"string":               func(s string) any { return s },
		"element":              func(s string) any { return []any{1, []string{"a", s}} },
		"value of a map":       func(s string) any { return map[string]any{"k": s} },
		"key of a map":         func(s string) any { return map[string]int{s: 1} },
		"key with a method":    func(s string) any { return map[jsonTextKey]int{jsonTextKey(s): 1} },
		"field":                func(s string) any { return struct{ A, B string }{"a", s} },
		"embedded field":       func(s string) any { return jsonEmbeds{&jsonInner{s}, "n"} },
		"embedded nil":         func(s string) any { return jsonEmbeds{nil, s} },
		"pointer":              func(s string) any { p := &s; return &p },
		"MarshalText":          func(s string) any { return jsonText{s} },
		"MarshalText, pointer": func(s string) any { return []*jsonTextPtr{{s}} },
		"MarshalJSON":          func(s string) any { return []jsonRaw{{s}} },
		"json.RawMessage":      func(s string) any { return json.RawMessage(`"` + s + `"`) },
		"omitted and sent": func(s string) any {
			return struct {
				A string `json:",omitempty"`
			}{s}
		},
		"string in a string": func(s string) any {
			return struct {
				A string `json:",string"`
			}{s}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := qsocket.JSON[any]()
			enc := c.NewEncoder()
			for _, bad := range []string{"\xff", "a\xc3", "\xed\xa0\x80", "\uFFFD\xff", "\xf4\x90\x80\x80"} {
				if p, err := enc.Append(nil, with(bad)); err == nil || !strings.Contains(err.Error(), "UTF-8") {
					t.Errorf("%q: got %q, %v, want an error", bad, p, err)
				}
			}
			for _, good := range []string{"\uFFFD", "a", "日本\uFFFD"} {
				p, err := enc.Append(nil, with(good))
				if err != nil {
					t.Errorf("%q: %v", good, err)
				} else if _, err := c.NewDecoder().Decode(p); err != nil {
					t.Errorf("%q: %v", good, err)
				}
			}
		})
	}
	// What is not encoded does not matter.
	type hidden struct {
		A string `json:"-"`
		b string
		C string
	}
	if _, err := qsocket.JSON[hidden]().NewEncoder().Append(nil, hidden{"\xff", "\xff", "\uFFFD"}); err != nil {
		t.Error(err)
	}
}

// sent returns the error of sending v.
func sent[T any](c qsocket.Codec[T], v T) error {
	_, err := c.NewEncoder().Append(nil, v)
	return err
}

// A time that would arrive as another one is refused, wherever it stands.
func TestJSONTimeOffset(t *testing.T) {
	at := time.Date(1930, 1, 1, 0, 0, 0, 0, time.FixedZone("LMT", 3617))
	type message struct {
		At   time.Time
		P    *time.Time
		L    []time.Time
		Any  any
		skip time.Time
	}
	for name, v := range map[string]message{
		"field":     {At: at},
		"pointer":   {P: &at},
		"element":   {L: []time.Time{{}, at}},
		"in an any": {Any: map[string]any{"k": []any{at}}},
	} {
		if p, err := qsocket.JSON[message]().NewEncoder().Append(nil, v); err == nil || !strings.Contains(err.Error(), "offset of 3617 seconds") {
			t.Errorf("%s: got %s, %v, want an error", name, p, err)
		}
	}
	if _, err := qsocket.JSON[map[time.Time]int]().NewEncoder().Append(nil, map[time.Time]int{at: 1}); err == nil {
		t.Error("key: it is accepted")
	}
	type stamp struct{ time.Time }
	for name, err := range map[string]error{
		"embedded":          sent(qsocket.JSON[stamp](), stamp{at}),
		"embedded twice":    sent(qsocket.JSON[map[string]struct{ stamp }](), map[string]struct{ stamp }{"a": {stamp{at}}}),
		"embedded, in any":  sent(qsocket.JSON[any](), any(&stamp{at})),
		"embedded, pointer": sent(qsocket.JSON[*stamp](), &stamp{at}),
	} {
		if err == nil || !strings.Contains(err.Error(), "offset of 3617 seconds") {
			t.Errorf("%s: got %v, want an error", name, err)
		}
	}
	if err := sent(qsocket.JSON[stamp](), stamp{at.UTC()}); err != nil {
		t.Error(err)
	}
	good := message{At: at.UTC(), Any: at.In(time.FixedZone("", 3600)), skip: at}
	p, err := qsocket.JSON[message]().NewEncoder().Append(nil, good)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := qsocket.JSON[message]().NewDecoder().Decode(p); err != nil || !got.At.Equal(at) {
		t.Errorf("got %v, %v", got.At, err)
	}
}
