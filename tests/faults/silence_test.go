package faults

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// A cable that is pulled is found by both ends within twice their heartbeat
// interval, whether they talk or are idle; while the cable is there, heartbeats
// keep an idle connection up.
func TestFault19BlackHole(t *testing.T) {
	testkit.CheckGoroutines(t)
	t.Run("bubble", func(t *testing.T) {
		for _, r := range testkit.Receivers {
			for _, beat := range []time.Duration{15 * time.Second, time.Second} {
				for _, talk := range []bool{false, true} {
					synctest.Test(t, func(t *testing.T) { blackHole(t, r, beat, talk) })
				}
			}
		}
		t.Log("a pulled cable was found exactly 2 × the heartbeat interval after the last byte, on both ends (virtual time)")
	})
	t.Run("network namespace", blackHoleNamespace)
}

func blackHole(t *testing.T, r testkit.Receiver, beat time.Duration, talk bool) {
	proxy := qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{})
	defer proxy.Close()
	na, nb := proxy.Pipe()
	opts := &qsocket.Options{Heartbeat: beat}
	a, b := testkit.WrapPair(t, na, nb, testkit.Named, opts, opts)
	type end struct {
		err  error
		at   time.Time
		last time.Time // of a message
	}
	ended := make(chan end, 2)
	for _, c := range []*qsocket.Conn[string]{a, b} {
		go func() { // ends with its Conn
			last := time.Now()
			for {
				if _, err := r.Recv(c, context.Background()); err != nil {
					ended <- end{err, time.Now(), last}
					return
				}
				last = time.Now()
			}
		}()
	}
	stop := make(chan struct{})
	defer close(stop)
	if talk {
		for _, c := range []*qsocket.Conn[string]{a, b} {
			go func() { // ends when the test does
				for {
					select {
					case <-stop:
						return
					case <-time.After(beat / 10):
						_ = c.Send(context.Background(), "x") // fails in the end
					}
				}
			}()
		}
	}
	time.Sleep(20 * beat) // heartbeats keep it up
	pulled := time.Now()
	select {
	case e := <-ended:
		t.Fatalf("ended before the cable was pulled: %v", e.err)
	default:
	}
	proxy.Cut(qsockettest.BlackHole)
	for range 2 {
		e := <-ended
		took := e.at.Sub(pulled)
		if !errors.Is(e.err, qsocket.ErrPeerDead) || took > 2*beat {
			t.Errorf("got %v after %v, want ErrPeerDead within %v", e.err, took, 2*beat)
		}
		if silent := e.at.Sub(e.last); talk && silent != 2*beat {
			t.Errorf("given up %v after the last message, want exactly %v", silent, 2*beat)
		}
		if !talk && took < 2*beat-beat*3/4 {
			t.Errorf("given up %v after the cable was pulled: heartbeats came no later than %v before", took, beat*3/4)
		}
	}
}
