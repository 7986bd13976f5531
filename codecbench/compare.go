package codecbench

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fb9bb4ed/qsocket"
)

// Compare measures the codecs with the samples by [Measure], in about a second
// for each codec, and writes what it has found to w: medians,
//
//	codec    encode ns  decode ns  allocs  bytes/msg  round trip µs  messages/s
//	msgpack         51        228     5.0      117.0           22.3   3,666,472
//	gob            223        697     7.0       80.0           24.0   1,182,748
//
// where allocs are those of encoding and decoding together; how far the rounds were apart,
//
//	smallest…largest  encode ns  decode ns  round trip µs           messages/s
//	msgpack               50…55    221…240      21.9…24.1  3,402,118…3,700,240
//	gob                 219…241    680…723      23.0…27.7  1,090,667…1,190,102
//
// with a warning where they differ by more than half, as on a machine that does something else as well; what a
// message takes when it is compressed, by itself and in a stream of the samples,
//
//	flate    bytes/msg  in a stream
//	msgpack      101.0         40.2
//	gob           77.0         31.9
//
// what becomes of messages if the struct has changed at one end ([Result].Evolution),
//
//	if the type has changed at one end
//	msgpack: field added: works; removed: works; renamed: lost; number widened: works
//	gob: field added: works; removed: works; renamed: lost; number widened: works
//
// and, for codecs with state, the length of a connection's first message, and for those
// that change a sample on its way, the first difference.
//
// Its errors are those of Measure, and of writing to w. After one of Measure
// nothing has been written.
func Compare[T any](w io.Writer, samples []T, codecs ...qsocket.Codec[T]) error {
	results, err := Measure(samples, codecs...)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, compared(results))
	return err
}

// compared returns what Compare writes: blocks with an empty line between them.
func compared(results []Result) string {
	blocks := []string{medians(results), ranges(results), sizes(results), changes(results), notes(results)}
	return strings.Join(slices.DeleteFunc(blocks, func(s string) bool { return s == "" }), "\n")
}

func medians(results []Result) string {
	rows := [][]string{{"codec", "encode ns", "decode ns", "allocs", "bytes/msg", "round trip µs", "messages/s"}}
	for _, r := range results {
		rows = append(rows, []string{
			r.Codec,
			whole(r.EncodeNanos),
			whole(r.DecodeNanos),
			tenths(r.EncodeAllocs + r.DecodeAllocs),
			tenths(r.WireBytes),
			tenths(r.RoundTripMicros),
			thousands(r.MessagesPerSecond),
		})
	}
	return align(rows)
}

// busy is by how much the largest of a few rounds exceeds the smallest where it is not only chance.
const busy = 1.5

// ranges returns how far the rounds were apart, and a warning if that is far.
func ranges(results []Result) string {
	rows := [][]string{{"smallest…largest", "encode ns", "decode ns", "round trip µs", "messages/s"}}
	far, worst, where := 0, 0.0, "" // operations, times, and which one
	for _, r := range results {
		rows = append(rows, []string{
			r.Codec,
			r.EncodeRange.text(whole), r.DecodeRange.text(whole), r.RoundTripRange.text(tenths), r.MessagesRange.text(thousands),
		})
		for _, op := range []struct {
			name string
			Range
		}{{"encode", r.EncodeRange}, {"decode", r.DecodeRange}, {"round trip", r.RoundTripRange}, {"stream", r.MessagesRange}} {
			if op.Max > busy*op.Min {
				far++
			}
			if apart := op.Max / op.Min; apart > worst {
				worst, where = apart, r.Codec+" "+op.name
			}
		}
	}
	text := align(rows)
	if far > 0 {
		text += fmt.Sprintf("Busy machine? In %d of %d, the rounds differ by more than half (%s: × %.1f), so small differences between codecs mean nothing.\n",
			far, 4*len(results), where, worst)
	}
	return text
}

func (r Range) text(format func(float64) string) string { return format(r.Min) + "…" + format(r.Max) }

func sizes(results []Result) string {
	rows := [][]string{{"flate", "bytes/msg", "in a stream"}}
	for _, r := range results {
		rows = append(rows, []string{r.Codec, tenths(r.FlateBytes), tenths(r.FlateStreamBytes)})
	}
	return align(rows)
}

// changes returns what becomes of messages whose type has changed.
func changes(results []Result) string {
	var text strings.Builder
	for _, r := range results {
		if r.Evolution != "" {
			fmt.Fprintf(&text, "%s: %s\n", r.Codec, r.Evolution)
		}
	}
	if text.Len() == 0 {
		return ""
	}
	return "if the type has changed at one end\n" + text.String()
}

func notes(results []Result) string {
	var text strings.Builder
	for _, r := range results {
		if r.FirstBytes > 0 {
			fmt.Fprintf(&text, "%s: the first message of a connection takes %d bytes\n", r.Codec, r.FirstBytes)
		}
		if r.Changed != "" {
			fmt.Fprintf(&text, "%s: %s\n", r.Codec, r.Changed)
		}
	}
	return text.String()
}

func whole(f float64) string  { return strconv.FormatFloat(f, 'f', 0, 64) }
func tenths(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }

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
	s := whole(f)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
