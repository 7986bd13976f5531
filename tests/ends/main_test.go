// Package ends_test records how a connection ends: for each state that a Conn can
// be brought to by a few events, what each further event does to it. The record is
// in testdata, and whatever changes it must be meant.
//
// A state is found by the shortest sequence of events that leads to it. Each
// pair of a state and an event is a run of its own, in a bubble of
// testing/synctest: the sequence is replayed on a new Conn over a socket in
// memory, then the event happens, and what comes of it is noted: what is written
// to the socket, which calls return, what Err and a Send say. At last the peer
// ends, the program closes, and CloseTimeout passes, by when all must be over. Two sequences
// lead to the same state if nothing of all that tells them apart, nor what has
// happened so far, as far as it may count (see [observation.key]).
//
// Only what can be seen from outside counts, so the record holds for any way to
// build the library.
//
// In testdata a state has the name of its sequence of events, and a line for each
// event: "close: full, Close=ok" leads to a new state, "close → (peer-half): …" to one that is
// known, "close = …" leaves it. Events in the line "nothing" do nothing at all. The
// states at the end of the longest sequences have a digest of these lines instead, which a
// test that fails shows in full. For a change of the library that must change nothing, go
// deeper than the record does:
//
//	go test ./tests/ends -args -ends.depth=3 -ends.dir=DIR -ends.update # before
//	go test ./tests/ends -args -ends.depth=3 -ends.dir=DIR              # after
package ends_test

import (
	"flag"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/leak"
)

var (
	update = flag.Bool("ends.update", false, "write the record instead of comparing with it")
	depth  = flag.Int("ends.depth", 2, "longest sequence of events that leads to a state; each is followed by one more event")
	repeat = flag.Int("ends.repeat", 0, "run each pair so many times more, and fail if what comes of it differs")
	dir    = flag.String("ends.dir", "testdata", "where the record is")
)

func TestMain(m *testing.M) { leak.Main(m) }
