package qsocket_test

import (
	"bytes"
	"encoding/gob"
	"errors"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/google/go-cmp/cmp"
)

// codecTouchy fails to encode or panics on demand, after gob has written the
// definitions of the type that holds it.
type codecTouchy string

func (v codecTouchy) GobEncode() ([]byte, error) {
	switch v {
	case "fail":
		return nil, errors.New("touchy")
	case "panic":
		panic("touchy")
	}
	return []byte(v), nil
}

func (v *codecTouchy) GobDecode(b []byte) error {
	*v = codecTouchy(b)
	return nil
}

type codecTouchyBox struct {
	N int
	V codecTouchy
}

// reset tells a stateful encoder that its last payload was not sent.
func codecReset[T any](t *testing.T, enc qsocket.Encoder[T]) {
	t.Helper()
	r, ok := enc.(interface{ Reset() })
	if !ok {
		t.Fatalf("%T has no Reset", enc)
	}
	r.Reset()
}

// What gob itself writes for one stream, cut after each value.
func gobStream(t *testing.T, values ...any) [][]byte {
	t.Helper()
	var buf bytes.Buffer
	enc := gob.NewEncoder(&buf)
	var cut [][]byte
	for _, v := range values {
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
		cut = append(cut, bytes.Clone(buf.Bytes()))
		buf.Reset()
	}
	return cut
}

func TestGobGolden(t *testing.T) {
	c := qsocket.Gob[testkit.Point]()
	enc, dec := c.NewEncoder(), c.NewDecoder()
	// The ids of types are given out by the process, so the definition is
	// compared with gob's own and only the rest can be spelled out.
	a, b := testkit.Point{X: 1, Y: 2}, testkit.Point{X: 3, Y: 4}
	stream := gobStream(t, a, b)
	if len(stream[0]) < 3*len(stream[1]) {
		t.Fatalf("got %d and %d bytes, want the first value with definitions", len(stream[0]), len(stream[1]))
	}
	restarted := append([]byte{0}, stream[0]...)
	for _, tt := range []struct {
		name  string
		reset bool
		v     testkit.Point
		want  []byte
	}{
		{"first with the definition", false, a, stream[0]},
		{"second without", false, b, stream[1]},
		{"third without", false, a, gobStream(t, b, a)[1]},
		{"marker and definition after Reset", true, a, restarted},
		{"without again", false, b, stream[1]},
	} {
		if tt.reset {
			codecReset(t, enc)
		}
		payload := codecAppend(t, enc, tt.v)
		if !bytes.Equal(payload, tt.want) {
			t.Errorf("%s:\ngot  % x\nwant % x", tt.name, payload, tt.want)
		}
		if got := codecDecode(t, dec, payload); got != tt.v {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.v)
		}
	}
	if want := codecUnhex(t, "03 04 00 06"); !bytes.Equal(codecAppend(t, qsocket.Gob[int]().NewEncoder(), 3), want) {
		t.Errorf("an int, which needs no definition: want % x", want)
	}
}

func TestGobRestart(t *testing.T) {
	box := func(v codecTouchy) codecTouchyBox { return codecTouchyBox{1, v} }
	for _, tt := range []struct {
		name  string
		spoil func(t *testing.T, enc qsocket.Encoder[codecTouchyBox])
	}{
		{"error", func(t *testing.T, enc qsocket.Encoder[codecTouchyBox]) { codecRefuse(t, enc, box("fail"), "touchy") }},
		{"panic", func(t *testing.T, enc qsocket.Encoder[codecTouchyBox]) { codecRefuse(t, enc, box("panic"), "touchy") }},
		{"twice", func(t *testing.T, enc qsocket.Encoder[codecTouchyBox]) {
			codecRefuse(t, enc, box("panic"), "touchy")
			codecRefuse(t, enc, box("fail"), "touchy")
		}},
		{"reset", func(t *testing.T, enc qsocket.Encoder[codecTouchyBox]) {
			codecAppend(t, enc, box("not sent"))
			codecReset(t, enc)
		}},
	} {
		for _, first := range []bool{true, false} {
			t.Run(tt.name, func(t *testing.T) {
				c := qsocket.Gob[codecTouchyBox]()
				enc, dec := c.NewEncoder(), c.NewDecoder()
				if !first {
					codecDecode(t, dec, codecAppend(t, enc, box("before")))
				}
				tt.spoil(t, enc)
				for i, want := range []codecTouchyBox{box("after"), box("later")} {
					payload := codecAppend(t, enc, want)
					if got, want := payload[0] == 0, i == 0; got != want {
						t.Errorf("payload %d after the break begins with 00: got %v, want %v", i, got, want)
					}
					if got := codecDecode(t, dec, payload); got != want {
						t.Errorf("got %v, want %v", got, want)
					}
				}
			})
		}
	}
}

