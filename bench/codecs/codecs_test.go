package codecs_test

import (
	"bytes"
	"errors"
	"math"
	"net"
	"reflect"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/bench/codecs"
	"github.com/fb9bb4ed/qsocket/bench/peers"
	"github.com/fb9bb4ed/qsocket/codecbench"
)

// samples are the message of the benchmark and ones with other lengths of
// everything that has one.
var samples = []peers.Order{
	peers.SampleOrder,
	{ID: 1, Symbol: "A", Side: 2, Price: 0.5, Qty: -3, Client: "é", Tags: []string{""}, TS: -1},
	{
		ID: math.MaxUint64, Symbol: strings.Repeat("x", 300), Side: 255, Price: math.Inf(-1), Qty: math.MinInt64,
		Client: strings.Repeat("y", 70_000), Tags: strings.Split(strings.Repeat("z,", 500), ","), TS: math.MaxInt64,
	},
}

// BenchmarkCodecs is the codec table of the benchmark, for benchstat.
func BenchmarkCodecs(b *testing.B) {
	codecbench.Run(b, []peers.Order{peers.SampleOrder}, codecs.Codecs()...)
}

func TestAll(t *testing.T) {
	seen := make(map[string]bool)
	for _, e := range codecs.All() {
		if e.Name != e.Codec.Name() || seen[e.Name] || e.Source == "" {
			t.Errorf("entry %+v: want the codec's name, once, and a source", e)
		}
		seen[e.Name] = true
	}
}

func forAll(t *testing.T, test func(t *testing.T, e codecs.Entry)) {
	for _, e := range codecs.All() {
		t.Run(e.Name, func(t *testing.T) { test(t, e) })
	}
}

// TestConn sends messages over a Conn, each of them twice.
func TestConn(t *testing.T) {
	forAll(t, func(t *testing.T, e codecs.Entry) {
		a, b, err := qsocket.Pipe(qsocket.Protocol[peers.Order]{Codec: e.Codec}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		defer a.Close()
		for i := range 2 * len(samples) {
			want := samples[i%len(samples)]
			if strings.Contains(e.Name, "json") || e.Name == "sonic" {
				want.Price = 1e300 // JSON has no infinity
			}
			if err := a.Send(t.Context(), want); err != nil {
				t.Fatal(err)
			}
			got, err := b.Recv(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("message %d: got %+v, want %+v", i, got, want)
			}
		}
	})
}

// TestAppend requires that codecs append: messages share a Conn's buffer.
func TestAppend(t *testing.T) {
	forAll(t, func(t *testing.T, e codecs.Entry) {
		enc := e.Codec.NewEncoder()
		if _, err := enc.Append(nil, peers.SampleOrder); err != nil {
			t.Fatal(err)
		}
		alone, err := enc.Append(nil, peers.SampleOrder)
		if err != nil {
			t.Fatal(err)
		}
		got, err := enc.Append([]byte("before"), peers.SampleOrder)
		if err != nil {
			t.Fatal(err)
		}
		if want := append([]byte("before"), alone...); !bytes.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestDecodeCopies requires that a message has nothing of its payload, whose
// memory is used again, nor of the messages after it.
func TestDecodeCopies(t *testing.T) {
	forAll(t, func(t *testing.T, e codecs.Entry) {
		enc, dec := e.Codec.NewEncoder(), e.Codec.NewDecoder()
		var got []peers.Order
		for _, want := range samples[:2] {
			payload, err := enc.Append(nil, want)
			if err != nil {
				t.Fatal(err)
			}
			o, err := dec.Decode(payload)
			if err != nil {
				t.Fatal(err)
			}
			for i := range payload {
				payload[i] = 0xff
			}
			got = append(got, o)
		}
		if !reflect.DeepEqual(got, samples[:2]) {
			t.Errorf("got %+v, want %+v", got, samples[:2])
		}
	})
}

// TestDecodeErrors requires errors for what is not one message.
func TestDecodeErrors(t *testing.T) {
	forAll(t, func(t *testing.T, e codecs.Entry) {
		payload := encode(t, e)
		for name, bad := range map[string][]byte{
			"ones":      bytes.Repeat([]byte{0xff}, 40),
			"half":      payload[:len(payload)/2],
			"cut short": payload[:len(payload)-1],
			"too long":  append(bytes.Clone(payload), 0xff),
			"length":    bytes.Repeat([]byte{0xdb, 0x7f}, 40), // MessagePack: a string of 2 GiB
		} {
			dec := e.Codec.NewDecoder()
			if got, err := dec.Decode(bad); err == nil {
				t.Errorf("%s: got %+v, want an error", name, got)
			}
			if e.Name == "gob" {
				continue // its stream is lost
			}
			if got, err := dec.Decode(payload); err != nil || !reflect.DeepEqual(got, peers.SampleOrder) {
				t.Errorf("after %s: got %+v, %v", name, got, err)
			}
		}
	})
}

// TestConnErrors requires that a Conn ends with an error of the codec when it
// gets garbage.
func TestConnErrors(t *testing.T) {
	raw := qsocket.Protocol[[]byte]{Codec: qsocket.Stateless("raw",
		func(b []byte) ([]byte, error) { return b, nil },
		func(payload []byte, b *[]byte) error { *b = bytes.Clone(payload); return nil })}
	forAll(t, func(t *testing.T, e codecs.Entry) {
		na, nb := net.Pipe()
		a, err := qsocket.NewConn(t.Context(), na, raw, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		b, err := qsocket.NewConn(t.Context(), nb, qsocket.Protocol[peers.Order]{Codec: e.Codec}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()

		if err := a.Send(t.Context(), []byte("\xff\xff garbage")); err != nil {
			t.Fatal(err)
		}
		var codecError *qsocket.CodecError
		if o, err := b.Recv(t.Context()); !errors.As(err, &codecError) || codecError.Codec != e.Name {
			t.Errorf("got %+v, %v, want a *CodecError of %s", o, err, e.Name)
		}
	})
}

func encode(t *testing.T, e codecs.Entry) []byte {
	t.Helper()
	payload, err := e.Codec.NewEncoder().Append(nil, peers.SampleOrder)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}
