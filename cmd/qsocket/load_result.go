package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/schollz/progressbar/v3"
)

// loadResult is what a load has found, and what --json prints.
type loadResult struct {
	Address    string             `json:"address"`
	Protocol   string             `json:"protocol"`
	Codec      string             `json:"codec"`
	Model      string             `json:"model"` // "open" or "closed"
	Asked      float64            `json:"asked"` // rate; or messages without an answer
	Conns      int                `json:"conns"`
	Seconds    float64            `json:"seconds"`
	Sent       int64              `json:"sent"`
	Rate       float64            `json:"rate"` // sent a second
	Answered   int64              `json:"answered"`
	Unanswered int64              `json:"unanswered"`
	Blocked    int64              `json:"blocked"` // how often there was no room for a message
	Failed     int                `json:"failed"`  // connections
	Latency    map[string]float64 `json:"latencyMs,omitempty"`
	Late       map[string]float64 `json:"lateMs,omitempty"` // how late messages were sent
	Intervals  []second           `json:"intervals"`

	begun     time.Time
	answers   int
	histogram *hdrhistogram.Histogram
	late      *hdrhistogram.Histogram
}

// loadPercentiles are shown, with how they are called in JSON.
var loadPercentiles = []struct {
	of         float64
	name, json string
}{
	{50, "p50", "p50"}, {90, "p90", "p90"}, {99, "p99", "p99"}, {99.9, "p99.9", "p999"}, {99.99, "p99.99", "p9999"}, {100, "max", "max"},
}

// result sums up a run that has ended.
func (l *load) result(server *spoken) *loadResult {
	c := l.command
	r := &loadResult{
		Address: c.Address, Protocol: server.Name, Codec: server.Codec, Model: "open", Asked: c.Rate, Conns: c.Conns,
		Seconds: l.took.Seconds(), Sent: l.meter.sent.Load(), Answered: l.meter.answered(), Blocked: l.meter.blocked.Load(),
		Failed: len(l.failures), Intervals: l.meter.seconds, begun: l.begin, answers: c.Answers, histogram: l.meter.latencies(),
	}
	if c.Closed > 0 {
		r.Model, r.Asked = "closed", float64(c.Closed)
	}
	r.Rate = float64(r.Sent) / r.Seconds
	if c.Answers > 0 {
		r.Unanswered = r.Sent - r.Answered
	}
	r.late = newHistogram()
	for _, h := range l.late {
		r.late.Merge(h)
	}
	r.Latency, r.Late = percentilesOf(r.histogram), percentilesOf(r.late)
	return r
}

// percentilesOf returns the loadPercentiles of h, nil if there is nothing in it.
func percentilesOf(h *hdrhistogram.Histogram) map[string]float64 {
	if h.TotalCount() == 0 {
		return nil
	}
	all := make(map[string]float64)
	for _, p := range loadPercentiles {
		all[p.json] = inMS(time.Duration(h.ValueAtQuantile(p.of)))
	}
	return all
}

// heldShare is how much of the rate must have been sent so that it was held.
const heldShare = 0.99

// held reports whether the rate was held; where it was not, why.
func (r *loadResult) held() (why string, held bool) {
	switch {
	case r.Model == "closed" || r.Rate >= r.Asked*heldShare:
		return "", true
	case r.Failed > 0:
		return "connections have failed", false
	case r.Blocked > 0:
		return "the server does not take more", false
	}
	return "this program could not send more: the machine is busy, or too small", false
}

// title says what was done.
func (r *loadResult) title() string {
	name := shown(r.Protocol)
	if name == "" {
		name = "raw mode"
	}
	over := fmt.Sprintf("%d connections", r.Conns)
	if r.Conns == 1 {
		over = "1 connection"
	}
	if r.Model == "closed" {
		return fmt.Sprintf("%s, %s over %s: closed model, %v at a time on each, %.3g s", name, shown(r.Codec), over, r.Asked, r.Seconds)
	}
	return fmt.Sprintf("%s, %s over %s: open model, %s a second, %.3g s", name, shown(r.Codec), over, thousands(r.Asked), r.Seconds)
}

