package qsockettest_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/leak"
)

// TestMain fails the run if goroutines of the package outlive its tests.
func TestMain(m *testing.M) { leak.Main(m) }

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
