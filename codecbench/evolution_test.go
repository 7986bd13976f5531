package codecbench_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/codecbench"
)

// A reading has a number that can be widened and one that can have been.
type reading struct {
	Sensor string
	Level  int16
	Unit   string `json:"u" msgpack:"u"`
	note   string
}

var readings = []reading{{}, {Sensor: "a", Level: -7, Unit: "mm", note: "not sent"}}

const (
	named      = "field added: works; removed: works; renamed: lost; number widened: works"
	positional = "field added: error; removed: error; renamed: works; number widened: works"
	untried    = "not tried: it does not decode a struct that was written as MessagePack, JSON or gob"
)

// The cells of docs/evolution.md that these are say the same.
func TestMeasureEvolution(t *testing.T) {
	strict := qsocket.Stateless("strict", func(r reading) ([]byte, error) { return json.Marshal(r) }, func(b []byte, r *reading) error {
		var fields map[string]any
		if err := json.Unmarshal(b, &fields); err != nil || len(fields) != 3 {
			return errors.New("want three fields")
		}
		return json.Unmarshal(b, r)
	})
	picky := qsocket.Stateless("picky", func(r reading) ([]byte, error) { return json.Marshal(r) }, func(b []byte, r *reading) error {
		if err := json.Unmarshal(b, r); err != nil || r.Unit == "" {
			return errors.New("want a unit")
		}
		return nil
	})
	clamped := qsocket.Stateless("clamped", func(r reading) ([]byte, error) { return json.Marshal(r) }, func(b []byte, r *reading) error {
		err := json.Unmarshal(b, r)
		r.Level = min(r.Level, 0)
		return err
	})
	for _, test := range []struct {
		samples []reading
		codec   qsocket.Codec[reading]
		want    string
	}{
		{readings, qsocket.Msgpack[reading](), named},
		{readings, qsocket.Msgpack[reading](qsocket.ArrayEncodedStructs()), positional},
		{readings, qsocket.Msgpack[reading](qsocket.DisallowUnknownFields()),
			"field added: error for old peers, works for new ones; removed: works for old peers, error for new ones; renamed: error; number widened: works"},
		{readings, qsocket.Gob[reading](), named},
		{readings, qsocket.JSON[reading](), named},
		{readings, strict, "field added: error; removed: error; renamed: lost; number widened: works"},
		{readings[1:], picky, "field added: works for old peers, error for new ones; removed: error for old peers, works for new ones; renamed: error; number widened: works"},
		{readings, clamped, "field added: works; removed: works; renamed: lost; number widened: arrives wrong"},
		{readings, qsocket.Stateless("foreign",
			func(r reading) ([]byte, error) { return []byte(r.Sensor), nil },
			func(b []byte, r *reading) error { *r = reading{Sensor: string(b[:min(1, len(b))])}; return nil }), untried},
	} {
		evolution(t, test.samples, test.codec, test.want)
	}
}

func TestMeasureEvolutionOfOtherTypes(t *testing.T) {
	evolution(t, []*reading{{Sensor: "a", Level: 2}}, qsocket.Msgpack[*reading](), named)
	evolution(t, []string{"a"}, qsocket.Msgpack[string](), "")
	evolution(t, []struct{}{{}}, qsocket.JSON[struct{}](), "field added: works for old peers")
	evolution(t, []struct{ S string }{{"a"}}, qsocket.JSON[struct{ S string }](), "field added: works; removed: works; renamed: lost")
	type wide struct{ N int64 }
	evolution(t, []wide{{1}}, qsocket.Msgpack[wide](), "field added: works; removed: works; renamed: lost; number widened: works for new ones")
	type narrow struct{ F float32 }
	evolution(t, []narrow{{1}}, qsocket.Msgpack[narrow](), "field added: works; removed: works; renamed: lost; number widened: error for old peers")
	evolution(t, trades, qsocket.Binary[trade](), untried)
}

func evolution[T any](t *testing.T, samples []T, codec qsocket.Codec[T], want string) {
	t.Helper()
	results, err := codecbench.Measure(samples, codec)
	if err != nil {
		t.Fatal(err)
	}
	if got := results[0].Evolution; got != want {
		t.Errorf("%s of %T: got %q, want %q", codec.Name(), samples[0], got, want)
	}
}

// What cannot be written is not tried, and what a codec does with a struct that it
// does not expect does not end the program.
func TestMeasureEvolutionNotTried(t *testing.T) {
	type node struct {
		Name string
		Next *node
	}
	evolution(t, []node{{Name: "a"}}, qsocket.Stateless("rings",
		func(n node) ([]byte, error) { return []byte(n.Name), nil },
		func(b []byte, n *node) error {
			ring := node{Name: string(b)}
			ring.Next = &ring
			*n = ring
			return nil
		}), untried)

	evolution(t, []node{{Name: "a"}}, qsocket.Stateless("panicky",
		func(n node) ([]byte, error) { return []byte(n.Name), nil },
		func(b []byte, n *node) error {
			if len(b) != 1 {
				panic("too long")
			}
			n.Name = string(b)
			return nil
		}), "not tried: panic: too long")
}
