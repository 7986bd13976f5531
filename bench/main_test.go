package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/bench/peers"
)

// TestMain lets the test program be the second process, as the real one is.
func TestMain(m *testing.M) {
	if isChild() {
		runChild()
		return
	}
	os.Exit(m.Run())
}

// small returns all workloads with few connections and senders. apart says
// whether those that need it get processes of their own.
func small(apart bool) []workload {
	all := workloads(true)
	for i := range all {
		all[i].Conns = min(all[i].Conns, 5)
		all[i].Senders = min(all[i].Senders, 3)
		all[i].Apart = all[i].Apart && apart
	}
	return all
}

// local returns contestants that need nothing else, each over TCP, and some over other transports.
func local(t *testing.T) []peers.Contestant {
	t.Helper()
	return contestantsNamed(regexp.MustCompile(`^(raw|qsocket|by hand)[^/]*/\w+$|^(raw|qsocket \w+)/none over`).MatchString)
}

func TestWorkloads(t *testing.T) {
	testWorkloads(t, local(t), false)
}

func TestWorkloadsInTwoProcesses(t *testing.T) {
	testWorkloads(t, contestantsNamed(regexp.MustCompile(`^(raw/none|qsocket .*/none)( over tls)?$|^(by hand, batched/gob|net/rpc)`).MatchString), true)
}

func TestWorkloadsOfCalls(t *testing.T) {
	testWorkloads(t, contestantsNamed(regexp.MustCompile(`^net/rpc`).MatchString), false)
}

func testWorkloads(t *testing.T, contestants []peers.Contestant, apart bool) {
	r := newRunner(contestants, small(apart))
	r.rounds, r.target, r.apart = 1, time.Millisecond, apart
	steps := 0
	r.progress = func(string) { steps++ }
	for _, c := range r.run() {
		switch {
		case c.Error != "" || len(c.Samples) != 1:
			t.Errorf("%s, %s: %d samples, error %q", c.Workload, c.Contestant, len(c.Samples), c.Error)
		case c.Median <= 0 && c.Workload != "idle":
			t.Errorf("%s, %s: %v, want a positive time", c.Workload, c.Contestant, c.Median)
		}
	}
	if steps != r.steps() {
		t.Errorf("%d steps of progress, want %d", steps, r.steps())
	}
}

// TestFailure has the server's process end during a measurement. It must cost
// that measurement only.
func TestFailure(t *testing.T) {
	r := newRunner(contestantsNamed(regexp.MustCompile(`^raw/`).MatchString), small(false)[:1])
	r.apart = true
	defer r.dismiss()
	c := r.cells[0]
	m, err := r.meet(c)
	if err != nil {
		t.Fatal(err)
	}
	m.server.(guest).in.cmd.Process.Kill()
	if _, err := m.run(1000); err == nil {
		t.Error("no error from a run whose server is dead")
	}
	m.leave()
	if m, err = r.meet(c); err != nil {
		t.Fatalf("after the failure: %v", err)
	}
	if _, err := m.run(1000); err != nil {
		t.Errorf("after the failure: %v", err)
	}
	m.leave()
}

// TestTimeout starts a server's role without a client's.
func TestTimeout(t *testing.T) {
	server, client := new(party), new(party)
	m, err := meet(local(t)[0], small(false)[0], server, client, false)
	if err != nil {
		t.Fatal(err)
	}
	defer m.leave()
	server.do(request{Op: "start", Task: task{Role: sink, Count: 1}}, time.Second)
	resp := server.do(request{Op: "wait"}, 20*time.Millisecond)
	if !strings.Contains(resp.Error, "sink: not done after 20ms: sink: receive message 1 of 1") {
		t.Errorf("got error %q", resp.Error)
	}
}

func TestLostMessages(t *testing.T) {
	server, client := new(party), new(party)
	m, err := meet(local(t)[0], small(false)[0], server, client, false)
	if err != nil {
		t.Fatal(err)
	}
	defer m.leave()
	m.limit = 50 * time.Millisecond
	_, _, err = m.perform(task{Role: sink, Count: 11, Senders: 1}, task{Role: source, Count: 10, Senders: 1}, false)
	if err == nil || !strings.Contains(err.Error(), "receive message 11 of 11") {
		t.Errorf("got error %v", err)
	}
}

