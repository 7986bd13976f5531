package pickle_test

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/pickle"
)

var mutations = flag.Int("mutations", 20_000, "mutated pickles that TestMutations decodes")

// TestMutations is FuzzDecode without what the fuzzer does to learn of coverage, which takes
// most of its time. It changes pickles in small ways, and goes on from those that still decode.
//
//	go test -run Mutations ./pickle -args -seed=2 -mutations=10000000
func TestMutations(t *testing.T) {
	m := mutator{Rand: rand.New(rand.NewPCG(uint64(*seed), 0))}
	for _, tt := range opcodes {
		m.pool = append(m.pool, []byte(tt.payload))
	}
	for _, p := range corpus(t) {
		if len(p) < 2000 {
			m.pool = append(m.pool, p)
		}
	}
	for _, opts := range [][]pickle.Option{nil, {pickle.Protocol3()}} {
		b, err := pickle.Codec[everything](opts...).NewEncoder().Append(nil, full())
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			m.pool = append(m.pool, b)
		}
	}
	decoded := 0
	fixed := len(m.pool)
	dec := pickle.Codec[any](pickle.NaiveIn(time.UTC)).NewDecoder()
	for range *mutations {
		p := m.mutant()
		fuzzDecode[everything](t, p)
		fuzzDecode[any](t, p)
		if t.Failed() {
			t.FailNow()
		}
		if _, err := dec.Decode(p); err != nil {
			continue
		}
		decoded++
		if len(m.pool) < fixed+2000 {
			m.pool = append(m.pool, p)
		} else {
			m.pool[fixed+m.IntN(2000)] = p
		}
	}
	if decoded < *mutations/50 {
		t.Errorf("%d of %d mutants decode, which is too few to learn from", decoded, *mutations)
	}
	t.Logf("%d of %d mutants decode", decoded, *mutations)
}

// mutator changes pickles of its pool.
type mutator struct {
	*rand.Rand
	pool [][]byte
}

func (m *mutator) mutant() []byte {
	p := append([]byte(nil), m.any()...)
	for range 1 + m.IntN(3) {
		p = m.mutate(p)
	}
	return p[:min(len(p), 4000)]
}

func (m *mutator) any() []byte { return m.pool[m.IntN(len(m.pool))] }

// mutate may change p.
func (m *mutator) mutate(p []byte) []byte {
	i := m.IntN(len(p) + 1)
	j := min(len(p), i+1+m.IntN(16))
	insert := func(b []byte) []byte { return append(append(append([]byte(nil), p[:i]...), b...), p[i:]...) }
	switch m.IntN(8) {
	case 0: // another byte
		if i < len(p) {
			p[i] = byte(m.Uint32())
		}
	case 1: // a bit
		if i < len(p) {
			p[i] ^= 1 << m.IntN(8)
		}
	case 2: // a number of 4 bytes
		for k := range min(4, len(p)-i) {
			p[i+k] = "\x00\x00\xff\x7f\x80\x01"[m.IntN(6)]
		}
	case 3: // an opcode
		return insert([]byte{m.opcode()})
	case 4: // an opcode with a small argument
		return insert([]byte{m.opcode(), byte(m.IntN(8))})
	case 5: // something less
		return append(p[:i], p[j:]...)
	case 6: // something again
		return insert(append([]byte(nil), p[i:j]...))
	default: // something of another
		q := m.any()
		k := m.IntN(len(q) + 1)
		return insert(q[k:min(len(q), k+1+m.IntN(60))])
	}
	return p
}

func (m *mutator) opcode() byte {
	for {
		if op := byte(m.Uint32()); pickle.OpcodeNames[op] != "" {
			return op
		}
	}
}
