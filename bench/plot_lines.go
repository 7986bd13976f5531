package main

import (
	"image/color"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A lineChart shows the cost of a message along a series of workloads, on
// logarithmic axes.
type lineChart struct {
	title, axis string
	lines       []line
}

type line struct {
	name   string
	points plotter.XYs
}

// charted are the contestants in line charts, in the order of their colors. All
// of them would be a tangle; the tables have the others.
var charted = []string{
	"qsocket pull/none", "qsocket channel/none", "qsocket pull/msgpack", "qsocket channel/msgpack",
	rawBatched, rawSingle, byHandMsgpack, "by hand, flush each/msgpack",
	grpcStream, "drpc stream/msgpack", gorilla, natsBroker,
}

var lineColors = []color.Color{
	color.RGBA{R: 0xd9, G: 0x5f, B: 0x02, A: 0xff}, color.RGBA{R: 0xf2, G: 0xa3, B: 0x5e, A: 0xff},
	color.RGBA{R: 0xb2, G: 0x18, B: 0x2b, A: 0xff}, color.RGBA{R: 0xe0, G: 0x70, B: 0x80, A: 0xff},
	color.RGBA{R: 0x20, G: 0x20, B: 0x20, A: 0xff}, color.RGBA{R: 0x90, G: 0x90, B: 0x90, A: 0xff},
	color.RGBA{R: 0x1b, G: 0x9e, B: 0x77, A: 0xff}, color.RGBA{R: 0x80, G: 0xc8, B: 0xa8, A: 0xff},
	color.RGBA{R: 0x1f, G: 0x5f, B: 0xb4, A: 0xff}, color.RGBA{R: 0x6b, G: 0xae, B: 0xd6, A: 0xff},
	color.RGBA{R: 0x75, G: 0x40, B: 0xb0, A: 0xff}, color.RGBA{R: 0xb0, G: 0x90, B: 0xd8, A: 0xff},
}

// lines returns the chart of the workloads whose names begin with prefix.
func (res *results) lines(prefix, axis string) drawing {
	chart := lineChart{axis: axis}
	for _, name := range charted {
		l := line{name: name}
		for _, d := range res.Workloads {
			n, err := strconv.Atoi(strings.TrimPrefix(d.Name, prefix))
			if v, ok := res.median(name, d.Name); ok && err == nil && strings.HasPrefix(d.Name, prefix) {
				l.points = append(l.points, plotter.XY{X: float64(n), Y: v})
				chart.title = "Cost of a message: " + d.Title
			}
		}
		if len(l.points) > 0 {
			chart.lines = append(chart.lines, l)
		}
	}
	if len(chart.lines) == 0 {
		return nil
	}
	return chart
}

func (c lineChart) write(file string) error {
	p := newPlot(c.title)
	p.X.Label.Text, p.Y.Label.Text = c.axis, "ns per message (less is better)"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = gridColor, gridColor
	p.Add(grid)

	var xs []float64
	low, high := math.Inf(1), 0.0
	ends := endLabels{style: p.Legend.TextStyle}
	ends.style.Font = font.From(sans, labelSize)
	for _, l := range c.lines {
		col := lineColors[slices.Index(charted, l.name)]
		path, dots, err := plotter.NewLinePoints(l.points)
		if err != nil {
			return err
		}
		path.Color, path.Width = col, 2
		dots.Color, dots.Shape, dots.Radius = col, draw.CircleGlyph{}, 3
		p.Add(path, dots)
		last := l.points[len(l.points)-1]
		ends.labels = append(ends.labels, endLabel{l.name, last, col})
		for _, pt := range l.points {
			xs = append(xs, pt.X)
			low, high = min(low, pt.Y), max(high, pt.Y)
		}
	}
	p.Add(&ends)
	slices.Sort(xs)
	xs = slices.Compact(xs)
	p.X.Min, p.X.Max = xs[0], max(xs[len(xs)-1], xs[0]*1.1)
	p.X.Tick.Marker = plot.ConstantTicks(ticks(xs))
	p.Y.Min, p.Y.Max = low/1.3, high*1.3
	p.Y.Tick.Marker = plot.ConstantTicks(ticks(decades(low/1.3, high*1.3)))
	const left = 60 // where the numbers of the axis are, at most
	anchor := func(text string, x float64) string {
		switch {
		case slices.Contains(charted, text):
			return "start"
		case x < left && p.Y.Label.Text != text:
			return "end"
		}
		return "middle"
	}
	return save(p, plotWidth, 460, 8, anchor, file)
}

func ticks(at []float64) []plot.Tick {
	var all []plot.Tick
	for _, v := range at {
		all = append(all, plot.Tick{Value: v, Label: thousands(int(v))})
	}
	return all
}

// decades returns 1, 2 and 5 times the powers of ten between two values.
func decades(low, high float64) []float64 {
	var all []float64
	for d := math.Pow(10, math.Floor(math.Log10(low))); d <= high; d *= 10 {
		for _, m := range []float64{1, 2, 5} {
			if v := m * d; v >= low && v <= high {
				all = append(all, v)
			}
		}
	}
	return all
}

// endLabels writes the names of lines to the right of their last points, apart
// from each other.
type endLabels struct {
	labels []endLabel
	style  draw.TextStyle
}

type endLabel struct {
	name string
	at   plotter.XY
	col  color.Color
}

const (
	labelGap  = 12 * vg.Length(1) // between names, from middle to middle
	labelDist = 16 * vg.Length(1) // from the last point to its name
)

// Plot implements plot.Plotter.
func (e *endLabels) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	labels := slices.Clone(e.labels)
	slices.SortStableFunc(labels, func(a, b endLabel) int { return int(math.Copysign(1, a.at.Y-b.at.Y)) })
	heights := make([]vg.Length, len(labels))
	for i, l := range labels {
		heights[i] = y(l.at.Y)
	}
	spread(heights, labelGap, c.Min.Y, c.Max.Y)
	right := c.Max.X + labelDist
	for i, l := range labels {
		from := vg.Point{X: x(l.at.X), Y: y(l.at.Y)}
		c.StrokeLine2(draw.LineStyle{Color: l.col, Width: 0.5}, from.X+4, from.Y, right-3, heights[i])
		style := e.style
		style.Color, style.YAlign = l.col, draw.YCenter
		c.FillText(style, vg.Point{X: right, Y: heights[i]}, l.name)
	}
}

