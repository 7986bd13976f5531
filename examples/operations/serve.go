package operations

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// serveUntil serves until stopping ends, which a signal does. ready is what a check of readiness is
// told, notice how long the balancer takes to act on that, and patience is for the clients.
func serveUntil[T any](stopping context.Context, ln *qsocket.Listener[T], handle func(context.Context, *qsocket.Conn[T]), ready *atomic.Bool, notice, patience time.Duration) error {
	served := make(chan error, 1)
	go func() { served <- ln.Serve(context.Background(), handle) }() // ends after Drain
	ready.Store(true)
	defer ready.Store(false)
	select {
	case err := <-served:
		return err // accepting has failed for good
	case <-stopping.Done():
	}
	ready.Store(false)
	time.Sleep(notice) // clients that the balancer still sends here are served
	ending, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := ln.Drain(ending, "restart")
	return errors.Join(err, <-served)
}

// readiness answers the balancer's check over HTTP.
func readiness(ready *atomic.Bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !ready.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
}
