package codecbench_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/codecbench"
)

func TestMeasure(t *testing.T) {
	results, err := codecbench.Measure(quotes,
		qsocket.Msgpack[quote](),
		codecbench.Named("msgpack-arrays", qsocket.Msgpack[quote](qsocket.ArrayEncodedStructs())),
		qsocket.Gob[quote](),
		qsocket.JSON[quote](),
	)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range results {
		names = append(names, r.Codec)
		checkPlausible(t, r)
		if r.Changed != "" {
			t.Errorf("%s: %s, want no change", r.Codec, r.Changed)
		}
		if stateful := r.Codec == "gob"; stateful != (r.FirstBytes > 0) {
			t.Errorf("%s: FirstBytes %d", r.Codec, r.FirstBytes)
		}
	}
	if got, want := strings.Join(names, " "), "msgpack msgpack-arrays gob json"; got != want {
		t.Errorf("codecs %s, want %s", got, want)
	}
	if m, a := results[0].WireBytes, results[1].WireBytes; m <= a {
		t.Errorf("msgpack takes %v bytes, arrays %v, want fewer", m, a)
	}
	if gob := results[2]; float64(gob.FirstBytes) <= gob.WireBytes+20 {
		t.Errorf("gob's first message takes %d bytes, the others %v, want many more for the types", gob.FirstBytes, gob.WireBytes)
	}
}

func TestMeasureBinary(t *testing.T) {
	results, err := codecbench.Measure(trades, qsocket.Binary[trade]())
	if err != nil {
		t.Fatal(err)
	}
	checkPlausible(t, results[0])
	if want := "sample 0: trade.Tags was []string [open] and came back as nil"; results[0].Changed != want {
		t.Errorf("Changed %q, want %q", results[0].Changed, want)
	}
}

func checkPlausible(t *testing.T, r codecbench.Result) {
	t.Helper()
	for name, value := range map[string]float64{
		"WireBytes":         r.WireBytes,
		"EncodeNanos":       r.EncodeNanos,
		"DecodeNanos":       r.DecodeNanos,
		"RoundTripMicros":   r.RoundTripMicros,
		"MessagesPerSecond": r.MessagesPerSecond,
	} {
		if !(value > 0 && value < 1e12) {
			t.Errorf("%s: %s is %v", r.Codec, name, value)
		}
	}
	for name, spread := range map[string]struct {
		codecbench.Range
		median float64
	}{
		"encode":     {r.EncodeRange, r.EncodeNanos},
		"decode":     {r.DecodeRange, r.DecodeNanos},
		"round trip": {r.RoundTripRange, r.RoundTripMicros},
		"stream":     {r.MessagesRange, r.MessagesPerSecond},
	} {
		if !(spread.Min > 0 && spread.Min <= spread.median && spread.median <= spread.Max) {
			t.Errorf("%s: %s from %v to %v, want the median %v between them", r.Codec, name, spread.Min, spread.Max, spread.median)
		}
	}
	if r.EncodeAllocs < 0 || r.DecodeAllocs < 0 {
		t.Errorf("%s: allocations %v, %v", r.Codec, r.EncodeAllocs, r.DecodeAllocs)
	}
}

// TestWireBytes compares the figure with what a Conn counts.
func TestWireBytes(t *testing.T) {
	for _, codec := range []qsocket.Codec[quote]{qsocket.Msgpack[quote](), qsocket.Gob[quote]()} {
		results, err := codecbench.Measure(quotes, codec)
		if err != nil {
			t.Fatal(err)
		}
		a, b, err := qsocket.Pipe(qsocket.Protocol[quote]{Codec: codec}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var first, before float64
		for i := range 2 * len(quotes) {
			if i == len(quotes) {
				before = float64(a.Stats().BytesSent)
			}
			if err := a.Send(t.Context(), quotes[i%len(quotes)]); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Recv(t.Context()); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = float64(a.Stats().BytesSent)
			}
		}
		mean := (float64(a.Stats().BytesSent) - before) / float64(len(quotes))
		a.Close()
		b.Close()
		if got := results[0].WireBytes; got != mean {
			t.Errorf("%s: WireBytes %v, want %v", codec.Name(), got, mean)
		}
		if got := results[0].FirstBytes; got != 0 && float64(got) != first {
			t.Errorf("%s: FirstBytes %v, want %v", codec.Name(), got, first)
		}
	}
}

