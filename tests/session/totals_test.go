package session

import (
	"testing"
	"testing/synctest"
	"time"
)

// Counters may be asked for at any time, also while sessions lose connections, come back and end.
func TestCountersDuringCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		stop, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
				}
				for range 100 {
					_ = k.ln.Totals()
					_ = k.ln.Stats()
				}
			}
		}()
		for range 20 {
			client, server := k.pair(nil)
			for i := 1; i <= 20; i++ {
				k.cut()
				send(t, client, i, i)
				expect(t, server, i, i)
			}
			if err := client.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		}
		close(stop)
		<-done
	})
}
