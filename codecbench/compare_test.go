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
	table, notes, _ := strings.Cut(out.String(), "\n\n")
	lines := strings.Split(table, "\n")
	if want := "codec    encode ns  decode ns  allocs  bytes/msg  round trip µs  messages/s"; strings.Join(strings.Fields(lines[0]), " ") != strings.Join(strings.Fields(want), " ") {
		t.Errorf("header %q, want %q", lines[0], want)
	}
	if len(lines) != 4 {
		t.Fatalf("%d lines, want 4:\n%s", len(lines), table)
	}
	row := regexp.MustCompile(`^(msgpack|gob|größer) +\d+ +\d+ +\d+\.\d +\d+\.\d +\d+\.\d +[\d,]+$`)
	for i, line := range lines {
		if i > 0 && !row.MatchString(line) {
			t.Errorf("line %d: %q", i, line)
		}
		if got, want := utf8.RuneCountInString(line), utf8.RuneCountInString(lines[0]); got != want {
			t.Errorf("line %d is %d wide, want %d:\n%s", i, got, want, table)
		}
	}
	want := regexp.MustCompile(`^gob: the first message of a connection takes \d+ bytes
gob: sample 0: quote.Tags was \[\]string \[\] and came back as nil
$`)
	if !want.MatchString(notes) {
		t.Errorf("notes %q, want %s", notes, want)
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
