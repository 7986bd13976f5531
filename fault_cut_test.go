package qsocket_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/fb9bb4ed/qsocket"
)

// A stream may be cut at any byte: whole messages arrive, and then either a
// clean end or io.ErrUnexpectedEOF.
func TestFault20CutAtEveryOffset(t *testing.T) {
	fault(t)
	for _, f := range framings {
		t.Run(f.String(), func(t *testing.T) {
			one := wire(t, f, "one")
			stream := []byte(one + wire(t, f, "second") + wire(t, f, ""))
			bounds := map[int]int{0: 0, len(one): 1, len(one) + len(wire(t, f, "second")): 2, len(stream): 3}
			for cut := range len(stream) + 1 {
				got, err := receive(t, f, nil, stream[:cut])
				whole, clean := bounds[cut]
				if !clean {
					for at, n := range bounds {
						if at < cut {
							whole = max(whole, n)
						}
					}
				}
				if len(got) != whole {
					t.Errorf("cut at %d: got %q, want %d messages", cut, got, whole)
				}
				if clean && err != io.EOF || !clean && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("cut at %d: got %v, want a clean end: %v", cut, err, clean)
				}
			}
		})
	}
}

// A frame may come in any number of pieces, and many in one.
func TestFault22SplitAndMerge(t *testing.T) {
	fault(t)
	ctx := testContext(t)
	for _, f := range framings {
		nc, peer := netPair(t, "tcp")
		p := text
		p.Framing = f
		c, err := qsocket.NewConn(ctx, nc, p, nil)
		if err != nil {
			t.Fatal(err)
		}
		var stream string
		for i := range 500 {
			stream += wire(t, f, fmt.Sprint("m", i))
		}
		go func() {
			for i, step := 0, 1; i < len(stream); i, step = i+step, step%37+1 {
				peer.Write([]byte(stream[i:min(i+step, len(stream))]))
			}
		}()
		for i := range 500 {
			if m, err := c.Recv(ctx); err != nil || m != fmt.Sprint("m", i) {
				t.Fatalf("%v: got %q, %v, want m%d", f, m, err, i)
			}
		}
		end(c)
	}
}
