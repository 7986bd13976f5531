package model

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// checks is how many programs the normal run has.
const checks = "1000"

// TestMain fails the run if goroutines outlive the tests.
func TestMain(m *testing.M) {
	if f := flag.Lookup("rapid.checks"); os.Getenv("RAPID_CHECKS") == "" && f != nil {
		_ = f.Value.Set(checks) // a number; the command line comes after it
	}
	code := m.Run()
	if code == 0 {
		if left := leaked(2 * time.Second); left != "" {
			fmt.Fprintf(os.Stderr, "goroutines left after all tests:\n\n%s\n", left)
			code = 1
		}
	}
	os.Exit(code)
}

// leaked returns the stacks of goroutines of the library or its tests that are
// still there after the given time. It polls: there is no event for the end of a goroutine.
func leaked(within time.Duration) string {
	deadline := time.Now().Add(within)
	ticks := time.NewTicker(time.Millisecond)
	defer ticks.Stop()
	for ; ; <-ticks.C {
		buf := make([]byte, 1<<20)
		buf = buf[:runtime.Stack(buf, true)]
		var left []string
		for i, g := range strings.Split(string(buf), "\n\n") {
			if i > 0 && strings.Contains(g, "fb9bb4ed/qsocket") && !strings.Contains(g, "bubble") { // 0 is this goroutine
				left = append(left, g)
			}
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return strings.Join(left, "\n\n")
		}
	}
}
