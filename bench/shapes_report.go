package main

import (
	"fmt"
	"image/color"
	"slices"
	"strings"

	"github.com/fb9bb4ed/qsocket/tests/shapes"
)

// report returns shapes.md.
func (res *shapeResults) report() string {
	m := res.Machine
	return fmt.Sprintf(`# MessagePack, shape by shape

Processor time of qsocket.Msgpack ÷ that of vmihailenco/msgpack v5, with compact integers, sorted maps, and an encoder and a decoder that are used again; below 1, qsocket is
faster. The last columns compare with code that tinylib/msgp generates, which does not sort maps. On %d cores of %s, %s/%s, %s, %s. Medians of the ratios in %d interleaved rounds
with runs of about %s; `+"`cd bench && go run . -shapes`"+` makes this page again.

%s
![Time of qsocket.Msgpack ÷ time of v5](shapes.svg)

%s`,
		m.Cores, m.CPU, m.OS, m.Arch, m.Go, m.Date.Format("2006-01-02"), res.Rounds, res.RunTime, res.summary(), res.table())
}

// table returns all shapes in their order. Allocations are those of a message, by both.
func (res *shapeResults) table() string {
	t := table{head: []string{"shape", "bytes", "encode ns", "÷ v5", "decode ns", "÷ v5", "allocs", "v5", "encode ÷ msgp", "decode ÷ msgp"}}
	for _, r := range res.Rows {
		t.add(r.Shape, thousands(r.Bytes), number(r.Encode.Nanos), ratioText(r.Encode.Ratio), number(r.Decode.Nanos), ratioText(r.Decode.Ratio),
			number(r.Encode.Allocs+r.Decode.Allocs), number(r.Encode.V5Allocs+r.Decode.V5Allocs), ratioText(r.Encode.MsgpRatio), ratioText(r.Decode.MsgpRatio))
	}
	return t.String()
}

// ratioText formats a ratio, or a dash for none.
func ratioText(v float64) string {
	if v == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", v)
}

// summary returns the medians and the largest ratios, by kind of shape.
func (res *shapeResults) summary() string {
	t := table{head: []string{"shapes", "number", "encode, median", "largest", "decode, median", "largest"}}
	for _, k := range []struct {
		name string
		is   func(shapes.Kind) bool
	}{
		{"all", func(shapes.Kind) bool { return true }},
		{"types that the codec knows", func(k shapes.Kind) bool { return k == shapes.Plain }},
		{"documents", func(k shapes.Kind) bool { return k == shapes.Document }},
		{"types with methods of their own", func(k shapes.Kind) bool { return k == shapes.Methods }},
		{"long strings, which v5 does not check", func(k shapes.Kind) bool { return k == shapes.Long }},
	} {
		var encode, decode []float64
		for _, r := range res.Rows {
			if k.is(r.Kind) {
				encode, decode = append(encode, r.Encode.Ratio), append(decode, r.Decode.Ratio)
			}
		}
		if len(encode) > 0 {
			t.add(k.name, fmt.Sprint(len(encode)), ratioText(median(encode)), ratioText(slices.Max(encode)), ratioText(median(decode)), ratioText(slices.Max(decode)))
		}
	}
	return t.String()
}

// chart returns the shapes, the slowest at the top.
func (res *shapeResults) chart() drawing {
	plain := func(c color.Color) func(string) color.Color { return func(string) color.Color { return c } }
	encode := barGroup{label: "encode", colors: plain(ownColor)}
	decode := barGroup{label: "decode", colors: plain(otherColor)}
	var names []string
	for _, r := range slices.Backward(res.worst()) {
		names = append(names, strings.TrimSpace(r.Shape))
		encode.values = append(encode.values, r.Encode.Ratio)
		decode.values = append(decode.values, r.Decode.Ratio)
	}
	return barChart{"MessagePack by shape: time ÷ that of v5", "below 1, qsocket is faster", names, []barGroup{encode, decode}}
}
