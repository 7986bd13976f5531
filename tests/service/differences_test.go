package service

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// told is a codec that describes its messages by a text of its own.
type told struct {
	qsocket.Codec[string]
	text string
}

func (c told) Schema() string { return c.text }

// meet connects two versions of a protocol, whose messages have these fields.
func meet(t *testing.T, log *slog.Logger, ours, theirs string) (qsocket.Peer, error) {
	t.Helper()
	p := func(fields string) qsocket.Protocol[string] {
		return qsocket.Protocol[string]{Name: "versions/1", Codec: told{testkit.Text.Codec, "text\nmessage M\nstruct M\n" + fields}}
	}
	na, nb := qsockettest.NetPipe()
	other := testkit.Async(func() *qsocket.Conn[string] {
		c, err := qsocket.NewConn(t.Context(), nb, p(theirs), nil)
		if err != nil {
			return nil
		}
		return c
	})
	c, err := qsocket.NewConn(t.Context(), na, p(ours), &qsocket.Options{Logger: log})
	if o := <-other; o != nil {
		defer testkit.End(o)
	}
	if err != nil {
		return qsocket.Peer{}, err
	}
	defer testkit.End(c)
	return c.Peer(), nil
}

// runs tells the runs of TestDifferencesAreLogged in one process apart.
var runs atomic.Int64

// Differences are logged once for each pair of versions, of which the last 256 are remembered.
func TestDifferencesAreLogged(t *testing.T) {
	run := runs.Add(1) // what is remembered is so for the whole process
	synctest.Test(t, func(t *testing.T) {
		var log testkit.LogRecorder
		count := func() int { return log.Count("level=INFO", "other message types", "protocol=versions/1") }
		field := func(n int) string { return fmt.Sprintf(" A int\n Field%d_%d int\n", n, run) }
		for range 5 {
			peer, err := meet(t, log.Logger(), " A int\n", field(0))
			if err != nil {
				t.Fatal(err)
			}
			if got := slices.Collect(peer.DifferenceLines()); len(got) != 1 || got[0]+"\n" != peer.Differences || !strings.Contains(got[0], fmt.Sprintf("Field0_%d is only at the peer", run)) {
				t.Errorf("got lines %q of %q", got, peer.Differences)
			}
		}
		if got := count(); got != 1 {
			t.Errorf("logged %d times, want once", got)
		}
		if _, err := meet(t, log.Logger(), " A int\n", " A int\n"); err != nil || count() != 1 {
			t.Errorf("no difference: got %v, logged %d times", err, count())
		}
		for n := range 256 {
			if _, err := meet(t, log.Logger(), " A int\n", field(n+1)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := meet(t, log.Logger(), " A int\n", field(256)); err != nil || count() != 257 {
			t.Errorf("got %v, logged %d times, want 257", err, count())
		}
		if _, err := meet(t, log.Logger(), " A int\n", field(0)); err != nil || count() != 258 {
			t.Errorf("one that is forgotten: got %v, logged %d times, want 258", err, count())
		}
	})
}

// An end that says that it has no messages is told ours, and nothing is compared or logged.
func TestObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log testkit.LogRecorder
		p := qsocket.Protocol[string]{Name: "observed/1", Codec: told{testkit.Text.Codec, "text\nmessage M\nstruct M\n A int\n"}}
		observer := p
		observer.Codec = told{testkit.Text.Codec, schema.Observer}
		na, nb := qsockettest.NetPipe()
		other := testkit.Async(func() *qsocket.Conn[string] {
			c, err := qsocket.NewConn(t.Context(), nb, observer, nil)
			if err != nil {
				t.Error(err)
			}
			return c
		})
		c, err := qsocket.NewConn(t.Context(), na, p, &qsocket.Options{Logger: log.Logger()})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Peer(); got.Differences != "" || got.Types != schema.Fingerprint(schema.Observer) {
			t.Errorf("got %+v", got)
		}
		if n := log.Count("level=INFO", "other message types"); n != 0 {
			t.Errorf("logged %d times", n)
		}
		testkit.End(c)
		if o := <-other; o != nil {
			testkit.End(o)
		}
	})
}

// A case that the other end does not have is a HandshakeError at both ends if that end would
// end the connection when it comes, and a difference if it skips it.
func TestCasesInTheHandshake(t *testing.T) {
	placed := qsocket.Case[testkit.Event](1, qsocket.Msgpack[testkit.Placed]())
	reason := qsocket.Case[testkit.Event](5, qsocket.Msgpack[testkit.Reason]())
	skip := qsocket.SkipUnknown[testkit.Event]()
	for _, tt := range []struct {
		name         string
		newer, older qsocket.Codec[testkit.Event]
		fails        bool
		newerSees    string
		olderSees    string
	}{
		{"closed", qsocket.Union(placed, reason, skip), qsocket.Union(placed), true, "case 5 string", "no case 5"},
		{"open", qsocket.Union(placed, reason), qsocket.Union(placed, skip), false, "case 5 is only here: the peer skips it", "case 5 is only at the peer: it is skipped"},
		{"equal", qsocket.Union(placed, reason), qsocket.Union(placed, reason, skip), false, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			na, nb := testkit.NetPair(t, "tcp")
			type result struct {
				peer qsocket.Peer
				err  error
			}
			open := func(c *qsocket.Conn[testkit.Event], err error) result {
				if err != nil {
					return result{err: err}
				}
				t.Cleanup(func() { testkit.End(c) })
				return result{peer: c.Peer()}
			}
			other := testkit.Async(func() result {
				return open(qsocket.NewConn(t.Context(), nb, qsocket.Protocol[testkit.Event]{Name: "union/1", Codec: tt.older}, nil))
			})
			newer := open(qsocket.NewConn(t.Context(), na, qsocket.Protocol[testkit.Event]{Name: "union/1", Codec: tt.newer}, nil))
			older := testkit.Result(t, "NewConn", other)
			for _, end := range []struct {
				name string
				result
				sees string
			}{{"newer", newer, tt.newerSees}, {"older", older, tt.olderSees}} {
				he, isHandshake := end.err.(*qsocket.HandshakeError)
				switch {
				case tt.fails && (!isHandshake || he.Field != "types" || he.Local != end.sees || !he.Final()):
					t.Errorf("%s: got %v, want a HandshakeError that says %s", end.name, end.err, end.sees)
				case !tt.fails && (end.err != nil || !strings.HasPrefix(end.peer.Differences, end.sees)):
					t.Errorf("%s: got %v, %q, want %q", end.name, end.err, end.peer.Differences, end.sees)
				}
			}
		})
	}
}
