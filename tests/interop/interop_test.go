package interop

import (
	"fmt"
	"testing"
	"time"
)

// A trial is a row of the table in docs/interop.md.
type trial struct {
	name string
	run  func(t *testing.T, m match)
	only string // "named", "types", "offers", "frames", or "" for all
}

func (c trial) suits(p peer) bool {
	switch c.only {
	case "named":
		return p.named
	case "frames":
		return !p.pickles
	case "offers":
		return !p.nightly
	case "types":
		return p.types
	}
	return true
}

var trials = []trial{
	{"values, there and back", thereAndBack, ""},
	{"integers", offered("integers"), "offers"},
	{"floats", offered("floats"), "offers"},
	{"times", offered("times"), "offers"},
	{"nil", offered("nil"), "offers"},
	{"text and bytes", offered("text and bytes"), "offers"},
	{"maps and extensions", offered("maps and extensions"), "offers"},
	{"the empty frame, one at the limit, one above", lengths, "frames"},
	{"Go finishes first", goFinishesFirst, ""},
	{"the peer finishes first", peerFinishesFirst, ""},
	{"both at once", bothAtOnce, ""},
	{"cut frames, and then a good one", cutFrames, ""},
	{"20,000 messages both ways", flood, ""},
	{"20,000 answers", answers, ""},
	{"cases of a union that the other does not have", unknownCases, "named"},
	{"heartbeats", heartbeats, "named"},
	{"violations", violations, "named"},
	{"refusals", refusals, "named"},
	{"descriptions", descriptions, "types"},
}

// TestPeers lets each peer try everything, as client and as server.
func TestPeers(t *testing.T) {
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			tryAll(t, p, trials)
		})
	}
}

// TestNightlyPeers does the same with peers that have to be built, if there is the flag -nightly.
func TestNightlyPeers(t *testing.T) {
	if !*nightly {
		return
	}
	for _, p := range nightlyPeers {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			tryAll(t, p, trials)
		})
	}
}

func tryAll(t *testing.T, p peer, trials []trial) {
	m := match{peer: p, program: start(t, p.command(t))}
	for _, m.role = range []string{"client", "server"} {
		for _, c := range trials {
			if !c.suits(p) {
				continue
			}
			began := time.Now()
			ok := t.Run(fmt.Sprintf("%s as %s", c.name, m.role), func(t *testing.T) { c.run(t, m) })
			if !ok {
				t.Fatal("what the program says next may be of this case")
			}
			results.note(c.name, p.name, time.Since(began))
		}
	}
}
