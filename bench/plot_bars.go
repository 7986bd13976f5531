package main

import (
	"fmt"
	"image/color"
	"slices"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A barChart has horizontal bars, each with its value at its end.
type barChart struct {
	title, unit string
	names       []string // from the bottom
	groups      []barGroup
}

// A barGroup has one bar for each name.
type barGroup struct {
	label  string // in the legend, if there are several
	values []float64
	colors func(name string) color.Color
}

const (
	plotWidth = 760 * vg.Length(1)
	barHeight = 12 * vg.Length(1)
)

// bars returns the chart of a workload.
func (res *results) bars(workload, unit string, more bool, value func(float64) float64) drawing {
	names, values := res.sorted(workload, more, value)
	if len(names) == 0 {
		return nil
	}
	title := ""
	for _, d := range res.Workloads {
		if d.Name == workload {
			title = workload + ": " + d.Title
			if workload == "idle" {
				title = fmt.Sprintf("Idle: %s, %s connections", d.Title, thousands(d.Conns))
			}
		}
	}
	return barChart{title, unit, names, []barGroup{{values: values, colors: colorOf}}}
}

// codecBars returns the chart of the codecs, the fastest at the top.
func (res *results) codecBars() drawing {
	if len(res.Codecs) == 0 {
		return nil
	}
	rows := slices.Clone(res.Codecs)
	slices.SortStableFunc(rows, func(a, b codecRow) int {
		return int(b.EncodeNanos + b.DecodeNanos - a.EncodeNanos - a.DecodeNanos)
	})
	plain := func(c color.Color) func(string) color.Color { return func(string) color.Color { return c } }
	decode := barGroup{label: "decode", colors: plain(otherColor)}
	encode := barGroup{label: "encode", colors: plain(ownColor)}
	var names []string
	for _, c := range rows {
		names = append(names, fmt.Sprintf("%s, %.0f bytes", c.Codec, c.WireBytes))
		encode.values = append(encode.values, c.EncodeNanos)
		decode.values = append(decode.values, c.DecodeNanos)
	}
	return barChart{"Codecs: time for the message of W1, and its size", "ns (less is better)", names, []barGroup{encode, decode}}
}

func (b barChart) write(file string) error {
	p := newPlot(b.title)
	p.X.Label.Text = b.unit
	p.X.Min = 0
	grid := plotter.NewGrid()
	grid.Horizontal.Width = 0
	grid.Vertical.Color = gridColor
	p.Add(grid)

	var labels plotter.XYLabels
	for g, group := range slices.Backward(b.groups) {
		// The groups share the place of a name, which is 1 high.
		middle := (float64(len(b.groups)-1)/2 - float64(g)) * 0.9 / float64(len(b.groups))
		for i, v := range group.values {
			bar, err := plotter.NewBarChart(plotter.Values{v}, barHeight)
			if err != nil {
				return err
			}
			bar.Horizontal = true
			bar.XMin = float64(i) + middle
			bar.Color = group.colors(b.names[i])
			bar.LineStyle.Width = 0
			p.Add(bar)
			if i == 0 && group.label != "" {
				p.Legend.Add(group.label, bar)
			}
			labels.XYs = append(labels.XYs, plotter.XY{X: v, Y: bar.XMin})
			labels.Labels = append(labels.Labels, number2(v))
		}
	}
	text, err := plotter.NewLabels(labels)
	if err != nil {
		return err
	}
	for i := range text.TextStyle {
		text.TextStyle[i].Font = font.From(sans, labelSize)
		text.TextStyle[i].YAlign = draw.YCenter
	}
	text.Offset = vg.Point{X: 4, Y: 1.5} // digits have no descent
	p.Add(text)
	p.Legend.Top, p.Legend.Padding, p.Legend.ThumbnailWidth = true, 3, 14

	p.NominalY(b.names...)
	p.Y.Min, p.Y.Max = -0.6, float64(len(b.names))-0.4
	p.Y.Tick.Length = 0
	p.Y.LineStyle.Width = 0
	height := vg.Length(len(b.names))*(barHeight*vg.Length(len(b.groups))+5) + 75
	anchor := func(text string, _ float64) string {
		switch {
		case slices.Contains(b.names, text):
			return "end"
		case slices.Contains(labels.Labels, text):
			return "start"
		}
		return "middle"
	}
	return save(p, plotWidth, height, wider*nameWidth(b.names), anchor, file)
}

// number2 is number with enough digits for values below 1.
func number2(v float64) string {
	if v < 9.95 {
		return fmt.Sprintf("%.2f", v)
	}
	return number(v)
}
