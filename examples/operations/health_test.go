package operations

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// Neither a check that only connects nor the deeper one leaves anything above Debug in the log. The
// deeper one finds a server that listens, but does not work.
func TestCheck(t *testing.T) {
	stuck := func(_ context.Context, conn *qsocket.Conn[Message]) { <-conn.Done() }
	for _, test := range []struct {
		name   string
		handle handler
		want   error
	}{
		{"works", echo, nil},
		{"is stuck", stuck, context.DeadlineExceeded},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log testkit.LogRecorder
				debug := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
				network := qsockettest.Listen(address)
				ln := listen(t, network, test.handle, &qsocket.Options{Logger: debug})
				for range 3 {
					nc, err := network.DialContext(t.Context(), "tcp", address)
					if err != nil {
						t.Fatal(err)
					}
					nc.Close()
				}
				synctest.Wait()
				if got := ln.Refusals()["hello"]; got != 3 || log.Count("level=DEBUG") != 3 || log.Count() != 3 {
					t.Errorf("%d are counted, want 3, and logged at level Debug:\n%s", got, log.Text())
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := check(ctx, "tcp", address, through(network)); !errors.Is(err, test.want) {
					t.Errorf("got %v, want %v", err, test.want)
				}
				time.Sleep(time.Minute)
				if log.Count() != log.Count("level=DEBUG") {
					t.Errorf("want nothing above Debug, got\n%s", log.Text())
				}
			})
		})
	}
}

// A check that stays connected in silence is told apart: it is a warning after HandshakeTimeout.
func TestSilentCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log testkit.LogRecorder
		network := qsockettest.Listen(address)
		ln := listen(t, network, echo, &qsocket.Options{Logger: log.Logger()})
		nc, err := network.DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		time.Sleep(10*time.Second + time.Millisecond)
		if ln.Refusals()["timeout"] != 1 || log.Count("level=WARN", "cause=timeout") != 1 {
			t.Errorf("got %v, and\n%s", ln.Refusals(), log.Text())
		}
	})
}
