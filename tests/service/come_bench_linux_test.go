package service

import (
	"context"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// BenchmarkComeAndGo measures what a connection takes of the processor of both ends, for plain sockets with 100 bytes each way,
// for those that dial, greet and close, and for those that exchange a message as well.
//
//	go test -run - -bench ComeAndGo -count 5 ./tests/service
func BenchmarkComeAndGo(b *testing.B) {
	b.Run("plain", func(b *testing.B) {
		nl, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		defer nl.Close()
		go func() { // ends with nl
			for {
				nc, err := nl.Accept()
				if err != nil {
					return
				}
				go func() {
					defer nc.Close()
					_, _ = io.Copy(struct{ io.Writer }{nc}, struct{ io.Reader }{nc}) // ends with the client
				}()
			}
		}()
		perConnection(b, func() error {
			nc, err := net.Dial("tcp", nl.Addr().String())
			if err != nil {
				return err
			}
			defer nc.Close()
			var message [100]byte
			if _, err = nc.Write(message[:]); err == nil {
				_, err = io.ReadFull(nc, message[:])
			}
			return err
		})
	})
	for _, kind := range []string{"greet", "message, Recv", "message, Messages"} {
		b.Run(kind, func(b *testing.B) {
			ln, err := qsocket.Listen("tcp", "127.0.0.1:0", testkit.Named, nil)
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			served := testkit.Async(func() error {
				return ln.Serve(ctx, func(ctx context.Context, c *qsocket.Conn[string]) {
					for v, err := range c.All(ctx) {
						if err != nil || c.Send(ctx, v) != nil {
							return
						}
					}
				})
			})
			defer func() { <-served }()
			defer cancel()
			message := string(make([]byte, 100))
			perConnection(b, func() error {
				c, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), testkit.Named, nil)
				if err != nil {
					return err
				}
				switch kind {
				case "message, Recv":
					if err = c.Send(ctx, message); err == nil {
						_, err = c.Recv(ctx)
					}
				case "message, Messages":
					err = c.Send(ctx, message)
					<-c.Messages()
				}
				if err != nil {
					return err
				}
				return c.Close()
			})
		})
	}
}

// perConnection runs one connection after the other, and reports their processor time.
func perConnection(b *testing.B, one func() error) {
	processorTime := func() time.Duration {
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	start := processorTime()
	for b.Loop() {
		if err := one(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((processorTime()-start).Nanoseconds())/float64(b.N), "cpu-ns/op")
}