// TestMeasureStream requires that decoders see the payloads of one stream, each
// once and in order.
func TestMeasureStream(t *testing.T) {
	results, err := codecbench.Measure([]byte{7, 8, 9}, qsocket.Codec[byte](counted{}))
	if err != nil {
		t.Fatal(err)
	}
	if r := results[0]; r.WireBytes != 9 || r.FirstBytes != 9 || r.Changed != "" {
		t.Errorf("got %+v, want frames of 9 bytes and no change", r)
	}
}

func TestMeasureLargeSamples(t *testing.T) {
	samples := [][]byte{make([]byte, 1<<20+1), make([]byte, 1)} // beyond the default MaxFrame
	if _, err := codecbench.Measure(samples, qsocket.Msgpack[[]byte](), qsocket.Gob[[]byte]()); err != nil {
		t.Fatal(err)
	}
}

func TestMeasureErrors(t *testing.T) {
	msgpack := qsocket.Msgpack[quote]()
	fails := func(marshal, unmarshal error) qsocket.Codec[quote] {
		return qsocket.Stateless("bad",
			func(quote) ([]byte, error) { return nil, marshal },
			func([]byte, *quote) error { return unmarshal })
	}
	broken := errors.New("broken")
	for _, test := range []struct {
		name    string
		samples []quote
		codecs  []qsocket.Codec[quote]
		want    string
	}{
		{"no samples", nil, []qsocket.Codec[quote]{msgpack}, "codecbench: no samples, want at least one message to measure with"},
		{"no codecs", quotes, nil, "codecbench: no codecs, want at least one to measure"},
		{"nil codec", quotes, []qsocket.Codec[quote]{msgpack, nil}, "codecbench: codec 2 of 2 is nil"},
		{"nil codec, named", quotes, []qsocket.Codec[quote]{codecbench.Named[quote]("x", nil)}, "codecbench: codec 1 of 1 is nil"},
		{"no name", quotes, []qsocket.Codec[quote]{codecbench.Named("", msgpack)}, "codecbench: codec 1 of 1 has an empty name; give it one with Named"},
		{"same name", quotes, []qsocket.Codec[quote]{qsocket.JSON[quote](), msgpack, qsocket.Msgpack[quote](qsocket.ArrayEncodedStructs())},
			`codecbench: codecs 2 and 3 are both named "msgpack"; tell them apart with Named`},
		{"same label", quotes, []qsocket.Codec[quote]{codecbench.Named("a b", msgpack), codecbench.Named("a/b", msgpack)},
			`codecbench: codecs 1 and 2 are both named "a_b"; tell them apart with Named`},
		{"encode", quotes, []qsocket.Codec[quote]{msgpack, fails(broken, nil)}, "codecbench: codec bad: encode sample 0: broken"},
		{"decode", quotes, []qsocket.Codec[quote]{fails(nil, broken)}, "codecbench: codec bad: decode sample 0: broken"},
		{"no encoder", quotes, []qsocket.Codec[quote]{nothing{}}, "codecbench: codec nothing: new encoder or decoder is nil"},
		{"short Append", quotes, []qsocket.Codec[quote]{forgetful{}}, "codecbench: codec forgetful: encode sample 0: result of Append has 1 bytes, fewer than it was to append to"},
	} {
		t.Run(test.name, func(t *testing.T) {
			results, err := codecbench.Measure(test.samples, test.codecs...)
			if err == nil || err.Error() != test.want || results != nil {
				t.Errorf("got %v, %v, want %s", results, err, test.want)
			}
		})
	}
}

type nothing struct{}

func (nothing) Name() string                       { return "nothing" }
func (nothing) NewEncoder() qsocket.Encoder[quote] { return nil }
func (nothing) NewDecoder() qsocket.Decoder[quote] { return nil }

type forgetful struct{}

func (forgetful) Name() string                               { return "forgetful" }
func (forgetful) NewEncoder() qsocket.Encoder[quote]         { return forgetful{} }
func (forgetful) NewDecoder() qsocket.Decoder[quote]         { return forgetful{} }
func (forgetful) Append(dst []byte, _ quote) ([]byte, error) { return []byte{1}, nil }
func (forgetful) Decode(payload []byte) (q quote, err error) { return q, nil }
