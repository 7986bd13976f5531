package qsocket_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/fb9bb4ed/qsocket"
)

// BenchmarkSendCalls is a stream of messages of 100 bytes over TCP, without a codec, by each of
// the calls that send. Where the two that do not wait find no room, they flush and try again.
// In call=refused there never is room.
func BenchmarkSendCalls(b *testing.B) {
	ctx := context.Background()
	message := make([]byte, 100)
	p := qsocket.Protocol[[]byte]{Codec: benchNone{message}}
	prepared, err := p.Prepare(message)
	if err != nil {
		b.Fatal(err)
	}
	again := func(conn *qsocket.Conn[[]byte], try func() (bool, error)) error {
		for {
			sent, err := try()
			if sent || err != nil {
				return err
			}
			if err := conn.Flush(ctx); err != nil {
				return err
			}
		}
	}
	for _, call := range []struct {
		name string
		send func(conn *qsocket.Conn[[]byte]) error
	}{
		{"Send", func(conn *qsocket.Conn[[]byte]) error { return conn.Send(ctx, message) }},
		{"TrySend", func(conn *qsocket.Conn[[]byte]) error {
			return again(conn, func() (bool, error) { return conn.TrySend(message) })
		}},
		{"SendPrepared", func(conn *qsocket.Conn[[]byte]) error { return conn.SendPrepared(ctx, prepared) }},
		{"TrySendPrepared", func(conn *qsocket.Conn[[]byte]) error {
			return again(conn, func() (bool, error) { return conn.TrySendPrepared(prepared) })
		}},
	} {
		b.Run("call="+call.name, func(b *testing.B) {
			near, far := benchConns(b, "tcp", p)
			end := newBenchEnd(near, "pull", message)
			end.send = func() error { return call.send(near) }
			runBenchWork(b, benchOneWay, end, newBenchEnd(far, "pull", message))
		})
	}
	b.Run("call=refused", func(b *testing.B) {
		near, _ := benchConns(b, "pipe", p)
		if err := near.Send(ctx, make([]byte, 512<<10)); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if sent, err := near.TrySend(message); sent || err != nil {
				b.Fatal(sent, err)
			}
		}
	})
}

// BenchmarkJoin is a Group of which one member leaves and joins again for each message.
func BenchmarkJoin(b *testing.B) {
	for _, members := range []int{10, 100} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			ctx := context.Background()
			message := make([]byte, 10)
			p := qsocket.Protocol[[]byte]{Codec: benchNone{message}}
			group := qsocket.NewGroup(p, qsocket.Drop)
			var last *qsocket.Conn[[]byte]
			for range members {
				near, _ := benchConns(b, "pipe", p) // whose peers read nothing: what it costs is mostly the Group
				group.Add(near)
				last = near
			}
			b.ReportAllocs()
			for b.Loop() {
				group.Remove(last)
				group.Add(last)
				if _, err := group.Broadcast(ctx, message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
