package faults

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// Random cancellations by many senders leave a valid stream of exactly the
// accepted messages.
func TestFault13RandomCancellations(t *testing.T) {
	testkit.CheckGoroutines(t)
	const senders, each = 8, 1250
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		ctx := testkit.Context(t)
		a, b := testkit.Pair(t, transport, testkit.Raw, &qsocket.Options{SendBuffer: 4096}, nil)
		var accepted [senders][]int
		var wg sync.WaitGroup
		for s := range senders {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(1, uint64(s)))
				for i := range each {
					short, cancel := context.WithTimeout(ctx, time.Duration(r.IntN(200))*time.Microsecond)
					err := a.Send(short, testkit.Numbered(s, i, 8+r.IntN(2000)))
					cancel()
					switch {
					case err == nil:
						accepted[s] = append(accepted[s], i)
					case !errors.Is(err, context.DeadlineExceeded):
						t.Error(err)
					}
				}
			})
		}
		closed := testkit.Async(func() error { wg.Wait(); return a.Close() })
		var got [senders][]int
		for {
			m, err := b.Recv(ctx)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			s, i := testkit.ParseNumbered(m)
			got[s] = append(got[s], i)
		}
		if err := testkit.Result(t, "Close", closed); err != nil {
			t.Error(err)
		}
		n, accepts := 0, 0
		for s := range senders {
			if fmt.Sprint(got[s]) != fmt.Sprint(accepted[s]) {
				t.Errorf("sender %d: got %d messages, accepted %d", s, len(got[s]), len(accepted[s]))
			}
			n, accepts = n+len(got[s]), accepts+len(accepted[s])
		}
		t.Logf("%d of %d sends accepted, %d messages arrived (%s)", accepts, senders*each, n, transport)
	})
}

// After a write that was cut short not one byte is written: it would land
// inside the torn frame.
func TestFault14TornFrame(t *testing.T) {
	testkit.CheckGoroutines(t)
	t.Run("failed write", func(t *testing.T) {
		ctx := testkit.Context(t)
		na, nb := testkit.NetPair(t, "tcp")
		w := &testkit.FailingWriter{Conn: na}
		w.Left.Store(150)
		a, b := testkit.WrapPair(t, w, nb, testkit.Raw, nil, nil)
		var err error
		for i := 0; err == nil; i++ {
			err = a.Send(ctx, testkit.Numbered(0, i, 96))
		}
		if !errors.Is(err, testkit.ErrBroken) {
			t.Errorf("Send: got %v, want the failed write", err)
		}
		if err := a.Close(); !errors.Is(err, testkit.ErrBroken) {
			t.Errorf("Close: got %v, want the failed write: accepted messages are lost", err)
		}
		if got := w.Written.Load(); got != 150 {
			t.Errorf("%d bytes were written, want no more than the 150 before the failure", got)
		}
		if m, err := b.Recv(ctx); err != nil || len(m) != 96 {
			t.Errorf("got %d bytes, %v, want the first message", len(m), err)
		}
		if _, err := b.Recv(ctx); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %v, want io.ErrUnexpectedEOF", err)
		}
	})
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		const size = 10_000
		ctx := testkit.Context(t)
		na, peer := testkit.NetPair(t, transport)
		for _, nc := range []net.Conn{na, peer} {
			if c, ok := nc.(*tls.Conn); ok {
				nc = c.NetConn()
			}
			small := nc.(interface {
				SetReadBuffer(int) error
				SetWriteBuffer(int) error
			})
			if err := errors.Join(small.SetReadBuffer(8<<10), small.SetWriteBuffer(8<<10)); err != nil {
				t.Fatal(err)
			}
		}
		shaken := testkit.Async(func() error {
			if c, ok := peer.(*tls.Conn); ok {
				return c.Handshake()
			}
			return nil
		})
		a, err := qsocket.NewConn(ctx, na, testkit.Raw, &qsocket.Options{WriteTimeout: 30 * time.Millisecond})
		if err := errors.Join(err, testkit.Result(t, "TLS handshake", shaken)); err != nil {
			t.Fatal(err)
		}
		defer testkit.End(a)
		for i := 0; err == nil; i++ {
			err = a.Send(ctx, testkit.Numbered(0, i, size))
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Send: got %v, want os.ErrDeadlineExceeded", err)
		}
		for i := range 10 {
			if err := a.Send(ctx, testkit.Numbered(9, i, size)); err == nil {
				t.Error("Send after a failed write: got nil")
			}
		}
		_ = a.Close()
		_ = peer.SetReadDeadline(time.Now().Add(testkit.Timeout))
		got, err := io.ReadAll(peer)
		if testkit.IsTimeout(err) {
			t.Errorf("the end has not come: %v", err)
		}
		for i, rest := 0, got; len(rest) > 0; i++ {
			frame := append(binary.BigEndian.AppendUint32(nil, size), testkit.Numbered(0, i, size)...)
			n := min(len(frame), len(rest))
			if !bytes.Equal(rest[:n], frame[:n]) {
				t.Fatalf("frame %d is not what was sent", i)
			}
			rest = rest[n:]
		}
		t.Logf("the peer got %d frames and %d bytes of the next, and nothing after it (%s)", len(got)/(4+size), len(got)%(4+size), transport)
	})
}

// What arrived before a write failed is still delivered.
func TestFault18InboundSurvivesFailedWrite(t *testing.T) {
	testkit.CheckGoroutines(t)
	for _, r := range testkit.Receivers {
		for _, transport := range []string{"tcp", "unix", "tcp, named"} {
			t.Run(r.Name+"/"+transport, func(t *testing.T) {
				ctx := testkit.Context(t)
				var c *qsocket.Conn[string]
				var peer net.Conn
				var err error
				if transport == "tcp, named" {
					var s testkit.WirePeer
					c, s = testkit.Scripted(t, nil)
					peer = s.Conn
				} else {
					var nc net.Conn
					nc, peer = testkit.NetPair(t, transport)
					if c, err = qsocket.NewConn(ctx, nc, testkit.Text, nil); err != nil {
						t.Fatal(err)
					}
					defer testkit.End(c)
				}
				// One write, so that no part of it is still in the peer's kernel
				// when the reset is provoked.
				var inbound string
				for i := range 100 {
					inbound += testkit.Frame(t, qsocket.Uint32, fmt.Sprint(i))
				}
				if _, err := peer.Write([]byte(inbound)); err != nil {
					t.Fatal(err)
				}
				peer.Close()
				for err == nil {
					err = c.Send(ctx, "into the void")
				}
				if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("Send: got %v, want EPIPE or ECONNRESET", err)
				}
				failed := err
				for i := range 100 {
					got, err := r.Recv(c, ctx)
					if err != nil || got != fmt.Sprint(i) {
						t.Fatalf("message %d: got %q, %v", i, got, err)
					}
				}
				if _, err := r.Recv(c, ctx); !errors.Is(failed, err) {
					t.Errorf("at the end: got %v, want the failed write %v", err, failed)
				}
				testkit.WaitClosed(t, "Done", c.Done())
				t.Logf("100 of 100 messages delivered after the write failed: %v", errno(failed))
			})
		}
	}
}

// What must hold when something goes wrong holds on all paths of Send to the socket.
func TestSendPaths(t *testing.T) {
	testkit.ForSendPaths(t, func(t *testing.T) {
		t.Run("cancellations", TestFault13RandomCancellations)
		t.Run("inbound after a failed write", TestFault18InboundSurvivesFailedWrite)
		t.Run("close", TestFault16CloseWhileFlooding)
		t.Run("shutdown", TestFault15Shutdown)
	})
}
