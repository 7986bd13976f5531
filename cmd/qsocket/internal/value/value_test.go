package value_test

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/quick"
	"time"
	"unicode/utf8"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/schema"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/value"
)

// codecOf returns the Codec for messages of a protocol, with its description.
func codecOf[T any](t testing.TB, codec qsocket.Codec[T]) *value.Codec {
	t.Helper()
	text := qsocket.Protocol[T]{Name: "test/1", Codec: codec}.Schema()
	if text == "" {
		t.Fatal("messages without a description")
	}
	s, err := schema.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	c, err := value.New(codec.Name(), s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// there checks that payload has a text, and that the text has that payload.
func there(t *testing.T, c *value.Codec, payload []byte) string {
	t.Helper()
	text, err := c.Decode(nil, payload)
	if err != nil {
		t.Errorf("decode % x: %v", payload, err)
		return ""
	}
	checkText(t, text)
	again, err := c.Append(nil, text)
	if err != nil || !bytes.Equal(again, payload) {
		t.Errorf("%s\ngot  % x, %v\nwant % x", text, again, err, payload)
	}
	return string(text)
}

// checkText checks that text is one line of JSON in which a terminal finds nothing to act upon.
func checkText(t *testing.T, text []byte) {
	t.Helper()
	if !json.Valid(text) {
		t.Errorf("%q is not JSON", text)
	}
	for _, r := range string(text) {
		if !strconv.IsPrint(r) || r == utf8.RuneError && !utf8.Valid(text) {
			t.Errorf("%q has the character %U, which is not printable", text, r)
		}
	}
}

// payloads checks values of a type with a codec, with its description and without it.
func payloads[T any](t *testing.T, codec qsocket.Codec[T], values ...T) {
	t.Run(codec.Name()+"/"+reflect.TypeFor[T]().String(), func(t *testing.T) {
		c := codecOf(t, codec)
		text := strings.Fields(qsocket.Protocol[T]{Name: "test/1", Codec: codec}.Schema())
		bare, err := value.New(codec.Name(), nil)
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewSource(1))
		if isDrawn(reflect.TypeFor[T]()) {
			for range 50 {
				if v, ok := quick.Value(reflect.TypeFor[T](), random); ok {
					values = append(values, v.Interface().(T))
				}
			}
		}
		enc := codec.NewEncoder()
		for _, v := range values {
			payload, err := enc.Append(nil, v)
			if err != nil {
				t.Fatalf("%+v: %v", v, err)
			}
			there(t, c, payload)
			if !slices.Contains(text, schema.InvalidUTF8) { // which only a description says
				there(t, bare, payload)
			}
			if _, err := codec.NewDecoder().Decode(payload); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// isDrawn reports whether package quick can make values of t.
func isDrawn(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Interface:
		return false
	case reflect.Slice, reflect.Array, reflect.Pointer:
		return isDrawn(t.Elem())
	case reflect.Map:
		return isDrawn(t.Key()) && isDrawn(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if !f.IsExported() && !f.Anonymous || f.Type == t || f.Type == reflect.PointerTo(t) || f.Type == reflect.SliceOf(t) || !isDrawn(f.Type) {
				return false
			}
		}
	}
	return true
}

func TestMsgpackThereAndBack(t *testing.T) {
	payloads(t, qsocket.Msgpack[numbers](), numbers{}, extremes, numbers{K: float32(math.NaN()), L: math.Inf(-1)})
	payloads(t, qsocket.Msgpack[texts](), texts{}, texts{A: awkward, B: []byte{}, C: [3]byte{1, 2, 255}, D: "d", E: []word{"", "x"}, F: "f"})
	payloads(t, qsocket.Msgpack[pointers](), pointers{}, pointers{at(1), at([]int{2}), &map[string]int{"x": 1}, []*point{nil, {1, 2}}, &extremes, at(any("x"))})
	payloads(t, qsocket.Msgpack[lists](), lists{}, lists{A: []int{}, B: [][]string{nil, {}, {"x"}}, D: make([]struct{}, 20), E: []map[string][]bool{{"x": {true}}}})
	payloads(t, qsocket.Msgpack[maps](), maps{}, maps{
		A: map[string]int{"": 1, "$map": 2, awkward: 3}, B: map[int]string{-1: "a", 0: "b", 1 << 60: "c"}, C: map[uint8]map[int64]point{255: {-5: {1, 2}}},
		D: map[word]*point{"x": nil}, E: map[string]any{"x": map[string]any{"$bin": 1}}, F: map[string]struct{}{"$": {}}})
	payloads(t, qsocket.Msgpack[keys](), keys{}, keys{map[bool]int{true: 1, false: 2}, map[float64]int{1: 1, 1.5: 2, math.Inf(1): 3}, map[[2]int]string{{1, 2}: "x"}, map[point]string{{1, 2}: "y"}, map[float32]bool{0.1: true}})
	payloads(t, qsocket.Msgpack[anyKeys](), anyKeys{}, anyKeys{map[any]any{"x": 1}}, anyKeys{map[any]any{1: "x", "y": nil, 1.5: true, float32(1.5): 2}})
	payloads(t, qsocket.Msgpack[timeKeys](), timeKeys{map[time.Time]int{instant: 1}, map[netip.Addr]int{netip.MustParseAddr("::1"): 1}, map[color]int{1: 2}})
	payloads(t, qsocket.Msgpack[times](), times{}, times{instant, at(time.Unix(0, 0)), []time.Time{time.Unix(-1, 1), time.Unix(1<<34, 0), time.Unix(1<<40, 999_999_999), time.Unix(-1<<40, 5), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)}, map[string]time.Time{"x": instant}})
	payloads(t, qsocket.Msgpack[embeds](), embeds{point{1, 2}, Inner{3, &Inner{4, nil}}, 5})
	payloads(t, qsocket.Msgpack[options](), options{}, options{1, at(0), []int{1}, map[string]int{"a": 1}, "x", 1.5, 6, netip.MustParseAddr("10.0.0.1")})
	payloads(t, qsocket.Msgpack[tuple](), tuple{}, tuple{A: 1, B: "x", C: &tuple{A: 2}})
	payloads(t, qsocket.Msgpack[point](qsocket.ArrayEncodedStructs()), point{}, point{1, -2})
	payloads(t, qsocket.Msgpack[node](), node{}, node{1, &node{V: 2}, []node{{V: 3}}, map[string]*node{"x": {V: 4}, "y": nil}, point{5, 6}})
	payloads(t, qsocket.Msgpack[*node](), nil, &node{V: 1})
	payloads(t, qsocket.Msgpack[loose](), loose{}, loose{map[string]any{"": nil}, []any{1, -1, uint64(math.MaxUint64), int64(math.MinInt64), 1.0, float32(0.1), "x", []byte{0}, instant, true, nil, []any{}, map[string]any{}, []string{"a"}, map[string]int{"$ext": 1}, float32(math.Inf(1)), at(2)}, map[string]any{"$time": "x"}})
	payloads(t, qsocket.Msgpack[any](), nil, any(1), any("x"), any([]byte("x")), any(map[string]any{"$raw": "AAAA"}), any(map[string]any{"$raw": 1, "b": 2}))
	payloads(t, qsocket.Msgpack[[]float64](), notNumbers)
	payloads(t, qsocket.Msgpack[[]float32](), []float32{0.1, float32(math.NaN()), math.MaxFloat32, math.SmallestNonzeroFloat32, float32(math.Copysign(0, -1))})
	payloads(t, qsocket.Msgpack[string](), "", awkward, strings.Repeat("x", 1<<17))
	payloads(t, qsocket.Msgpack[[]byte](), nil, []byte{}, bytes.Repeat([]byte{1}, 1<<17))
	payloads(t, qsocket.Msgpack[error](), nil)
	payloads(t, qsocket.Msgpack[time.Duration](), time.Second, -1)
	payloads(t, qsocket.Msgpack[map[string]string](qsocket.AllowInvalidUTF8()), map[string]string{"\xff": "a", "b": "\xfe\x00"}, map[string]string{"x": "\xff"})
}

func TestJSONThereAndBack(t *testing.T) {
	payloads(t, qsocket.JSON[numbers](), numbers{}, extremes)
	payloads(t, qsocket.JSON[texts](), texts{}, texts{A: awkward + "\b\f\x01", B: []byte{}, C: [3]byte{1, 2, 255}, E: []word{"", "<&>"}, F: "f"})
	payloads(t, qsocket.JSON[pointers](), pointers{}, pointers{at(1), at([]int{2}), &map[string]int{"x": 1}, []*point{nil, {1, 2}}, &extremes, at(any("x"))})
	payloads(t, qsocket.JSON[lists](), lists{}, lists{A: []int{}, B: [][]string{nil, {}, {"x"}}})
	payloads(t, qsocket.JSON[maps](), maps{}, maps{A: map[string]int{"": 1, "$map": 2, awkward: 3}, B: map[int]string{-1: "a"}, C: map[uint8]map[int64]point{255: {-5: {1, 2}}}, E: map[string]any{"$bin": 1}})
	payloads(t, qsocket.JSON[times](), times{}, times{A: instant, C: []time.Time{instant.In(time.FixedZone("", 3600))}})
	payloads(t, qsocket.JSON[options](), options{}, options{1, at(0), []int{1}, map[string]int{"a": 1}, "x", 1.5, 6, netip.MustParseAddr("10.0.0.1")})
	payloads(t, qsocket.JSON[node](), node{}, node{1, &node{V: 2}, []node{{V: 3}}, map[string]*node{"x": {V: 4}, "y": nil}, point{5, 6}})
	payloads(t, qsocket.JSON[any](), nil, any(1e300), any(json.Number("123456789012345678901234567890")), any("x"), any(map[string]any{"$raw": "AAAA"}))
	payloads(t, qsocket.JSON[string](), "", awkward)
}

type (
	event  interface{ isEvent() }
	placed struct {
		ID    uint64
		Price float64
	}
	filled    struct{ ID uint64 }
	cancelled string
	note      struct{ Text string }
)

func (placed) isEvent()    {}
func (filled) isEvent()    {}
func (cancelled) isEvent() {}
func (note) isEvent()      {}

func events() qsocket.Codec[event] {
	return qsocket.Union(
		qsocket.Case[event](1, qsocket.Msgpack[placed]()),
		qsocket.Case[event](2, qsocket.Msgpack[filled]()),
		qsocket.Case[event](300, qsocket.JSON[*filled]()),
		qsocket.Case[event](4, qsocket.Msgpack[cancelled]()),
		qsocket.Case[event](5, qsocket.Gob[note]()),
		qsocket.SkipUnknown[event](),
	)
}

func TestUnion(t *testing.T) {
	c := codecOf(t, events())
	enc := events().NewEncoder()
	for _, test := range []struct {
		message event
		name    string
		text    string
	}{
		{placed{1 << 63, 2}, "placed", `{"case":"placed","value":{"ID":9223372036854775808,"Price":2.0}}`},
		{filled{2}, "2", `{"case":2,"value":{"ID":2}}`},
		{&filled{3}, "300", `{"case":300,"value":{"ID":3}}`}, // two cases are called filled
		{cancelled("why"), "cancelled", `{"case":"cancelled","value":"why"}`},
		{note{"x"}, "note", `{"case":"note","$raw":"`},
	} {
		payload, err := enc.Append(nil, test.message)
		if err != nil {
			t.Fatal(err)
		}
		if got := there(t, c, payload); !strings.HasPrefix(got, test.text) {
			t.Errorf("got %s, want %s", got, test.text)
		}
		if name, ok := c.Case(payload); !ok || name != test.name {
			t.Errorf("got the case %q, want %q", name, test.name)
		}
	}
	for payload, want := range map[string]string{"\x11abc": `{"case":17,"$raw":"YWJj"}`, "\x11": `{"case":17,"$raw":""}`} {
		if got := there(t, c, []byte(payload)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}

	bare, err := value.New("union(msgpack)", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := there(t, bare, []byte("\x07\x81\xa1x\x01")), `{"case":7,"value":{"x":1}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, ok := bare.Case(nil); ok {
		t.Error("an empty payload has a case")
	}
	mixed, err := value.New("union(msgpack,json)", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := there(t, mixed, []byte("\x07\x81\xa1x\x01")), `{"case":7,"$raw":"gaF4AQ=="}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What peers may send that the library's encoder does not: it arrives, if it does, as the library's
// decoder has it.
func TestForeignPayloads(t *testing.T) {
	type message struct {
		I int8
		F float64
		G float32
		S string
		B []byte
		A [2]byte
		T time.Time
		P point
		L []int
		M map[int8]bool
	}
	c := codecOf(t, qsocket.Msgpack[message]())
	d := qsocket.Msgpack[message]().NewDecoder()
	for _, test := range []struct{ payload, text, err string }{
		{"\x80", `{}`, ""},
		{"\xc0", `null`, ""},
		{"\x81\xa1I\xcd\x00\x07", `{"I":7}`, ""},
		{"\x81\xa1I\xcc\x80", "", "message.I: 128 overflows int8"},
		{"\x81\xa1I\xca\x3f\x80\x00\x00", "", "message.I: float32 where int8 is expected"},
		{"\x81\xa1F\x05", `{"F":5.0}`, ""},
		{"\x81\xa1F\xff", `{"F":-1.0}`, ""},
		{"\x81\xa1F\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "", "message.F: 18446744073709551615 is no float64: it would be rounded"},
		{"\x81\xa1F\xd3\x80\x00\x00\x00\x00\x00\x00\x00", `{"F":-9223372036854776000.0}`, ""},
		{"\x81\xa1F\xca\x3f\xc0\x00\x00", `{"F":1.5}`, ""},
		{"\x81\xa1G\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", "", "message.G: float64 where float32 is expected"},
		{"\x81\xa1G\xce\x01\x00\x00\x01", "", "message.G: 16777217 is no float32: it would be rounded"},
		{"\x81\xa1S\xc4\x01x", `{"S":"x"}`, ""},
		{"\x81\xa1S\xc4\x01\xff", "", "message.S: bin that is not UTF-8, where text is expected"},
		{"\x81\xa1S\xa1\xff", "", "msgpack: str at byte 3 is not UTF-8: byte 0xff at its offset 0 of 1"},
		{"\x81\xa1S\x01", "", "message.S: positive fixint where string is expected"},
		{"\x81\xa1B\xa1x", `{"B":"eA=="}`, ""},
		{"\x81\xa1B\x90", "", "message.B: fixarray where bytes is expected"},
		{"\x81\xa1A\xc4\x01x", `{"A":"eA=="}`, ""},
		{"\x81\xa1A\xc4\x03xxx", "", "message.A: 3 bytes for 2"},
		{"\x81\xa1T\xb42026-01-02T03:04:05Z", `{"T":"2026-01-02T03:04:05Z"}`, ""},
		{"\x81\xa1T\xa1x", "", `message.T: the text "x" where a time is expected`},
		{"\x81\xa1T\x92\x01\x02", `{"T":"1970-01-01T00:00:01.000000002Z"}`, ""},
		{"\x81\xa1T\x92\x01\xa1x", "", "message.T: array where a time is expected, want one of seconds and nanoseconds below 10⁹"},
		{"\x81\xa1T\xd7\xff\xff\xff\xff\xff\x00\x00\x00\x00", "", "message.T: fixext8 where time is expected"},
		{"\x81\xa1P\x92\x01\x02", `{"P":{"X":1,"Y":2}}`, ""},
		{"\x81\xa1P\x90", `{"P":{}}`, ""},
		{"\x81\xa1P\x91\x01", "", "message.P: array of 1 values for a struct of 2 fields"},
		{"\x81\xa1P\x82\xa1X\x01\xa1X\x02", "", "message.P.X: the field is there twice"},
		{"\x81\xa1P\x82\xa1Z\x01\xa1X\x02", `{"P":{"X":2,"$unknown":{"Z":1}}}`, ""},
		{"\x81\xa1P\x81\xa1Z\xc7\x00\x05", `{"P":{"$unknown":{"Z":{"$ext":[5,""]}}}}`, ""},
		{"\x81\xa1P\x81\x01\x02", "", "message.P: positive fixint is a key, want the name of a field"},
		{"\x81\xa1P\xa0", "", "message.P: fixstr where a struct is expected"},
		{"\x81\xa1L\x92\x01\xa0", "", "message.L[1]: fixstr where int is expected"},
		{"\x81\xa1L\x80", "", "message.L: fixmap where an array is expected"},
		{"\x81\xa1M\x82\x01\xc3\x01\xc3", "", `message.M: the key "1" is there twice`},
		{"\x81\xa1M\x81\xa1x\xc3", "", "message.M: fixstr is a key, want int8"},
		{"\x81\xa1M\x81\x01\x01", "", `message.M["1"]: positive fixint where bool is expected`},
		{"\x81\xa1M\x90", "", "message.M: fixarray where a map is expected"},
		{"", "", "msgpack: empty payload, want one value"},
		{"\x80\x80", "", "msgpack: value ends at byte 1 of 2: 1 trailing bytes, want none"},
		{"\xdd\xff\xff\xff\xff", "", "msgpack: array of 4294967295 elements at byte 0, but 0 bytes are left"},
		{"\x81\xa1I\xc1", "", "msgpack: byte 0xc1 at byte 3 begins no value"},
	} {
		text, err := c.Decode(nil, []byte(test.payload))
		if got := errorText(err); got != test.err || string(text) != test.text {
			t.Errorf("% x:\ngot  %s, %s\nwant %s, %s", test.payload, text, got, test.text, test.err)
		}
		if _, theirs := d.Decode([]byte(test.payload)); (theirs == nil) != (err == nil) {
			t.Errorf("% x: got %v, the library has %v", test.payload, err, theirs)
		}
		if err != nil {
			continue
		}
		checkText(t, text)
		payload, err := c.Append(nil, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if again, err := c.Decode(nil, payload); err != nil || string(again) != string(text) {
			t.Errorf("% x: got %s, %v, want %s", payload, again, err, text)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Lines that people write.
func TestAppend(t *testing.T) {
	type message struct {
		I int8
		U uint64
		F float64
		G float32
		B []byte
		A [2]byte
		T time.Time
		S string
		P *point
		L [2]int
		M map[int]bool
		K map[bool]int
		X any
		O bool
	}
	c := codecOf(t, qsocket.Msgpack[message]())
	arrays := codecOf(t, qsocket.Msgpack[point](qsocket.ArrayEncodedStructs()))
	js := codecOf(t, qsocket.JSON[message]())
	union := codecOf(t, events())
	gob, err := value.New("gob", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		codec           *value.Codec
		text, want, err string
	}{
		{c, ` { "I" : 5 , "O":true } `, "\x82\xa1I\x05\xa1O\xc3", ""},
		{c, `{"F":1,"G":2}`, "\x82\xa1F\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00\xa1G\xca\x40\x00\x00\x00", ""},
		{c, `{"T":"2026-01-02T04:04:05+01:00"}`, "\x81\xa1T\xd6\xff\x69\x57\x35\xa5", ""},
		{c, `{"X":1}`, "\x81\xa1X\x01", ""},
		{c, `{"X":1.0}`, "\x81\xa1X\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00", ""},
		{c, `{"X":-0}`, "\x81\xa1X\x00", ""},
		{c, `{"X":{"$ext":[5,"AAE="]}}`, "\x81\xa1X\xd5\x05\x00\x01", ""},
		{c, `{"X":{"$bin":"AAE="}}`, "\x81\xa1X\xc4\x02\x00\x01", ""},
		{c, `{"$raw":"AAE="}`, "\x00\x01", ""},
		{c, `{"S":"\ud83d\ude00\u00e9\/\b\f\n\r\t\"\\"}`, "\x81\xa1S\xae😀é/\b\f\n\r\t\"\\", ""},
		{c, `{"P":{"X":1,"$unknown":{"Z":[]}}}`, "\x81\xa1P\x82\xa1X\x01\xa1Z\x90", ""},
		{c, `{"K":{}}`, "\x81\xa1K\x80", ""},
		{arrays, `{"Y":2}`, "\x92\xc0\x02", ""},
		{arrays, `{}`, "\x90", ""},
		{arrays, `null`, "\xc0", ""},
		{js, `{ "i": 5, "A":[1,2], "K":null }`, `{"i":5,"A":[1,2],"K":null}`, ""},
		{union, `{"value":{"ID":1},"case":1}`, "\x01\x81\xa2ID\x01", ""},
		{union, `{"case":99,"$raw":""}`, "\x63", ""},

		{c, `{"I":128}`, "", "message.I: 128 overflows int8"},
		{c, `{"I":1.0}`, "", "message.I: want int8, got 1.0: a number with a fraction or an exponent is none"},
		{c, `{"I":"1"}`, "", `message.I: want int8, got the string "1"`},
		{c, `{"U":18446744073709551616}`, "", "message.U: 18446744073709551616 overflows uint64"},
		{c, `{"U":-1}`, "", "message.U: -1 overflows uint64"},
		{c, `{"F":1e999}`, "", `message.F: "1e999" overflows float64`},
		{c, `{"F":{"$float64":"NaM"}}`, "", `message.F: want NaN, +Inf, -Inf or 0x and 16 hexadecimal digits, got the string "NaM"`},
		{c, `{"F":"x"}`, "", `message.F: want a number, got the string "x"`},
		{c, `{"B":"!"}`, "", `message.B: want base64, got the string "!"`},
		{c, `{"B":1}`, "", `message.B: want a string with bytes in base64, got 1`},
		{c, `{"A":"AAAA"}`, "", "message.A: 3 bytes for 2"},
		{c, `{"T":"yesterday"}`, "", `message.T: want a time such as 2026-01-02T03:04:05.678Z, got the string "yesterday"`},
		{c, `{"T":5}`, "", `message.T: want a time in a string, got 5`},
		{c, `{"T":{"$time":[1,1000000000]}}`, "", `message.T: want seconds since 1970 and nanoseconds below 10⁹, got 1 and 1000000000`},
		{c, `{"S":{"$str":"/w=="}}`, "", "message.S: str at byte 0 is not UTF-8: byte 0xff at its offset 0 of 1"},
		{c, `{"P":[]}`, "", "message.P: want an object, got an array"},
		{c, `{"P":{"Q":1}}`, "", `message.P: no field "Q", want one of: X, Y`},
		{c, `{"P":{"$unknown":{"X":1}}}`, "", `message.P.$unknown: "X" is a field of point`},
		{c, `{"P":{"$unknown":1}}`, "", `message.P.$unknown: want an object, got 1`},
		{c, `{"L":[1,2,3]}`, "", "message.L: 3 elements for 2"},
		{c, `{"L":{}}`, "", "message.L: want an array, got an object"},
		{c, `{"L":[1,null,"x"]}`, "", "message.L: 3 elements for 2"},
		{c, `{"L":[true]}`, "", "message.L[0]: want int, got true"},
		{c, `{"M":{"x":true}}`, "", `message.M["x"]: want a number as the key, got "x"`},
		{c, `{"M":{"1":1}}`, "", `message.M["1"]: want bool, got 1`},
		{c, `{"M":1}`, "", `message.M: want an object, got 1`},
		{c, `{"K":{"true":1}}`, "", `message.K: want {"$map":[[key,value],…]}, as keys of this map are no texts, got an object`},
		{c, `{"K":{"$map":[[true,1],[true,2]]}}`, "", `message.K[1]: the key is there twice`},
		{c, `{"K":{"$map":[1]}}`, "", `message.K[0]: want an array with a key and a value, got 1`},
		{c, `{"K":{"$map":1}}`, "", `message.K.$map: want an array of arrays with a key and a value, got 1`},
		{c, `{"X":{"$foo":1}}`, "", `message.X: "$foo" is none of $bin, $ext, $float32, $float64, $map, $str and $time; a map with this key alone is {"$map":[[key,value]]}`},
		{c, `{"X":{"$ext":[1]}}`, "", `message.X.$ext: want an array with the type, a number, and the data in base64, got an array`},
		{c, `{"X":{"$ext":[128,""]}}`, "", `message.X.$ext[0]: 128 overflows int8`},
		{c, `{"X":{"$ext":[1,1]}}`, "", `message.X.$ext[1]: want a string with bytes in base64, got 1`},
		{c, `{"X":99999999999999999999}`, "", `message.X: 99999999999999999999 has more than 64 bits: with a fraction, .0, it is a floating point number`},
		{c, `{"X":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, "", "nested deeper than 100 levels"},
		{c, strings.Repeat("[", 400), "", "not JSON: nested deeper than 308 levels at byte 308"},
		{c, ``, "", "not JSON: want a value at byte 0, where it ends"},
		{c, `{"I":1`, "", "not JSON: want a comma or } at byte 6, where it ends"},
		{c, `{"I":1}}`, "", `not JSON: want the end of the value at byte 7, got "}"`},
		{c, `{"I":1,"I":2}`, "", `not JSON: the key "I" is there twice, at byte 7 again`},
		{c, `{I:1}`, "", `not JSON: want a key in quotes at byte 1, got "I:1}"`},
		{c, `{"I" 1}`, "", `not JSON: want a colon at byte 5, got "1}"`},
		{c, `{"I":01}`, "", `not JSON: want a comma or } at byte 6, got "1}"`},
		{c, `{"I":-}`, "", `not JSON: want a digit at byte 6, got "}"`},
		{c, `{"I":1.}`, "", `not JSON: want a digit at byte 7, got "}"`},
		{c, `{"I":1e}`, "", `not JSON: want a digit at byte 7, got "}"`},
		{c, `{"I":nul}`, "", `not JSON: want a value at byte 5, got "nul}"`},
		{c, `["\x"]`, "", `not JSON: want an escape at byte 2, got "\\x\"]"`},
		{c, `["\ud83d"]`, "", `not JSON: want both halves of a surrogate pair at byte 2, got "\\ud83d\"]"`},
		{c, "[\"\n\"]", "", `not JSON: want an escape for a control character at byte 2, got "\n\"]"`},
		{c, `["x`, "", `not JSON: the string at byte 1 is not closed`},
		{c, "[\"\xff\"]", "", `not JSON: it is not UTF-8`},
		{c, `[1 2]`, "", `not JSON: want a comma or ] at byte 3, got "2]"`},
		{arrays, `{"Z":1}`, "", `point: no field "Z", want one of: X, Y`},
		{js, `{"I":300}`, "", "message.I: 300 overflows int8"},
		{js, `{"Q":300}`, "", `message: no field "Q", want one of: I, U, F, G, B, A, T, S, P, L, M, K, and 2 more`},
		{js, `{"I":1,"i":2}`, "", `message.I: the field is there twice`},
		{js, `{"A":[1,2,3]}`, "", "message.A: 3 elements for 2"},
		{js, `{"M":{"x":true}}`, "", `message.M["x"]: want a number as the key, got "x"`},
		{js, `{"O":1}`, "", `message.O: want bool, got 1`},
		{js, `{"T":1}`, "", `message.T: want a time such as 2026-01-02T03:04:05.678Z, got 1`},
		{js, `{"S":1}`, "", `message.S: want a string, got 1`},
		{js, `{"F":"1"}`, "", `message.F: want a number, got the string "1"`},
		{js, `{"X":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, "", "nested deeper than 100 levels"},
		{union, `{"case":"x","value":1}`, "", `case: no case "x", want one of: placed, 2, cancelled, note, 300`},
		{union, `{"case":9,"value":1}`, "", `case: no case 9, want one of: placed, 2, cancelled, note, 300; with "$raw" its payload is sent as it is`},
		{union, `{"case":-9,"value":1}`, "", `case: want the name of a case, or its tag, got -9`},
		{union, `{"case":true,"value":1}`, "", `case: want the name of a case, or its tag, got true`},
		{union, `{"ID":1}`, "", `want {"case":…,"value":…} with one of the cases placed, 2, cancelled, note, 300, got an object with "ID"`},
		{union, `[]`, "", `want {"case":…,"value":…} with one of the cases placed, 2, cancelled, note, 300, got an array`},
		{union, `{"case":"placed","value":{"ID":-1}}`, "", `case the string "placed": placed.ID: -1 overflows uint64`},
		{union, `{"case":"note","value":1}`, "", `case the string "note": want {"$raw":"…"} with the payload in base64, as messages of the codec gob are not encoded here, got 1`},
		{gob, `1`, "", `want {"$raw":"…"} with the payload in base64, as messages of the codec gob are not encoded here, got 1`},
	} {
		got, err := test.codec.Append(nil, []byte(test.text))
		if test.err == "" && (err != nil || string(got) != test.want) {
			t.Errorf("%s: got % x, %v, want % x", test.text, got, err, test.want)
		} else if test.err != "" && (!strings.HasSuffix(errorText(err), test.err) || len(got) != 0) {
			t.Errorf("%s:\ngot  % x, %v\nwant %s", test.text, got, err, test.err)
		}
	}
}

// A text is no longer than a payload can account for.
func TestTextIsBounded(t *testing.T) {
	long := strings.Repeat("x", 200)
	s, err := schema.Parse("msgpack\nmessage []T\ntuple T\n " + long + " int\n")
	if err != nil {
		t.Fatal(err)
	}
	c, err := value.New("msgpack", s)
	if err != nil {
		t.Fatal(err)
	}
	payload := append([]byte{0xdd, 0, 0x10, 0, 0}, bytes.Repeat([]byte{0x91, 0xc0}, 1<<20)...)
	text, err := c.Decode(nil, payload)
	if err == nil || !strings.Contains(err.Error(), "text of more than") || len(text) != 0 {
		t.Errorf("got %d bytes, %v, want an error", len(text), err)
	}
}

// What is not decoded is sent as it is.
func TestRaw(t *testing.T) {
	for _, codec := range []string{"gob", "binary", "unknown", ""} {
		c, err := value.New(codec, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := there(t, c, []byte{0, 1}), `{"$raw":"AAE="}`; got != want || c.Decoded() {
			t.Errorf("%s: got %s, want %s", codec, got, want)
		}
	}
	if got := string(value.Raw([]byte("x"), nil)); got != `x{"$raw":""}` {
		t.Errorf("got %s", got)
	}
}

func TestNewRefusesAnotherCodec(t *testing.T) {
	s, err := schema.Parse("msgpack\nmessage any\n")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := value.New("json", s); err == nil {
		t.Error("the description of another codec is accepted")
	}
}
