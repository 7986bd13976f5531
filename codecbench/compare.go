package codecbench

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fb9bb4ed/qsocket"
)

// Compare measures the codecs with the samples by [Measure], in about a second
// for each codec, and writes a table of the results to w:
//
//	codec    encode ns  decode ns  allocs  bytes/msg  round trip µs  messages/s
//	msgpack         51        228     5.0      117.0           22.3   3,666,472
//	gob            223        697     7.0       80.0           24.0   1,182,748
//
// allocs are those of encoding and decoding together. Below the table stand, for
// codecs with state, the length of a connection's first message, and for those
// that change a sample on its way, the first difference.
//
// Its errors are those of Measure, and of writing to w. After one of Measure
// nothing has been written.
func Compare[T any](w io.Writer, samples []T, codecs ...qsocket.Codec[T]) error {
	results, err := Measure(samples, codecs...)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, table(results))
	return err
}

func table(results []Result) string {
	rows := [][]string{{"codec", "encode ns", "decode ns", "allocs", "bytes/msg", "round trip µs", "messages/s"}}
	var notes strings.Builder
	for _, r := range results {
		rows = append(rows, []string{
			r.Codec,
			fmt.Sprintf("%.0f", r.EncodeNanos),
			fmt.Sprintf("%.0f", r.DecodeNanos),
			fmt.Sprintf("%.1f", r.EncodeAllocs+r.DecodeAllocs),
			fmt.Sprintf("%.1f", r.WireBytes),
			fmt.Sprintf("%.1f", r.RoundTripMicros),
			thousands(r.MessagesPerSecond),
		})
		if r.FirstBytes > 0 {
			fmt.Fprintf(&notes, "%s: the first message of a connection takes %d bytes\n", r.Codec, r.FirstBytes)
		}
		if r.Changed != "" {
			fmt.Fprintf(&notes, "%s: %s\n", r.Codec, r.Changed)
		}
	}
	text := align(rows)
	if notes.Len() > 0 {
		text += "\n" + notes.String()
	}
	return text
}

// align pads the cells: the first of each row on the right, the others on the left.
func align(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var text strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				text.WriteString(cell + pad)
			} else {
				text.WriteString("  " + pad + cell)
			}
		}
		text.WriteByte('\n')
	}
	return text.String()
}

// thousands formats a number that is not negative as 1,234,567.
func thousands(f float64) string {
	s := strconv.FormatFloat(f, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
