package session

import (
	"context"
	"testing"

	"github.com/fb9bb4ed/qsocket"
)

// ends of a connection over loopback TCP, with a session or without.
type benchEnd interface {
	Send(context.Context, []byte) error
	Recv(context.Context) ([]byte, error)
	Close() error
}

var benchBlobs = qsocket.Protocol[[]byte]{Name: "blobs/1"}

func benchPair(b *testing.B, kind string) (client, server benchEnd) {
	b.Helper()
	session := kind == "session"
	opts := &qsocket.Options{}
	if session {
		opts.MaxSessions = 1
	}
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", benchBlobs, opts)
	if err != nil {
		b.Fatal(err)
	}
	arrived := make(chan benchEnd, 1)
	if session {
		go ln.ServeSessions(context.Background(), func(ctx context.Context, s *qsocket.Session[[]byte]) {
			arrived <- s
			<-s.Done()
		})
		client, err = qsocket.DialSession(context.Background(), "tcp", ln.Addr().String(), benchBlobs, nil)
	} else {
		go ln.Serve(context.Background(), func(ctx context.Context, c *qsocket.Conn[[]byte]) {
			arrived <- c
			<-ctx.Done()
		})
		client, err = qsocket.Dial(context.Background(), "tcp", ln.Addr().String(), benchBlobs, nil)
	}
	if err != nil {
		b.Fatal(err)
	}
	server = <-arrived
	if kind == "messages" {
		client.(*qsocket.Conn[[]byte]).Messages()
		server.(*qsocket.Conn[[]byte]).Messages()
	}
	b.Cleanup(func() {
		go client.Close()
		server.Close()
		client.Close()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = ln.Drain(ctx, "")
	})
	return client, server
}

// BenchmarkSession compares a Session, which always reads ahead, with a Conn that does, because Messages was called,
// and with one that does not: a stream of messages of 100 bytes, one of 1 MiB, and a round trip of one.
func BenchmarkSession(b *testing.B) {
	ctx := context.Background()
	message := make([]byte, 100)
	for _, name := range []string{"pull", "messages", "session"} {
		for _, c := range []struct {
			name          string
			size, senders int
		}{{"stream", 100, 1}, {"senders=16", 100, 16}, {"stream of 1 MiB", 1<<20 - 5, 1}} {
			b.Run(c.name+"/"+name, func(b *testing.B) { benchStream(b, name, c.size, c.senders) })
		}
		b.Run("roundtrip/"+name, func(b *testing.B) {
			client, server := benchPair(b, name)
			go func() {
				for {
					v, err := server.Recv(ctx)
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
			b.StopTimer()
		})
	}
}

func benchStream(b *testing.B, kind string, size, senders int) {
	ctx := b.Context()
	client, server := benchPair(b, kind)
	message := make([]byte, size)
	done := make(chan error, senders+1)
	go func() { // ends with the last message
		for range b.N {
			if _, err := server.Recv(ctx); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	for i := range senders {
		go func() { // ends with its share of the messages
			for range b.N/senders + min(max(b.N%senders-i, 0), 1) {
				if err := client.Send(ctx, message); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range senders + 1 {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
}
