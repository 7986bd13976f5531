package testkit

import (
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/leak"
)

// CheckGoroutines begins a case: 2 s after its end no goroutine of the module is left.
func CheckGoroutines(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		if left := leak.Left(2 * time.Second); left != "" {
			t.Errorf("goroutines left after 2 s:\n\n%s", left)
		}
	})
}

// NoGoroutinesLeft waits until the tests so far have left nothing behind.
func NoGoroutinesLeft(t *testing.T) {
	t.Helper()
	if left := leak.Left(Timeout); left != "" {
		t.Fatalf("goroutines left:\n\n%s", left)
	}
}
