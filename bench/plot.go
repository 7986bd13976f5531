package main

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fb9bb4ed/qsocket/bench/peers"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	plottext "gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// A figure is a plot that was written.
type figure struct{ title, file string }

// plot writes a plot for each question to which there are answers, over TCP.
func (res *results) plot(dir string) ([]figure, error) {
	res = res.over(peers.TCP)
	var figures []figure
	write := func(file, title string, f drawing) error {
		if f == nil {
			return nil
		}
		figures = append(figures, figure{title, file})
		return f.write(filepath.Join(dir, file))
	}
	for _, p := range []struct {
		file, title string
		drawing     drawing
	}{
		{"throughput.svg", "W1: messages per second, one sender, one way", res.bars("W1", "million messages per second (more is better)", true, func(ns float64) float64 { return 1e3 / ns })},
		{"ping-pong.svg", "W3: time of a round trip", res.bars("W3", "µs (less is better)", false, micros)},
		{"fan-out.svg", fmt.Sprintf("W5: one sender to %d connections", fanOut), res.bars("W5", "million deliveries per second (more is better)", true, func(ns float64) float64 { return 1e3 / ns })},
		{"latency.svg", fmt.Sprintf("W6: one message every %v, mean time from Send to Recv", pause), res.bars("W6", "µs (less is better)", false, micros)},
		{"load.svg", fmt.Sprintf("Latency under load: p99 at %s messages a second", thousands(loadRates[0])), res.bars(fmt.Sprintf("load=%d", loadRates[0]), "µs, p99 (less is better)", false, micros)},
		{"connections.svg", "Cost of a message by the number of connections", res.lines("conns=", "connections, all of which stream")},
		{"senders.svg", "Cost of a message by the number of senders", res.lines("senders=", "senders on one connection")},
		{"idle.svg", "Memory of an end of an idle connection", res.bars("idle", "KiB of heap and stacks (less is better)", false, func(b float64) float64 { return b / 1024 })},
		{"codecs.svg", "Codecs: time to encode and to decode the message of W1", res.codecBars()},
	} {
		if err := write(p.file, p.title, p.drawing); err != nil {
			return nil, fmt.Errorf("%s: %w", p.file, err)
		}
	}
	return figures, nil
}

func micros(ns float64) float64 { return ns / 1e3 }

// A drawing knows how large it wants to be.
type drawing interface{ write(file string) error }

// Colors that differ in lightness as well, by what a contestant is.
var (
	ownColor   = color.RGBA{R: 0xd9, G: 0x5f, B: 0x02, A: 0xff}
	limitColor = color.RGBA{R: 0x6b, G: 0x6b, B: 0x6b, A: 0xff}
	otherColor = color.RGBA{R: 0x8f, G: 0xb4, B: 0xd6, A: 0xff}
	gridColor  = color.RGBA{R: 0xe0, G: 0xe0, B: 0xe0, A: 0xff}
)

func colorOf(contestant string) color.Color {
	switch {
	case strings.HasPrefix(contestant, "qsocket"):
		return ownColor
	case contestant == rawBatched || contestant == rawSingle:
		return limitColor
	}
	return otherColor
}

// fonts are the sizes of everything that is written.
const (
	titleSize = 13 * vg.Length(1)
	labelSize = 10 * vg.Length(1)
)

var sans = font.Font{Typeface: "Liberation", Variant: "Sans"}

// newPlot returns an empty plot in the style of all of them.
func newPlot(title string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = color.White
	set := func(f *font.Font, size vg.Length) { *f = font.From(sans, size) }
	set(&p.Title.TextStyle.Font, titleSize)
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		set(&axis.Label.TextStyle.Font, labelSize)
		set(&axis.Tick.Label.Font, labelSize)
		axis.Padding = 0
	}
	set(&p.Legend.TextStyle.Font, labelSize)
	p.Title.Text = title
	p.Title.Padding = 8
	return p
}

// wider is by how much texts may be wider than planned, where another font is used.
const wider = 0.2

