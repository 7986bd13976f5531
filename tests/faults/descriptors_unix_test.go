//go:build unix

package faults

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// Without file descriptors a Listener retries a bounded number of times per
// second, and goes on within about a second when there are some again. The
// test runs in a process of its own, which it starves.
func TestFault08OutOfDescriptors(t *testing.T) {
	testkit.CheckGoroutines(t)
	if _, ok := isChild(t); ok {
		outOfDescriptors(t)
		return
	}
	told := runChild(t, nil)
	if why, skipped := told["skip"]; skipped {
		t.Skip(why)
	}
	t.Logf("without descriptors %s; %s after there were some again", told["failures"], told["recovery"])
}

func outOfDescriptors(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		report("skip", fmt.Sprint("getrlimit: ", err))
		return
	}
	limit.Cur = 64
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		report("skip", fmt.Sprint("setrlimit: ", err))
		return
	}
	w := testkit.Warnings{Handler: slog.NewTextHandler(os.Stderr, nil), Times: make(chan time.Time, 1000)}
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", testkit.Text, &qsocket.Options{Logger: slog.New(w)})
	if err != nil {
		t.Fatal(err)
	}
	defer testkit.EndListener(ln)
	healthy := testkit.DialTo(t, "tcp", ln, testkit.Text)
	server := testkit.Accept(t, ln)

	var hoard []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if errors.Is(err, syscall.EMFILE) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if hoard = append(hoard, f); len(hoard) > 1000 {
			report("skip", "setrlimit has no effect")
			return
		}
	}
	last := len(hoard) - 1
	hoard[last].Close() // for the client; the server finds none
	client := testkit.DialTo(t, "tcp", ln, testkit.Text)

	// The first error is followed by waits of 5, 10, 20, … 640 ms.
	const failures = 8
	first := testkit.Result(t, "the first failure", w.Times)
	var latest time.Time
	for range failures - 1 {
		latest = testkit.Result(t, "the next failure", w.Times)
	}
	if took := latest.Sub(first); took < 635*time.Millisecond {
		t.Errorf("%d failures within %v, want at least 635ms", failures, took)
	}
	report("failures", fmt.Sprintf("%d accept errors in %v", failures, round(latest.Sub(first))))
	if got := ln.Stats().AcceptErrors; got < failures || got > failures+1 {
		t.Errorf("AcceptErrors: got %d, want %d", got, failures)
	}
	testkit.Exchange(t, healthy, server, "not affected")

	for _, f := range hoard[:last] {
		f.Close()
	}
	start := time.Now()
	testkit.Exchange(t, client, testkit.Accept(t, ln), "at last")
	took := time.Since(start)
	report("recovery", fmt.Sprint("accepting went on ", round(took)))
	if late := latest.Sub(first) - 635*time.Millisecond; took > 3*time.Second+10*late { // late: how busy the machine is
		t.Errorf("accepting went on after %v, want about 1s", took)
	}
	if err := ln.Err(); err != nil {
		t.Errorf("Err: got %v, want nil", err)
	}
}
