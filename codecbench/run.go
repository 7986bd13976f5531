package codecbench

import (
	"math"
	"testing"

	"github.com/fb9bb4ed/qsocket"
)

// Run benchmarks the codecs with the samples, as sub-benchmarks of b whose names
// benchstat can pivot: codec=NAME/op=encode, op=decode, op=roundtrip and
// op=stream. The package documentation says what these are.
//
// Beside the times and allocations it reports, with op=encode, wire-B/msg: the
// mean bytes of a message on the wire, with the header of its frame, and for
// codecs with state first-B: those of a connection's first message. MB/s count
// the same bytes, in one direction.
//
// Samples are sent as they are, again and again, and not changed. A few dozen
// that differ as real ones do are enough. The samples must not be empty, the
// codecs must not be nil, and their names must differ (see [Named]): otherwise b
// fails. A codec that cannot encode or decode a sample fails alone. If a sample
// comes back different from what it was, a log line of op=encode says where.
func Run[T any](b *testing.B, samples []T, codecs ...qsocket.Codec[T]) {
	b.Helper()
	subjects, err := newSubjects(samples, codecs)
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range subjects {
		b.Run("codec="+s.label(), s.run)
	}
}

func (s *subject[T]) run(b *testing.B) {
	if err := s.check(); err != nil {
		b.Fatal(err)
	}
	for _, op := range s.operations() {
		b.Run("op="+op.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(math.Round(s.mean)))
			if err := op.do(benchmark{b}); err != nil {
				b.Fatal(err)
			}
			if op.name == "encode" {
				s.report(b)
			}
		})
	}
}

// report adds to a benchmark, after its loop, what is not about time.
func (s *subject[T]) report(b *testing.B) {
	b.ReportMetric(s.mean, "wire-B/msg")
	if !s.stateless {
		b.ReportMetric(float64(s.first), "first-B")
	}
	if s.changed != "" {
		b.Logf("codec %s: %s", s.codec.Name(), s.changed)
	}
}

// An operation does, c times, one of the things that are measured.
type operation struct {
	name string
	do   func(c clock) error
}

func (s *subject[T]) operations() []operation {
	return []operation{
		{"encode", s.encode},
		{"decode", s.decode},
		{"roundtrip", s.roundTrip},
		{"stream", s.stream},
	}
}
