package codecbench_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/codecbench"
)

// TestMeasureBreaking has one encoder or decoder after the other fail in
// mid-stream, until there are no more of them. Every operation has to end with
// the error instead of waiting for what does not come. How many there are depends on how
// fast the machine is just then, so one round may go past an operation.
func TestMeasureBreaking(t *testing.T) {
	for _, half := range []string{"encoder", "decoder"} {
		t.Run(half, func(t *testing.T) {
			t.Parallel()
			seen := make(map[string]bool)
			rounds := 1
			for which := int64(1); len(seen) < 4; which++ {
				_, err := codecbench.Measure([]byte{1, 2}, qsocket.Codec[byte](&breaking{half: half, which: which}))
				if err == nil {
					if rounds++; rounds > 20 {
						break
					}
					which = 0
					continue
				}
				if !errors.Is(err, errBroken) {
					t.Errorf("%s %d: got %v, want %v", half, which, err, errBroken)
				}
				op, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "codecbench: codec breaking: "), ":")
				seen[op] = true
			}
			verb := strings.TrimSuffix(half, "r")
			for _, op := range []string{verb + " sample 0", verb, "round trip", "stream"} {
				if !seen[op] {
					t.Errorf("no %s failed in %q; got %v", half, op, seen)
				}
			}
		})
	}
}

var errBroken = errors.New("broken")

// breaking is the codec counted with one encoder or decoder that fails from its third
// message on: the one that is the which-th to come so far.
type breaking struct {
	half   string // "encoder" or "decoder"
	which  int64
	thirds atomic.Int64
}

func (b *breaking) Name() string                      { return "breaking" }
func (b *breaking) NewEncoder() qsocket.Encoder[byte] { return &breakable{of: b, half: "encoder"} }
func (b *breaking) NewDecoder() qsocket.Decoder[byte] { return &breakable{of: b, half: "decoder"} }

type breakable struct {
	counter
	of     *breaking
	half   string
	calls  int
	broken bool
}

func (h *breakable) fails() bool {
	if h.calls++; h.calls == 3 && h.half == h.of.half {
		h.broken = h.of.thirds.Add(1) == h.of.which
	}
	return h.broken
}

func (h *breakable) Append(dst []byte, v byte) ([]byte, error) {
	if h.fails() {
		return dst, errBroken
	}
	return h.counter.Append(dst, v)
}

func (h *breakable) Decode(payload []byte) (byte, error) {
	if h.fails() {
		return 0, errBroken
	}
	return h.counter.Decode(payload)
}
