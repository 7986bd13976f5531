package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fb9bb4ed/qsocket/bench/peers"
)

// results is all that a run of the program has found out: what its file of results
// holds, and what tables and plots are made of.
type results struct {
	Machine     machine
	Rounds      int
	RunTime     string // that the number of messages of a run was chosen for
	TwoProcess  bool   // each side of a connection in a process of its own
	Quick       bool   // reduced: shorter series, fewer idle connections
	Contestants []entrant
	Workloads   []discipline
	Cells       []*cell
	Codecs      []codecRow `json:",omitempty"`
	CodecError  string     `json:",omitempty"`
}

// An entrant is what a reader needs to know of a contestant.
type entrant struct {
	Name string          // with its codec and its transport
	Over peers.Transport `json:",omitempty"`
	Note string          `json:",omitempty"`
}

// A discipline is what a reader needs to know of a workload.
type discipline struct {
	Name   string
	Title  string
	Metric metric
	Unit   string // of the tables; samples are in ns or bytes
	Conns  int
	Rate   int `json:",omitempty"` // offered, messages a second
}

func newResults(r *runner, cells []*cell, quick bool) *results {
	res := &results{
		Machine: thisMachine(), Rounds: r.rounds, RunTime: r.target.String(),
		TwoProcess: r.apart, Quick: quick, Cells: cells,
	}
	for _, c := range r.contestants {
		res.Contestants = append(res.Contestants, entrant{c.String(), c.Over, c.Note})
	}
	for _, w := range r.workloads {
		res.Workloads = append(res.Workloads, discipline{w.Name, w.Title, w.Metric, w.Unit, w.Conns, w.Rate})
	}
	return res
}

// cell returns what is known of a contestant in a workload, or nil.
func (res *results) cell(contestant, workload string) *cell {
	for _, c := range res.Cells {
		if c.Contestant == contestant && c.Workload == workload {
			return c
		}
	}
	return nil
}

// median returns the median of a cell, if it has one.
func (res *results) median(contestant, workload string) (float64, bool) {
	c := res.cell(contestant, workload)
	if c == nil || len(c.Samples) == 0 {
		return 0, false
	}
	return c.Median, true
}

// some returns those of the named workloads that were run.
func (res *results) some(keep func(name string) bool) []discipline {
	return slices.DeleteFunc(slices.Clone(res.Workloads), func(d discipline) bool { return !keep(d.Name) })
}

// over returns the part of res that concerns one transport.
func (res *results) over(t peers.Transport) *results {
	part := *res
	part.Contestants = slices.DeleteFunc(slices.Clone(res.Contestants), func(e entrant) bool { return e.Over != t })
	if t != peers.TCP {
		part.Workloads = res.some(func(name string) bool { return slices.Contains(beyondTCP[t], name) })
	}
	return &part
}

// inUnit converts a sample to the unit of the tables.
func (d discipline) inUnit(sample float64) float64 {
	if d.Unit == "µs" {
		return sample / float64(time.Microsecond)
	}
	return sample
}

// readResults reads a file of results that write has written.
func readResults(file string) (*results, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	res := new(results)
	if err := json.Unmarshal(data, res); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return res, nil
}

// publish writes everything to dir and the essence to stdout.
func (res *results) publish(dir string, stdout io.Writer) error {
	if err := res.write(dir); err != nil {
		return err
	}
	_, err := fmt.Fprintf(stdout, "%s\nwritten to %s\n", res.summary(), dir)
	return err
}

// write writes the results, results.md and the plots to dir. Beside its own, results.md has those of
// other machines that are in dir.
func (res *results) write(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	data, err := json.MarshalIndent(res, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, res.Machine.fileName()), append(data, '\n'), 0o666); err != nil {
		return err
	}
	plots, err := res.plot(dir)
	if err != nil {
		return err
	}
	machines, err := readMachines(dir)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "results.md"), []byte(res.report(plots, machines)), 0o666)
}

// contestantsNamed returns the contestants whose String match.
func contestantsNamed(match func(string) bool) []peers.Contestant {
	return slices.DeleteFunc(peers.All(), func(c peers.Contestant) bool { return !match(c.String()) })
}

// workloadsNamed returns the workloads whose String match.
func workloadsNamed(match func(string) bool, quick bool) []workload {
	return slices.DeleteFunc(workloads(quick), func(w workload) bool { return !match(w.String()) })
}
