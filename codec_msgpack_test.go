package qsocket_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"
)

// benchV5 is v5 as a codec in its best form: one encoder and one decoder for all
// messages, and none of the guards.
type benchV5[T any] struct {
	buf bytes.Buffer
	enc *msgpack.Encoder
	r   bytes.Reader
	dec *msgpack.Decoder
	v   T
}

func newBenchV5[T any]() *benchV5[T] {
	c := new(benchV5[T])
	c.enc, c.dec = msgpack.NewEncoder(&c.buf), msgpack.NewDecoder(&c.r)
	c.enc.UseCompactInts(true)
	c.enc.SetSortMapKeys(true)
	return c
}

func (c *benchV5[T]) Append(dst []byte, v T) ([]byte, error) {
	c.buf.Reset()
	c.v = v
	err := c.enc.Encode(&c.v)
	return append(dst, c.buf.Bytes()...), err
}

func (c *benchV5[T]) Decode(payload []byte) (T, error) {
	c.r.Reset(payload)
	c.dec.ResetReader(&c.r)
	var zero T
	c.v = zero
	err := c.dec.Decode(&c.v)
	return c.v, err
}

// BenchmarkMsgpack compares the codec with v5. Compare within one run. With
// strings=new the strings of each message are others than those of all before.
func BenchmarkMsgpack(b *testing.B) {
	codec, v5 := qsocket.Msgpack[benchOrder](), newBenchV5[benchOrder]()
	payloads := func(different int) (ps [][]byte) {
		for i := range different {
			v := benchSample
			if different > 1 {
				v.Symbol, v.Client = fmt.Sprintf("BTC%05d", i), fmt.Sprintf("desk-7/al%05d", i)
				v.Tags = []string{fmt.Sprintf("%03d", i), fmt.Sprintf("eu-%06d", i)}
			}
			p, err := codec.NewEncoder().Append(nil, v)
			if err != nil {
				b.Fatal(err)
			}
			ps = append(ps, p)
		}
		return ps
	}
	same, others := payloads(1), payloads(1000)
	dst := make([]byte, 0, 256)
	encode := func(enc qsocket.Encoder[benchOrder]) func(b *testing.B) {
		return func(b *testing.B) {
			b.SetBytes(int64(len(same[0])))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := enc.Append(dst, benchSample); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	decode := func(dec qsocket.Decoder[benchOrder], ps [][]byte) func(b *testing.B) {
		return func(b *testing.B) {
			b.SetBytes(int64(len(ps[0])))
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if _, err := dec.Decode(ps[n]); err != nil {
					b.Fatal(err)
				}
				if n++; n == len(ps) {
					n = 0
				}
			}
		}
	}
	b.Run("op=encode/impl=v5", encode(v5))
	b.Run("op=encode/impl=plan", encode(codec.NewEncoder()))
	b.Run("op=decode/strings=same/impl=v5", decode(v5, same))
	b.Run("op=decode/strings=same/impl=plan", decode(codec.NewDecoder(), same))
	b.Run("op=decode/strings=new/impl=v5", decode(v5, others))
	b.Run("op=decode/strings=new/impl=plan", decode(codec.NewDecoder(), others))
}

// codecRaw writes the bytes it is made of.
type codecRaw string

func (r codecRaw) MarshalMsgpack() ([]byte, error) { return []byte(r), nil }

// codecLazy reads less than it was sent.
type codecLazy struct{}

func (*codecLazy) DecodeMsgpack(dec *msgpack.Decoder) error {
	_, err := dec.DecodeArrayLen()
	return err
}

func TestMsgpackGolden(t *testing.T) {
	type named map[string]int
	var enc = func(c interface {
		NewEncoder() qsocket.Encoder[any]
	}, v any) []byte {
		return codecAppend(t, c.NewEncoder(), v)
	}
	plain, arrays := qsocket.Msgpack[any](), qsocket.Msgpack[any](qsocket.ArrayEncodedStructs())
	for _, tt := range []struct {
		name string
		got  []byte
		want string
	}{
		{"nil", enc(plain, nil), "c0"},
		{"int64 of 1", enc(plain, int64(1)), "01"},
		{"uint64 of 1", enc(plain, uint64(1)), "01"},
		{"int64 of -1", enc(plain, int64(-1)), "ff"},
		{"int64 of 300", enc(plain, int64(300)), "cd 01 2c"},
		{"uint64 max", enc(plain, ^uint64(0)), "cf ff ff ff ff ff ff ff ff"},
		{"float64 of 3", enc(plain, 3.0), "cb 40 08 00 00 00 00 00 00"},
		{"float32", enc(plain, float32(1)), "ca 3f 80 00 00"},
		{"bytes", enc(plain, []byte{1}), "c4 01 01"},
		{"time 32", enc(plain, time.Unix(1, 0)), "d6 ff 00 00 00 01"},
		{"time 64", enc(plain, time.Unix(1, 1)), "d7 ff 00 00 00 04 00 00 00 01"},
		{"time 96", enc(plain, time.Unix(-1, 0)), "c7 0c ff 00 00 00 00 ff ff ff ff ff ff ff ff"},
		{"struct", enc(plain, testkit.Point{X: 1, Y: -1}), "82 a1 58 01 a1 59 ff"},
		{"struct as array", enc(arrays, testkit.Point{X: 1, Y: -1}), "92 01 ff"},
		{"map[string]string", enc(plain, map[string]string{"b": "1", "a": "2"}), "82 a1 61 a1 32 a1 62 a1 31"},
		{"map[string]any", enc(plain, map[string]any{"b": 1, "a": 2}), "82 a1 61 02 a1 62 01"},
		{"map[string]int", enc(plain, map[string]int{"b": 1, "a": 2, "c": 3}), "83 a1 61 02 a1 62 01 a1 63 03"},
		{"map[int]string", codecAppend(t, qsocket.Msgpack[map[int]string]().NewEncoder(), map[int]string{10: "", 9: "", -1: ""}), "83 ff a0 09 a0 0a a0"},
		{"map[float64]bool", codecAppend(t, qsocket.Msgpack[map[float64]bool]().NewEncoder(), map[float64]bool{1: true, -1: false}), "82 cb bf f0 00 00 00 00 00 00 c2 cb 3f f0 00 00 00 00 00 00 c3"},
		{"map[bool]int", codecAppend(t, qsocket.Msgpack[map[bool]int]().NewEncoder(), map[bool]int{true: 1, false: 0}), "82 c2 00 c3 01"},
		{"typed map", codecAppend(t, qsocket.Msgpack[named]().NewEncoder(), named{"b": 1, "a": 2}), "82 a1 61 02 a1 62 01"},
		{"map in a struct", codecAppend(t, qsocket.Msgpack[struct{ M map[uint8]named }]().NewEncoder(),
			struct{ M map[uint8]named }{map[uint8]named{200: nil, 3: {"b": 0, "a": 0}}}), "81 a1 4d 82 03 82 a1 61 00 a1 62 00 cc c8 c0"},
		{"map in a struct as array", codecAppend(t, qsocket.Msgpack[struct{ M map[uint8]named }](qsocket.ArrayEncodedStructs()).NewEncoder(),
			struct{ M map[uint8]named }{map[uint8]named{2: nil, 1: nil}}), "91 82 01 c0 02 c0"},
	} {
		if want := codecUnhex(t, tt.want); !bytes.Equal(tt.got, want) {
			t.Errorf("%s:\ngot  % x\nwant % x", tt.name, tt.got, want)
		}
	}
}

func TestMsgpackRefusesValue(t *testing.T) {
	c := qsocket.Msgpack[any]()
	enc, dec := c.NewEncoder(), c.NewDecoder()
	type link struct{ Next any }
	deep := any(1)
	for range 101 {
		deep = link{deep}
	}
	cycle := map[string]any{}
	cycle["self"] = cycle
	for _, tt := range []struct {
		name string
		v    any
		want string
	}{
		{"channel", make(chan int), "unsupported chan int"},
		{"channel inside", map[string]any{"a": 1, "b": make(chan int)}, "unsupported chan int"},
		{"not UTF-8", []string{"a", "b\xff"}, "msgpack: message[1]: string of 2 bytes is not UTF-8: byte 0xff at offset 1"},
		{"key not UTF-8", map[string]int{"\xff": 1}, "not UTF-8"},
		{"deep", deep, "deeper than 100"},
		{"cycle", cycle, "deeper than 100"},
		{"marshaler of nothing", codecRaw(""), "empty payload"},
		{"marshaler of two values", codecRaw("\x01\x02"), "trailing"},
		{"marshaler of half a value", []any{codecRaw("\x92\x01")}, "but 1 bytes are left"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			codecRefuse(t, enc, tt.v, tt.want)
			if got := codecDecode(t, dec, codecAppend(t, enc, any("good"))); got != "good" {
				t.Errorf("after the error: got %v, want good", got)
			}
		})
	}
}

