package service

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// BenchmarkTrace is what Options.Trace costs at both ends, over loopback TCP: a stream of messages of 100 bytes, and a round
// trip of one.
func BenchmarkTrace(b *testing.B) {
	p := qsocket.Protocol[[]byte]{Name: "trace/1"}
	message := make([]byte, 100)
	ctx := context.Background()
	for _, trace := range []string{"nil", "counting"} {
		opts := new(qsocket.Options)
		var frames atomic.Int64
		if trace == "counting" {
			opts.Trace = func(qsocket.Frame) { frames.Add(1) }
		}
		b.Run("stream/trace="+trace, func(b *testing.B) {
			client, server := tracedPair(b, p, opts)
			b.ReportAllocs()
			b.ResetTimer()
			received := testkit.Async(func() error {
				for range b.N {
					if _, err := server.Recv(ctx); err != nil {
						return err
					}
				}
				return nil
			})
			for range b.N {
				if err := client.Send(ctx, message); err != nil {
					b.Fatal(err)
				}
			}
			if err := <-received; err != nil {
				b.Fatal(err)
			}
		})
		b.Run("roundtrip/trace="+trace, func(b *testing.B) {
			client, server := tracedPair(b, p, opts)
			go func() {
				for v, err := range server.All(ctx) {
					if err != nil || server.Send(ctx, v) != nil {
						return
					}
				}
			}()
			b.ReportAllocs()
			for b.Loop() {
				if err := client.Send(ctx, message); err != nil {
					b.Fatal(err)
				}
				if _, err := client.Recv(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// tracedPair returns the ends of a connection, which end with the benchmark.
func tracedPair(b *testing.B, p qsocket.Protocol[[]byte], opts *qsocket.Options) (client, server *qsocket.Conn[[]byte]) {
	b.Helper()
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", p, opts)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { testkit.EndListener(ln) })
	if client, err = qsocket.Dial(context.Background(), "tcp", ln.Addr().String(), p, opts); err != nil {
		b.Fatal(err)
	}
	if server, err = ln.Accept(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		testkit.End(client)
		testkit.End(server)
	})
	return client, server
}
