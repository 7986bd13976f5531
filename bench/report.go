package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fb9bb4ed/qsocket/bench/peers"
)

// report returns results.md. plots are the names of the SVG files beside it, by
// their titles, and machines all results that are there, these included.
func (res *results) report(plots []figure, machines []*results) string {
	var b strings.Builder
	section := func(title, text string) {
		if text != "" {
			fmt.Fprintf(&b, "## %s\n\n%s\n", title, text)
		}
	}
	tcp := res.over(peers.TCP)
	fmt.Fprintf(&b, "# Benchmark results\n\n%s\n", res.preamble())
	section("Time per message", res.mainTable())
	section("Allocations per message, both ends", tcp.allocationTable(isMain))
	for _, t := range peers.Transports[1:] {
		section(transportTitles[t], res.over(t).transportTables())
	}
	section("Cost per message, ns, by the number of connections", tcp.times(isSeries("conns=")))
	section("Cost per message, ns, by the number of senders on one connection", tcp.times(isSeries("senders=")))
	section("Latency under load", res.loadTables())
	section("An end of an idle connection", res.idleTable())
	section("Codecs", res.codecTable())
	section("Machines", machineTables(machines))
	section("Plots", figures(plots))
	section("How they differ", res.notes())
	section("Smallest and largest", tcp.ranges(isMain))
	section("Errors", res.errors())
	section("Versions", res.versions())
	return b.String()
}

func (res *results) preamble() string {
	m := res.Machine
	where := "Both ends in one process, another one for each contestant"
	if res.TwoProcess {
		where = "Each end in a process of its own"
	}
	kind := ""
	if res.Quick {
		kind = " This was a quick run: shorter and with fewer rounds, for a first impression."
	}
	return fmt.Sprintf("%s, over loopback TCP where nothing else is said, on %d cores of %s, %s/%s, %s, %s. Medians of %d interleaved rounds with runs of about %s; "+
		"compare what stands in one table, not with another day's.%s\n",
		where, m.Cores, m.CPU, m.OS, m.Arch, m.Go, m.Date.Format("2006-01-02"), res.Rounds, res.RunTime, kind)
}

// times returns the table of the medians.
func (res *results) times(keep func(string) bool) string {
	return res.matrix(keep, true, func(d discipline, c *cell) string { return number(d.inUnit(c.Median)) })
}

func (res *results) allocationTable(keep func(string) bool) string {
	return res.matrix(keep, false, func(_ discipline, c *cell) string { return number(c.Allocs) })
}

func (res *results) ranges(keep func(string) bool) string {
	return res.matrix(keep, true, func(d discipline, c *cell) string {
		return number(d.inUnit(c.Min)) + " … " + number(d.inUnit(c.Max))
	})
}

// matrix returns a table of contestants and workloads. Rows without any result
// are left out.
func (res *results) matrix(keep func(string) bool, units bool, text func(discipline, *cell) string) string {
	columns := res.some(keep)
	t := table{head: []string{"contestant"}}
	for _, d := range columns {
		head := d.Name
		if kind, n, ok := strings.Cut(head, "="); ok && strings.HasPrefix(columns[0].Name, kind+"=") {
			head = n // the table's title says of what, and the unit
		} else if units {
			head += " " + d.Unit
		}
		t.head = append(t.head, head)
	}
	for _, e := range res.Contestants {
		row, known := []string{e.Name}, false
		for _, d := range columns {
			c := res.cell(e.Name, d.Name)
			switch {
			case c == nil:
				row = append(row, "–")
				continue
			case len(c.Samples) > 0:
				row = append(row, text(d, c))
			default:
				row = append(row, "error")
			}
			known = true
		}
		if known {
			t.add(row...)
		}
	}
	if len(t.rows) == 0 {
		return ""
	}
	return t.String()
}

