package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// chart is lines over two axes, as an SVG that stands by itself in a page.
type chart struct {
	x, y  axis
	lines []line
}

// axis says where values are. Those of a logarithmic one are above 0.
type axis struct {
	name     string
	min, max float64
	log      bool
	marks    []mark // nil: chosen
}

type mark struct {
	at   float64
	text string
}

type line struct {
	name   string
	class  string // of its colour
	points [][2]float64
}

// Sizes, in the units of the SVG.
const (
	chartWidth, chartHeight = 760, 280
	leftSpace, rightSpace   = 84, 110
	topSpace, bottomSpace   = 14, 44
)

// place returns how far along the axis v is, from 0 to 1.
func (a *axis) place(v float64) float64 {
	if a.log {
		return (math.Log10(max(v, a.min)) - math.Log10(a.min)) / (math.Log10(a.max) - math.Log10(a.min))
	}
	return (v - a.min) / (a.max - a.min)
}

// chooseMarks sets the marks, and widens the axis so that it ends at marks.
func (a *axis) chooseMarks() {
	if a.marks != nil {
		return
	}
	if a.log {
		low, high := math.Floor(math.Log10(a.min)), math.Ceil(math.Log10(a.max))
		if high <= low {
			high = low + 1
		}
		a.min, a.max = math.Pow(10, low), math.Pow(10, high)
		for e := low; e <= high; e++ {
			v := math.Pow(10, e)
			a.marks = append(a.marks, mark{v, trimmed(v)})
		}
		return
	}
	step := math.Pow(10, math.Floor(math.Log10(max(a.max-a.min, 1e-9))))
	for _, finer := range []float64{5, 2, 1} {
		if (a.max-a.min)/(step/finer) <= 8 {
			step /= finer
			break
		}
	}
	a.max = math.Ceil(a.max/step-0.01) * step
	if a.max <= a.min {
		a.max = a.min + step
	}
	for v := a.min; v <= a.max+step/2; v += step {
		a.marks = append(a.marks, mark{v, trimmed(v)})
	}
}

// trimmed is a number for a mark.
func trimmed(v float64) string {
	if math.Abs(v) >= 1000 {
		return thousands(math.Round(v))
	}
	return fmt.Sprintf("%.4g", v)
}

// svg draws the chart.
func (c *chart) svg() string {
	c.x.chooseMarks()
	c.y.chooseMarks()
	const right, bottom = chartWidth - rightSpace, chartHeight - bottomSpace
	x := func(v float64) float64 { return leftSpace + c.x.place(v)*(right-leftSpace) }
	y := func(v float64) float64 { return bottom - c.y.place(v)*(bottom-topSpace) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img" aria-label="%s over %s">`+"\n", chartWidth, chartHeight, html.EscapeString(c.y.name), html.EscapeString(c.x.name))
	for _, m := range c.y.marks {
		fmt.Fprintf(&b, `<line class="grid" x1="%[1]d" x2="%[2]d" y1="%.1[3]f" y2="%.1[3]f"/><text class="mark" x="%[4]d" y="%.1[5]f" text-anchor="end">%[6]s</text>`+"\n", leftSpace, right, y(m.at), leftSpace-8, y(m.at)+4, html.EscapeString(m.text))
	}
	for _, m := range c.x.marks {
		fmt.Fprintf(&b, `<line class="grid" x1="%.1[1]f" x2="%.1[1]f" y1="%[2]d" y2="%[3]d"/><text class="mark" x="%.1[1]f" y="%[4]d" text-anchor="middle">%[5]s</text>`+"\n", x(m.at), topSpace, bottom, bottom+18, html.EscapeString(m.text))
	}
	fmt.Fprintf(&b, `<text class="name" x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", float64(leftSpace+right)/2, chartHeight-6, html.EscapeString(c.x.name))
	fmt.Fprintf(&b, `<text class="name" transform="translate(14 %.1f) rotate(-90)" text-anchor="middle">%s</text>`+"\n", float64(topSpace+bottom)/2, html.EscapeString(c.y.name))
	for i, l := range c.lines {
		var points strings.Builder
		for _, p := range l.points {
			fmt.Fprintf(&points, "%.1f,%.1f ", x(min(max(p[0], c.x.min), c.x.max)), y(min(max(p[1], c.y.min), c.y.max)))
		}
		at := topSpace + 16 + 20*i
		fmt.Fprintf(&b, `<polyline class="%s" points="%s"/>`+"\n", l.class, strings.TrimSpace(points.String()))
		fmt.Fprintf(&b, `<line class="%[1]s" x1="%[2]d" x2="%[3]d" y1="%[4]d" y2="%[4]d"/><text class="key" x="%[5]d" y="%[6]d">%[7]s</text>`+"\n", l.class, right+12, right+30, at, right+36, at+4, html.EscapeString(l.name))
	}
	b.WriteString("</svg>\n")
	return b.String()
}
