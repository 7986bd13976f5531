package model

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var (
	repeat = flag.Int("model.repeat", 1, "how often to run each program: the scheduler is not drawn")
	last   = flag.String("model.last", "", "`file` to write each program to before it runs, for the case that the process dies")
	alarm  = flag.Duration("model.alarm", time.Minute, "real time after which a program in a bubble is given up, with all stacks")
)

// TestModel is the test. It runs -rapid.checks programs.
func TestModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		p := programs.Draw(r, "program")
		for range *repeat {
			h, err := attempt(t, &p, sabotage{})
			if err != nil {
				r.Fatalf("%v\n%v", err, &p)
			}
			if failures := h.judge(); len(failures) > 0 {
				r.Fatalf("%v\n%v%v", joined(failures), &p, h)
			}
		}
	})
}

func joined(failures []broken) string {
	var b strings.Builder
	for _, f := range failures {
		fmt.Fprintf(&b, "%v\n", f)
	}
	return b.String()
}

// attempt is runInBubble, and ends the process if that takes too long.
func attempt(t *testing.T, p *program, s sabotage) (*history, error) {
	if *last != "" {
		if err := os.WriteFile(*last, []byte(p.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	watchdog := time.AfterFunc(*alarm, func() {
		panic(fmt.Sprintf("no end after %v of real time:\n%v", *alarm, p))
	})
	defer watchdog.Stop()
	return runInBubble(t, p, s)
}
