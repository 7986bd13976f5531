package interop

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/testkit"
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

// A tableOf is a part of docs/interop.md.
type tableOf struct {
	name  string // in the marks around it
	peers []peer
	runs  bool
}

// rows returns a table, with what cell says of a trial and a peer. A trial that suits no peer is left out.
func rows(peers []peer, cell func(c trial, p peer) string) string {
	var b strings.Builder
	b.WriteString("| |")
	for _, p := range peers {
		fmt.Fprintf(&b, " %s |", p.name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(peers)) + "\n")
	for _, c := range trials {
		if !slices.ContainsFunc(peers, c.suits) {
			continue
		}
		fmt.Fprintf(&b, "| %s |", c.name)
		for _, p := range peers {
			fmt.Fprintf(&b, " %s |", cell(c, p))
		}
		b.WriteString("\n")
	}
	return b.String()
}

const notHere = "not here"

// state is a cell of the page.
func state(c trial, p peer) string {
	switch n := results.roles[[2]string{c.name, p.name}]; {
	case !c.suits(p):
		return "–"
	case n == 2:
		return "both"
	}
	return notHere
}

// TestTable prints how long everything took that has run before it, and compares docs/interop.md
// with what ran. The flag -update writes the tables there.
func TestTable(t *testing.T) {
	results.mu.Lock()
	defer results.mu.Unlock()
	if len(results.took) == 0 {
		t.Skip("no peer has run before: go test ./tests/interop")
	}
	for _, table := range []tableOf{{"table", peers, true}, {"nightly", nightlyPeers, *nightly}} {
		if !table.runs {
			continue
		}
		t.Log("milliseconds, as client and as server together:\n" + rows(table.peers, func(c trial, p peer) string {
			if s := state(c, p); s != "both" {
				return s
			}
			return fmt.Sprint(results.took[[2]string{c.name, p.name}].Milliseconds())
		}))
		table.compare(t, rows(table.peers, state))
	}
}

// compare compares the page with what ran. A peer that is not here is taken at the page's word.
func (o tableOf) compare(t *testing.T, is string) {
	const file = "../../docs/interop.md"
	begin, end := "<!-- "+o.name+": written by tests/interop -->\n", "<!-- "+o.name+": end -->"
	head, rest, ok1 := strings.Cut(testkit.ReadFile(t, file), begin)
	was, tail, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no table between %q and %q", file, begin, end)
	}
	if *update {
		if strings.Contains(is, notHere) {
			t.Fatal("some peers have not run, so the table is not complete")
		}
		if err := os.WriteFile(file, []byte(head+begin+is+end+tail), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	old, now := strings.Split(was, "\n"), strings.Split(is, "\n")
	if len(old) != len(now) {
		t.Fatalf("%s has %d rows, want %d: go test ./tests/interop -update writes them", file, len(old), len(now))
	}
	for i := range now {
		a, b := strings.Split(old[i], "|"), strings.Split(now[i], "|")
		same := len(a) == len(b)
		for j := 0; same && j < len(b); j++ {
			same = a[j] == b[j] || strings.TrimSpace(b[j]) == notHere
		}
		if !same {
			t.Errorf("%s says %s, want %s: go test ./tests/interop -update writes it", file, old[i], now[i])
		}
	}
}
