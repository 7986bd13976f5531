package testkit

import (
	"os"
	"testing"
)

// Absent skips the test, because a program is not there: what says which, and how to get it. Where
// QSOCKET_PEERS=required, as in CI, which installs them, that is a failure.
func Absent(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("QSOCKET_PEERS") == "required" {
		t.Fatal(what)
	}
	t.Skip(what)
}
