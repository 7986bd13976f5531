package service

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

// fill sends until a Send has to wait, and returns the error of the one that does.
func fill(ctx context.Context, c *qsocket.Conn[string]) error {
	for {
		if err := c.Send(ctx, string(make([]byte, 64<<10))); err != nil {
			return err
		}
	}
}

// scriptedPeer returns a server's end, and a client that has said hello and nothing else.
func scriptedPeer(t *testing.T, transport string, opts *qsocket.Options) (*qsocket.Conn[string], testkit.WirePeer) {
	na, nb := testkit.NetPair(t, transport)
	peer := testkit.WirePeer{T: t, Conn: na}
	greeted := testkit.Async(func() error {
		peer.Send(testkit.GoldenHello)
		peer.ExpectHello()
		return nil
	})
	c, err := qsocket.NewConn(testkit.Context(t), nb, testkit.Named, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { testkit.End(c) })
	_ = testkit.Result(t, "the hello", greeted)
	return c, peer
}

// A peer that is gone is found while a program that does not receive waits in Send, in
// Flush or in Broadcast, over all transports whose bytes can be seen.
func TestSendFindsDeadPeer(t *testing.T) {
	testkit.CheckGoroutines(t)
	opts := &qsocket.Options{Heartbeat: 20 * time.Millisecond}
	for name, wait := range map[string]func(ctx context.Context, c *qsocket.Conn[string]) error{
		"Send": fill,
		"Flush": func(ctx context.Context, c *qsocket.Conn[string]) error {
			for { // until the kernel takes no more
				soon, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
				_ = fill(soon, c)
				cancel()
				soon, cancel = context.WithTimeout(ctx, 10*time.Millisecond)
				err := c.Flush(soon)
				cancel()
				if errors.Is(err, context.DeadlineExceeded) {
					err = c.Flush(ctx)
				}
				if err != nil {
					return err
				}
			}
		},
		"SendPrepared": func(ctx context.Context, c *qsocket.Conn[string]) error {
			m, err := testkit.Named.Prepare(string(make([]byte, 64<<10)))
			for err == nil {
				err = c.SendPrepared(ctx, m)
			}
			return err
		},
		"Broadcast": func(ctx context.Context, c *qsocket.Conn[string]) error {
			g := qsocket.NewGroup(testkit.Named, qsocket.Block)
			g.Add(c)
			for g.Len() > 0 {
				if _, err := g.Broadcast(ctx, string(make([]byte, 64<<10))); err != nil {
					return err
				}
			}
			return c.Err()
		},
	} {
		testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
			t.Run(name, func(t *testing.T) {
				b, _ := scriptedPeer(t, transport, opts)
				err := testkit.Result(t, name, testkit.Async(func() error { return wait(testkit.Context(t), b) }))
				if !errors.Is(err, qsocket.ErrPeerDead) || !errors.Is(b.Err(), qsocket.ErrPeerDead) {
					t.Errorf("%s returned %v, and Err is %v, want ErrPeerDead", name, err, b.Err())
				}
			})
		})
	}
}

// A peer that takes nothing but lives is not given up: one whose heartbeats come, and one
// that has sent so much that they cannot get through.
func TestSendWaitsForLivingPeer(t *testing.T) {
	testkit.CheckGoroutines(t)
	const heartbeat = 20 * time.Millisecond
	for name, signs := range map[string]struct {
		first []byte // what the peer sends at the beginning
		beats bool
	}{
		"heartbeats":   {nil, true},
		"unread bytes": {make([]byte, 1000), false},
	} {
		testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
			t.Run(name, func(t *testing.T) {
				c, peer := scriptedPeer(t, transport, &qsocket.Options{Heartbeat: heartbeat})
				ctx, cancel := context.WithCancel(testkit.Context(t))
				defer cancel()
				if _, err := peer.Write(signs.first); err != nil {
					t.Fatal(err)
				}
				sent := testkit.Async(func() error { return fill(ctx, c) })
				ticks := time.NewTicker(heartbeat / 4)
				defer ticks.Stop()
				for range 4 * 20 { // ten times as long as a dead peer lasts
					<-ticks.C
					if signs.beats {
						peer.Send("80 00 00 01 02")
					}
				}
				cancel()
				if err := testkit.Result(t, "Send", sent); err != context.Canceled {
					t.Errorf("got %v, want the error of ctx", err)
				}
				if err := c.Err(); err != nil {
					t.Errorf("the connection has ended: %v", err)
				}
			})
		})
	}
}

// Where it cannot be seen whether anything has come, Send waits for as long as its ctx
// allows if nobody receives; and if somebody does, twice the heartbeat interval, as ever.
func TestSendWaitsWhereNothingIsSeen(t *testing.T) {
	for _, receives := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			na, nb := qsockettest.NetPipe()
			peer := testkit.WirePeer{T: t, Conn: na}
			greeted := testkit.Async(func() error {
				peer.Send(testkit.GoldenHello)
				peer.ExpectHello()
				return nil
			})
			c, err := qsocket.NewConn(context.Background(), nb, testkit.Named, nil)
			if err != nil {
				t.Fatal(err)
			}
			<-greeted
			if receives {
				go func() { _, _ = c.Recv(context.Background()) }() // ends with c
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
			defer cancel()
			start := time.Now()
			err = fill(ctx, c)
			took := time.Since(start)
			if !receives && (err != context.DeadlineExceeded || took != time.Hour) {
				t.Errorf("nobody receives: got %v after %v, want the error of ctx", err, took)
			}
			if receives && (!errors.Is(err, qsocket.ErrPeerDead) || took != 30*time.Second) {
				t.Errorf("somebody receives: got %v after %v, want ErrPeerDead after 30s", err, took)
			}
			testkit.End(c)
			na.Close()
		})
	}
}
