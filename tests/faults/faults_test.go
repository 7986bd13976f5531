package faults

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// The tests named TestFault are the cases of docs/reliability.md, by number.
// Each logs what it has measured:
//
//	go test -run Fault -v ./tests/faults          all that need no more than seconds
//	go test -run Fault -v ./tests/faults -full    with counts that take minutes
//	go test -run Fault09 -v ./tests/faults -idle 10000
//	go test -run Fault30 -v -timeout 0 ./tests/faults -soak 30m
//
// The first three are in tests/hostile.
var (
	faultFull = flag.Bool("full", false, "run the tests named TestFault with their full counts")
	faultIdle = flag.Int("idle", 0, "number of idle connections for TestFault09IdleConns; 0 skips it")
	faultSoak = flag.Duration("soak", 0, "how long TestFault30Soak runs; 0 skips it")
)

// fullCount returns how often something is to be done: n times, or with -full
// as often as docs/reliability.md says.
func fullCount(n, full int) int {
	if *faultFull {
		return full
	}
	return n
}

// childOf, in the environment, makes a test its own child.
const childOf = "QSOCKET_FAULT_CHILD"

// isChild reports whether this process is the child of the test, which was started
// with those words.
func isChild(t *testing.T) (words []string, is bool) {
	name, args, _ := strings.Cut(os.Getenv(childOf), " ")
	return strings.Fields(args), name == t.Name()
}

// childCommand is the test t in a process of its own.
func childCommand(t *testing.T, env []string, words ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$", "-test.v", "-test.timeout=30m", fmt.Sprint("-full=", *faultFull))
	cmd.Env = append(append(os.Environ(), env...), childOf+"="+t.Name()+" "+strings.Join(words, " "))
	return cmd
}

// report tells the parent.
func report(key string, value any) { fmt.Printf("\n%s\t%v\n", key, value) }

// runChild runs the test t in a process of its own and returns what that has
// reported.
func runChild(t *testing.T, env []string, words ...string) map[string]string {
	t.Helper()
	cmd := childCommand(t, env, words...)
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("\n--- PASS")) {
		t.Fatalf("child %q: %v\n%s", words, err, out)
	}
	values := make(map[string]string)
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), "\t"); ok {
			values[key] = value
		}
	}
	return values
}

// longest is the longest of the durations that several goroutines have measured.
type longest struct{ ns atomic.Int64 }

func (l *longest) add(d time.Duration) {
	for {
		have := l.ns.Load()
		if int64(d) <= have || l.ns.CompareAndSwap(have, int64(d)) {
			return
		}
	}
}

func (l *longest) String() string { return round(time.Duration(l.ns.Load())).String() }

// round makes a duration readable.
func round(d time.Duration) time.Duration {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond)
	case d < time.Second:
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}

// rawNamed is raw with a hello.
var rawNamed = qsocket.Protocol[[]byte]{Name: "raw/1", Codec: testkit.RawCodec}

// forModes runs a test for both modes over some transports.
func forModes(t *testing.T, names []string, test func(t *testing.T, transport string, p qsocket.Protocol[[]byte])) {
	testkit.ForTransports(t, names, func(t *testing.T, transport string) {
		t.Run("raw", func(t *testing.T) { test(t, transport, testkit.Raw) })
		t.Run("named", func(t *testing.T) { test(t, transport, rawNamed) })
	})
}

// errno returns what the system said in the end.
func errno(err error) error {
	var no syscall.Errno
	if errors.As(err, &no) {
		return no
	}
	return err
}
