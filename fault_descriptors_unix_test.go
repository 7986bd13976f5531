//go:build unix

package qsocket_test

import (
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// Without file descriptors a Listener retries a bounded number of times per
// second, and goes on within about a second when there are some again. The
// test runs in a process of its own, which it starves.
func TestFault08OutOfDescriptors(t *testing.T) {
	fault(t)
	const variable = "QSOCKET_TEST_OUT_OF_DESCRIPTORS"
	if os.Getenv(variable) != "" {
		outOfDescriptors(t)
		return
	}
	ctx := testContext(t)
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=15s")
	cmd.Env = append(os.Environ(), variable+"=1")
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "--- SKIP") {
		t.Skipf("%s", out)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}

func outOfDescriptors(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Skip("getrlimit:", err)
	}
	limit.Cur = 64
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Skip("setrlimit:", err)
	}
	w := warnings{slog.NewTextHandler(os.Stderr, nil), make(chan time.Time, 1000)}
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", text, &qsocket.Options{Logger: slog.New(w)})
	if err != nil {
		t.Fatal(err)
	}
	defer endListener(ln)
	healthy := dialTo(t, "tcp", ln, text)
	server := accepted(t, ln)

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
			t.Skip("setrlimit has no effect")
		}
	}
	last := len(hoard) - 1
	hoard[last].Close() // for the client; the server finds none
	client := dialTo(t, "tcp", ln, text)

	// The first error is followed by waits of 5, 10, 20, … 640 ms.
	const failures = 8
	first := result(t, "the first failure", w.times)
	var latest time.Time
	for range failures - 1 {
		latest = result(t, "the next failure", w.times)
	}
	if took := latest.Sub(first); took < 635*time.Millisecond {
		t.Errorf("%d failures within %v, want at least 635ms", failures, took)
	}
	if got := ln.Stats().AcceptErrors; got < failures || got > failures+1 {
		t.Errorf("AcceptErrors: got %d, want %d", got, failures)
	}
	exchange(t, healthy, server, "not affected")

	for _, f := range hoard[:last] {
		f.Close()
	}
	start := time.Now()
	exchange(t, client, accepted(t, ln), "at last")
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("accepting went on after %v, want about 1s", took)
	}
	if err := ln.Err(); err != nil {
		t.Errorf("Err: got %v, want nil", err)
	}
}
