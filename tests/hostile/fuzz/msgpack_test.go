package fuzz

import (
	"bytes"
	"fmt"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/mpscan"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/vmihailenco/msgpack/v5"
)

// fuzzMessage has something of everything that can be in a message.
type fuzzMessage struct {
	Any   any
	Time  time.Time
	Typed map[int]map[string]uint8
	Loose map[string]any
	Self  map[string]*fuzzMessage
	Raw   msgpack.RawMessage
	Texts []string
	Bytes []byte
	Pair  [2]testkit.Point
	Leaf  *testkit.Leaf
	Large []struct{ A [512]byte }
	Num   int16
	Real  float32
	Alt   []testkit.Point `msgpack:"alt,alias:alternative"`
}

// FuzzMsgpackDecode decodes anything. Nothing allocates more than the bound.
// What decodes also encodes, and then stays the same. Plan and v5 agree about
// what is acceptable, but for what docs/msgpack.md lists.
func FuzzMsgpackDecode(f *testing.F) {
	for _, tt := range testkit.HostileMsgpack {
		if len(tt.Payload) < 1000 {
			f.Add([]byte(tt.Payload))
		}
	}
	c := qsocket.Msgpack[fuzzMessage](qsocket.AllowInvalidUTF8())
	seed, err := c.NewEncoder().Append(nil, fuzzMessage{
		Any: "a", Time: time.Unix(1, 2), Typed: map[int]map[string]uint8{1: {"x": 2}}, Loose: map[string]any{"b": nil},
		Self: map[string]*fuzzMessage{"m": {Texts: []string{"c"}}}, Raw: msgpack.RawMessage("\x92\x01\x02"), Bytes: []byte("d"), Leaf: &testkit.Leaf{},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, p []byte) {
		fuzzMsgpack[fuzzMessage](t, p)
		fuzzMsgpack[any](t, p)
	})
}

func fuzzMsgpack[T any](t *testing.T, p []byte) {
	c := qsocket.Msgpack[T](qsocket.AllowInvalidUTF8())
	enc, dec := c.NewEncoder(), c.NewDecoder()
	var v T
	var err error
	allocated := testkit.Allocated(func() { v, err = codecTryDecode(dec, p) })
	if limit := uint64(64*len(p) + 64<<10); allocated > limit {
		t.Errorf("%T from %d bytes %x: %d bytes allocated, want at most %d", v, len(p), p, allocated, limit)
	}
	want, wantErr := fuzzV5[T](p)
	if err != nil {
		if wantErr == nil && !fuzzListed(err, "overflows", "is no float", "is there twice", "different keys", "MaxExpansion", "nanoseconds, want 0 to", "where the binary form") {
			t.Errorf("%T from %x: got error %v, v5 %+v", v, p, err, want)
		}
		return
	}
	if wantErr != nil && !fuzzListed(wantErr, "ext len", "invalid time ext", "got ext type=13", "panic: ") {
		t.Errorf("%T from %x: got %+v, v5 error %v", v, p, v, wantErr)
	}

	first, err := enc.Append(nil, v)
	if err != nil {
		t.Fatalf("%x decodes to %+v, which does not encode: %v", p, v, err)
	}
	v, err = dec.Decode(first)
	if err != nil {
		t.Fatalf("%x encodes as %x, which does not decode: %v", p, first, err)
	}
	if second, err := enc.Append(nil, v); err != nil || !bytes.Equal(first, second) {
		t.Fatalf("%x encodes as %x, and then as %x, %v", p, first, second, err)
	}
	// v5 takes integers from 1<<63 on for negative ones where it expects a float.
	if wantErr == nil && !bytes.Contains(p, []byte{0xcf}) {
		if same, err := enc.Append(nil, want); err != nil || !bytes.Equal(first, same) {
			t.Fatalf("%x decodes to %x, by v5 to %x, %v", p, first, same, err)
		}
	}
}

// fuzzV5 decodes p by v5, behind the guard.
func fuzzV5[T any](p []byte) (v T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	s := mpscan.Scanner{AllowInvalidUTF8: true}
	if err := s.Scan(p); err != nil {
		return v, err
	}
	var r mpscan.Reader
	r.Reset(p, &s, false)
	err = msgpack.NewDecoder(&r).Decode(&v)
	return v, err
}

func fuzzListed(err error, reasons ...string) bool {
	for _, reason := range reasons {
		if strings.Contains(err.Error(), reason) {
			return true
		}
	}
	return false
}

// codecTryDecode takes a panic for an error, as a Conn does.
func codecTryDecode[T any](dec qsocket.Decoder[T], p []byte) (v T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return dec.Decode(p)
}

// fuzzScript is a type that reads its value in whatever way script says.
type fuzzScript struct{}

var script []byte

func (*fuzzScript) DecodeMsgpack(dec *msgpack.Decoder) error {
	read := []func() error{
		func() error { _, err := dec.DecodeInterface(); return err },
		func() error { _, err := dec.DecodeMap(); return err },
		func() error { _, err := dec.DecodeUntypedMap(); return err },
		func() error { _, err := dec.DecodeRaw(); return err },
		func() error { _, err := dec.PeekCode(); return err },
		func() error { _, _, err := dec.DecodeExtHeader(); return err },
		func() error { _, err := dec.DecodeBytesLen(); return err },
		func() error { _, err := dec.DecodeBytes(); return err },
		func() error { _, err := dec.DecodeTime(); return err },
		func() error { _, err := dec.DecodeArrayLen(); return err },
		func() error { _, err := dec.DecodeMapLen(); return err },
		func() error { return dec.ReadFull(make([]byte, 1)) },
		func() error { return dec.ReadFull(make([]byte, 3)) },
		func() error { return dec.Decode(&[]string{}) },
		func() error { return dec.Decode(&map[string]map[int]int{}) },
		func() error { return dec.Decode(&testkit.Record{}) },
		dec.Skip,
	}
	for _, c := range script {
		if err := read[int(c)%len(read)](); err != nil {
			return err
		}
	}
	return nil
}

// FuzzMsgpackGuard lets code of a program read with v5's decoder what the guard
// lets through. It may fail in any way but those that end the process: what v5
// allocates is bounded, and its stack is.
func FuzzMsgpackGuard(f *testing.F) {
	for _, tt := range testkit.HostileMsgpack {
		if len(tt.Payload) < 1000 {
			for c := range byte(17) {
				f.Add([]byte{c, 0, 0}, []byte(tt.Payload))
			}
		}
	}
	f.Add([]byte{5, 0}, []byte("\xd7\x05\xdd\xff\xff\xff\xff\x00\x00\x00"))
	f.Add([]byte{6, 11, 0}, []byte("\xc4\x07a\xdd\xff\xff\xff\xff\x00"))
	c := qsocket.Msgpack[fuzzScript](qsocket.AllowInvalidUTF8())
	f.Fuzz(func(t *testing.T, how, p []byte) {
		script = how[:min(len(how), 16)]
		before := fuzzHeap()
		codecTryDecode(c.NewDecoder(), p)
		if grown := fuzzHeap() - before; grown > uint64(1<<10*len(p)+1<<20) && grown < 1<<62 {
			t.Errorf("%x read as %x: %d bytes allocated", p, script, grown)
		}
	})
}

// fuzzHeap is how many bytes have been allocated, as far as the runtime knows
// without stopping everything.
func fuzzHeap() uint64 {
	metrics.Read(fuzzSample)
	return fuzzSample[0].Value.Uint64()
}

var fuzzSample = []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
