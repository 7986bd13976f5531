package qsocket_test

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/google/go-cmp/cmp"
)

func newCodecRecord() testkit.Record {
	return testkit.Record{
		ID: math.MaxUint64, Signed: math.MinInt32, Small: -1, Text: "żółć \x00 \U0001F600",
		Raw: []byte{0, 0xff, 0x80}, Ratio: math.Pi, Half: -0.5, Yes: true,
		When: time.Date(2024, 5, 6, 7, 8, 9, 10, time.UTC), Wait: time.Minute,
		Tags: []string{"a", "", "c"}, Points: []testkit.Point{{X: 1, Y: 2}, {X: -3, Y: 4}}, Pair: [2]uint16{1, 65535},
		Next:   &testkit.Record{ID: 2, When: time.Unix(1, 0).UTC(), Next: &testkit.Record{ID: 3, When: time.Unix(0, 0).UTC()}},
		Leaf:   testkit.Leaf{Name: "leaf", At: &testkit.Point{X: 5, Y: 6}},
		Counts: map[string]int{"b": 2, "a": 1}, Names: map[int]string{-1: "x", 7: "y"}, Flags: map[string]bool{"on": true},
	}
}

var codecSample = testkit.Order{
	ID: 123456789, Symbol: "AAPL.US", Side: 1, Price: 187.25, Qty: -1500,
	Client: "client-0042", Tags: []string{"algo", "twap", "eu"}, TS: 1732350000000000000,
}

// codecUnhex reads hex digits with spaces between them.
func codecUnhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// codecAppend encodes v behind a prefix, and checks that the prefix stays.
func codecAppend[T any](t *testing.T, enc qsocket.Encoder[T], v T) []byte {
	t.Helper()
	prefix := []byte("prefix")
	b, err := enc.Append(append(make([]byte, 0, 32), prefix...), v)
	if err != nil {
		t.Fatalf("encode %#v: %v", v, err)
	}
	if !bytes.HasPrefix(b, prefix) {
		t.Fatalf("encode %#v: got %x, want it to begin with %x", v, b, prefix)
	}
	return b[len(prefix):]
}

// codecRefuse encodes v, which must fail and leave the prefix alone.
func codecRefuse[T any](t *testing.T, enc qsocket.Encoder[T], v T, want string) {
	t.Helper()
	b, err := enc.Append([]byte("prefix"), v)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("encode: got error %v, want one with %q", err, want)
	}
	if err != nil && string(b) != "prefix" {
		t.Errorf("encode: got %q, want the prefix alone", b)
	}
}

func codecDecode[T any](t *testing.T, dec qsocket.Decoder[T], payload []byte) T {
	t.Helper()
	v, err := dec.Decode(payload)
	if err != nil {
		t.Fatalf("decode %x: %v", payload, err)
	}
	return v
}

// codecTrip is a value on its way through any codec.
type codecTrip struct {
	name string
	run  func(t *testing.T, codec string)
}

// newCodecTrip sends values, one after the other on one connection, and expects
// them unchanged. The codecs named in not cannot carry them.
func newCodecTrip[T any](name, not string, values ...T) codecTrip {
	return codecTrip{name, func(t *testing.T, codec string) {
		if strings.Contains(not, codec) {
			t.Skip("changed by design")
		}
		c := map[string]qsocket.Codec[T]{
			"msgpack": qsocket.Msgpack[T](),
			"arrays":  qsocket.Msgpack[T](qsocket.ArrayEncodedStructs()),
			"gob":     qsocket.Gob[T](),
			"json":    qsocket.JSON[T](),
		}[codec]
		enc, dec := c.NewEncoder(), c.NewDecoder()
		for _, v := range values {
			payload := codecAppend(t, enc, v)
			before := bytes.Clone(payload)
			got := codecDecode(t, dec, payload)
			if !bytes.Equal(before, payload) {
				t.Errorf("the decoder changed %x to %x", before, payload)
			}
			clear(payload) // the decoder must not have kept any of it
			if diff := cmp.Diff(v, got, cmp.Comparer(time.Time.Equal)); diff != "" {
				t.Errorf("(-sent +got):\n%s", diff)
			}
		}
	}}
}

func init() {
	gob.Register(testkit.Point{})
	gob.Register(&testkit.Leaf{})
}

