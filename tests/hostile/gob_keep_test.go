package hostile

import (
	"runtime"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// gobKept is what an idle connection keeps at most of the gob stream of its peer, for
// types that need no more.
const gobKept = 128 << 10

// What a connection keeps of a stream while it is idle is bounded, whatever the peer has
// defined, and whether it was accepted or refused. internal/gobscan has more streams.
func TestGobKeepsLittle(t *testing.T) {
	for _, tt := range []struct {
		name, expr string
		refused    bool
	}{
		{"990 types that nothing needs", "struct(65 A:2) 990*{struct(66+@ X:2)} msg{ i(65) 01 02 00 }", true},
		{"half as many", "struct(65 A:2) 450*{struct(66+@ X:2)} msg{ i(65) 01 02 00 }", false},
		{"one in each message", "struct(65 A:2) msg{ i(65) 01 02 00 } 450*{ ; struct(66+@ X:2) msg{ i(65) 01 02 00 } }", false},
		{"a field of 500 slices", "struct(65 A:2 X:66) 500*{slice(66+@ 67+@)} slice(566 2) msg{ i(65) 01 02 00 }", true},
		{"a field of 100 slices", "struct(65 A:2 X:66) 100*{slice(66+@ 67+@)} slice(166 2) msg{ i(65) 01 02 00 }", false},
		{"1 MiB in an interface", "struct(65 A:2 Any:8) msg{ i(65) 02 \"string\" 0c u(1048580) 00 u(1048576) 1048576*{41} 00 }", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			payloads := evalHostile(tt.expr, nil)
			const n = 50
			decs := make([]qsocket.Decoder[hostileStruct], n)
			before := gobHeap()
			for i := range decs {
				decs[i] = qsocket.Gob[hostileStruct]().NewDecoder()
				for k, p := range payloads {
					_, err := decs[i].Decode(p)
					if tt.refused && (err == nil || !strings.Contains(err.Error(), "to keep")) || !tt.refused && err != nil {
						t.Fatalf("payload %d: got %v, refused: want %v", k, err, tt.refused)
					}
				}
			}
			kept := (gobHeap() - before) / n
			t.Logf("%d payloads: %d bytes kept by each decoder", len(payloads), kept)
			if kept > gobKept && !testkit.RaceEnabled {
				t.Errorf("%d bytes are kept, want at most %d", kept, gobKept)
			}
			runtime.KeepAlive(decs)
		})
	}
}

func gobHeap() int64 {
	var m runtime.MemStats
	for range 2 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
