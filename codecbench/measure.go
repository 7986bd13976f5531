package codecbench

import (
	"math"
	"slices"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// A Result is what [Measure] found out about one codec. Times and allocations
// are medians of several rounds.
type Result struct {
	Codec   string // its name
	Changed string // where the first sample that came back different did so; "" if all came back equal

	WireBytes  float64 // mean length of a frame in the steady state, bytes, header included
	FirstBytes int     // length of the first frame of a connection, bytes, for codecs with state, such as gob, which announces types in it; otherwise 0

	EncodeNanos  float64 // time to encode a message, nanoseconds
	DecodeNanos  float64 // time to decode one, nanoseconds
	EncodeAllocs float64 // heap allocations of encoding a message
	DecodeAllocs float64 // heap allocations of decoding one

	RoundTripMicros   float64 // from sending a message to the arrival of the answer, microseconds
	MessagesPerSecond float64 // one-way, from one sender to one receiver

	// What the rounds have found for those four times.
	EncodeRange, DecodeRange, RoundTripRange, MessagesRange Range

	// Mean lengths of a message after package compress/flate, bytes: of each payload by itself, and of all
	// samples in one stream, with the headers of their frames.
	FlateBytes, FlateStreamBytes float64

	// Evolution says what becomes of a message if the struct has changed at one end only: if a field is
	// added, removed or renamed, and if a number is widened. It was tried with a sample, which a peer
	// wrote whose struct had that change, in the format of the codec. "" if T is no struct;
	// "not tried" and why, if the format is none of MessagePack, JSON and gob.
	Evolution string
}

// A Range is the smallest and the largest of what the rounds have found.
type Range struct{ Min, Max float64 }

// How Measure spends its time. Tests make less of it.
var (
	rounds = 5
	slice  = 40 * time.Millisecond // for one operation of one codec in one round
)

// Measure measures the codecs with the samples, as [Run] does, in a program
// instead of go test. It takes about a second for each codec, during which the
// process should do nothing else: allocations are counted for all of it. Results
// come in the order of the codecs.
//
// The codecs take turns, so that a machine that is slow for a while is slow for
// all of them, and the medians of the turns count. Differences of less than a
// tenth mean little nevertheless; to be sure of them, use Run with -count and
// benchstat.
//
// What fails Run is an error here, and so is a codec that cannot encode or
// decode a sample. Then there are no results.
func Measure[T any](samples []T, codecs ...qsocket.Codec[T]) ([]Result, error) {
	subjects, err := newSubjects(samples, codecs)
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(subjects))
	var all []*measurement
	for i, s := range subjects {
		if err := s.check(); err != nil {
			return nil, err
		}
		r := &results[i]
		r.Codec, r.Changed, r.WireBytes = s.codec.Name(), s.changed, s.mean
		if !s.stateless {
			r.FirstBytes = s.first
		}
		if r.FlateBytes, r.FlateStreamBytes, err = s.compressed(); err != nil {
			return nil, err
		}
		r.Evolution = s.evolution()
		for _, op := range s.operations() {
			m := &measurement{operation: op, result: r}
			if err := m.calibrate(); err != nil {
				return nil, err
			}
			all = append(all, m)
		}
	}
	for range rounds {
		for _, m := range all {
			if err := m.measure(); err != nil {
				return nil, err
			}
		}
	}
	for _, m := range all {
		m.finish()
	}
	return results, nil
}

// A measurement is an operation with what its rounds have found.
type measurement struct {
	operation
	result *Result
	n      int       // operations in a round
	nanos  []float64 // for one operation, by round
	allocs []float64 // of one operation, by round
}

// calibrate finds out how many operations fill a slice.
func (m *measurement) calibrate() error {
	for m.n = 1; ; {
		w := stopwatch{total: m.n}
		if err := m.do(&w); err != nil {
			return err
		}
		fill := float64(slice) / float64(max(w.elapsed, 1)) // times what was done
		if fill < 10 {
			m.n = max(1, int(float64(m.n)*fill))
			return nil
		}
		// The first few take longer than the rest: go there in steps.
		m.n *= int(min(fill/4, 100))
	}
}

func (m *measurement) measure() error {
	w := stopwatch{total: m.n}
	if err := m.do(&w); err != nil {
		return err
	}
	m.nanos = append(m.nanos, w.nanos())
	m.allocs = append(m.allocs, w.allocs())
	return nil
}

// finish writes the medians and the ranges to the result.
func (m *measurement) finish() {
	r := m.result
	nanos, allocs := median(m.nanos), median(m.allocs)
	least, most := slices.Min(m.nanos), slices.Max(m.nanos)
	allocs = math.Round(allocs*100) / 100 // below, it is the runtime's own
	switch m.name {
	case "encode":
		r.EncodeNanos, r.EncodeAllocs = nanos, allocs
		r.EncodeRange = Range{least, most}
	case "decode":
		r.DecodeNanos, r.DecodeAllocs = nanos, allocs
		r.DecodeRange = Range{least, most}
	case "roundtrip":
		r.RoundTripMicros = nanos / 1e3
		r.RoundTripRange = Range{least / 1e3, most / 1e3}
	case "stream":
		r.MessagesPerSecond = 1e9 / nanos
		r.MessagesRange = Range{1e9 / most, 1e9 / least}
	}
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
