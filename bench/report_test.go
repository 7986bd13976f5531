package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/bench/peers"
	"github.com/fb9bb4ed/qsocket/codecbench"
	"gonum.org/v1/plot/vg"
)

// fixed returns results with the given medians, by contestant and workload.
func fixed(medians map[string]map[string]float64) *results {
	res := &results{
		Machine: machine{CPU: "abacus", Cores: 2, OS: "linux", Arch: "amd64", Go: "go1.26", Date: time.Unix(0, 0).UTC()},
		Rounds:  5, RunTime: "200ms",
	}
	for _, w := range workloads(false) {
		res.Workloads = append(res.Workloads, discipline{w.Name, w.Title, w.Metric, w.Unit, w.Conns, w.Rate})
	}
	for _, name := range []string{
		rawBatched, rawSingle, "qsocket channel/none", "qsocket pull/none", "qsocket channel/msgpack", "qsocket pull/msgpack",
		byHandMsgpack, byHandGob, grpcStream, gorilla, "coder/websocket/msgpack", natsBroker,
		rawSingle + " over tls", "qsocket pull/none over tls", "qsocket pull/msgpack over tls", gorilla + " over tls",
		rawSingle + " over wrapper", "qsocket channel/none over wrapper",
	} {
		byWorkload, ok := medians[name]
		if !ok {
			continue
		}
		base, over, _ := strings.Cut(name, " over ")
		res.Contestants = append(res.Contestants, entrant{Name: name, Over: peers.Transport(over), Note: "note on " + base})
		for _, w := range res.Workloads {
			if v, ok := byWorkload[w.Name]; ok {
				c := &cell{Contestant: name, Workload: w.Name}
				for _, d := range []float64{0.1, 0, -0.1} {
					c.add(sample{Value: v * (1 + d)})
				}
				c.sum()
				res.Cells = append(res.Cells, c)
			}
		}
	}
	return res
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1}, 5}, {[]float64{7, 100, 1}, 7}, {[]float64{4, 1, 3, 2}, 2.5},
	} {
		if got := median(test.values); got != test.want {
			t.Errorf("median(%v): got %v, want %v", test.values, got, test.want)
		}
	}
	c := cell{}
	for _, v := range []float64{5, 1, 9} {
		c.add(sample{Value: v, Allocs: v / 10})
	}
	c.sum()
	if c.Median != 5 || c.Min != 1 || c.Max != 9 || c.Allocs != 0.5 {
		t.Errorf("got %+v", c)
	}
}

func TestReport(t *testing.T) {
	res := fixed(map[string]map[string]float64{
		rawBatched:          {"W1": 64.44, "W3": 15_500, "conns=1": 64, "conns=10": 12_345},
		"qsocket pull/none": {"W1": 68, "idle": 4_700},
	})
	res.Cells = append(res.Cells, &cell{Contestant: rawBatched, Workload: "1M", Error: "torn\nframe"})
	res.Codecs = []codecRow{{Result: codecbench.Result{Codec: "c", EncodeNanos: 52, DecodeNanos: 168, WireBytes: 70, MessagesPerSecond: 2e6}, Source: "s"}}
	text := res.report([]figure{{"A title", "a.svg"}}, nil)
	for _, want := range []string{
		"2 cores of abacus, linux/amd64, go1.26, 1970-01-01. Medians of 5",
		"| contestant        | W1 ns | W2 ns | W3 µs |",
		"| raw batched/none  |  64.4 |     – |  15.5 |",
		"| qsocket pull/none |  68.0 |     – |     – |",
		"error |",
		"| contestant       |    1 |     10 |",
		"| raw batched/none | 64.0 | 12,345 |",
		"| qsocket pull/none |  4700 |        0.0 |",
		"- **raw batched/none**: note on raw batched/none.\n",
		"- 1M, raw batched/none: `torn; frame`\n",
		"![A title](a.svg)\n",
		"| c     |      52.0 |       168 |    0.0 |  70.0 |       500 | s          |",
		"58.0 … 70.9",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// The table of a transport has its contestants and its workloads, and the main table does not.
func TestReportOfTransports(t *testing.T) {
	over := rawSingle + " over tls"
	res := fixed(map[string]map[string]float64{rawSingle: {"W3": 15_500}, over: {"W3": 20_000}})
	res.cell(over, "W3").Allocs = 3
	text := res.report(nil, nil)
	_, after, _ := strings.Cut(text, "## Over TLS 1.3\n")
	section, _, _ := strings.Cut(after, "\n## ")
	want := `
| contestant        | W1 ns | W2 ns | W3 µs | W5 ns | W6 µs |
|-------------------|------:|------:|------:|------:|------:|
| raw/none over tls |     – |     – |  20.0 |     – |     – |

Allocations per message, both ends:

| contestant        |  W1 |  W2 |  W3 |  W5 |  W6 |
|-------------------|----:|----:|----:|----:|----:|
| raw/none over tls |   – |   – | 3.0 |   – |   – |

Smallest and largest times:

| contestant        | W1 ns | W2 ns |       W3 µs | W5 ns | W6 µs |
|-------------------|------:|------:|------------:|------:|------:|
| raw/none over tls |     – |     – | 18.0 … 22.0 |     – |     – |
`
	if section != want {
		t.Errorf("got\n%s\nwant\n%s", section, want)
	}
	if got := strings.Count(text, over); got != 3 {
		t.Errorf("the contestant over TLS is in the report %d times, want 3:\n%s", got, text)
	}
	if strings.Contains(text, transportTitles[peers.Unix]) {
		t.Error("the report has a section for a transport that was not measured")
	}
	if got := strings.Count(text, "note on "); got != 1 {
		t.Errorf("the note is in the report %d times, want 1", got)
	}
}

// Files of results from before there were details of the codecs have a table without them.
func TestCodecDetails(t *testing.T) {
	row := codecRow{Result: codecbench.Result{Codec: "c", EncodeNanos: 52, DecodeNanos: 168, WireBytes: 70, MessagesPerSecond: 2e6}, Source: "s"}
	res := &results{Codecs: []codecRow{row}}
	if text := res.codecTable(); strings.Contains(text, "flate") {
		t.Errorf("details that are not known:\n%s", text)
	}
	row.EncodeRange, row.DecodeRange = codecbench.Range{Min: 50, Max: 60.5}, codecbench.Range{Min: 160, Max: 190}
	row.FlateBytes, row.Evolution = 61, "field added: works"
	res.Codecs = []codecRow{row}
	want := `
| codec |   encode ns | decode ns | flate bytes | if the type changes at one end |
|-------|------------:|----------:|------------:|--------------------------------|
| c     | 50.0 … 60.5 | 160 … 190 |        61.0 | field added: works             |
`
	if text := res.codecTable(); !strings.Contains(text, want) {
		t.Errorf("got\n%s\nwant in it\n%s", text, want)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.0", 0.01: "0.0", 1.04: "1.0", 99.94: "99.9", 99.96: "100", 1234.4: "1234", 9999.6: "10,000", 1234567: "1,234,567",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%v): got %q, want %q", v, got, want)
		}
	}
}

