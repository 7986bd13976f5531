package ends_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// settings are all that are recorded.
func settings() (all []setting) {
	for _, named := range []bool{false, true} {
		for _, half := range []string{"half", "no-half", "failing-half"} {
			for _, channel := range []bool{false, true} {
				all = append(all, setting{named: named, close: half, channel: channel})
			}
		}
	}
	return append(all, setting{named: true, close: "half", served: true}, setting{named: true, close: "no-half", served: true})
}

func TestEnds(t *testing.T) {
	if testkit.RaceEnabled {
		*depth = min(*depth, 1) // ten times slower, and for races the pairs of the first events will do
	}
	for _, s := range settings() {
		t.Run(s.String(), func(t *testing.T) {
			// Not in parallel: Go before 1.25.5 confuses bubbles that run beside each other
			// ("WaitGroup.Add called from multiple synctest bubbles").
			r, got := explore(t, s)
			path := filepath.Join(*dir, s.String()+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if testkit.RaceEnabled {
				return // the detector shuffles goroutines that can run at the same time; the record has one order
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			// On a busy machine the scheduler may put two goroutines into another order. A
			// change of the library is there each time.
			for try := 0; got != string(want) && try < 2; try++ {
				t.Log(r.difference(got, string(want)))
				r, got = explore(t, s)
			}
			if got != string(want) {
				t.Error(r.difference(got, string(want)))
			}
		})
	}
}

// state is one that was found.
type state struct {
	events []string // the shortest way to it
	observation
}

func (s *state) name() string { return "(" + strings.Join(s.events, " ") + ")" }

// record is what is known of one setting.
type record struct {
	t       *testing.T
	setting setting
	errors  *classes
	known   map[string]*state // by key
	states  []*state          // in the order in which they were found: the shortest first
	ends    map[string]string // how states ended, by digest
	rows    map[string]string // behind the digests, by the state's name
	pairs   int
}

// explore finds states until they are *depth events away from the first.
func explore(t *testing.T, s setting) (_ *record, text string) {
	r := &record{t: t, setting: s, errors: newClasses(), known: make(map[string]*state), ends: make(map[string]string), rows: make(map[string]string)}
	r.find(r.run(nil))
	var b strings.Builder
	for i := 0; i < len(r.states) && !t.Failed(); i++ {
		from := r.states[i]
		fmt.Fprintf(&b, "\n%s %s\n\tpast: %s\n\tend: %s\n", from.name(), from.state, from.past, r.endDigest(from))
		if len(from.events) < *depth {
			r.writeRows(&b, from)
		} else {
			fmt.Fprintf(&b, "\tnext: %s\n", r.next(from))
		}
	}
	for _, events := range far {
		if r.possible(events) {
			from := r.run(events)
			fmt.Fprintf(&b, "\n%s %s\n\tpast: %s\n\tend: %s\n", from.name(), from.state, from.past, r.endDigest(from))
			for _, s := range r.after(from) {
				fmt.Fprintf(&b, "\t%s: %s; %s\n", s.events[len(s.events)-1], s.happened, digest(s.key()))
			}
		}
	}
	t.Logf("%d states, %d pairs", len(r.states), r.pairs)
	return r, r.errors.legend() + r.legend() + b.String()
}

// endDigest stands for how s ended.
func (r *record) endDigest(s *state) string {
	end := digest(s.end)
	r.ends[end] = s.end
	return end
}

// possible reports whether the events make sense one after another.
func (r *record) possible(names []string) bool {
	for i, name := range names {
		if !find(name).enabled(&r.run(names[:i]).situation) {
			return false
		}
	}
	return true
}

// run makes the events happen to a new Conn.
func (r *record) run(events []string) *state {
	s := &state{events: slices.Clone(events), observation: run(r.t, r.setting, r.errors, events)}
	if s.left != "" {
		r.t.Errorf("%s: not over at the end: %s", s.name(), s.left)
	}
	for range *repeat {
		if o := run(r.t, r.setting, r.errors, events); o.happened != s.happened || o.key() != s.key() {
			r.t.Errorf("%s is a race:\n%s\n%s\nor\n%s\n%s", s.name(), s.happened, s.key(), o.happened, o.key())
			break
		}
	}
	return s
}

// find returns the state that is known for s, which may be s.
func (r *record) find(s *state) *state {
	if known := r.known[s.key()]; known != nil {
		return known
	}
	r.known[s.key()] = s
	r.states = append(r.states, s)
	return s
}

// after runs from with each event that makes sense, and returns what was found.
func (r *record) after(from *state) (next []*state) {
	for _, e := range events {
		if e.enabled(&from.situation) {
			next = append(next, r.run(append(slices.Clone(from.events), e.name)))
		}
	}
	r.pairs += len(next)
	return next
}

// writeRows writes what each event does to from.
func (r *record) writeRows(b *strings.Builder, from *state) {
	var nothing []string
	for _, s := range r.after(from) {
		event := s.events[len(s.events)-1]
		known := r.find(s)
		switch {
		case known == from && s.happened == "":
			nothing = append(nothing, event)
		case known == from:
			fmt.Fprintf(b, "\t%s = %s\n", event, s.happened)
		case known == s:
			fmt.Fprintf(b, "\t%s: %s\n", event, s.happened)
		default:
			fmt.Fprintf(b, "\t%s → %s: %s\n", event, known.name(), s.happened)
		}
	}
	if nothing != nil {
		fmt.Fprintf(b, "\tnothing: %s\n", strings.Join(nothing, " "))
	}
}

// next returns a digest of what each event does to from.
func (r *record) next(from *state) string {
	var b strings.Builder
	for _, s := range r.after(from) {
		fmt.Fprintf(&b, "\t\t%s: %s\n\t\t\t%s\n", s.events[len(s.events)-1], s.happened, strings.ReplaceAll(s.key(), "\n", "\n\t\t\t"))
	}
	r.rows[from.name()] = b.String()
	return digest(b.String())
}

// legend tells what the digests of ends mean.
func (r *record) legend() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(r.ends)) {
		fmt.Fprintf(&b, "end %s: %s\n", name, r.ends[name])
	}
	return b.String()
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:4])
}

