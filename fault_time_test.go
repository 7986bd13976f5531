package qsocket_test

import (
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// A frame has FrameTimeout from its first byte to its last, however the bytes
// dribble in; between frames there is no limit.
func TestFault06Dribble(t *testing.T) {
	fault(t)
	dribble := func(t *testing.T, opts *qsocket.Options, pause time.Duration, bytes int) (time.Duration, error) {
		na, nb := net.Pipe()
		c, err := qsocket.NewConn(t.Context(), na, text, opts)
		if err != nil {
			t.Fatal(err)
		}
		defer end(c)
		received := make(chan error, 1)
		go func() {
			_, err := c.Recv(t.Context())
			received <- err
		}()
		time.Sleep(time.Hour) // nothing is expected before the first byte
		start := time.Now()
		var dribbling sync.WaitGroup
		defer dribbling.Wait()
		defer nb.Close()
		dribbling.Go(func() {
			for _, b := range []byte(wire(t, qsocket.Uint32, "hello"))[:bytes] {
				if _, err := nb.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(pause)
			}
		})
		err = <-received
		return time.Since(start), err
	}
	for _, test := range []struct {
		name  string
		opts  *qsocket.Options
		pause time.Duration
		bytes int
		after time.Duration // 0: the frame arrives
	}{
		{"default", nil, 7 * time.Second, 9, 30 * time.Second},
		{"set", &qsocket.Options{FrameTimeout: 2 * time.Second}, 300 * time.Millisecond, 9, 2 * time.Second},
		{"stalled", &qsocket.Options{FrameTimeout: 2 * time.Second}, 0, 3, 2 * time.Second},
		{"in time", &qsocket.Options{FrameTimeout: 2 * time.Second}, 200 * time.Millisecond, 9, 0},
		{"none", &qsocket.Options{FrameTimeout: -1}, time.Minute, 9, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				took, err := dribble(t, test.opts, test.pause, test.bytes)
				if test.after == 0 {
					if err != nil {
						t.Errorf("got %v, want the message", err)
					}
					return
				}
				if !errors.Is(err, os.ErrDeadlineExceeded) || took != test.after {
					t.Errorf("got %v after %v, want os.ErrDeadlineExceeded after %v", err, took, test.after)
				}
			})
		})
	}
}