// codecRefuses decodes p as a T and wants an error.
func codecRefuses[T any](t *testing.T, p []byte) {
	t.Helper()
	if v, err := qsocket.Msgpack[T]().NewDecoder().Decode(p); err == nil {
		t.Errorf("%T: got %v, want an error", v, v)
	} else if errors.Is(err, io.EOF) {
		t.Errorf("%T: got %v, which is io.EOF", v, err)
	}
}

func TestMsgpackHostile(t *testing.T) {
	type recursive map[string]recursive
	for _, tt := range testkit.HostileMsgpack {
		t.Run(tt.Name, func(t *testing.T) {
			p := []byte(tt.Payload)
			codecRefuses[any](t, p)
			codecRefuses[map[string]any](t, p)
			codecRefuses[map[string]map[string]string](t, p)
			codecRefuses[map[string]map[int]int](t, p)
			codecRefuses[struct{ M map[string]any }](t, p)
			codecRefuses[recursive](t, p)
			codecRefuses[[]int](t, p)
			codecRefuses[[]string](t, p)
			codecRefuses[[]testkit.Record](t, p)
			codecRefuses[string](t, p)
			codecRefuses[[]byte](t, p)
			codecRefuses[time.Time](t, p)
		})
	}
}

// A timestamp is legal wherever any value is, but not as the map that its bytes
// could be taken for.
func TestMsgpackTimestampForMap(t *testing.T) {
	type message struct{ M map[string]any }
	p := []byte("\x81\xa1M\xd7\xff\xdf\xdf\xff\xff\xff\x00\x00\x00")
	codecRefuses[message](t, p)
	codecRefuses[map[string]map[string]any](t, p)
	codecRefuses[map[string]map[string]string](t, p)
	codecRefuses[map[string]map[int]int](t, p)
	if _, err := qsocket.Msgpack[any]().NewDecoder().Decode(p); err != nil {
		t.Errorf("any: got error %v", err)
	}
}