func TestRoundUp(t *testing.T) {
	for _, test := range []struct{ conns, senders, n, want int }{
		{1, 1, 17, 17}, {1, 16, 17, 32}, {100, 1, 17, 1000}, {100, 1, 1001, 1100}, {1, 256, 1, 256},
	} {
		w := workload{Conns: test.conns, Senders: test.senders}
		if got := w.roundUp(test.n); got != test.want {
			t.Errorf("%+v: got %d", test, got)
		}
	}
}

func TestTurn(t *testing.T) {
	order := func(round int) string {
		r := newRunner(local(t), workloads(true))
		var names []string
		for _, c := range r.turn(round) {
			names = append(names, c.Workload+" "+c.Contestant)
		}
		return strings.Join(names, "\n")
	}
	first, again, second := order(1), order(1), order(2)
	if first != again {
		t.Error("the same round has two orders")
	}
	if first == second {
		t.Error("two rounds have the same order")
	}
	if a, b := strings.Count(first, "\n"), strings.Count(second, "\n"); a != b {
		t.Errorf("%d cells in one round and %d in another", a, b)
	}
}

func TestPlots(t *testing.T) {
	medians := make(map[string]map[string]float64)
	for i, name := range charted {
		medians[name] = make(map[string]float64)
		for _, w := range workloads(false) {
			medians[name][w.Name] = float64(100 + 7*i)
		}
	}
	res := fixed(medians)
	res.Codecs = []codecRow{{Result: codecbench.Result{Codec: "c", EncodeNanos: 52, DecodeNanos: 168, WireBytes: 70}}}
	dir := t.TempDir()
	figures, err := res.plot(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(figures) != 9 {
		t.Errorf("%d figures, want 9: %v", len(figures), figures)
	}
	for _, f := range figures {
		data, err := os.ReadFile(filepath.Join(dir, f.file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(data), `textLength="`) || strings.Contains(string(data), "NaN") {
			t.Errorf("%s: texts without a length, or places that are none", f.file)
		}
	}
	none, err := new(results).plot(dir)
	if err != nil || len(none) != 0 {
		t.Errorf("plots of nothing: %v, %v", none, err)
	}
}

func TestSpread(t *testing.T) {
	for _, test := range []struct{ at, want []vg.Length }{
		{[]vg.Length{50}, []vg.Length{50}},
		{[]vg.Length{20, 50}, []vg.Length{20, 50}},
		{[]vg.Length{50, 50}, []vg.Length{45, 55}},
		{[]vg.Length{0, 1, 99}, []vg.Length{0, 10, 99}},
		{[]vg.Length{48, 50, 52, 90}, []vg.Length{40, 50, 60, 90}},
	} {
		got := append([]vg.Length(nil), test.at...)
		spread(got, 10, 0, 100)
		if fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("spread(%v): got %v, want %v", test.at, got, test.want)
		}
	}
}