// transportTitles are the sections of contestants over another transport than TCP.
var transportTitles = map[peers.Transport]string{
	peers.TLS:     "Over TLS 1.3",
	peers.Unix:    "Over a Unix domain socket",
	peers.Wrapper: "Over a struct that embeds a net.Conn of TCP, as middleware does",
}

// transportTables returns what there is to say of one transport.
func (res *results) transportTables() string {
	times := res.times(isMain)
	if times == "" {
		return ""
	}
	return fmt.Sprintf("%s\nAllocations per message, both ends:\n\n%s\nSmallest and largest times:\n\n%s",
		times, res.allocationTable(isMain), res.ranges(isMain))
}

func (res *results) mainTable() string {
	t := res.over(peers.TCP).times(isMain)
	if t == "" {
		return ""
	}
	return t + res.legend(isMain)
}

// legend says what the columns mean.
func (res *results) legend(keep func(string) bool) string {
	var parts []string
	for _, d := range res.some(keep) {
		parts = append(parts, fmt.Sprintf("%s: %s", d.Name, d.Title))
	}
	return "\n" + strings.Join(parts, " · ") + "\n"
}

func (res *results) idleTable() string {
	t := table{head: []string{"contestant", "bytes", "goroutines", "connections"}}
	for _, e := range res.Contestants {
		c := res.cell(e.Name, "idle")
		switch {
		case c == nil:
		case len(c.Samples) == 0:
			t.add(e.Name, "error", "error", thousands(c.Conns))
		default:
			t.add(e.Name, number(c.Median), number(c.Goroutines), thousands(c.Conns))
		}
	}
	if len(t.rows) == 0 {
		return ""
	}
	return "Heap and stacks, and goroutines, of one end, after a message each way; the mean of both ends, each in a process of its own.\n\n" + t.String()
}

// notes lists where guarantees differ. They do not depend on the transport.
func (res *results) notes() string {
	var b strings.Builder
	noted := make(map[string]bool)
	for _, e := range res.Contestants {
		name, _, _ := strings.Cut(e.Name, " over ")
		if e.Note != "" && !noted[name] {
			fmt.Fprintf(&b, "- **%s**: %s.\n", name, strings.TrimSuffix(e.Note, "."))
		}
		noted[name] = true
	}
	return b.String()
}

func (res *results) errors() string {
	var b strings.Builder
	for _, c := range res.Cells {
		if c.Error != "" {
			fmt.Fprintf(&b, "- %s, %s: `%s`\n", c.Workload, c.Contestant, strings.ReplaceAll(c.Error, "\n", "; "))
		}
		if c.Note != "" {
			fmt.Fprintf(&b, "- %s, %s: %s\n", c.Workload, c.Contestant, c.Note)
		}
	}
	return b.String()
}

func (res *results) versions() string {
	t := table{head: []string{"module", "version"}}
	for _, path := range slices.Sorted(maps.Keys(res.Machine.Modules)) {
		t.add(path, res.Machine.Modules[path])
	}
	if len(t.rows) == 0 {
		return ""
	}
	return t.String()
}

func figures(plots []figure) string {
	var b strings.Builder
	for _, f := range plots {
		fmt.Fprintf(&b, "![%s](%s)\n", f.title, f.file)
	}
	return b.String()
}

// summary returns what is printed on the terminal.
func (res *results) summary() string {
	var parts []string
	for _, t := range peers.Transports {
		parts = append(parts, res.over(t).times(isMain))
	}
	parts = append(parts, res.times(isSeries("conns=")), res.times(isSeries("senders=")), res.loadTables(), res.idleTable(),
		res.codecTable(), res.errors())
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	return strings.Join(parts, "\n")
}

// isMain reports whether a workload stands in the main table.
func isMain(workload string) bool {
	return !strings.Contains(workload, "=") && workload != "idle" // a series has a table of its own
}

func isSeries(prefix string) func(workload string) bool {
	return func(workload string) bool { return strings.HasPrefix(workload, prefix) }
}
