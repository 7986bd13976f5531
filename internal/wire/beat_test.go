package wire_test

import (
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// A peer that asks for heartbeats more often than every 100 ms is refused, unless this end
// asks for as little itself.
func TestCheckHeartbeat(t *testing.T) {
	for _, test := range []struct {
		ours, theirs uint64
		want         string
	}{
		{15000, 0, ""}, {15000, 100, ""}, {15000, 1 << 63, ""}, {0, 100, ""}, {0, 0, ""}, {100, 100, ""},
		{50, 50, ""}, {50, 15000, ""}, {50, 0, ""}, {1, 1, ""}, {1, 99, ""},
		{15000, 99, "at least 100 ms, 99 ms"}, {15000, 1, "at least 100 ms, 1 ms"}, {0, 1, "at least 100 ms, 1 ms"},
		{100, 99, "at least 100 ms, 99 ms"}, {50, 49, "at least 50 ms, 49 ms"},
	} {
		ours, theirs := wire.Hello{Beat: test.ours}, wire.Hello{Beat: test.theirs}
		got := ""
		if m, ok := ours.Check(&theirs).(*wire.Mismatch); ok {
			got = m.Local + ", " + m.Peer
			if m.Field != "heartbeat" {
				t.Errorf("got field %q", m.Field)
			}
		}
		if got != test.want {
			t.Errorf("ours %d, theirs %d: got %q, want %q", test.ours, test.theirs, got, test.want)
		}
	}
}
