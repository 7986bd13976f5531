package main

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
)

// BenchmarkTap measures what a tap costs the connections that go through it: against none, and
// against a proxy that does nothing but io.Copy, which is what any proxy costs.
//
//	go test -run '^$' -bench Tap -count 6 .
func BenchmarkTap(b *testing.B) {
	for _, way := range []string{"direct", "copy", "tap", "tap-record"} {
		b.Run("there-and-back/way="+way, func(b *testing.B) { benchTap(b, way, 100, true) })
		b.Run("one-way/size=100B/way="+way, func(b *testing.B) { benchTap(b, way, 100, false) })
		b.Run("one-way/size=64KiB/way="+way, func(b *testing.B) { benchTap(b, way, 64<<10, false) })
	}
}

func benchTap(b *testing.B, way string, size int, back bool) {
	counted := make(chan int, 4)
	s := serve(b, qsocket.Protocol[[]byte]{Name: "bench/1"}, nil, func(ctx context.Context, c *qsocket.Conn[[]byte]) {
		n := 0
		for m, err := range c.All(ctx) {
			if err != nil || back && c.Send(ctx, m) != nil {
				break
			}
			n++
		}
		counted <- n
	})
	addr := s.url
	switch way {
	case "copy":
		addr = copying(b, s.Addr().String())
	case "tap":
		addr = tapTo(b, s.url, "--no-ask").addr
	case "tap-record":
		addr = tapTo(b, s.url, "--no-ask", "--record", filepath.Join(b.TempDir(), "rec")).addr
	}
	c := dialTap(b, addr, qsocket.Protocol[[]byte]{Name: "bench/1"}, nil)
	ctx := context.Background()
	m := []byte(strings.Repeat("x", size))
	b.SetBytes(int64(size))
	b.ResetTimer()
	for range b.N {
		if err := c.Send(ctx, m); err != nil {
			b.Fatal(err)
		}
		if back {
			if _, err := c.Recv(ctx); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := c.Shutdown(ctx); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	if n := <-counted; n != b.N {
		b.Fatalf("%d messages arrived, want %d", n, b.N)
	}
}

// copying is a proxy that copies.
func copying(b *testing.B, to string) (addr string) {
	b.Helper()
	nl := listenLoopback(b)
	go func() { // ends with nl
		for {
			one, err := nl.Accept()
			if err != nil {
				return
			}
			other, err := net.Dial("tcp", to)
			if err != nil {
				one.Close()
				return
			}
			for _, ends := range [][2]net.Conn{{one, other}, {other, one}} {
				go func() { // ends with the connection
					buf := make([]byte, 64<<10)
					_, _ = io.CopyBuffer(struct{ io.Writer }{ends[0]}, struct{ io.Reader }{ends[1]}, buf)
					_ = ends[0].(*net.TCPConn).CloseWrite()
				}()
			}
		}
	}()
	return "tcp://" + nl.Addr().String()
}
