package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
)

// shown is a text of a peer's as it is printed: what is not printable is escaped, and what is
// long is cut.
func shown(s string) string { return excerpt.Text(s, excerpt.MaxText) }

// printText prints the lines of a text of a peer's, each behind indent.
func printText(w io.Writer, indent, text string) {
	for line := range strings.Lines(text) {
		fmt.Fprintf(w, "%s%s\n", indent, shown(strings.TrimSuffix(line, "\n")))
	}
}

// table prints what is known, a row for each, in two columns.
type table struct {
	rows [][2]string
}

func (t *table) add(name, format string, args ...any) {
	t.rows = append(t.rows, [2]string{name, fmt.Sprintf(format, args...)})
}

func (t *table) print(w io.Writer) {
	wide := 0
	for _, row := range t.rows {
		wide = max(wide, len(row[0]))
	}
	for _, row := range t.rows {
		fmt.Fprintf(w, "%-*s  %s\n", wide, row[0], row[1])
	}
}

// printJSON prints v as one line.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// inMS is a time in the unit of all times in JSON.
func inMS(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}

// inUnits shows a time to three digits.
func inUnits(d time.Duration) string {
	switch {
	case d < 10*time.Microsecond:
		return fmt.Sprintf("%.2f µs", float64(d)/1e3)
	case d < time.Millisecond:
		return fmt.Sprintf("%.0f µs", float64(d)/1e3)
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d)/1e6)
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// inBytes shows a number of bytes.
func inBytes(n uint64) string {
	switch {
	case n >= 1<<30 && n%(1<<30) == 0:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
