package jsonscan_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/jsonscan"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// nested is n arrays of one element inside each other, the innermost empty.
func nested(n int) string {
	return strings.Repeat("[", n) + strings.Repeat("]", n)
}

// accepted is valid JSON within the limits.
var accepted = []struct{ name, payload string }{
	{"null", "null"},
	{"number", "-1.5e+300"},
	{"empty string", `""`},
	{"empty array", "[]"},
	{"empty object", "{}"},
	{"message", `{"id":8812345678,"symbol":"BTC-USDT","price":64123.5,"tags":["ioc","eu-west-1"],"legs":[{"n":1},{"n":-2}],"note":null}`},
	{"white space before and inside", " [ 1 ,\t{ \"a\" :\r\n2 } ]"},
	{"not ASCII", `"größer \u00fc 😀"`},
	{"escapes", `"\"\\\/\b\f\n\r\t"`},
	{"backslashes before the closing quote", `["\\","\\\\","\\\""]`},
	{"brackets in strings", `{"[[[{":"}}]]]"}`},
	{"more brackets in a string than levels", `"` + strings.Repeat("[{", jsonscan.MaxDepth) + `"`},
	{"escape before the closing quote", `"\u0041"`},
	{"surrogate pair", `"\ud83d\ude00"`},
	{"surrogate pair in upper case", `"\uD83D\uDE00"`},
	{"first and last pair", `"\ud800\udc00\udbff\udfff"`},
	{"around the surrogates", `"\ud7ff\ue000"`},
	{"surrogate as text", `"\\ud83d \\\\ude00"`},
	{"replacement characters", `"\ufffd \uFFFD` + "\uFFFD" + `"`},
	{"deepest array", nested(jsonscan.MaxDepth)},
	{"deepest object", strings.Repeat(`{"a":`, jsonscan.MaxDepth) + "1" + strings.Repeat("}", jsonscan.MaxDepth)},
	{"more brackets than levels, side by side", "[" + strings.Repeat("[],", jsonscan.MaxDepth) + "{}]"},
}

// notJSON is what Scan leaves to the decoder.
var notJSON = []struct{ name, payload string }{
	{"no JSON", "hello"},
	{"two values", "1 2"},
	{"closing bracket alone", "]"},
	{"bracket that closes another kind", "[}"},
	{"bracket after the value", "[]]["},
	{"comma before the end", "[1,]"},
	{"key without quotes", "{a:1}"},
	{"control character in a string", "\"a\nb\""},
	{"unknown escape", `"\x"`},
	{"half an escape", `"\u12"`},
	{"hex escape with another letter", `"\ud83g"`},
	{"half a literal", "tru"},
	{"half a number", "-"},
}

func TestScanAccepts(t *testing.T) {
	for _, tt := range accepted {
		t.Run(tt.name, func(t *testing.T) {
			if !json.Valid([]byte(tt.payload)) {
				t.Error("not valid for encoding/json")
			}
			if err := jsonscan.Scan([]byte(tt.payload)); err != nil {
				t.Errorf("got error %v", err)
			}
		})
	}
}

func TestScanLeavesGrammar(t *testing.T) {
	for _, tt := range notJSON {
		t.Run(tt.name, func(t *testing.T) {
			if json.Valid([]byte(tt.payload)) {
				t.Error("valid for encoding/json")
			}
			if err := jsonscan.Scan([]byte(tt.payload)); err != nil {
				t.Errorf("got error %v", err)
			}
		})
	}
}

func TestScanRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, payload, want string
		eof                 bool
	}{
		{"empty", "", "json: empty payload, want one value: unexpected EOF", true},
		{"space after the value", "1 ", "json: trailing white space ' ' at byte 1, want none", false},
		{"tab after the value", "[]\t", `json: trailing white space '\t' at byte 2, want none`, false},
		{"carriage return after the value", "1\r", `json: trailing white space '\r' at byte 1, want none`, false},
		{"newline after the value", "1\n", `json: trailing white space '\n' at byte 1, want none`, false},
		{"white space alone", " ", "json: trailing white space ' ' at byte 0, want none", false},
		{"not UTF-8", "\"\xff\"", "json: payload is not UTF-8", false},
		{"half a character", "\"\xc3", "json: payload is not UTF-8", false},
		{"surrogate in UTF-8", "\"\xed\xa0\x80\"", "json: payload is not UTF-8", false},
		{"open array", "[1,[2]", "json: 1 arrays or objects are open at the end, byte 6: unexpected EOF", true},
		{"open object and array", `{"a":[`, "json: 2 arrays or objects are open at the end, byte 6: unexpected EOF", true},
		{"open string", `["abc`, "json: string at byte 1 is not closed at the end, byte 5: unexpected EOF", true},
		{"open escape", `"abc\`, "json: string at byte 0 is not closed at the end, byte 5: unexpected EOF", true},
		{"escaped quote at the end", `"abc\"`, "json: string at byte 0 is not closed at the end, byte 6: unexpected EOF", true},
		{"pair at the end", `"\ud83d\ude00`, "json: string at byte 0 is not closed at the end, byte 13: unexpected EOF", true},
		{"too deep", nested(jsonscan.MaxDepth + 1), "json: '[' at byte 100 is nested deeper than 100 levels", false},
		{"too deep by objects", strings.Repeat(`{"a":`, 101) + "1" + strings.Repeat("}", 101), "json: '{' at byte 500 is nested deeper than 100 levels", false},
		{"too deep after brackets that are closed", "[[[]]," + nested(jsonscan.MaxDepth) + "]", "json: '[' at byte 105 is nested deeper than 100 levels", false},
		{"5 MB of brackets", strings.Repeat("[", 5<<20), "json: '[' at byte 100 is nested deeper than 100 levels", false},
		{"first half alone", `"\ud83dx"`, `json: lone surrogate \ud83d at byte 1`, false},
		{"first half with letters", `"\udabcdef"`, `json: lone surrogate \udabc at byte 1`, false},
		{"two second halves", `"\udc00\udc00"`, `json: lone surrogate \udc00 at byte 1`, false},
		{"first half at the end", `"\uDBFF`, `json: lone surrogate \uDBFF at byte 1`, false},
		{"first half before an escape", `"\ud800\n"`, `json: lone surrogate \ud800 at byte 1`, false},
		{"first half before a character", `"\ud83d\u0041"`, `json: lone surrogate \ud83d at byte 1`, false},
		{"two first halves", `"\ud83d\ud83d\ude00"`, `json: lone surrogate \ud83d at byte 1`, false},
		{"second half alone", `"abc\udE00"`, `json: lone surrogate \udE00 at byte 4`, false},
		{"second half after a pair", `"\ud83d\ude00\udfff"`, `json: lone surrogate \udfff at byte 13`, false},
		{"in a key", `{"\udc00":1}`, `json: lone surrogate \udc00 at byte 2`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := jsonscan.Scan([]byte(tt.payload))
			if err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %v", err, tt.want)
			}
			if got := errors.Is(err, io.ErrUnexpectedEOF); got != tt.eof {
				t.Errorf("is io.ErrUnexpectedEOF: got %v, want %v", got, tt.eof)
			}
		})
	}
}

