package main

import (
	"fmt"
	"html/template"
	"io"
	"math"
	"time"
)

// The report of a load is one file: a table, and charts as SVG inside of it. It fetches nothing.

var loadPage = template.Must(template.New("load").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<style>
:root { --text: #1c2330; --soft: #5b6472; --grid: #e3e7ed; --back: #ffffff; --one: #1f6feb; --two: #d1740a; --three: #b3261e; --bad: #b3261e }
@media (prefers-color-scheme: dark) { :root { --text: #e3e8f0; --soft: #98a2b3; --grid: #2a313c; --back: #11161d; --one: #6cb0ff; --two: #f0a050; --three: #ff7b72; --bad: #ff7b72 } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); max-width: 800px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.35rem; margin: 0 }
h2 { font-size: 1.05rem; margin: 2rem 0 .4rem }
p { margin: .3rem 0; color: var(--soft) }
.bad { color: var(--bad) }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums }
th, td { padding: .25rem 1.2rem .25rem 0; text-align: left; font-weight: normal }
th { color: var(--soft); text-align: left }
.row th, .row td { text-align: right }
svg { width: 100%; height: auto; display: block }
.grid { stroke: var(--grid) }
text { font: 12px system-ui, sans-serif; fill: var(--soft) }
.key { fill: var(--text) }
polyline { fill: none; stroke-width: 1.8; stroke-linejoin: round }
.one { stroke: var(--one) } .two { stroke: var(--two) } .three { stroke: var(--three) }
line.one, line.two, line.three { stroke-width: 3 }
</style>
</head>
<body>
<h1>{{.Title}}</h1>
<p>{{.Address}}, begun {{.Begun}}</p>
{{range .Problems}}<p class="bad">{{.}}</p>
{{end}}<table>
{{range .Rows}}<tr><th>{{index . 0}}</th><td>{{index . 1}}</td></tr>
{{end}}</table>
{{if .Percentiles}}<h2>Latency</h2>
<p>{{.Since}}.</p>
<table class="row">
<tr>{{range .Percentiles}}<th>{{index . 0}}</th>{{end}}</tr>
<tr>{{range .Percentiles}}<td>{{index . 1}}</td>{{end}}</tr>
</table>
<h2>Latency by percentile</h2>
{{.Distribution}}
<h2>Latency over time</h2>
{{.OverTime}}
{{end}}<h2>Messages over time</h2>
{{.Rates}}
</body>
</html>
`))

// writeHTML writes the report.
func (r *loadResult) writeHTML(w io.Writer) error {
	page := struct {
		Title, Address, Begun, Since  string
		Problems                      []string
		Rows, Percentiles             [][2]string
		Distribution, OverTime, Rates template.HTML // of svg, which escapes its texts
	}{Title: r.title(), Address: shown(r.Address), Begun: r.begun.UTC().Format("2006-01-02 15:04:05 UTC"), Since: r.since()}
	if why, held := r.held(); !held {
		page.Problems = append(page.Problems, fmt.Sprintf("%.1f %% of the rate that was asked for: %s.", 100*r.Rate/r.Asked, why))
	}
	if r.Failed > 0 {
		page.Problems = append(page.Problems, fmt.Sprintf("%d of the connections have failed.", r.Failed))
	}
	if r.Unanswered > 0 {
		page.Problems = append(page.Problems, thousands(float64(r.Unanswered))+" messages were not answered.")
	}
	row := func(name, value string) { page.Rows = append(page.Rows, [2]string{name, value}) }
	row("sent", thousands(float64(r.Sent)))
	row("a second", thousands(math.Round(r.Rate)))
	if r.Late != nil {
		row("late", r.lateness())
	}
	if r.answers > 0 {
		row("answered", thousands(float64(r.Answered)))
	}
	if r.Blocked > 0 {
		row("no room for a message", thousands(float64(r.Blocked))+" times")
	}
	if r.Latency != nil {
		for _, p := range loadPercentiles {
			page.Percentiles = append(page.Percentiles, [2]string{p.name, inUnits(time.Duration(r.histogram.ValueAtQuantile(p.of)))})
		}
		page.Distribution = template.HTML(r.distribution().svg())
		page.OverTime = template.HTML(r.latencyOverTime().svg())
	}
	page.Rates = template.HTML(r.rates().svg())
	return loadPage.Execute(w, page)
}

// distribution shows latencies by percentile. Each mark of the axis has a tenth of what is beyond
// the one before.
func (r *loadResult) distribution() *chart {
	const nines = 5
	c := &chart{x: axis{name: "percentile", min: 1, max: math.Pow(10, nines), log: true}, y: axis{name: "ms", log: true}}
	c.x.marks = []mark{{1, "0"}, {2, "50"}, {10, "90"}, {100, "99"}, {1e3, "99.9"}, {1e4, "99.99"}, {1e5, "99.999"}}
	l := line{name: r.Model, class: "one"}
	low := 0.0
	for i := 0; i <= 40*nines; i++ {
		beyond := math.Pow(10, float64(i)/40)
		if beyond > float64(r.histogram.TotalCount()) {
			break // there are fewer than that
		}
		v := ms(r.histogram.ValueAtQuantile(100 - 100/beyond))
		if low == 0 {
			low = v
		}
		l.points = append(l.points, [2]float64{beyond, v})
	}
	c.y.min, c.y.max = max(low, 1e-3), max(ms(r.histogram.Max()), low*2, 1e-2)
	c.lines = []line{l}
	return c
}

func ms(nanoseconds int64) float64 { return float64(nanoseconds) / 1e6 }

// latencyOverTime shows percentiles of each interval.
func (r *loadResult) latencyOverTime() *chart {
	c := &chart{x: axis{name: "seconds", max: r.Seconds}, y: axis{name: "ms", log: true, min: 1e9}}
	lines := []line{{name: "p50", class: "one"}, {name: "p99", class: "two"}, {name: "max", class: "three"}}
	for _, s := range r.Intervals {
		for i, v := range []float64{s.P50, s.P99, s.Max} {
			if v <= 0 {
				continue // nothing was answered
			}
			lines[i].points = append(lines[i].points, [2]float64{s.At, v})
			c.y.min, c.y.max = max(min(c.y.min, v), 1e-3), max(c.y.max, v, 1e-2)
		}
	}
	c.y.min = min(c.y.min, c.y.max)
	c.lines = lines
	return c
}

// rates shows what was sent and answered in each interval.
func (r *loadResult) rates() *chart {
	c := &chart{x: axis{name: "seconds", max: r.Seconds}, y: axis{name: "a second", max: 1}}
	sent, answered := line{name: "sent", class: "two"}, line{name: "answered", class: "one"}
	for _, s := range r.Intervals {
		sent.points = append(sent.points, [2]float64{s.At, s.Sent})
		answered.points = append(answered.points, [2]float64{s.At, s.Answered})
		c.y.max = max(c.y.max, s.Sent, s.Answered)
	}
	c.lines = []line{sent}
	if r.answers > 0 {
		c.lines = append(c.lines, answered)
	}
	return c
}
