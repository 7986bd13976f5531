package gobscan_test

import (
	"bytes"
	"encoding/gob"
	"errors"
	"io"
	"reflect"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/gobscan"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// FuzzScan checks streams of two payloads. It must end, not panic, not return a bare
// io.EOF, and keep no more than it says. That what passes is safe is for FuzzGobDecode in tests/hostile/fuzz.
func FuzzScan(f *testing.F) {
	for _, v := range []any{sample, tree{Name: "a", Kids: []tree{{Any: 1}, {Any: wide{N: 1}}}}, map[string][]int{"a": {1, 2}}, [2]complex64{1i}} {
		payloads := encode(f, v, v)
		f.Add(payloads[0], payloads[1])
		boxed := encode(f, &v)
		f.Add(boxed[0], boxed[0])
	}
	types := []reflect.Type{reflect.TypeFor[order](), reflect.TypeFor[tree](), reflect.TypeFor[any](), reflect.TypeFor[map[string][]int]()}
	scanners := make([]*gobscan.Scanner, len(types))
	for i, t := range types {
		scanners[i] = gobscan.New(t)
	}
	f.Fuzz(func(t *testing.T, first, next []byte) {
		for _, s := range scanners {
			s.Reset()
			err := s.Scan(first)
			if err == nil {
				err = s.Scan(next)
			}
			weigh(t, s)
			if errors.Is(err, io.EOF) {
				t.Fatalf("got %v, want no io.EOF", err)
			}
		}
	})
}

// FuzzDecode sends one more payload on a stream whose types are known by then. What
// Decode takes, gob takes too, and they agree; what it refuses, gob refuses.
func FuzzDecode(f *testing.F) {
	sent := everything{I64: 1, U64: 2, F64: 3, Int: 4, Kids: []everything{{U8: 1}}, By: map[word]*everything{"k": {Text: "t"}}}
	for _, next := range []everything{{}, sent, full(0), full(1), full(2)} {
		f.Add(encode(f, sent, next)[1])
	}
	first := encode(f, sent)[0]
	types := []reflect.Type{reflect.TypeFor[everything](), reflect.TypeFor[narrow](), reflect.TypeFor[some]()}
	scanners := make([]*gobscan.Scanner, len(types))
	for i, t := range types {
		scanners[i] = gobscan.New(t)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		for i, s := range scanners {
			s.Reset()
			if err := s.Scan(first); err != nil {
				t.Fatal(err)
			}
			if err := s.Decode(first, reflect.New(types[i])); err != nil {
				t.Fatal(err)
			}
			if s.Scan(payload) != nil {
				continue
			}
			got, want := reflect.New(types[i]), reflect.New(types[i])
			refused := s.Decode(payload, got)
			dec := gob.NewDecoder(io.MultiReader(bytes.NewReader(first), bytes.NewReader(payload)))
			if err := dec.DecodeValue(reflect.New(types[i])); err != nil {
				t.Fatal(err)
			}
			if err := dec.DecodeValue(want); (err != nil) != (refused != nil) {
				t.Fatalf("%v: got %v, gob: %v", types[i], refused, err)
			} else if err != nil {
				continue
			}
			if a, b := got.Interface(), want.Interface(); !reflect.DeepEqual(a, b) && !cmp.Equal(a, b, cmpopts.EquateNaNs(), cmp.Exporter(always)) {
				t.Fatalf("%v: got %#v, gob %#v", types[i], a, b)
			}
		}
	})
}

func always(reflect.Type) bool { return true }
