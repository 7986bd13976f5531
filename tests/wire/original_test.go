package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// The tests of the small Python package that gave the idea for this one, in
// meaning: objects in, objects out, over a connection that either end closes.

// pickled stands for any object.
type pickled struct {
	Number int
	Words  []string
	Blob   []byte
	Nested map[string]float64
}

func newPickled(n int) pickled {
	return pickled{
		Number: n,
		Words:  []string{"spam", "eggs", fmt.Sprint(n)},
		Blob:   []byte{0, 1, byte(n)},
		Nested: map[string]float64{"half": float64(n) / 2},
	}
}

func (p pickled) equal(q pickled) bool { return fmt.Sprint(p) == fmt.Sprint(q) }

// forCodecs runs a test once for each codec that takes any object.
func forCodecs(t *testing.T, test func(t *testing.T, p qsocket.Protocol[pickled])) {
	for _, codec := range []qsocket.Codec[pickled]{qsocket.Msgpack[pickled](), qsocket.Gob[pickled]()} {
		t.Run(codec.Name(), func(t *testing.T) {
			test(t, qsocket.Protocol[pickled]{Codec: codec})
		})
	}
}

// What a client sends comes back from a server that echoes.
func TestOriginalEcho(t *testing.T) {
	forCodecs(t, func(t *testing.T, p qsocket.Protocol[pickled]) {
		testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
			ctx := testkit.Context(t)
			ln := testkit.ListenOn(t, transport, p, nil)
			served := testkit.Serve(ctx, ln, testkit.Echo)
			c := testkit.DialTo(t, transport, ln, p)
			for i := range 20 {
				if err := c.Send(ctx, newPickled(i)); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 20 {
				got, err := c.Recv(ctx)
				if want := newPickled(i); err != nil || !got.equal(want) {
					t.Fatalf("got %v, %v, want %v", got, err, want)
				}
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if err := ln.Shutdown(ctx); err != nil {
				t.Errorf("Shutdown: got %v, want nil", err)
			}
			if err := testkit.Result(t, "Serve", served); err != nil {
				t.Errorf("Serve: got %v, want nil", err)
			}
		})
	})
}

// Two ends answer each other, each message with the next.
func TestOriginalPingPong(t *testing.T) {
	const last = 200
	forCodecs(t, func(t *testing.T, p qsocket.Protocol[pickled]) {
		testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
			ctx := testkit.Context(t)
			ln := testkit.ListenOn(t, transport, p, nil)
			a := testkit.DialTo(t, transport, ln, p)
			b := testkit.Accept(t, ln)
			play := func(c *qsocket.Conn[pickled]) <-chan int {
				return testkit.Async(func() int {
					highest := 0
					for m := range c.Messages() {
						highest = m.Number
						if want := newPickled(m.Number); !m.equal(want) {
							t.Errorf("got %v, want %v", m, want)
						}
						if m.Number == last {
							break
						}
						if err := c.Send(ctx, newPickled(m.Number+1)); err != nil {
							t.Error(err)
						}
					}
					c.Close()
					return highest
				})
			}
			pings, pongs := play(a), play(b)
			if err := a.Send(ctx, newPickled(1)); err != nil {
				t.Fatal(err)
			}
			if got := testkit.Result(t, "the pongs", pongs); got != last-1 {
				t.Errorf("got %d, want %d", got, last-1)
			}
			if got := testkit.Result(t, "the pings", pings); got != last {
				t.Errorf("got %d, want %d", got, last)
			}
		})
	})
}

// When the peer closes, Recv delivers what it sent and then reports the end,
// Messages is closed, and Err is nil.
func TestOriginalRemoteCloseSeenByRecv(t *testing.T) {
	forCodecs(t, func(t *testing.T, p qsocket.Protocol[pickled]) {
		testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
			ctx := testkit.Context(t)
			ln := testkit.ListenOn(t, transport, p, nil)
			c := testkit.DialTo(t, transport, ln, p)
			remote := testkit.Accept(t, ln)
			receiving := testkit.Async(func() error { _, err := c.Recv(ctx); return err })
			if err := remote.Send(ctx, newPickled(1)); err != nil {
				t.Fatal(err)
			}
			if err := remote.Close(); err != nil {
				t.Error(err)
			}
			if err := testkit.Result(t, "Recv", receiving); err != nil {
				t.Errorf("the message before the end: %v", err)
			}
			for range 2 {
				if m, err := c.Recv(ctx); err != io.EOF {
					t.Errorf("Recv: got %v, %v, want io.EOF", m, err)
				}
			}
			if m, ok := <-c.Messages(); ok {
				t.Errorf("Messages: got %v, want it closed", m)
			}
			if err := c.Err(); err != nil {
				t.Errorf("Err: got %v, want nil", err)
			}
		})
	})
}

