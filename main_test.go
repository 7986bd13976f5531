package qsocket_test

import (
	"context"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/leak"
)

// TestMain fails the run if goroutines of the package outlive its tests.
func TestMain(m *testing.M) { leak.Main(m) }

// watched is a context that tells when a call is about to wait for it.
type watched struct {
	context.Context
	waits chan struct{} // capacity 1
}

func newWatched(ctx context.Context) watched { return watched{ctx, make(chan struct{}, 1)} }

func (w watched) Done() <-chan struct{} {
	w.tell()
	return w.Context.Done()
}

// tell says that the call waits, or that it is over.
func (w watched) tell() {
	select {
	case w.waits <- struct{}{}:
	default: // it was told before
	}
}
