package gobscan_test

import (
	"bytes"
	"encoding/gob"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// Values for which gob makes room bit by bit, because they are large, arrive whole.
func TestDecodeLarge(t *testing.T) {
	numbers := make([]int64, 3<<20)
	texts := make([]string, 1<<20)
	table := make(map[int32]int32)
	for i := range numbers {
		numbers[i] = int64(i % 100)
	}
	for i := range texts {
		texts[i] = "text"
	}
	for i := range int32(100_000) {
		table[i] = -i
	}
	for _, v := range []any{
		numbers, texts, table, bytes.Repeat([]byte("bytes"), 3<<20), strings.Repeat("text", 20_000), [][]byte{make([]byte, 11<<20), nil},
		make([]struct{ A, B *int }, 50_000), make([]struct{}, 100_000), [1 << 16]uint8{1, 1<<16 - 1: 2}, make([][0]int, 1000),
	} {
		want := reflect.New(reflect.TypeOf(v))
		p := encode(t, v)[0]
		if err := gob.NewDecoder(bytes.NewReader(p)).DecodeValue(want); err != nil {
			t.Fatal(err)
		}
		got, err := newStream(reflect.TypeOf(v)).decode(p)
		if err != nil || !reflect.DeepEqual(got, want.Elem().Interface()) {
			t.Errorf("%T of %d bytes: got another value, or %v", v, len(p), err)
		}
	}
}

// A type may be registered after the stream has begun, and after its name has been
// looked for in vain.
func TestDecodeRegisteredLater(t *testing.T) {
	type late struct{ N int }
	gob.RegisterName("late-1", late{})
	payloads := encode(t, &[]any{any(1)}[0], &[]any{late{5}}[0])
	payloads[1] = bytes.ReplaceAll(payloads[1], []byte("late-1"), []byte("late-2"))
	s := newStream(reflect.TypeFor[any]())
	decode := func() (v any, err error) {
		s.scan.Reset()
		for _, p := range payloads {
			if v, err = s.decode(p); err != nil {
				return nil, err
			}
		}
		return v, nil
	}
	if got, err := decode(); err == nil || !strings.Contains(err.Error(), "not registered") {
		t.Fatalf("got %v, %v, want an error: there is no such name", got, err)
	}
	type received struct{ N int8 }
	gob.RegisterName("late-2", received{})
	if got, err := decode(); err != nil || got != (received{5}) {
		t.Errorf("got %v, %v, want %v", got, err, received{5})
	}
}

// Scanners share nodes and what names stand for, between goroutines.
func TestDecodeAtOnce(t *testing.T) {
	payloads := encode(t, full(1), full(2))
	boxed := encode(t, &[]any{any(&node{Name: "a", Any: labelled{"b"}})}[0])
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, t1 := range []reflect.Type{reflect.TypeFor[everything](), reflect.TypeFor[*everything](), reflect.TypeFor[some]()} {
				s := newStream(t1)
				for _, p := range payloads {
					if _, err := s.decode(p); err != nil {
						t.Error(err)
					}
				}
			}
			want := any(&node{Name: "a", Any: labelled{"b"}})
			if got, err := newStream(reflect.TypeFor[any]()).decode(boxed[0]); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, %v, want %v", got, err, want)
			}
		})
	}
	wg.Wait()
}
