package gobscan_test

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/gobscan"
)

// encode returns what gob writes for values, one payload each.
func encode(t testing.TB, values ...any) (payloads [][]byte) {
	t.Helper()
	var buf bytes.Buffer
	enc := gob.NewEncoder(&buf)
	for _, v := range values {
		buf.Reset()
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
		payloads = append(payloads, bytes.Clone(buf.Bytes()))
	}
	return payloads
}

func TestScanStream(t *testing.T) {
	payloads := encode(t, sample, sample, blobOrder{Order: sample})
	s := gobscan.New(reflect.TypeFor[order]())
	for i, p := range payloads[:2] {
		if err := s.Scan(p); err != nil {
			t.Fatalf("payload %d: %v", i, err)
		}
	}
	if err := s.Scan(payloads[0]); err == nil || !strings.Contains(err.Error(), "second definition") {
		t.Errorf("definitions again: got %v, want an error", err)
	}
	s.Reset()
	if err := s.Scan(payloads[1]); err == nil || !strings.Contains(err.Error(), "unknown type id") {
		t.Errorf("after Reset without definitions: got %v, want an error", err)
	}
	s.Reset()
	if err := s.Scan(payloads[0]); err != nil {
		t.Errorf("after Reset: got %v", err)
	}
	if err := s.Scan(payloads[2]); err == nil || !strings.Contains(err.Error(), "no fields matched") {
		t.Errorf("another type, of which no field is known: got %v, want an error", err)
	}
}

func TestScanTruncated(t *testing.T) {
	whole := encode(t, tree{Name: "a", Kids: []tree{{Any: 1}, {Any: wide{N: 1}}}, Next: &tree{Any: "b"}})[0]
	for n := range whole {
		err := gobscan.New(reflect.TypeFor[tree]()).Scan(whole[:n])
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes of %d: got %v, want it to wrap io.ErrUnexpectedEOF", n, len(whole), err)
		}
	}
	if err := gobscan.New(reflect.TypeFor[tree]()).Scan(whole); err != nil {
		t.Error(err)
	}
}

// nested returns a tree of so many levels: the struct and its slice are one each.
func nested(n int) (v tree) {
	for range n {
		v = tree{Kids: []tree{v}}
	}
	return v
}

func TestScanDepth(t *testing.T) {
	list := &tree{}
	for range gobscan.MaxDepth - 1 {
		list = &tree{Next: list}
	}
	deep := any(1)
	for range gobscan.MaxDepth {
		deep = []any{deep}
	}
	gob.Register([]any{})
	for _, tt := range []struct {
		name string
		v    any
		t    reflect.Type
		ok   bool
	}{
		{"100 levels of structs", list, reflect.TypeFor[tree](), true},
		{"101 levels of structs", tree{Next: list}, reflect.TypeFor[tree](), false},
		{"99 levels of structs and slices", nested(49), reflect.TypeFor[tree](), true},
		{"101 levels of structs and slices", nested(50), reflect.TypeFor[tree](), false},
		{"101 levels, skipped", struct{ V, W tree }{W: tree{Next: list}}, reflect.TypeFor[struct{ V int }](), false},
		{"100 levels of interfaces and slices", deep, reflect.TypeFor[any](), true},
		{"101 levels of interfaces and slices", any([]any{deep}), reflect.TypeFor[any](), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := tt.v
			if tt.t.Kind() == reflect.Interface {
				v = &tt.v
			}
			if strings.Contains(tt.name, "skipped") {
				v = struct {
					V int
					W tree
				}{W: tree{Next: list}}
			}
			err := gobscan.New(tt.t).Scan(encode(t, v)[0])
			if tt.ok && err != nil || !tt.ok && (err == nil || !strings.Contains(err.Error(), "deeper")) {
				t.Errorf("got %v, want success %v", err, tt.ok)
			}
		})
	}
}

// Definitions that arrive long before the first value that needs them allow for
// what it costs to compile them.
func TestScanCredit(t *testing.T) {
	type sparse struct {
		V any
		W any
	}
	type receiver struct{ W any }
	// A struct of many fields: its definition is 100 times as long as its value.
	var fields []reflect.StructField
	for i := range 400 {
		fields = append(fields, reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: reflect.TypeFor[int]()})
	}
	big := reflect.New(reflect.StructOf(fields)).Elem()
	big.Field(7).SetInt(1)
	gob.RegisterName("big", big.Interface())

	payloads := encode(t, sparse{V: big.Interface()}, sparse{W: big.Interface()})
	s := gobscan.New(reflect.TypeFor[receiver]())
	for i, p := range payloads {
		if err := s.Scan(p); err != nil {
			t.Fatalf("payload %d of %d bytes: %v", i, len(p), err)
		}
	}
}

// A check that is in use again and again does not allocate.
func TestScanAllocs(t *testing.T) {
	payloads := encode(t, tree{Name: "a", Kids: []tree{{Any: 1}, {Any: "b"}}}, tree{Any: wide{N: 1}}, tree{Next: &tree{}, Any: 3})
	s := gobscan.New(reflect.TypeFor[tree]())
	for _, p := range payloads {
		if err := s.Scan(p); err != nil {
			t.Fatal(err)
		}
	}
	last := slices.Clone(payloads[2])
	if n := testing.AllocsPerRun(100, func() { _ = s.Scan(last) }); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}
