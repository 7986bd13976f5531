package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	if got, want := lines[0], "with a certificate: hello, client seven"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// The text comes from crypto/tls, or from the kernel where the refusal ends in a reset.
	if got, want := lines[1], "without: refused: "; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want %q and the error", got, want)
	}
	if len(lines) != 3 || lines[2] != "" {
		t.Errorf("got %q, want two lines", out.String())
	}
}

// A signal ends ctx: the visits end, and the server drains.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	if err := run(ctx, &out); !errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want that of ctx only", err)
	}
	if out.Len() > 0 {
		t.Errorf("got %q, want no visits", out.String())
	}
}
