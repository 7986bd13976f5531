package link

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/wire"
)

var update = flag.Bool("update", false, "write the tables of docs/design.md instead of comparing with them")

// The events of the tables, by the words that stand above their columns.
var events = []struct {
	name string
	can  func(s *state) bool // whether it can happen
	does []event
}{
	{"CloseWrite", func(s *state) bool { return s.send == sendOpen }, []event{{kind: sendingStopped}}},
	{"Close", func(s *state) bool { return !s.closed }, []event{{kind: closeCalled}, {kind: sendingStopped}}},
	{"all written", canHalfClose, []event{{kind: messagesFlushed}, {kind: halfClosed}}},
	{"write fails", func(s *state) bool { return s.send < sendEnded }, []event{{kind: writeFailed, err: errTest}}},
	{"half goodbye", func(s *state) bool { return s.named && s.goodbyeReceived == wire.GoodbyeNone && s.recv < recvEnded }, []event{
		{kind: goodbyeReceived, goodbye: wire.GoodbyeHalf}, {kind: replied, reply: replyConfirmed},
	}},
	{"full goodbye", func(s *state) bool { return s.named && s.goodbyeReceived != wire.GoodbyeFull && s.recv < recvEnded }, []event{
		{kind: goodbyeReceived, goodbye: wire.GoodbyeFull}, {kind: sendingStopped}, {kind: replied, reply: replyConfirmed},
	}},
	{"end of file", func(s *state) bool { return s.recv < recvEnded }, []event{{kind: endOfFile, err: io.EOF}}},
	{"read fails", func(s *state) bool { return s.recv < recvEnded }, []event{{kind: receiveFailed, err: errTest}}},
	{"timeout", func(s *state) bool {
		return s.closed || s.send == sendDraining || s.goodbyeReceived == wire.GoodbyeFull
	}, []event{{kind: abandoned}}},
}

var errTest = errors.New("a failure")

// canHalfClose reports whether all may have been written that there is to say.
func canHalfClose(s *state) bool {
	return s.send == sendDraining && (!s.named || s.reply != replyNone || s.recv == recvEnded)
}

// apply does to s what Link does when such an event has happened, and reports whether
// the connection is over.
func apply(s *state, list []event) (over bool) {
	for _, e := range list {
		read := e.kind == endOfFile || e.kind == receiveFailed
		switch {
		case read && s.named && s.isFailure(e.err, goodbyeSent(s)): // as DrainControl does
			e.kind = receiveFailed
		case read && (s.named || s.closed):
			e.kind = readToEnd
		}
		over = s.advance(e) || over
		if e.kind == readToEnd && s.named && e.err != io.EOF && s.send < sendEnded {
			over = s.advance(event{kind: abandoned}) || over
		}
	}
	return over
}

// goodbyeSent is what this end has said in the state s.
func goodbyeSent(s *state) wire.GoodbyeKind {
	switch {
	case !s.named || s.send == sendOpen:
		return wire.GoodbyeNone
	case s.closed || s.goodbyeReceived == wire.GoodbyeFull:
		return wire.GoodbyeFull
	}
	return wire.GoodbyeHalf
}

func (s sendState) String() string { return [...]string{"open", "draining", "ended", "failed"}[s] }
func (s recvState) String() string { return [...]string{"open", "draining", "ended"}[s] }

// row is what a row of a table says of a state.
func (s *state) row() string {
	closed := ""
	if s.closed {
		closed = ", closed"
	}
	text := fmt.Sprintf("%v / %v%s", s.send, s.recv, closed)
	if s.named && s.goodbyeReceived != wire.GoodbyeNone {
		text += [...]string{"", ", half goodbye", ", full goodbye"}[s.goodbyeReceived]
	}
	return text
}