// save writes p as SVG. left is kept free for names at the left that are wider than planned, and
// anchor says which part of a text stays in its place then: start, middle or end.
func save(p *plot.Plot, width, height, left vg.Length, anchor func(text string, x float64) string, file string) error {
	canvas := vgsvg.New(width, height)
	c := draw.New(canvas)
	c.SetColor(color.White) // also around the plot, for pages that are dark
	c.Fill(c.Rectangle.Path())
	p.Draw(draw.Crop(c, 8+left, -12, 8, -8))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return err
	}
	return os.WriteFile(file, inTheDark(portable(b.Bytes(), anchor)), 0o666)
}

// svgText is how vgsvg writes a text: its place, what is before the family, up to the size, the
// size, the color unless it is black, and the text.
var svgText = regexp.MustCompile(`<text x="([^"]*)"([^>]*)font-family:[^;]*;([^>]*font-size:)([0-9.]+)px((?:;fill:[^";]*)?)">([^<]*)</text>`)

// portable makes texts in an SVG look the same for readers who do not have the
// font with whose metrics they were placed: by other names of fonts of the same
// widths, failing those by telling the width, and for programs that do not heed that by an
// anchor.
func portable(svg []byte, anchor func(text string, x float64) string) []byte {
	return svgText.ReplaceAllFunc(svg, func(text []byte) []byte {
		m := svgText.FindSubmatch(text)
		x, err1 := strconv.ParseFloat(string(m[1]), 64)
		size, err2 := strconv.ParseFloat(string(m[4]), 64)
		if err1 != nil || err2 != nil {
			return text
		}
		words := html.UnescapeString(string(m[6]))
		style := plottext.Style{Font: font.From(sans, vg.Length(size)), Handler: plot.DefaultTextHandler}
		width, at := float64(style.Width(words)), anchor(words, x)
		switch at {
		case "middle":
			x += width / 2
		case "end":
			x += width
		}
		return fmt.Appendf(nil, `<text textLength="%.1f" lengthAdjust="spacingAndGlyphs" text-anchor="%s" x="%.1f"%sfont-family:Liberation Sans,Arimo,Arial,Helvetica,sans-serif;%s%spx%s">%s</text>`,
			width, at, x, m[2], m[3], m[4], m[5], m[6])
	})
}

// dark are the colors of a page that is dark, by those of a bright one: of areas and of lines.
var dark = []struct{ bright, dark string }{
	{"FFFFFF", "0d1117"}, {"000000", "9aa4af"}, {"E0E0E0", "30363d"}, {"202020", "f0f3f6"},
	{"B2182B", "f2566b"}, {"1F5FB4", "3b82f6"}, {"7540B0", "9b6bff"}, {"6B6B6B", "8b949e"},
}

// inTheDark adds the colors that a reader gets who prefers dark pages.
func inTheDark(svg []byte) []byte {
	var rules strings.Builder
	rules.WriteString("<style>@media (prefers-color-scheme: dark) {\n\ttext:not([style*=\"fill:\"]) { fill: #e6edf3 }\n")
	for _, c := range dark {
		for _, what := range []string{"fill", "stroke"} {
			fmt.Fprintf(&rules, "\t[style*=\"%s:#%s\"] { %[1]s: #%[3]s !important }\n", what, c.bright, c.dark)
		}
	}
	rules.WriteString("}</style>\n")
	return bytes.Replace(svg, []byte("<g "), []byte(rules.String()+"<g "), 1)
}

// nameWidth returns the width of the longest name.
func nameWidth(names []string) (most vg.Length) {
	style := plottext.Style{Font: font.From(sans, labelSize), Handler: plot.DefaultTextHandler}
	for _, name := range names {
		most = max(most, style.Width(name))
	}
	return most
}

// sorted returns the contestants with a result in a workload, the best last: that
// is at the top of a chart.
func (res *results) sorted(workload string, more bool, value func(float64) float64) (names []string, values []float64) {
	for _, e := range res.Contestants {
		if _, ok := res.median(e.Name, workload); ok {
			names = append(names, e.Name)
		}
	}
	at := func(name string) float64 {
		v, _ := res.median(name, workload)
		return value(v)
	}
	slices.SortStableFunc(names, func(a, b string) int {
		if less := at(a) < at(b); less == more {
			return -1
		}
		return 1
	})
	for _, name := range names {
		values = append(values, at(name))
	}
	return names, values
}