func TestCodecRoundTrip(t *testing.T) {
	full, empty := newCodecRecord(), testkit.Record{}
	for _, codec := range []string{"msgpack", "arrays", "gob", "json"} {
		t.Run(codec, func(t *testing.T) {
			for _, trip := range []codecTrip{
				newCodecTrip("struct", "", full, empty, full),
				newCodecTrip("pointer", "", &full, &testkit.Record{ID: 1}, &full),
				newCodecTrip("nil pointer", "gob", &full, nil, &full),
				newCodecTrip("order", "", codecSample, testkit.Order{}, codecSample),
				newCodecTrip("string", "", "a", "", strings.Repeat("x", 100_000), "b"),
				newCodecTrip("bytes", "", []byte("a"), bytes.Repeat([]byte{0xff}, 100_000), []byte("b")),
				newCodecTrip("bool", "", true, false, true),
				newCodecTrip[int64]("int64", "", 1, 0, -1, math.MaxInt64, math.MinInt64),
				newCodecTrip[uint8]("uint8", "", 1, 0, 255),
				newCodecTrip[uint64]("uint64", "", 1, 0, math.MaxUint64),
				newCodecTrip("float64", "", 1.5, 0, -math.MaxFloat64, math.SmallestNonzeroFloat64),
				newCodecTrip("infinity", "json", math.Inf(1), math.Inf(-1)),
				newCodecTrip("time", "", time.Unix(0, 0), time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(2500, 1, 1, 0, 0, 0, 0, time.UTC)),
				newCodecTrip("slice", "", []int{1, 2, 3}, []int{4}),
				newCodecTrip("empty slice", "gob", []int{1, 2, 3}, []int{}, nil, []int{4}),
				newCodecTrip("slice of slices", "gob", [][]string{{"a"}, nil, {}, {"b", "c"}}),
				newCodecTrip("array", "", [3]int{1, 2, 3}, [3]int{}, [3]int{0, 0, 4}),
				newCodecTrip("map", "", map[string]testkit.Point{"a": {X: 1, Y: 2}}, map[string]testkit.Point{}, map[string]testkit.Point{"b": {X: 3, Y: 4}}),
				newCodecTrip("any", "msgpack arrays json", any(1), any("two"), any(testkit.Point{X: 3, Y: 4}), any(&testkit.Leaf{Name: "five"})),
				newCodecTrip("any of plain values", "", any("two"), nil, any(2.5), any(true), any("x")),
				newCodecTrip("map of any", "gob", map[string]any{"a": "b", "c": nil, "d": []any{true, "e", 0.5}}),
			} {
				t.Run(trip.name, func(t *testing.T) { trip.run(t, codec) })
			}
		})
	}
}

func TestCodecNames(t *testing.T) {
	for _, tt := range []struct {
		codec     qsocket.Codec[codecStamp]
		name      string
		stateless bool
	}{
		{qsocket.Msgpack[codecStamp](), "msgpack", true},
		{qsocket.Msgpack[codecStamp](qsocket.ArrayEncodedStructs(), qsocket.DisallowUnknownFields()), "msgpack", true},
		{qsocket.Gob[codecStamp](), "gob", false},
		{qsocket.JSON[codecStamp](), "json", true},
		{qsocket.Binary[codecStamp](), "binary", true},
	} {
		if got := tt.codec.Name(); got != tt.name {
			t.Errorf("got name %q, want %q", got, tt.name)
		}
		s, ok := tt.codec.(interface{ Stateless() bool })
		if got := ok && s.Stateless(); got != tt.stateless {
			t.Errorf("%s is stateless: got %v, want %v", tt.name, got, tt.stateless)
		}
	}
}

// A Codec is shared by all connections, which use it at the same time.
func TestCodecConcurrency(t *testing.T) {
	for _, codec := range []qsocket.Codec[testkit.Record]{
		qsocket.Msgpack[testkit.Record](), qsocket.Gob[testkit.Record](), qsocket.JSON[testkit.Record](),
	} {
		t.Run(codec.Name(), func(t *testing.T) {
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					want := newCodecRecord()
					want.ID = uint64(i)
					enc, dec := codec.NewEncoder(), codec.NewDecoder()
					for range 50 {
						b, err := enc.Append(nil, want)
						if err != nil {
							t.Error(err)
							return
						}
						got, err := dec.Decode(b)
						if err != nil {
							t.Error(err)
							return
						}
						if diff := cmp.Diff(want, got, cmp.Comparer(time.Time.Equal)); diff != "" {
							t.Errorf("(-want +got):\n%s", diff)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