func TestScanDoesNotAllocate(t *testing.T) {
	if testkit.RaceEnabled {
		t.Skip("the race detector drops what a pool has; run without -race")
	}
	for _, tt := range accepted {
		payload := []byte(tt.payload)
		if n := testing.AllocsPerRun(20, func() {
			if err := jsonscan.Scan(payload); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: got %v allocations, want 0", tt.name, n)
		}
	}
}

// A key that is twice in an object is found, however it is written and however large the
// object is; one that is in two objects, or is a value, is none.
func TestKeysTwice(t *testing.T) {
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf(`"a long name with the number %d":{"x":[1,{"x":2}]}`, i))
	}
	large := "{" + strings.Join(many, ",") + "}"
	for payload, want := range map[string]string{
		`{"a":1,"b":2,"a":3}`: `key "a" is twice`,
		`{"a":1,"\u0061":2}`:  `key "a" is twice`,
		`{"":1,"":2}`:         `key "" is twice`,
		`{"longer than eight":1,"longer than nine":2}`:  "",
		`{"longer than eight":1,"longer than eight":2}`: `key "longer than eight" is twice`,
		`[{"a":1},{"a":2}]`:                             "",
		`{"a":{"a":{"a":1}},"b":["a","a"],"c":"a"}`:     "",
		`{"a":[{"b":1,"b":2}]}`:                         `key "b" is twice`,
		`{"a":{"b":1},"b":{"a":1},"a":2}`:               `key "a" is twice`,
		`["a","a"]`:                                     "",
		`{"a":"b","b":"a"}`:                             "",
		`{"é":1,"\u00e9":2}`:                            `key "é" is twice`,
		large:                                           "",
		large[:len(large)-1] + "," + many[0] + "}":      `is twice`,
		large[:len(large)-1] + "," + many[99] + "}":     `is twice`,
		`{"` + strings.Repeat("x", 5000) + `":1,"` + strings.Repeat("x", 5000) + `":1}`: `is twice`,
		strings.Repeat("]", 5) + strings.Repeat(`{"a":`, 105):                           "json: ",
	} {
		err := jsonscan.Scan([]byte(payload))
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || len(err.Error()) > 200) {
			t.Errorf("%.60s: got %v, want %q", payload, err, want)
		}
	}
}

func TestHasReplacement(t *testing.T) {
	for payload, want := range map[string]bool{
		``:                    false,
		`"ufffd"`:             false,
		"\"\uFFFD\"":          true,
		`"\ufffd"`:            true,
		`"a\\ufffd"`:          true, // in a string in a string
		`"\ufff`:              false,
		`"\ufffe"`:            false,
		`["\u0041\ufffd", 1]`: true,
	} {
		if got := jsonscan.HasReplacement([]byte(payload)); got != want {
			t.Errorf("%s: got %v, want %v", payload, got, want)
		}
	}
}

func TestTruncated(t *testing.T) {
	for _, tt := range []struct {
		payload string
		want    bool
	}{
		{"tru", true},
		{"-", true},
		{"1.", true},
		{"1e", true},
		{"[1,", true},
		{`{"a"`, true},
		{`"abc`, true},
		{`"\u12`, true},
		{"true", false},
		{"1", false},
		{"1 2", false},
		{"[1,]", false},
		{"trx", false},
		{"]", false},
		{`"\u12"`, false},
		{"hello", false},
	} {
		if got := jsonscan.Truncated([]byte(tt.payload)); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.payload, got, tt.want)
		}
	}
}

// BenchmarkScan compares the check of a payload with decoding it.
//
//	go test -run '^$' -bench Scan -count 6 ./internal/jsonscan | tee scan.txt
//	benchstat -row /message -col /part scan.txt
func BenchmarkScan(b *testing.B) {
	type order struct {
		ID     uint64   `json:"id"`
		Symbol string   `json:"symbol"`
		Price  float64  `json:"price"`
		Tags   []string `json:"tags"`
		Note   string   `json:"note"`
	}
	for _, size := range []struct {
		name string
		note string
	}{
		{"order", "desk-7/algo-12"},
		{"text", strings.Repeat("größer: \"64KiB\"\n", 4<<10)},
	} {
		payload, err := json.Marshal(order{8_812_345_678, "BTC-USDT", 64_123.5, []string{"ioc", "eu-west-1"}, size.note})
		if err != nil {
			b.Fatal(err)
		}
		run := func(part string, f func() error) {
			b.Run("message="+size.name+"/part="+part, func(b *testing.B) {
				b.SetBytes(int64(len(payload)))
				b.ReportAllocs()
				for b.Loop() {
					if err := f(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		run("scan", func() error { return jsonscan.Scan(payload) })
		run("json", func() error {
			var v order
			return json.Unmarshal(payload, &v)
		})
	}
}