func TestMsgpackRefusesPayload(t *testing.T) {
	for _, tt := range []struct {
		name, payload string
		decode        func(p []byte) (any, error)
		want          string
	}{
		{"empty", "", codecDecodeAs[int], "empty payload"},
		{"truncated", "\x82\xa1X\x01", codecDecodeAs[testkit.Point], "but 3 bytes are left"},
		{"trailing", "\x01\x01", codecDecodeAs[int], "1 trailing bytes"},
		{"nil after the value", "\x01\xc0", codecDecodeAs[int], "1 trailing bytes"},
		{"not UTF-8", "\xa1\xff", codecDecodeAs[string], "not UTF-8"},
		{"not UTF-8 in an unknown field", "\x81\xa1Z\xa1\xff", codecDecodeAs[testkit.Point], "not UTF-8"},
		{"array of too few", "\x91\x01", codecDecodeAs[testkit.Point], "array of 1 for the 2 fields of"},
		{"array of too many", "\x93\x01\x02\x03", codecDecodeAs[testkit.Point], "array of 3 for the 2 fields of"},
		{"str for a struct", "\xa1x", codecDecodeAs[testkit.Point], "fixstr where a map or array is expected"},
		{"map for an int", "\x80", codecDecodeAs[int], "fixmap where an integer is expected"},
		{"array too long", "\x93\x01\x02\x03", codecDecodeAs[[2]int], "3 elements for [2]int"},
		{"int keys in an any", "\x81\x01\x02", codecDecodeAs[any], "positive fixint where a string is expected"},
		{"unknown extension in an any", "\xd4\x05\x00", codecDecodeAs[any], "unknown ext id=5"},
		{"decoder that stops early", "\x92\x01\x02", codecDecodeAs[codecLazy], "took 1 bytes of a value of 3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.decode([]byte(tt.payload))
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, io.EOF) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func codecDecodeAs[T any](p []byte) (any, error) {
	return qsocket.Msgpack[T]().NewDecoder().Decode(p)
}

func TestMsgpackAccepts(t *testing.T) {
	for _, tt := range []struct {
		name, payload string
		decode        func(p []byte) (any, error)
		want          any
	}{
		{"struct as array", "\x92\x01\x02", codecDecodeAs[testkit.Point], testkit.Point{X: 1, Y: 2}},
		{"unknown field", "\x82\xa1Z\x93\x01\x02\x03\xa1Y\x05", codecDecodeAs[testkit.Point], testkit.Point{X: 0, Y: 5}},
		{"long integer", "\xd3\x00\x00\x00\x00\x00\x00\x00\x01", codecDecodeAs[int8], int8(1)},
		{"bin for a string", "\xc4\x01a", codecDecodeAs[string], "a"},
		{"str for bytes", "\xa1a", codecDecodeAs[[]byte], []byte("a")},
		{"unknown extension in an unknown field", "\x82\xa1Z\xd4\x05\x80\xa1Y\x05", codecDecodeAs[testkit.Point], testkit.Point{X: 0, Y: 5}},
		{"timestamp that looks like a map", "\xd7\xff\x80\x00\x00\x00\x00\x00\x00\x01", codecDecodeAs[time.Time], time.Unix(1, 0x20000000)},
		{"timestamps among maps", "\x82\xa1a\xd7\xff\x80\x00\x00\x00\x00\x00\x00\x01\xa1b\xd7\xff\xc0\x00\x00\x00\x00\x00\x00\x01", codecDecodeAs[map[string]time.Time],
			map[string]time.Time{"a": time.Unix(1, 0x20000000), "b": time.Unix(1, 0x30000000)}},
		{"raw extension", "\xd4\x05\x80", codecDecodeAs[msgpack.RawMessage], msgpack.RawMessage("\xd4\x05\x80")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.decode([]byte(tt.payload))
			if err != nil {
				t.Fatalf("got error %v", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestMsgpackOptions(t *testing.T) {
	unknown := []byte("\x81\xa1Z\x01")
	if _, err := qsocket.Msgpack[testkit.Point]().NewDecoder().Decode(unknown); err != nil {
		t.Errorf("unknown field: got error %v", err)
	}
	strict := qsocket.Msgpack[testkit.Point](qsocket.DisallowUnknownFields()).NewDecoder()
	for range 2 { // also in the decoder that replaces one that failed
		if _, err := strict.Decode(unknown); err == nil || !strings.Contains(err.Error(), `unknown field "Z"`) {
			t.Errorf("unknown field, disallowed: got error %v", err)
		}
	}

	loose := qsocket.Msgpack[string](qsocket.AllowInvalidUTF8())
	if got := codecDecode(t, loose.NewDecoder(), codecAppend(t, loose.NewEncoder(), "a\xff")); got != "a\xff" {
		t.Errorf("got %q, want it as it was", got)
	}

	arrays := qsocket.Msgpack[testkit.Point](qsocket.ArrayEncodedStructs())
	payload := codecAppend(t, arrays.NewEncoder(), testkit.Point{X: 1, Y: 2})
	if got := codecDecode(t, qsocket.Msgpack[testkit.Point]().NewDecoder(), payload); got != (testkit.Point{X: 1, Y: 2}) {
		t.Errorf("array-encoded struct without the option: got %v", got)
	}
	if _, err := qsocket.Msgpack[struct{ X, Y, Z int }]().NewDecoder().Decode(payload); err == nil {
		t.Error("array of 2 for a struct of 3 fields: got no error")
	}
}

// A message has nothing of the one before it, and goes on to work after errors.
func TestMsgpackFreshValue(t *testing.T) {
	type message struct {
		A, B int
		S    []int
		M    map[string]int
		P    *testkit.Point
		R    msgpack.RawMessage
	}
	dec := qsocket.Msgpack[message]().NewDecoder()
	for _, tt := range []struct {
		payload string
		want    message
		err     bool
	}{
		{payload: "\x83\xa1A\x01\xa1S\x93\x01\x02\x03\xa1M\x81\xa1x\x01", want: message{A: 1, S: []int{1, 2, 3}, M: map[string]int{"x": 1}}},
		{payload: "\x82\xa1B\x02\xa1S\x91\x05", want: message{B: 2, S: []int{5}}},
		{payload: "\x82\xa1P\x81\xa1X\x01\xa1R\x92\x01\x02", want: message{P: &testkit.Point{X: 1, Y: 0}, R: msgpack.RawMessage("\x92\x01\x02")}},
		{payload: "\x82\xa1A\x09\xa1B\xa1x", err: true},
		{payload: "\x81\xa1P\x81\xa1Y\x02", want: message{P: &testkit.Point{X: 0, Y: 2}}},
		{payload: "\x80", want: message{}},
	} {
		got, err := dec.Decode([]byte(tt.payload))
		if (err != nil) != tt.err {
			t.Errorf("%x: got error %v, want one: %v", tt.payload, err, tt.err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%x (-want +got):\n%s", tt.payload, diff)
		}
	}
}

// mpPanicky panics when it is told to.
type mpPanicky struct{ Text string }

func (v mpPanicky) MarshalText() ([]byte, error) { return []byte(v.Text), nil }

func (v *mpPanicky) UnmarshalText(text []byte) error {
	if v.Text = string(text); v.Text == "panic" {
		panic("as told")
	}
	return nil
}

// After a panic, which the caller recovers, the encoder and decoder are good for more.
func TestMsgpackAfterPanic(t *testing.T) {
	type message struct{ V mpPanicky }
	dec := qsocket.Msgpack[message]().NewDecoder()
	good := codecAppend(t, qsocket.Msgpack[message]().NewEncoder(), message{mpPanicky{"good"}})
	for _, payload := range []string{"\x81\xa1V\xc4\x05panic", string(good)} {
		err := func() (err error) {
			defer func() {
				if r := recover(); r != nil {
					err = fmt.Errorf("panic: %v", r)
				}
			}()
			_, err = dec.Decode([]byte(payload))
			return err
		}()
		if want := payload != string(good); (err != nil) != want {
			t.Errorf("%x: got error %v, want one: %v", payload, err, want)
		}
	}
}

func TestMsgpackAllocations(t *testing.T) {
	type plain struct {
		ID    uint64
		Name  string
		Price float64
		Yes   bool
		Raw   []byte
		Next  *testkit.Point
	}
	enc := qsocket.Msgpack[plain]().NewEncoder()
	v := plain{1 << 40, "name", 1.5, true, []byte("raw"), &testkit.Point{X: 1, Y: 2}}
	buf := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := enc.Append(buf, v); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("encode: got %v allocations, want 0", n)
	}

	// What the decoder allocates is what the value consists of: Name, Raw, Next.
	dec := qsocket.Msgpack[plain]().NewDecoder()
	payload, err := enc.Append(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := dec.Decode(payload); err != nil {
			t.Fatal(err)
		}
	}); n > 3 {
		t.Errorf("decode: got %v allocations, want at most 3", n)
	}
}

// What the receiver would refuse as too much for so short a payload is refused where it is
// sent; and MaxExpansion, which both ends have, is the limit for both.
func TestMsgpackSendsWithinExpansion(t *testing.T) {
	type sparse struct {
		A, B, C, D, E, F, G, H []int `msgpack:",omitempty"`
		I, J                   any   `msgpack:",omitempty"`
	}
	msgpackExpands(t, "omitted fields", make([]sparse, 1000), true)
	msgpackExpands(t, "few of them", make([]sparse, 10), false)
	full := make([]sparse, 1000)
	for i := range full {
		full[i].A, full[i].G = []int{1, 2, 3}, []int{4}
	}
	msgpackExpands(t, "fields that are sent", full, false)
	msgpackExpands(t, "empty maps", make([]map[string]int, 100_000), false) // nil ones
	maps := make([]map[string]int, 100_000)
	for i := range maps {
		maps[i] = map[string]int{}
	}
	msgpackExpands(t, "maps", maps, true)
	pointers := make([]*sparse, 1000)
	for i := range pointers {
		pointers[i] = &sparse{}
	}
	msgpackExpands(t, "pointers", pointers, true)
	msgpackExpands(t, "strings", make([]string, 100_000), false)
	msgpackExpands(t, "any", make([]any, 100_000), false)
}

func msgpackExpands[T any](t *testing.T, name string, v T, refused bool) {
	t.Helper()
	for _, opts := range [][]qsocket.MsgpackOption{nil, {qsocket.MaxExpansion(100_000)}} {
		c := qsocket.Msgpack[T](opts...)
		p, err := c.NewEncoder().Append(nil, v)
		if want := refused && opts == nil; (err != nil) != want {
			t.Errorf("%s: got error %v, want one: %v", name, err, want)
			continue
		}
		if err == nil {
			if _, err := c.NewDecoder().Decode(p); err != nil {
				t.Errorf("%s: sent, but %v", name, err)
			}
		}
	}
}
