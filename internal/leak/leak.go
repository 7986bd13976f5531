// Package leak finds goroutines that tests have left behind.
package leak

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Main runs the tests, for TestMain, and fails the run if goroutines of the
// module are still there 2 s after them. It does not return.
func Main(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if left := Left(2 * time.Second); left != "" {
			fmt.Fprintf(os.Stderr, "goroutines left after all tests:\n\n%s\n", left)
			code = 1
		}
	}
	os.Exit(code)
}

// minLooks are over within a second on a quiet machine.
const minLooks = 200

// Left returns the stacks of goroutines that belong to the module or its tests
// and are still there after the given time, but for the caller's and those of
// tests that wait for it. On a busy machine, where these get little done in that
// time, it looks minLooks times at least. It polls: there is no event for the end of a goroutine.
func Left(within time.Duration) string {
	deadline := time.Now().Add(within)
	ticks := time.NewTicker(time.Millisecond)
	defer ticks.Stop()
	for looks := 1; ; looks++ {
		buf := make([]byte, 1<<20)
		buf = buf[:runtime.Stack(buf, true)]
		var left []string
		for i, g := range strings.Split(string(buf), "\n\n") {
			if i > 0 && strings.Contains(g, "fb9bb4ed/qsocket") && !strings.Contains(g, "testing.(*T).Run(") { // 0 is this goroutine
				left = append(left, g)
			}
		}
		if len(left) == 0 || within == 0 || looks >= minLooks && time.Now().After(deadline) {
			return strings.Join(left, "\n\n")
		}
		<-ticks.C
	}
}
