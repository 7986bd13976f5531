package codecbench_test

import (
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/codecbench"
)

func TestCompare(t *testing.T) {
	var out strings.Builder
	samples := []quote{{ID: 1, Symbol: "ABC", Tags: []string{}}, {ID: 2}}
	err := codecbench.Compare(&out, samples, qsocket.Msgpack[quote](), qsocket.Gob[quote](), codecbench.Named("größer", qsocket.JSON[quote]()))
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(out.String(), "\n\n")
	if len(blocks) != 5 {
		t.Fatalf("%d blocks, want 5:\n%s", len(blocks), &out)
	}
	row := `(msgpack|gob|größer) +`
	for i, test := range []struct{ head, row string }{
		{"codec encode ns decode ns allocs bytes/msg round trip µs messages/s", row + `\d+ +\d+ +\d+\.\d +\d+\.\d +\d+\.\d +[\d,]+`},
		{"smallest…largest encode ns decode ns round trip µs messages/s", row + `\d+…\d+ +\d+…\d+ +\d+\.\d…\d+\.\d +[\d,]+…[\d,]+`},
		{"flate bytes/msg in a stream", row + `\d+\.\d +\d+\.\d`},
	} {
		checkTable(t, blocks[i], test.head, test.row)
	}
	want := `if the type has changed at one end
msgpack: field added: works; removed: works; renamed: lost; number widened: works for new ones
gob: field added: works; removed: works; renamed: lost; number widened: works for new ones
größer: field added: works; removed: works; renamed: lost; number widened: works for new ones`
	if blocks[3] != want {
		t.Errorf("got\n%s\nwant\n%s", blocks[3], want)
	}
	notes := regexp.MustCompile(`^gob: the first message of a connection takes \d+ bytes
gob: sample 0: quote.Tags was \[\]string \[\] and came back as nil
$`)
	if !notes.MatchString(blocks[4]) {
		t.Errorf("notes %q, want %s", blocks[4], notes)
	}
}

// checkTable requires a header and three rows, all of one width. A warning may follow: that is up to the machine.
func checkTable(t *testing.T, table, head, row string) {
	t.Helper()
	lines := strings.Split(table, "\n")
	if len(lines) == 5 && strings.HasPrefix(lines[4], "Busy machine?") {
		lines = lines[:4]
	}
	if len(lines) != 4 {
		t.Fatalf("%d lines, want 4:\n%s", len(lines), table)
	}
	if got := strings.Join(strings.Fields(lines[0]), " "); got != head {
		t.Errorf("header %q, want %q", got, head)
	}
	pattern := regexp.MustCompile("^" + row + "$")
	for i, line := range lines {
		if i > 0 && !pattern.MatchString(line) {
			t.Errorf("line %d: %q, want %s", i, line, row)
		}
		if got, want := utf8.RuneCountInString(line), utf8.RuneCountInString(lines[0]); got != want {
			t.Errorf("line %d is %d wide, want %d:\n%s", i, got, want, table)
		}
	}
}

func TestComparedOnABusyMachine(t *testing.T) {
	calm := codecbench.Result{
		Codec: "calm", EncodeNanos: 50, DecodeNanos: 100, RoundTripMicros: 20, MessagesPerSecond: 2e6, WireBytes: 80, FlateBytes: 70, FlateStreamBytes: 30.25,
		EncodeRange: codecbench.Range{Min: 48, Max: 60}, DecodeRange: codecbench.Range{Min: 90, Max: 135},
		RoundTripRange: codecbench.Range{Min: 19.5, Max: 21}, MessagesRange: codecbench.Range{Min: 1.9e6, Max: 2.1e6},
	}
	want := `codec  encode ns  decode ns  allocs  bytes/msg  round trip µs  messages/s
calm          50        100     0.0       80.0           20.0   2,000,000

smallest…largest  encode ns  decode ns  round trip µs           messages/s
calm                  48…60     90…135      19.5…21.0  1,900,000…2,100,000

flate  bytes/msg  in a stream
calm        70.0         30.2
`
	if got := codecbench.Compared([]codecbench.Result{calm}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	busy := calm
	busy.Codec, busy.DecodeRange.Max, busy.MessagesRange.Min = "busy", 144, 0.5e6
	want = "\nBusy machine? In 2 of 8, the rounds differ by more than half (busy stream: × 4.2), so small differences between codecs mean nothing.\n"
	if got := codecbench.Compared([]codecbench.Result{calm, busy}); !strings.Contains(got, want) {
		t.Errorf("got\n%s\nwant in it\n%s", got, want)
	}
}

func TestCompareErrors(t *testing.T) {
	var out strings.Builder
	if err := codecbench.Compare(&out, nil, qsocket.Msgpack[quote]()); err == nil || out.Len() > 0 {
		t.Errorf("without samples: error %v, wrote %q", err, out.String())
	}
	failed := errors.New("disk full")
	if err := codecbench.Compare(failingWriter{failed}, quotes, qsocket.Msgpack[quote]()); !errors.Is(err, failed) {
		t.Errorf("got %v, want %v", err, failed)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

var _ io.Writer = failingWriter{}
