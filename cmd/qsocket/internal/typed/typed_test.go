package typed_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/schema"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/typed"
)

type order struct {
	ID    uint64  `msgpack:"id" json:"id"`
	Price float64 `msgpack:"a \"px\"" json:"px"`
	At    time.Time
	Tags  []string
	Attr  map[string]any
	Legs  [2]leg
	Raw   []byte
	Next  *leg
	N     int64 `json:",string"`
}

type leg struct {
	Qty  int8
	Size float32
}

type node struct {
	Name string
	Sub  []node
}

type message interface{ isMessage() }

func (order) isMessage() {}
func (leg) isMessage()   {}

var placed = order{
	ID: 1 << 40, Price: 1.5, At: time.Unix(1e9, 5).UTC(), Tags: []string{"a", "b"}, Attr: map[string]any{"k": "v"},
	Legs: [2]leg{{1, 2}, {-3, 4.5}}, Raw: []byte{1, 2}, Next: &leg{Qty: 7}, N: -5,
}

// What is made of a payload is encoded to the same bytes as the program's own type is, by each of the codecs, and
// comes back equal.
func TestCodecs(t *testing.T) {
	t.Run("msgpack", sameAs(qsocket.Msgpack[order](), placed, "msgpack"))
	t.Run("arrays", sameAs(qsocket.Msgpack[order](qsocket.ArrayEncodedStructs()), placed, "msgpack"))
	t.Run("json", sameAs(qsocket.JSON[order](), placed, "json"))
	t.Run("no struct", sameAs(qsocket.Msgpack[map[int][]string](), map[int][]string{5: {"x"}}, "msgpack"))
	t.Run("union", sameAs(qsocket.Union(
		qsocket.Case[message](1, qsocket.Msgpack[order]()),
		qsocket.Case[message](300, qsocket.Msgpack[leg]()),
	), message(leg{3, 4}), "msgpack"))
}

func sameAs[T any](codec qsocket.Codec[T], v T, name string) func(*testing.T) {
	return func(t *testing.T) {
		payload, err := codec.NewEncoder().Append(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		m := messages(t, qsocket.Protocol[T]{Codec: codec}.Schema())
		sample, err := m.Sample(payload)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range m.Codecs() {
			for range 2 { // the second time with what the first has left
				got, err := c.NewEncoder().Append(nil, sample)
				if err != nil {
					t.Fatalf("%s: %v", c.Name(), err)
				}
				if c.Name() == name && string(got) != string(payload) {
					t.Errorf("%s: got % x, want % x", c.Name(), got, payload)
				}
				back, err := c.NewDecoder().Decode(got)
				if err != nil {
					t.Fatalf("%s: %v", c.Name(), err)
				}
				again, err := c.NewEncoder().Append(nil, back)
				if err != nil || cmp.Diff(got, again) != "" {
					t.Errorf("%s: got %q, %v, want %q", c.Name(), again, err, got)
				}
			}
		}
	}
}

func messages(t *testing.T, text string) *typed.Messages {
	t.Helper()
	s, err := schema.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	m, err := typed.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A type that refers to itself is measured with an any in that place.
func TestRecursive(t *testing.T) {
	p := qsocket.Protocol[node]{}
	payload, err := qsocket.Msgpack[node]().NewEncoder().Append(nil, node{"a", []node{{"b", nil}}})
	if err != nil {
		t.Fatal(err)
	}
	m := messages(t, p.Schema())
	sample, err := m.Sample(payload)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := m.Codecs()[0].NewEncoder().Append(nil, sample); err != nil || string(got) != string(payload) {
		t.Errorf("got % x, %v, want % x", got, err, payload)
	}
}

func TestNewRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"gob\nmessage string\n":                           "codec gob has no payloads that can be made from a description",
		"union(gob)\nmessage U\nunion U\n 3 gob string\n": "case 3: codec gob",
		"msgpack\nmessage complex\n":                      "type complex is not measured",
		"msgpack\nmessage [1000000]int\n":                 "an array of 1000000",
		"msgpack\nmessage map[[]int]int\n":                "a map with keys of type []int",
		"msgpack\nmessage T\nstruct T\n \"a,b\" int\n":    `the field "a,b"`,
		"msgpack\nmessage T\nstruct T\n - int\n":          `the field "-"`,
		"msgpack\nmessage T\nstruct T\n A []complex\n":    "T.A: type complex",
	} {
		s, err := schema.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := typed.New(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	m := messages(t, "union(msgpack)\nmessage U\nunion U\n 3 msgpack string\n")
	for _, payload := range []string{"", "\x80", "\x04\xa1a", "\x03", "\x03\x05"} {
		if v, err := m.Sample([]byte(payload)); err == nil {
			t.Errorf("%q: got %v", payload, v)
		}
		if v, err := m.Codecs()[0].NewDecoder().Decode([]byte(payload)); err == nil {
			t.Errorf("%q: got %v", payload, v)
		}
	}
}
