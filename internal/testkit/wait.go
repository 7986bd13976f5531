package testkit

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"
)

// Timeout bounds what a test waits for. It is far above what any of it
// takes, also on a machine with ten times as much to do as it can, and only
// reached when something hangs.
const Timeout = 2 * time.Minute

// Context returns a context that ends with the test, or after Timeout.
func Context(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), Timeout)
	t.Cleanup(cancel)
	return ctx
}

// WaitClosed fails the test if ch is not closed in time.
func WaitClosed(t testing.TB, what string, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(Timeout):
		t.Fatalf("%s: not after %v", what, Timeout)
	}
}

// Result waits for what a goroutine sends.
func Result[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(Timeout):
		t.Fatalf("%s: not after %v", what, Timeout)
		panic("unreachable")
	}
}

// Async runs f and delivers what it returns.
func Async[T any](f func() T) <-chan T {
	ch := make(chan T, 1)
	go func() { ch <- f() }()
	return ch
}

// Eventually polls for what no event tells: counters, which change when the
// call that changes them is long over or of the other end, the length of a
// channel, and the number of goroutines.
func Eventually(t testing.TB, what string, true func() bool) {
	t.Helper()
	ticks := time.NewTicker(time.Millisecond)
	defer ticks.Stop()
	for deadline := time.Now().Add(Timeout); !true(); <-ticks.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %v", what, Timeout)
		}
	}
}

// IsTimeout reports whether err is a timeout of package net.
func IsTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