// table returns the states that can be reached, and what each event makes of them.
func table(initial state) string {
	var b strings.Builder
	b.WriteString("| sending / receiving |")
	for _, e := range events {
		if initial.named || !strings.Contains(e.name, "goodbye") {
			b.WriteString(" " + e.name + " |")
		}
	}
	b.WriteString("\n|---|")
	for _, e := range events {
		if initial.named || !strings.Contains(e.name, "goodbye") {
			b.WriteString("---|")
		}
	}
	b.WriteString("\n")
	seen := map[string]bool{initial.row(): true}
	for queue := []state{initial}; len(queue) > 0; queue = queue[1:] {
		from := queue[0]
		b.WriteString("| " + from.row() + " |")
		for _, e := range events {
			if !initial.named && strings.Contains(e.name, "goodbye") {
				continue
			}
			if !e.can(&from) {
				b.WriteString(" |")
				continue
			}
			to := from
			switch over := apply(&to, e.does); {
			case over && to.err != nil:
				b.WriteString(" **over**, failed |")
			case over:
				b.WriteString(" **over** |")
			case to.row() == from.row():
				b.WriteString(" – |")
			default:
				b.WriteString(" " + to.row() + " |")
			}
			if to.socket = socketOpen; !to.over() && !seen[to.row()] {
				seen[to.row()] = true
				queue = append(queue, to)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// The tables of docs/design.md are what advance does.
func TestTables(t *testing.T) {
	const path = "../../docs/design.md"
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(doc)
	for _, mode := range []string{"raw", "named"} {
		begin, end := "<!-- states: "+mode+" -->\n", "<!-- end of states -->"
		head, rest, ok := strings.Cut(text, begin)
		if !ok {
			t.Fatalf("%s: no %q", path, begin)
		}
		old, tail, ok := strings.Cut(rest, end)
		if !ok {
			t.Fatalf("%s: no %q after %q", path, end, begin)
		}
		want := table(state{named: mode == "named", hasHalfClose: true})
		if old != want && !*update {
			t.Errorf("%s: the table of %s mode is not what advance does; to write it: go test ./internal/link -update\ngot\n%s\nwant\n%s", path, mode, old, want)
		}
		text = head + begin + want + end + tail
	}
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Invariants of every state and event: states only go forward, the first failure
// stays, and a connection that is over is over once.
func TestAdvance(t *testing.T) {
	type key struct {
		send    sendState
		recv    recvState
		socket  socketState
		closed  bool
		ended   end
		gaveUp  bool
		err     error
		remote  bool
		failed  bool
		halfErr error
		flushed bool
		goodbye wire.GoodbyeKind
		reply   replyState
		confirm bool
		waiting bool
	}
	keyOf := func(s state) key {
		return key{s.send, s.recv, s.socket, s.closed, s.endedFirst, s.gaveUp, s.err, s.remote, s.readFailed, s.halfErr, s.flushed, s.goodbyeReceived, s.reply, s.confirmed, s.shutdownWaiting}
	}
	errFirst, errSecond := errors.New("first"), errors.New("second")
	var all []event
	for kind := closeCalled; kind <= abandoned; kind++ {
		errs := []error{nil}
		switch kind {
		case writeFailed, halfClosed, abandoned:
			errs = []error{nil, errFirst}
		case sendRefused:
			errs = []error{errFirst}
		case receiveFailed, readToEnd:
			errs = []error{io.EOF, errSecond}
		}
		for _, err := range errs {
			switch kind {
			case goodbyeReceived:
				all = append(all, event{kind: kind, goodbye: wire.GoodbyeHalf},
					event{kind: kind, goodbye: wire.GoodbyeFull}, event{kind: kind, goodbye: wire.GoodbyeFull, err: errSecond})
			case replied:
				all = append(all, event{kind: kind, reply: replyConfirmed}, event{kind: kind, reply: replyRefused})
			default:
				all = append(all, event{kind: kind, err: err})
			}
		}
	}
	states, pairs := 0, 0
	for _, named := range []bool{false, true} {
		for _, half := range []bool{false, true} {
			for _, waiting := range []bool{false, true} {
				initial := state{named: named, hasHalfClose: half, shutdownWaiting: waiting}
				seen := map[key]bool{keyOf(initial): true}
				for queue := []state{initial}; len(queue) > 0; queue = queue[1:] {
					from := queue[0]
					states++
					for _, e := range all {
						if e.kind == goodbyeReceived && e.goodbye <= from.goodbyeReceived {
							continue // a violation, which onGoodbye refuses
						}
						to := from
						over := to.advance(e)
						pairs++
						switch {
						case to.send < from.send, to.recv < from.recv, from.closed && !to.closed, from.confirmed && !to.confirmed:
							t.Fatalf("%+v, %+v: went back to %+v", from, e, to)
						case from.err != nil && to.err != from.err:
							t.Fatalf("%+v, %+v: the first failure became %v", from, e, to.err)
						case from.endedFirst != neither && to.endedFirst != from.endedFirst:
							t.Fatalf("%+v, %+v: another end was first: %+v", from, e, to)
						case from.socket != socketOpen && over:
							t.Fatalf("%+v, %+v: over twice", from, e)
						case over && !to.gaveUp && to.send < sendEnded:
							t.Fatalf("%+v, %+v: over before everything is sent: %+v", from, e, to)
						}
						if over {
							to.socket = socketClosing
						}
						if k := keyOf(to); !seen[k] {
							seen[k] = true
							queue = append(queue, to)
						}
					}
				}
			}
		}
	}
	t.Logf("%d states, %d pairs of state and event", states, pairs)
}

// An end that cannot half-close, and whose heartbeat was lost to a failed write, goes on
// receiving when the peer confirms its CloseWrite: messages may still come. A failed
// write used to count as a half-close here.
func TestConfirmAfterFailedWrite(t *testing.T) {
	s := state{named: true}
	for _, e := range []event{{kind: sendingStopped}, {kind: messagesFlushed}, {kind: writeFailed}} {
		s.advance(e)
	}
	if s.advance(event{kind: confirmReceived}) {
		t.Error("over, while the peer may still send messages")
	}
}

// A failed write by which only a control frame was lost is no failure of its own: the
// peer may have closed, and its goodbye be on the way. But a Send that is refused because
// of it says that the connection has ended, so Err has to say why.
func TestSendRefusedAfterFailedWrite(t *testing.T) {
	s := state{named: true, hasHalfClose: true}
	s.advance(event{kind: writeFailed})
	if s.err != nil {
		t.Fatalf("after the write: got %v, want no failure", s.err)
	}
	goodbye := s
	goodbye.advance(event{kind: goodbyeReceived, goodbye: wire.GoodbyeFull})
	if goodbye.advance(event{kind: sendRefused, err: errTest}); goodbye.err != nil {
		t.Errorf("after the peer's goodbye: got %v, want no failure", goodbye.err)
	}
	if s.advance(event{kind: sendRefused, err: errTest}); s.err != errTest {
		t.Errorf("after a refused Send: got %v, want %v", s.err, errTest)
	}
}
