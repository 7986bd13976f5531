package codecbench_test

import (
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/codecbench"
)

// TestNamed requires that a name changes nothing else: a codec without state can
// still be prepared, and one with state still be reset.
func TestNamed(t *testing.T) {
	for _, codec := range []qsocket.Codec[quote]{qsocket.Msgpack[quote](), qsocket.Gob[quote](), qsocket.JSON[quote]()} {
		renamed := codecbench.Named("other", codecbench.Named("twice", codec))
		if got := renamed.Name(); got != "other" {
			t.Errorf("%s: renamed to %s, want other", codec.Name(), got)
		}
		_, want := qsocket.Protocol[quote]{Codec: codec}.Prepare(quotes[0])
		_, got := qsocket.Protocol[quote]{Codec: renamed}.Prepare(quotes[0])
		if (got == nil) != (want == nil) {
			t.Errorf("%s: Prepare: %v, renamed %v", codec.Name(), want, got)
		}
		type resetter interface{ Reset() }
		_, wantReset := codec.NewEncoder().(resetter)
		_, gotReset := renamed.NewEncoder().(resetter)
		if gotReset != wantReset {
			t.Errorf("%s: encoder has Reset: %v, renamed %v", codec.Name(), wantReset, gotReset)
		}
	}
}