// run makes the events happen to a new Conn, and returns what came of the last.
func run(t *testing.T, s setting, errs *classes, names []string) (o observation) {
	defer func() {
		if r := recover(); r != nil { // goroutines that wait for ever, mostly
			t.Fatalf("(%s): %v", strings.Join(names, " "), r)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, s, errs)
		c.happen(names)
		o = c.observe()
	})
	return o
}

// difference shows the first states that are not as they were.
func (r *record) difference(got, want string) string {
	was := make(map[string]string)
	for block := range strings.SplitSeq(want, "\n\n") {
		was[blockName(block)] = block
	}
	var b strings.Builder
	n := 0
	for block := range strings.SplitSeq(got, "\n\n") {
		name := blockName(block)
		old := was[name]
		delete(was, name)
		if strings.TrimSpace(block) == strings.TrimSpace(old) || name == "" {
			continue
		}
		if n++; n > 3 {
			continue
		}
		fmt.Fprintf(&b, "got\n%s\nwant\n%s\n", block, old)
		if rows := r.rows[name]; rows != "" && n == 1 {
			fmt.Fprintf(&b, "next is the digest of\n%s", rows)
		}
	}
	delete(was, "")
	missing := slices.Sorted(maps.Keys(was))
	return fmt.Sprintf("%d states differ, and are not found: %s\n%s", n, missing, b.String())
}

// blockName returns the name at the start of the block of a state, or "".
func blockName(block string) string {
	block = strings.TrimSpace(block)
	if i := strings.Index(block, ")"); i > 0 && block[0] == '(' {
		return block[:i+1]
	}
	return ""
}