func TestGobNil(t *testing.T) {
	c := qsocket.Gob[*testkit.Point]()
	enc, dec := c.NewEncoder(), c.NewDecoder()
	codecRefuse(t, enc, nil, "nil *testkit.Point has no encoding")
	if got := codecDecode(t, dec, codecAppend(t, enc, &testkit.Point{X: 1, Y: 2})); *got != (testkit.Point{X: 1, Y: 2}) {
		t.Errorf("got %v", got)
	}
	codecRefuse(t, qsocket.Gob[**testkit.Point]().NewEncoder(), new(*testkit.Point), "nil **testkit.Point has no encoding")
	codecRefuse(t, qsocket.Gob[any]().NewEncoder(), any((*testkit.Leaf)(nil)), "nil *testkit.Leaf has no encoding")
	codecRefuse(t, qsocket.Gob[[]*testkit.Leaf]().NewEncoder(), []*testkit.Leaf{nil}, "nil element")
}

func TestGobRefusesPayload(t *testing.T) {
	stream := gobStream(t, testkit.Point{X: 1, Y: 2}, testkit.Point{X: 3, Y: 4})
	whole, next := stream[0], stream[1]
	for _, tt := range []struct {
		name      string
		payload   []byte
		truncated bool
		want      string
	}{
		{"empty", nil, true, "empty payload"},
		{"restart of nothing", []byte{0}, true, "empty payload"},
		{"two restarts", append([]byte{0, 0}, whole...), false, "second byte 00"},
		{"definition alone", whole[:len(whole)-len(next)], true, "payload ends"},
		{"cut in the definition", whole[:10], true, "but 9 bytes are left"},
		{"cut in the value", whole[:len(whole)-1], true, "bytes are left"},
		{"trailing byte", append(bytes.Clone(whole), 1), false, "1 trailing bytes"},
		{"two values", append(bytes.Clone(whole), next...), false, "trailing bytes"},
		{"value without its definition", next, false, "unknown type id"},
		{"garbage", []byte("garbage"), true, "bytes are left"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dec := qsocket.Gob[testkit.Point]().NewDecoder()
			_, err := dec.Decode(tt.payload)
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, io.EOF) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
			if got := errors.Is(err, io.ErrUnexpectedEOF); got != tt.truncated {
				t.Errorf("%v: wraps io.ErrUnexpectedEOF: got %v, want %v", err, got, tt.truncated)
			}

			// The stream is lost, whatever comes, until it is restarted.
			for range 2 {
				if got, err := dec.Decode(whole); err == nil {
					t.Errorf("after the error: got %v, want an error", got)
				}
			}
			for _, payload := range [][]byte{append([]byte{0}, whole...), next} {
				if _, err := dec.Decode(payload); err != nil {
					t.Errorf("after the restart: got %v", err)
				}
			}
		})
	}
}

