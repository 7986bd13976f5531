package pickle_test

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/pickle"
)

// tableUnder returns the rows of the first table under a heading of docs/pickle.md.
func tableUnder(t *testing.T, heading string) (rows [][]string) {
	t.Helper()
	b, err := os.ReadFile("../docs/pickle.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(b), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("docs/pickle.md has no heading %q", heading)
	}
	for line := range strings.Lines(section) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			if rows != nil {
				break
			}
			continue
		}
		var cells []string
		for _, cell := range strings.Split(strings.Trim(line, "|"), " | ") {
			cells = append(cells, strings.Trim(strings.TrimSpace(cell), "`"))
		}
		rows = append(rows, cells)
	}
	if len(rows) < 3 {
		t.Fatalf("docs/pickle.md has no table under %q", heading)
	}
	return rows[2:]
}

// python gives the lines to cpython.py, and returns what it writes.
func python(t *testing.T, mode string, lines []string) []string {
	t.Helper()
	cmd := testkit.PlainPython(t, "testdata/cpython.py", mode)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	cmd.Env = append(cmd.Env, "PYTHONIOENCODING=utf-8")
	got := strings.Split(strings.TrimSpace(string(run(t, cmd.Output))), "\n")
	if len(got) != len(lines) {
		t.Fatalf("Python wrote %d lines for %d", len(got), len(lines))
	}
	return got
}

func column(rows [][]string, i int) (cells []string) {
	for _, row := range rows {
		cells = append(cells, row[i])
	}
	return cells
}

// decodeAll decodes what Python makes of expressions to anys.
func decodeAll(t *testing.T, expressions []string, f func(i int, v any, err error)) {
	t.Helper()
	for i, code := range python(t, "eval", expressions) {
		b, err := hex.DecodeString(strings.TrimSpace(code))
		if err != nil {
			t.Fatal(err)
		}
		v, err := pickle.Codec[any]().NewDecoder().Decode(b)
		f(i, v, err)
	}
}

// The values of Python in docs/pickle.md become what it says.
func TestDocumentFromPython(t *testing.T) {
	rows := tableUnder(t, "What comes from Python")
	decodeAll(t, column(rows, 1), func(i int, v any, err error) {
		got := strings.NewReplacer("interface {}", "any", "struct {}", "struct{}", "uint8", "byte", "<nil>", "nil").Replace(fmt.Sprintf("%T", v))
		if want := rows[i][2]; err != nil || got != want {
			t.Errorf("%s: got %s, error %v, want %s", rows[i][1], got, err, want)
		}
	})
}

// The values of Python that docs/pickle.md calls refused are, for what it says.
func TestDocumentRefused(t *testing.T) {
	rows := tableUnder(t, "What is refused")
	decodeAll(t, column(rows, 0), func(i int, v any, err error) {
		if want := rows[i][1]; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, error %v, want error %q", rows[i][0], v, err, want)
		}
	})
}

// documented has the examples of Go's values in docs/pickle.md.
var documented = map[string]any{
	`nil`:                            nil,
	`true`:                           true,
	`uint64(1<<63)`:                  uint64(1 << 63),
	`big.NewInt(-1)`:                 big.NewInt(-1),
	`1.5`:                            1.5,
	`"é"`:                            "é",
	`[]byte{255}`:                    []byte{255},
	`[]int(nil)`:                     []int(nil),
	`[]int{1, 2}`:                    []int{1, 2},
	`[2]int{1, 2}`:                   [2]int{1, 2},
	`map[string]int{"b": 1, "a": 2}`: map[string]int{"b": 1, "a": 2},
	`map[int]struct{}{1: {}}`:        map[int]struct{}{1: {}},
	`struct{ A int }{1}`:             struct{ A int }{1},
	`time.Unix(0, 0).UTC()`:          time.Unix(0, 0).UTC(),
	`time.Second`:                    time.Second,
	`pickle.Date{2026, 1, 2}`:        pickle.Date{Year: 2026, Month: 1, Day: 2},
	`pickle.TimeOfDay(time.Minute)`:  pickle.TimeOfDay(time.Minute),
	`pickle.Decimal("1.50")`:         pickle.Decimal("1.50"),
	`pickle.Date{}`:                  pickle.Date{},
	`netip.MustParseAddr("::1")`:     netip.MustParseAddr("::1"),
}

// The values of Go in docs/pickle.md are in Python what it says.
func TestDocumentToPython(t *testing.T) {
	rows := tableUnder(t, "What goes to Python")
	var pickles []string
	for _, row := range rows {
		v, ok := documented[row[1]]
		if !ok {
			t.Fatalf("no value for %s", row[1])
		}
		for _, opts := range [][]pickle.Option{nil, {pickle.Protocol3()}} {
			b, err := encodes(v, opts...)
			if err != nil {
				t.Fatalf("%s: %v", row[1], err)
			}
			pickles = append(pickles, hex.EncodeToString([]byte(b)))
		}
	}
	for i, got := range python(t, "repr", pickles) {
		got = strings.TrimSpace(got)
		if want := rows[i/2][2]; got != want && got != strings.Replace(want, "seconds=1", "0, 1", 1) { // which Python 3.6 shows
			t.Errorf("%s: Python has %s, want %s", rows[i/2][1], got, want)
		}
	}
}