func TestList(t *testing.T) {
	for _, test := range []struct{ run, workload, want string }{
		{"raw.*none$|pull/gob", "^W1", `contestants:
  raw batched/none
  raw/none
  qsocket pull/gob
workloads:
  W1            one sender, one way
`},
		{"over tls", "W3", `contestants:
  raw batched/none over tls
  raw/none over tls
  qsocket channel/none over tls
  qsocket channel/msgpack over tls
  qsocket pull/none over tls
  qsocket pull/msgpack over tls
  by hand, flush each/msgpack over tls
  by hand, batched/msgpack over tls
  grpc-go stream/msgpack over tls
  coder/websocket/msgpack over tls
  gorilla/websocket/msgpack over tls
  nats/msgpack over tls
workloads:
  W3            ping-pong
`},
	} {
		var out bytes.Buffer
		if err := run([]string{"-list", "-run", test.run, "-workload", test.workload}, &out, os.Stderr); err != nil {
			t.Fatal(err)
		}
		if out.String() != test.want {
			t.Errorf("-run %q -workload %q: got\n%s\nwant\n%s", test.run, test.workload, &out, test.want)
		}
	}
}

// What is not over TCP takes part in few workloads, so that a run does not take twice as long.
func TestTransports(t *testing.T) {
	got := make(map[peers.Transport]map[string]int) // contestants
	for _, c := range newRunner(peers.All(), workloads(false)).cells {
		if got[c.contestant.Over] == nil {
			got[c.contestant.Over] = make(map[string]int)
		}
		got[c.contestant.Over][c.Workload]++
	}
	delete(got, peers.TCP)
	want := map[peers.Transport]map[string]int{
		peers.TLS:     {"W1": 12, "W2": 12, "W3": 12, "W5": 12, "W6": 12},
		peers.Unix:    {"W3": 6, "W6": 6},
		peers.Wrapper: {"W3": 6, "W6": 6},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("contestants by workload: got %v, want %v", got, want)
	}
}

func TestOut(t *testing.T) {
	temporary := filepath.Join(os.TempDir(), "qsocket-bench")
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, fullOut},
		{[]string{"-rounds", "9"}, fullOut},
		{[]string{"-quick"}, temporary},
		{[]string{"-run", "raw"}, temporary},
		{[]string{"-workload", "W1"}, temporary},
		{[]string{"-two-process"}, temporary},
		{[]string{"-run", "raw", "-out", "there"}, "there"},
		{[]string{"-from", "there/results-abacus.json"}, "there"},
	} {
		o, err := parse(test.args, os.Stderr)
		if err != nil || o.out != test.want {
			t.Errorf("%q: got %q, %v, want %q", test.args, o.out, err, test.want)
		}
	}
}

func TestArguments(t *testing.T) {
	for _, args := range [][]string{{"-run", "("}, {"-workload", "("}, {"-rounds", "-1"}, {"-time", "-1s"}, {"raw"}, {"-run", "nobody"}} {
		if err := run(args, new(bytes.Buffer), new(bytes.Buffer)); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

func TestProgram(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	args := []string{"-run", "^(raw|raw batched|qsocket pull)/none$", "-workload", "^W[13]", "-rounds", "2", "-time", "1ms", "-out", dir}
	if err := run(args, &out, new(bytes.Buffer)); err != nil {
		t.Fatal(err)
	}
	res, err := readResults(filepath.Join(dir, thisMachine().fileName()))
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Cells) != 6 || res.Rounds != 2 || len(res.Cells[0].Samples) != 2 || res.Machine.Go == "" {
		t.Errorf("%d cells, %d rounds, want 6 and 2: %+v", len(res.Cells), res.Rounds, res.Machine)
	}
	for _, file := range []string{"results.md", "throughput.svg", "ping-pong.svg"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
	for _, want := range []string{"| qsocket pull/none ", "written to " + dir} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, &out)
		}
	}
	const goal = "| W3, no codec: time ÷ that of raw/none"
	report, err := os.ReadFile(filepath.Join(dir, "results.md"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), goal) || strings.Contains(string(report), goal) {
		t.Errorf("goals without -goals:\n%s\n%s", &out, report)
	}
	out.Reset()
	if err := run([]string{"-goals", "-from", filepath.Join(dir, thisMachine().fileName())}, &out, new(bytes.Buffer)); err != nil {
		t.Fatal(err)
	}
	if first, rest, _ := strings.Cut(out.String(), "\n"); !strings.HasPrefix(first, "| goal ") || !strings.Contains(rest, goal) {
		t.Errorf("-goals printed\n%s", &out)
	}
}