// GlyphBoxes implements plot.GlyphBoxer: it keeps room for the names.
func (e *endLabels) GlyphBoxes(p *plot.Plot) []plot.GlyphBox {
	var width vg.Length
	for _, l := range e.labels {
		width = max(width, e.style.Width(l.name))
	}
	return []plot.GlyphBox{{X: 1, Rectangle: vg.Rectangle{Max: vg.Point{X: labelDist + (1+wider)*width}}}}
}

// spread moves ascending positions apart until they keep the gap, as little as
// that takes, and into the bounds.
func spread(at []vg.Length, gap, low, high vg.Length) {
	want := slices.Clone(at)
	// Neighbors that would touch form a block around the mean of where they
	// want to be.
	type block struct {
		first, n int
		middle   vg.Length
	}
	var blocks []block
	for i := range at {
		blocks = append(blocks, block{i, 1, want[i]})
		for len(blocks) > 1 {
			a, b := blocks[len(blocks)-2], blocks[len(blocks)-1]
			if b.middle-a.middle >= gap*vg.Length(a.n+b.n)/2 {
				break
			}
			n := a.n + b.n
			var sum vg.Length
			for _, w := range want[a.first : a.first+n] {
				sum += w
			}
			blocks = append(blocks[:len(blocks)-2], block{a.first, n, sum / vg.Length(n)})
		}
	}
	for _, b := range blocks {
		half := gap * vg.Length(b.n-1) / 2
		middle := max(low+half, min(high-half, b.middle))
		for i := range b.n {
			at[b.first+i] = middle - half + gap*vg.Length(i)
		}
	}
}

var _ plot.GlyphBoxer = (*endLabels)(nil)
