package main

import (
	"bytes"
	"fmt"
	"os"
)

// The README of the repository shows a small table between these lines.
const (
	readme      = "../README.md"
	readmeBegin = "<!-- bench: written by bench, from docs/benchmarks -->\n"
	readmeEnd   = "<!-- bench: end -->\n"
)

// The rows and columns of that table.
var (
	readmeRows = []struct{ contestant, name string }{
		{"qsocket pull/msgpack", "qsocket, `Recv` or `All`"},
		{"qsocket channel/msgpack", "qsocket, `Messages`"},
		{byHandMsgpack, "by hand, told when to flush"},
		{grpcStream, "a stream of grpc-go"},
		{natsBroker, "NATS, through its broker"},
		{"coder/websocket/msgpack", "coder/websocket"},
	}
	readmeColumns = []struct{ workload, head string }{
		{"W1", "one way, ns a message"},
		{"W3", "there and back, µs"},
		{"W5", "to 100 connections, ns for each"},
	}
)

// updateReadme puts the table into the file, in place of the one that is there.
func (res *results) updateReadme(file string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(old, []byte(readmeBegin))
	_, after, closed := bytes.Cut(rest, []byte(readmeEnd))
	if !ok || !closed {
		return fmt.Errorf("%s: no lines %q and %q to put the table between", file, readmeBegin, readmeEnd)
	}
	text := fmt.Appendf(nil, "%s%s%s%s%s", before, readmeBegin, res.readmeTable(), readmeEnd, after)
	return os.WriteFile(file, text, 0o644)
}

// readmeTable returns the table, and what a write costs on the machine: that is what gathering
// messages saves, so ratios depend on it.
func (res *results) readmeTable() string {
	t := table{head: []string{"contestant"}}
	for _, c := range readmeColumns {
		t.head = append(t.head, c.head)
	}
	for _, r := range readmeRows {
		row := []string{r.name}
		for _, c := range readmeColumns {
			row = append(row, res.inUnit(r.contestant, c.workload))
		}
		t.add(row...)
	}
	m := res.Machine
	return fmt.Sprintf("%s\nTo write one small frame by itself, and read it, takes %s ns on that machine (%d cores of %s, %s/%s, %s, %s). Gathering saves that, and so saves less "+
		"where it is cheaper.\n", t.String(), res.inUnit(rawSingle, "W1"), m.Cores, m.CPU, m.OS, m.Arch, m.Go, m.Date.Format("2006-01-02"))
}

// inUnit returns a median in the unit of its workload, or a dash.
func (res *results) inUnit(contestant, workload string) string {
	for _, d := range res.Workloads {
		if c := res.cell(contestant, workload); c != nil && d.Name == workload && len(c.Samples) > 0 {
			return number(d.inUnit(c.Median))
		}
	}
	return "–"
}
