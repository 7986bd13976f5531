package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
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

// find returns the goal whose name begins with a text.
func find(t *testing.T, goals []goal, prefix, mode string) goal {
	t.Helper()
	for _, g := range goals {
		if strings.HasPrefix(g.Name, prefix) && g.Mode == mode {
			return g
		}
	}
	t.Fatalf("no goal %q by %s", prefix, mode)
	return goal{}
}

func TestGoals(t *testing.T) {
	res := fixed(map[string]map[string]float64{
		rawBatched:             {"W1": 60, "64K": 40_000},
		rawSingle:              {"W3": 15_000, "W6": 25_000},
		"qsocket channel/none": {"W1": 120, "W3": 24_000, "conns=1": 100, "conns=10": 90, "conns=100": 110, "conns=1000": 126, "idle": 8192},
		"qsocket pull/none":    {"W1": 66, "W3": 16_500, "conns=1": 100, "conns=10": 90, "conns=100": 110, "conns=1000": 125, "idle": 8192},
		"qsocket pull/msgpack": {"W1": 500, "load=20000": 700},
		gorilla:                {"W1": 6000, "load=20000": 1000},
		grpcStream:             {"load=20000": 1400},
		natsBroker:             {"load=20000": 1100},

		rawSingle + " over tls":             {"W3": 20_000},
		"qsocket pull/none over tls":        {"W3": 24_000},
		"qsocket pull/msgpack over tls":     {"W3": 30_000},
		gorilla + " over tls":               {"W3": 36_000},
		rawSingle + " over wrapper":         {"W3": 16_000},
		"qsocket channel/none over wrapper": {"W3": 33_600},
		"coder/websocket/msgpack":           {"W1": 5000},
	})
	goals := res.evaluate()
	for _, test := range []struct {
		name, mode string
		measured   float64
		met        bool
		missing    string
	}{
		{"W1, no codec: throughput", "channel", 0.5, false, ""},
		{"W1, no codec: throughput", "pull", 60.0 / 66, true, ""},
		{"W3, no codec: time", "channel", 1.6, true, ""},
		{"W3, no codec: time", "pull", 1.1, false, ""},
		{"W6, no codec: time", "pull", 0, false, "qsocket pull/none in W6"},
		{"W1, msgpack: throughput ÷ that of best websocket", "pull", 10, false, ""},
		{"W1, msgpack: throughput ÷ that of grpc", "pull", 0, false, grpcStream + " in W1"},
		{"64K, no codec", "channel", 0, false, "qsocket channel/none in 64K"},
		{"idle, bytes per end, no codec", "channel", 8192, true, ""},
		{"idle, bytes per end, no codec", "pull", 8192, false, ""},
		{"cost with 10 to 1000 connections, × that with one, no codec", "channel", 1.26, false, ""},
		{"cost with 10 to 1000 connections, × that with one, no codec", "pull", 1.25, true, ""},
		{"allocations", "pull", 0, false, "qsocket pull/none in W2"},
		{"W3, no codec over tls: time ÷ that of raw/none", "pull", 1.2, true, ""},
		{"W3, no codec over tls: time ÷ that of raw/none", "channel", 0, false, "qsocket channel/none over tls in W3"},
		{"W3, msgpack over tls: throughput ÷ that of gorilla", "pull", 1.2, true, ""},
		{"W3, msgpack over tls: throughput ÷ that of grpc", "pull", 0, false, grpcStream + " over tls in W3"},
		{"W3, no codec over wrapper: time ÷ that of raw/none", "channel", 2.1, false, ""},
		{"load=20000, msgpack: p99 ÷ that of best of", "pull", 0.7, true, ""},
		{"load=100000, msgpack: p99 ÷ that of best of", "pull", 0, false, "qsocket pull/msgpack in load=100000"},
		{"cost with 10,000 connections", "pull", 0, false, "qsocket pull/none in conns=10000"},
	} {
		g := find(t, goals, test.name, test.mode)
		if math.Abs(g.Measured-test.measured) > 1e-9 || g.Met != test.met || g.Missing != test.missing {
			t.Errorf("%s by %s: got %+v, want measured %v, met %v, missing %q", test.name, test.mode, g, test.measured, test.met, test.missing)
		}
	}
}

