package qsockettest_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails the run if goroutines of the package outlive its tests.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if left := leaked(2 * time.Second); left != "" {
			fmt.Fprintf(os.Stderr, "goroutines left after all tests:\n\n%s\n", left)
			code = 1
		}
	}
	os.Exit(code)
}

// leaked returns the stacks of goroutines that belong to the module or its
// tests and are still there after the given time.
func leaked(within time.Duration) string {
	deadline := time.Now().Add(within)
	for {
		buf := make([]byte, 1<<20)
		buf = buf[:runtime.Stack(buf, true)]
		var left []string
		for i, g := range strings.Split(string(buf), "\n\n") {
			if i > 0 && strings.Contains(g, "fb9bb4ed/qsocket") { // 0 is this goroutine
				left = append(left, g)
			}
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return strings.Join(left, "\n\n")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// testTimeout bounds what a test waits for. It is far above what any of it
// takes, and only reached when something hangs.
const testTimeout = 20 * time.Second

// result waits for what a goroutine sends.
func result[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(testTimeout):
		t.Fatalf("%s: not after %v", what, testTimeout)
		panic("unreachable")
	}
}

// async runs f and delivers what it returns.
func async[T any](f func() T) <-chan T {
	ch := make(chan T, 1)
	go func() { ch <- f() }()
	return ch
}

// write and closeWrite may be called on any goroutine.
func write(t testing.TB, w io.Writer, s string) {
	t.Helper()
	if n, err := io.WriteString(w, s); err != nil {
		t.Errorf("write: %d of %d bytes, then %v", n, len(s), err)
	}
}

// wantRead reads exactly want.
func wantRead(t testing.TB, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(r, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v, want %q", got[:n], err, want)
	}
}

// wantEnd expects a Read that brings nothing but target: nil stands for io.EOF itself.
func wantEnd(t testing.TB, r io.Reader, target error) {
	t.Helper()
	buf := make([]byte, 100)
	n, err := r.Read(buf)
	if n != 0 || target == nil && err != io.EOF || target != nil && !errors.Is(err, target) {
		if target == nil {
			target = io.EOF
		}
		t.Fatalf("read %q, %v, want %v", buf[:n], err, target)
	}
}

func wantWriteError(t testing.TB, w io.Writer, target error) {
	t.Helper()
	if n, err := w.Write([]byte("x")); n != 0 || !errors.Is(err, target) {
		t.Fatalf("write: %d, %v, want 0, %v", n, err, target)
	}
}

func setLinger0(t testing.TB, nc net.Conn) {
	t.Helper()
	if err := nc.(interface{ SetLinger(int) error }).SetLinger(0); err != nil {
		t.Fatal(err)
	}
}

func closeWrite(t testing.TB, nc net.Conn) {
	t.Helper()
	if err := nc.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Errorf("CloseWrite: %v", err)
	}
}
