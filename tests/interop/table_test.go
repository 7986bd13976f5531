package interop

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the table of docs/interop.md anew")

// results has how long each trial of a peer took, in both roles together.
var results table

type table struct {
	mu    sync.Mutex
	took  map[[2]string]time.Duration // by trial and peer
	roles map[[2]string]int
}

func (r *table) note(trial, peer string, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.took == nil {
		r.took, r.roles = make(map[[2]string]time.Duration), make(map[[2]string]int)
	}
	r.took[[2]string{trial, peer}] += took
	r.roles[[2]string{trial, peer}]++
}

// rows returns the table, with what cell says of a trial and a peer.
func rows(cell func(c trial, p peer) string) string {
	var b strings.Builder
	b.WriteString("| |")
	for _, p := range allPeers() {
		fmt.Fprintf(&b, " %s |", p.name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(allPeers())) + "\n")
	for _, c := range allTrials() {
		fmt.Fprintf(&b, "| %s |", c.name)
		for _, p := range allPeers() {
			fmt.Fprintf(&b, " %s |", cell(c, p))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestTable prints how long everything took that has run before it, and compares docs/interop.md
// with what ran. The flag -update writes the table there.
func TestTable(t *testing.T) {
	results.mu.Lock()
	defer results.mu.Unlock()
	if len(results.took) == 0 {
		t.Skip("no peer has run before: go test ./tests/interop")
	}
	const missing = "not here"
	state := func(c trial, p peer) string {
		switch n := results.roles[[2]string{c.name, p.name}]; {
		case !allSuits(c, p):
			return "–"
		case n == 2:
			return "both"
		}
		return missing
	}
	t.Log("milliseconds, as client and as server together:\n" + rows(func(c trial, p peer) string {
		if s := state(c, p); s != "both" {
			return s
		}
		return fmt.Sprint(results.took[[2]string{c.name, p.name}].Milliseconds())
	}))

	const file, begin, end = "../../docs/interop.md", "<!-- table: written by tests/interop -->\n", "<!-- table: end -->"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	page := strings.ReplaceAll(string(b), "\r\n", "\n")
	head, rest, ok1 := strings.Cut(page, begin)
	was, tail, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no table between %q and %q", file, begin, end)
	}
	is := rows(state)
	if *update {
		if strings.Contains(is, missing) {
			t.Fatal("some peers have not run, so the table is not complete")
		}
		if err := os.WriteFile(file, []byte(head+begin+is+end+tail), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	// A peer that is not here is taken at the page's word.
	a, b2 := strings.Split(was, "\n"), strings.Split(is, "\n")
	if len(a) != len(b2) {
		t.Fatalf("%s has %d rows, want %d: go test ./tests/interop -update writes them", file, len(a), len(b2))
	}
	for i := range a {
		old, now := strings.Split(a[i], "|"), strings.Split(b2[i], "|")
		for j := range now {
			if j >= len(old) || old[j] != now[j] && strings.TrimSpace(now[j]) != missing {
				t.Errorf("%s says %s, want %s: go test ./tests/interop -update writes it", file, a[i], b2[i])
				break
			}
		}
	}
}
