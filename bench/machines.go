package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Each kind of machine has a file of results of its own, so that they can stand side by side.

var (
	trademarks = regexp.MustCompile(`\((R|TM|C)\)`)
	unsluggish = regexp.MustCompile(`[^a-z0-9]+`)
)

// fileName returns that of the results of a machine: "results-amd-epyc.json".
func (m machine) fileName() string {
	kind := m.CPU
	if kind == "" || kind == unknownCPU {
		kind = m.OS + " " + m.Arch
	}
	slug := unsluggish.ReplaceAllString(strings.ToLower(trademarks.ReplaceAllString(kind, "")), "-")
	return "results-" + strings.Trim(slug, "-") + ".json"
}

// readMachines returns the results of all machines in a directory, in the order of
// the names of their files.
func readMachines(dir string) ([]*results, error) {
	files, err := filepath.Glob(filepath.Join(dir, "results-*.json"))
	if err != nil {
		return nil, err
	}
	var all []*results
	for _, file := range files {
		res, err := readResults(file)
		if err != nil {
			return nil, err
		}
		all = append(all, res)
	}
	return all, nil
}

// machineTables returns what the machines are, and the table of README for all of them, with a
// column for each machine.
func machineTables(all []*results) string {
	if len(all) == 0 {
		return ""
	}
	machines := table{head: []string{"machine", "cores", "system", "Go", "date", "a write, ns"}}
	for _, res := range all {
		m := res.Machine
		machines.add(m.CPU, fmt.Sprint(m.Cores), m.OS+"/"+m.Arch, m.Go, m.Date.Format("2006-01-02"), res.inUnit(rawSingle, "W1"))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "A write is one small frame written by itself, and read: W1 of raw/none. Gathering messages saves it, so ratios depend on what it costs.\n\n%s", &machines)
	for _, c := range readmeColumns {
		t := table{head: []string{"contestant"}}
		for _, res := range all {
			t.head = append(t.head, res.Machine.CPU)
		}
		for _, r := range readmeRows {
			row := []string{r.contestant}
			for _, res := range all {
				row = append(row, res.inUnit(r.contestant, c.workload))
			}
			if slices.ContainsFunc(row[1:], func(s string) bool { return s != "–" }) {
				t.add(row...)
			}
		}
		if len(t.rows) > 0 {
			fmt.Fprintf(&b, "\n%s, %s:\n\n%s", c.workload, c.head, &t)
		}
	}
	return b.String()
}