// The decoder reads no further than its payload, and nothing of an earlier
// message is in a later one.
func TestGobFreshValue(t *testing.T) {
	type message struct {
		A, B int
		M    map[string]int
		P    *testkit.Point
	}
	c := qsocket.Gob[message]()
	enc, dec := c.NewEncoder(), c.NewDecoder()
	for _, want := range []message{{A: 1, M: map[string]int{"x": 1}, P: &testkit.Point{X: 1, Y: 0}}, {B: 2, M: map[string]int{"y": 2}, P: &testkit.Point{X: 0, Y: 2}}, {}} {
		if diff := cmp.Diff(want, codecDecode(t, dec, codecAppend(t, enc, want))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// Peers with different versions of a struct understand each other.
func TestGobEvolution(t *testing.T) {
	type v1 struct{ A, B int }
	type v2 struct {
		B int64
		C string
	}
	payload := codecAppend(t, qsocket.Gob[v1]().NewEncoder(), v1{1, 2})
	if got, want := codecDecode(t, qsocket.Gob[v2]().NewDecoder(), payload), (v2{B: 2}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	type narrow struct{ B int8 }
	payload = codecAppend(t, qsocket.Gob[v1]().NewEncoder(), v1{1, 300})
	if got, err := qsocket.Gob[narrow]().NewDecoder().Decode(payload); err == nil {
		t.Errorf("300 in an int8: got %v, want an error", got)
	}
}

// gobShout is encoded in upper case.
type gobShout string

func (s gobShout) GobEncode() ([]byte, error)   { return []byte(strings.ToUpper(string(s))), nil }
func (s *gobShout) GobDecode(text []byte) error { *s = gobShout(text); return nil }

type gobKey struct {
	A int
	b int
}

// A map of which two keys would be one where they arrive is refused; all others arrive whole.
func TestGobKeysThatMeet(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	gobKeyed(t, "structs that differ in what is not sent", map[gobKey]int{{1, 1}: 1, {1, 2}: 2}, false)
	gobKeyed(t, "structs", map[gobKey]int{{1, 1}: 1, {2, 1}: 2}, true)
	gobKeyed(t, "pointers to zero in structs", map[struct{ P *int }]int{{new(int)}: 1, {nil}: 2}, false)
	gobKeyed(t, "pointers", map[*int]int{new(int): 1, new(int): 2}, true)
	gobKeyed(t, "methods that forget", map[[1]gobShout]int{{"a"}: 1, {"A"}: 2}, false)
	gobKeyed(t, "methods", map[gobShout]int{"B": 1, "A": 2}, true)
	gobKeyed(t, "times", map[time.Time]int{at: 1, at.In(time.FixedZone("", 3600)): 2, at.Add(1): 3}, true)
	gobKeyed(t, "one time twice", map[time.Time]int{at.In(time.FixedZone("x", 3600)): 1, at.In(time.FixedZone("y", 3600)): 2}, false)
	gobKeyed(t, "interfaces", map[any]int{1: 1, int64(1): 2, "a": 3}, true)
	gobKeyed(t, "pointers in interfaces", map[any]int{1: 1, new(int): 2, "a": 3}, true)
	gobKeyed(t, "pointers to the same in interfaces", map[any]int{0: 1, new(int): 2}, false)
	gobKeyed(t, "in an any", any(map[gobKey]int{{1, 1}: 1, {1, 2}: 2}), false)
	gobKeyed(t, "no numbers", map[float64]int{math.NaN(): 1, math.NaN(): 2}, true)
	gobKeyed(t, "no numbers in interfaces", map[any]int{math.NaN(): 1, math.NaN(): 2}, true)
}

func init() { gob.Register(map[gobKey]int{}) }

func gobKeyed[M any](t *testing.T, name string, m M, arrives bool) {
	t.Run(name, func(t *testing.T) {
		p, err := qsocket.Gob[M]().NewEncoder().Append(nil, m)
		if !arrives {
			if err == nil || !strings.Contains(err.Error(), "encoded alike") {
				t.Errorf("got error %v, want one that two keys are encoded alike", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := qsocket.Gob[M]().NewDecoder().Decode(p)
		if err != nil || reflect.ValueOf(got).Len() != reflect.ValueOf(m).Len() {
			t.Errorf("%v arrives as %v, %v", m, got, err)
		}
	})
}