// When the peer is gone, Send fails, at the latest when the kernel knows.
func TestOriginalRemoteCloseSeenBySend(t *testing.T) {
	forCodecs(t, func(t *testing.T, p qsocket.Protocol[pickled]) {
		testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
			ctx := testkit.Context(t)
			ln := testkit.ListenOn(t, transport, p, &qsocket.Options{CloseTimeout: 10 * time.Millisecond})
			c := testkit.DialTo(t, transport, ln, p)
			if err := testkit.Accept(t, ln).Close(); err != nil {
				t.Error(err)
			}
			var err error
			for err == nil {
				err = c.Send(ctx, newPickled(1))
			}
			var oe *net.OpError
			if !errors.As(err, &oe) {
				t.Errorf("Send: got %v, want a network error", err)
			}
			if err := c.Send(ctx, newPickled(1)); !errors.As(err, &oe) {
				t.Errorf("another Send: got %v, want a network error", err)
			}
			if err := c.Err(); !errors.As(err, &oe) {
				t.Errorf("Err: got %v, want a network error", err)
			}
		})
	})
}

// A local Close ends both ends: the loops over Messages, Recv and Send of the
// one that closed, and those of its peer once that closes, too.
func TestOriginalLocalClose(t *testing.T) {
	forCodecs(t, func(t *testing.T, p qsocket.Protocol[pickled]) {
		testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
			ctx := testkit.Context(t)
			ln := testkit.ListenOn(t, transport, p, nil)
			local := testkit.DialTo(t, transport, ln, p)
			remote := testkit.Accept(t, ln)
			count := func(c *qsocket.Conn[pickled]) <-chan int {
				messages := c.Messages()
				return testkit.Async(func() int {
					n := 0
					for range messages {
						n++
					}
					return n
				})
			}
			atLocal, atRemote := count(local), count(remote)
			for i := range 10 {
				if err := local.Send(ctx, newPickled(i)); err != nil {
					t.Fatal(err)
				}
			}
			if err := local.Close(); err != nil {
				t.Errorf("Close: got %v, want nil", err)
			}
			if n := testkit.Result(t, "Messages of the one that closed", atLocal); n != 0 {
				t.Errorf("got %d messages, want none", n)
			}
			if n := testkit.Result(t, "Messages of the peer", atRemote); n != 10 {
				t.Errorf("got %d messages, want 10", n)
			}
			if _, err := local.Recv(ctx); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Recv of the one that closed: got %v, want net.ErrClosed", err)
			}
			if err := local.Send(ctx, newPickled(0)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Send of the one that closed: got %v, want net.ErrClosed", err)
			}
			if _, err := remote.Recv(ctx); err != io.EOF {
				t.Errorf("Recv of the peer: got %v, want io.EOF", err)
			}
			if err := remote.Close(); err != nil {
				t.Errorf("Close of the peer: got %v, want nil", err)
			}
			for name, c := range map[string]*qsocket.Conn[pickled]{"local": local, "remote": remote} {
				testkit.WaitClosed(t, "Done of "+name, c.Done())
				if err := c.Err(); err != nil {
					t.Errorf("Err of %s: got %v, want nil", name, err)
				}
			}
		})
	})
}

// Objects from 100 bytes to 10 MB are echoed whole.
func TestOriginalEchoSizes(t *testing.T) {
	forCodecs(t, func(t *testing.T, p qsocket.Protocol[pickled]) {
		testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
			ctx := testkit.Context(t)
			opts := qsocket.Options{MaxFrame: 16 << 20}
			ln := testkit.ListenOn(t, transport, p, &opts)
			serveCtx, stop := context.WithCancel(ctx)
			served := testkit.Serve(serveCtx, ln, testkit.Echo)
			if transport == "tls" {
				opts.TLS = testkit.ClientTLS()
			}
			c, err := qsocket.Dial(ctx, ln.Addr().Network(), ln.Addr().String(), p, &opts)
			if err != nil {
				t.Fatal(err)
			}
			defer testkit.End(c)
			for size := 100; size <= 10_000_000; size *= 10 {
				blob := bytes.Repeat([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, size/10)
				if err := c.Send(ctx, pickled{Number: size, Blob: blob}); err != nil {
					t.Fatalf("Send of %d bytes: %v", size, err)
				}
				got, err := c.Recv(ctx)
				if err != nil {
					t.Fatalf("Recv of %d bytes: %v", size, err)
				}
				if got.Number != size || !bytes.Equal(got.Blob, blob) {
					t.Errorf("got %d bytes, want the same %d bytes", len(got.Blob), size)
				}
			}
			stop()
			if err := testkit.Result(t, "Serve", served); err != nil {
				t.Errorf("Serve: got %v, want nil", err)
			}
		})
	})
}