func TestAllocationGoal(t *testing.T) {
	all := map[string]float64{"W1": 1, "W2": 1, "W3": 1, "W4": 1, "W5": 1}
	res := fixed(map[string]map[string]float64{"qsocket pull/none": all})
	for _, test := range []struct {
		allocs float64
		met    bool
	}{{0, true}, {0.01, true}, {1, false}} {
		res.cell("qsocket pull/none", "W4").Allocs = test.allocs
		if g := find(t, res.evaluate(), "allocations", "pull"); g.Met != test.met || g.Measured != test.allocs {
			t.Errorf("with %v: got %+v", test.allocs, g)
		}
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

func TestUpdateReadme(t *testing.T) {
	file := filepath.Join(t.TempDir(), "README.md")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	res := fixed(map[string]map[string]float64{rawBatched: {"W1": 70}})
	write("before\n" + readmeBegin + "an old table\n" + readmeEnd + "after\n")
	for range 2 { // the second time it finds its own
		if err := res.updateReadme(file); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := "before\n" + readmeBegin + res.readmeTable() + readmeEnd + "after\n"
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	write("no place for it\n")
	if err := res.updateReadme(file); err == nil {
		t.Error("no error where there is no place for the table")
	}
}

// What the repository shows is what its files of results say: README's table and the tables beside
// them, which are of the same machine, and the table of all machines.
func TestShownResults(t *testing.T) {
	all, err := readMachines(fullOut)
	if err != nil || len(all) == 0 {
		t.Fatalf("got results of %d machines, %v, want some", len(all), err)
	}
	text := func(file string) string {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(b), "\r\n", "\n")
	}
	front, report := text(readme), text(filepath.Join(fullOut, "results.md"))
	shown := slices.IndexFunc(all, func(res *results) bool {
		return strings.Contains(front, readmeBegin+res.readmeTable()+readmeEnd)
	})
	if shown < 0 {
		t.Fatalf("%s does not show what one of the results says; go run . -from one of %s/results-*.json writes it", readme, fullOut)
	}
	res := all[shown]
	if table := res.readmeTable(); strings.Count(table, "\n| ") != 6 || strings.Contains(table, "–") {
		t.Errorf("want a figure in each of 6 rows and 3 columns, got\n%s", table)
	}
	for what, want := range map[string]string{"its table of medians": res.mainTable(), "its preamble": res.preamble(), "the tables of machines": machineTables(all)} {
		if !strings.Contains(report, want) {
			t.Errorf("results.md is not what %s says, of which README shows the table: it lacks %s; go run . -from %[1]s writes it",
				filepath.Join(fullOut, res.Machine.fileName()), what)
		}
	}
	for _, res := range all {
		if _, err := os.Stat(filepath.Join(fullOut, res.Machine.fileName())); err != nil {
			t.Errorf("the file of results of %s has another name: %v", res.Machine.CPU, err)
		}
	}
}

// The plots keep their texts in place with any font, and have colors for dark pages.
func TestShownPlots(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(fullOut, "*.svg"))
	if err != nil || len(files) < 8 {
		t.Fatalf("got %d plots, %v, want 8", len(files), err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts, placed := strings.Count(string(b), "<text "), strings.Count(string(b), `<text textLength="`)
		if texts < 10 || placed != texts {
			t.Errorf("%s: %d of %d texts have a width", file, placed, texts)
		}
		if anchored := strings.Count(string(b), " text-anchor="); anchored != texts {
			t.Errorf("%s: %d of %d texts have an anchor", file, anchored, texts)
		}
		if !strings.Contains(string(b), "prefers-color-scheme: dark") {
			t.Errorf("%s has no colors for dark pages", file)
		}
	}
}