// since says from when latencies count.
func (r *loadResult) since() string {
	switch {
	case r.Model == "closed":
		return "from sending a message to its answer. The server was asked less when it was slow"
	case r.answers == 0:
		return "from when a message was due until it was accepted for sending. Answers were not awaited"
	}
	return "from when a message was due to its answer"
}

func (r *loadResult) print(w io.Writer) {
	fmt.Fprintln(w, r.title())
	var t table
	t.add("sent", "%s, %s a second", thousands(float64(r.Sent)), thousands(math.Round(r.Rate)))
	if why, held := r.held(); !held {
		t.add("", "%.1f %% of the rate that was asked for: %s", 100*r.Rate/r.Asked, why)
	}
	if r.Late != nil {
		t.add("late", "%s", r.lateness())
	}
	if r.answers > 0 {
		t.add("answered", "%s", thousands(float64(r.Answered)))
	}
	if r.Unanswered > 0 {
		t.add("unanswered", "%s", thousands(float64(r.Unanswered)))
	}
	if r.Blocked > 0 {
		t.add("no room", "%s times: the server was slower than the messages came", thousands(float64(r.Blocked)))
	}
	if r.Failed > 0 {
		t.add("failed", "%d of the connections", r.Failed)
	}
	t.print(w)
	if r.Latency == nil {
		return
	}
	fmt.Fprintf(w, "\nlatency, %s\n", r.since())
	for _, p := range loadPercentiles {
		fmt.Fprintf(w, "  %-7s %9s\n", p.name, inUnits(time.Duration(r.histogram.ValueAtQuantile(p.of))))
	}
}

// lateness says how far behind their times messages were sent.
func (r *loadResult) lateness() string {
	at := func(q float64) string { return inUnits(time.Duration(r.late.ValueAtQuantile(q))) }
	return fmt.Sprintf("sent %s (p50), %s (p99), %s (max) after they were due, which is a part of the latency", at(50), at(99), at(100))
}

// writeHDR writes the distribution in the form that the plotter of HdrHistogram reads, in ms.
func (r *loadResult) writeHDR(w io.Writer) error {
	_, err := r.histogram.PercentilesPrint(w, 5, 1e6)
	return err
}

// thousands shows a number with a comma for each three digits.
func thousands(f float64) string {
	s := fmt.Sprintf("%.0f", f)
	if f != math.Trunc(f) {
		return fmt.Sprintf("%g", f)
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// showProgress shows a bar while l runs, if stderr is a terminal. It is called before the run; what it returns ends the bar.
func (l *load) showProgress(p *program) (end func()) {
	file, ok := p.err.(*os.File)
	if !ok || !isTerminal(file) {
		return func() {}
	}
	total := l.command.For
	bar := progressbar.NewOptions64(int64(total), progressbar.OptionSetWriter(file), progressbar.OptionSetWidth(30),
		progressbar.OptionSetElapsedTime(false), progressbar.OptionSetPredictTime(false), progressbar.OptionClearOnFinish(),
		progressbar.OptionThrottle(50*time.Millisecond))
	quit, done := make(chan struct{}), make(chan struct{})
	begin := time.Now()
	go func() { // ends with end
		defer close(done)
		ticks := time.NewTicker(100 * time.Millisecond)
		defer ticks.Stop()
		for {
			select {
			case <-quit:
				_ = bar.Finish()
				return
			case <-ticks.C:
				passed := min(time.Since(begin), total)
				bar.Describe(fmt.Sprintf("%2.0f of %v, %s sent, %s answered", passed.Seconds(), total, thousands(float64(l.meter.sent.Load())), thousands(float64(l.meter.answered()))))
				_ = bar.Set64(int64(passed))
			}
		}
	}()
	return func() { close(quit); <-done }
}
