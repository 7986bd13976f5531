package pickle_test

import (
	"bytes"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/pickle"
)

// FuzzDecode decodes anything. Nothing panics, or allocates more than the bound. What decodes
// also encodes, and then stays the same.
func FuzzDecode(f *testing.F) {
	for _, c := range corpus(f) {
		if len(c) < 2000 {
			f.Add(c)
		}
	}
	for _, opts := range [][]pickle.Option{nil, {pickle.Protocol3()}} {
		b, err := pickle.Codec[everything](opts...).NewEncoder().Append(nil, full())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		fuzzDecode[everything](t, p)
		fuzzDecode[any](t, p)
	})
}

func fuzzDecode[T any](t *testing.T, p []byte) {
	c := pickle.Codec[T](pickle.NaiveIn(time.UTC))
	enc, dec := c.NewEncoder(), c.NewDecoder()
	var v T
	var err error
	if crc32.ChecksumIEEE(p)%16 == 0 { // it takes as long as all the rest
		allocated := testkit.Allocated(func() { v, err = dec.Decode(p) })
		checkAllocated(t, allocated, v, p)
	} else {
		v, err = dec.Decode(p)
	}
	if err != nil {
		if fault := testkit.ErrorFault(err); fault != "" {
			t.Errorf("%x: %s", p, fault)
		}
		return
	}
	first, err := enc.Append(nil, v)
	if err != nil {
		if strings.Contains(err.Error(), "are one in Python") || strings.Contains(err.Error(), "MarshalText") {
			return // which Python would not have written
		}
		t.Fatalf("%x decodes to %+v, which does not encode: %v", p, v, err)
	}
	w, err := dec.Decode(first)
	if err != nil {
		t.Fatalf("%x encodes as %x, which does not decode: %v", p, first, err)
	}
	if second, err := enc.Append(nil, w); err != nil || !bytes.Equal(first, second) {
		t.Fatalf("%x encodes as %x, and then as %x, %v", p, first, second, err)
	}
}

// checkAllocated compares what decoding p to v has allocated with the bound.
func checkAllocated(t *testing.T, allocated uint64, v any, p []byte) {
	t.Helper()
	// The decoder itself, the first value, and the error are not the payload's.
	if limit := uint64(64*len(p) + 64<<10 + 8<<10); allocated > limit {
		t.Errorf("%T from %d bytes %.200x: %d bytes allocated, want at most %d", v, len(p), p, allocated, limit)
	}
}

// Nothing of the corpus of tests/hostile allocates more than the bound.
func TestAllocated(t *testing.T) {
	for _, p := range corpus(t) {
		var v everything
		var w any
		allocated := testkit.Allocated(func() { v, _ = pickle.Codec[everything]().NewDecoder().Decode(p) })
		checkAllocated(t, allocated, v, p)
		allocated = testkit.Allocated(func() { w, _ = pickle.Codec[any]().NewDecoder().Decode(p) })
		checkAllocated(t, allocated, w, p)
	}
}

// corpus returns the payloads of FuzzDecode that are files of tests/hostile.
func corpus(t testing.TB) (payloads [][]byte) {
	t.Helper()
	b, err := os.ReadFile("../tests/hostile/testdata/pickle/corpus.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if cols := strings.Split(line, "|"); len(cols) == 4 && line[0] != '#' {
			p, err := testkit.RepeatedHex(cols[2])
			if err != nil {
				t.Fatal(err)
			}
			payloads = append(payloads, p)
		}
	}
	return payloads
}

// FuzzRoundTrip makes values of what it gets. They arrive as they were sent, with each
// protocol, and equal ones have equal payloads.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("\x06\x05\x00\x01\x02\xff\xff\xff\xff\xff\xff\xff\xff\x03\x04\x03abc\x08\x02\x04\x01a\x07\x01\x0a\x0b\x0c\x0d\x0e"))
	f.Fuzz(roundTrip)
}

// TestRandomRoundTrip is FuzzRoundTrip with random scripts, of which it makes as many as
// TestMutations makes mutants.
func TestRandomRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(uint64(*seed), 1))
	for range *mutations {
		script := make([]byte, r.IntN(200))
		for i := range script {
			script[i] = byte(r.Uint32())
		}
		if roundTrip(t, script); t.Failed() {
			t.Fatalf("script %x", script)
		}
	}
}

var roundTripCodecs = []qsocket.Codec[any]{pickle.Codec[any](), pickle.Codec[any](pickle.Protocol3())}

func roundTrip(t *testing.T, script []byte) {
	g := maker{script: script}
	v := g.value(0)
	for _, c := range roundTripCodecs {
		enc := c.NewEncoder()
		b, err := enc.Append([]byte("before"), v)
		if err != nil {
			t.Fatalf("%s does not encode: %v", text(v), err)
		}
		got, err := c.NewDecoder().Decode(b[len("before"):])
		if err != nil {
			t.Fatalf("%s: %x does not decode: %v", text(v), b, err)
		}
		if text(got) != text(v) {
			t.Fatalf("got %s, want %s", text(got), text(v))
		}
		if again, err := enc.Append([]byte("before"), got); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("encodes as %x and as %x, %v", b, again, err)
		}
	}
}
