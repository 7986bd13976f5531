package faults

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// A frame has FrameTimeout from its first byte to its last, however the bytes
// dribble in; between frames there is no limit.
func TestFault06Dribble(t *testing.T) {
	testkit.CheckGoroutines(t)
	word := strings.Repeat("x", 96) // 100 bytes with the header
	for _, test := range []struct {
		name  string
		opts  *qsocket.Options
		every time.Duration
		after time.Duration // 0: the frame arrives
	}{
		{"1 byte per second", nil, time.Second + time.Millisecond, 30 * time.Second}, // none comes at the very end
		{"1 byte per 7 s", nil, 7 * time.Second, 30 * time.Second},
		{"set", &qsocket.Options{FrameTimeout: 2 * time.Second}, 300 * time.Millisecond, 2 * time.Second},
		{"stalled", &qsocket.Options{FrameTimeout: 2 * time.Second}, time.Hour, 2 * time.Second},
		{"in time", &qsocket.Options{FrameTimeout: 100 * time.Second}, time.Second, 0},
		{"none", &qsocket.Options{FrameTimeout: -1, Heartbeat: -1}, time.Minute, 0},
	} {
		for _, p := range []qsocket.Protocol[string]{testkit.Text, testkit.Named} {
			for _, r := range testkit.Receivers {
				t.Run(test.name+"/"+p.Name+"/"+r.Name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						var opts qsocket.Options
						if test.opts != nil {
							opts = *test.opts
						}
						opts.CloseTimeout = time.Nanosecond // the peer is too slow for a goodbye
						proxy := qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{})
						defer proxy.Close()
						na, nb := proxy.Pipe()
						a, b := testkit.WrapPair(t, na, nb, p, &qsocket.Options{Heartbeat: -1}, &opts)
						if p.Name == "" {
							time.Sleep(time.Hour) // nothing is expected before the first byte
						}
						synctest.Wait()
						proxy.Set(qsockettest.Faults{DribbleBytes: 1, DribbleEvery: test.every}, qsockettest.Faults{})
						start := time.Now()
						if err := a.Send(t.Context(), word); err != nil {
							t.Fatal(err)
						}
						m, err := r.Recv(b, t.Context())
						took := time.Since(start)
						if test.after == 0 {
							if m != word || err != nil {
								t.Errorf("got %q, %v, want the message", m, err)
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
	}
	t.Log("a frame that came at 1 byte per second was cut after exactly 30 s, the default of FrameTimeout (virtual time)")
}

// Every timeout, to the nanosecond of a bubble's time.
func TestFault29Timeouts(t *testing.T) {
	testkit.CheckGoroutines(t)
	const second = time.Second
	deaf := func(t *testing.T) net.Conn { // a peer that says nothing
		a, b := qsockettest.NetPipe()
		t.Cleanup(func() { b.Close() })
		return a
	}
	open := func(t *testing.T, p qsocket.Protocol[string], opts *qsocket.Options) *qsocket.Conn[string] {
		a, _ := qsockettest.Pipe(t, p, opts)
		return a
	}
	bounded := func(t *testing.T, d time.Duration) context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		t.Cleanup(cancel)
		return ctx
	}
	fill := func(t *testing.T, c *qsocket.Conn[string]) { // until Send has to wait
		for c.Send(bounded(t, 1), string(make([]byte, 1000))) == nil {
		}
	}
	start := time.Now()
	for _, test := range []struct {
		name string
		call func(t *testing.T) (begin time.Time, err error)
		want time.Duration
		is   error
	}{
		{"ctx of Send", func(t *testing.T) (time.Time, error) {
			c := open(t, testkit.Text, nil)
			fill(t, c)
			return time.Now(), c.Send(bounded(t, 7*second), string(make([]byte, 1000)))
		}, 7 * second, context.DeadlineExceeded},
		{"ctx of Flush", func(t *testing.T) (time.Time, error) {
			c := open(t, testkit.Text, nil)
			fill(t, c)
			return time.Now(), c.Flush(bounded(t, 7*second))
		}, 7 * second, context.DeadlineExceeded},
		{"ctx of Recv", func(t *testing.T) (time.Time, error) {
			c := open(t, testkit.Named, nil)
			begin := time.Now()
			_, err := c.Recv(bounded(t, 7*second))
			return begin, err
		}, 7 * second, context.DeadlineExceeded},
		{"ctx of Shutdown", func(t *testing.T) (time.Time, error) {
			c := open(t, testkit.Named, nil)
			return time.Now(), c.Shutdown(bounded(t, 7*second))
		}, 7 * second, context.DeadlineExceeded},
		{"ctx of NewConn", func(t *testing.T) (time.Time, error) {
			begin := time.Now()
			_, err := qsocket.NewConn(bounded(t, 7*second), deaf(t), testkit.Named, nil)
			return begin, err
		}, 7 * second, context.DeadlineExceeded},
		{"HandshakeTimeout", func(t *testing.T) (time.Time, error) {
			begin := time.Now()
			_, err := qsocket.NewConn(t.Context(), deaf(t), testkit.Named, nil)
			return begin, err
		}, 10 * second, os.ErrDeadlineExceeded},
		{"HandshakeTimeout, set", func(t *testing.T) (time.Time, error) {
			begin := time.Now()
			_, err := qsocket.NewConn(t.Context(), deaf(t), testkit.Named, &qsocket.Options{HandshakeTimeout: 3 * second})
			return begin, err
		}, 3 * second, os.ErrDeadlineExceeded},
		{"WriteTimeout", func(t *testing.T) (time.Time, error) {
			c, peer, err := qsocket.Pipe(testkit.Text, &qsocket.Options{WriteTimeout: 3 * second})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { testkit.End(c); testkit.End(peer) })
			if err := c.Send(t.Context(), "nobody reads"); err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			err = c.Flush(t.Context())
			if err := c.Send(t.Context(), "x"); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Send: got %v, want os.ErrDeadlineExceeded", err)
			}
			return begin, err
		}, 3 * second, os.ErrDeadlineExceeded},
		{"CloseTimeout", func(t *testing.T) (time.Time, error) {
			nc := deaf(t)
			c, err := qsocket.NewConn(t.Context(), nc, testkit.Text, nil)
			if err != nil {
				t.Fatal(err)
			}
			fill(t, c)
			return time.Now(), c.Close()
		}, 5 * second, os.ErrDeadlineExceeded},
		{"CloseTimeout of CloseWrite", func(t *testing.T) (time.Time, error) {
			nc := deaf(t)
			c, err := qsocket.NewConn(t.Context(), nc, testkit.Text, &qsocket.Options{CloseTimeout: 3 * second})
			if err != nil {
				t.Fatal(err)
			}
			fill(t, c)
			return time.Now(), c.CloseWrite()
		}, 3 * second, os.ErrDeadlineExceeded},
		{"CloseTimeout of a peer that does not end", func(t *testing.T) (time.Time, error) {
			c, err := qsocket.NewConn(t.Context(), deaf(t), testkit.Text, nil)
			if err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			if err := c.Close(); err != nil || time.Since(begin) != 0 {
				t.Errorf("Close: %v after %v, want nil at once", err, time.Since(begin))
			}
			<-c.Done()
			return begin, c.Err()
		}, 5 * second, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin, err := test.call(t)
				if took := time.Since(begin); !errors.Is(err, test.is) || took != test.want {
					t.Errorf("got %v after %v, want %v after %v", err, took, test.is, test.want)
				}
			})
		})
	}
	t.Logf("every timeout exact to the nanosecond (virtual time); the group took %v", round(time.Since(start)))
}
