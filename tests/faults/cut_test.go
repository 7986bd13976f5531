package faults

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// A stream may be cut at any byte: whole messages arrive, and then either a
// clean end or io.ErrUnexpectedEOF. In named mode an end without goodbye is not
// clean, over TLS as well, where the network alone cannot tell.
func TestFault20CutAtEveryOffset(t *testing.T) {
	testkit.CheckGoroutines(t)
	for _, f := range testkit.Framings {
		t.Run(f.String(), func(t *testing.T) {
			one, second := testkit.Frame(t, f, "one"), testkit.Frame(t, f, "second")
			stream := []byte(one + second + testkit.Frame(t, f, ""))
			bounds := []int{0, len(one), len(one) + len(second), len(stream)}
			for cut := range len(stream) + 1 {
				messages, clean := 0, false
				for n, at := range bounds {
					if at <= cut {
						messages, clean = n, at == cut
					}
				}
				cutRaw(t, f, stream, cut, messages, clean)
			}
			t.Logf("%d offsets: whole messages, then the right end", len(stream)+1)
		})
	}
	for _, transport := range []string{"plain", "tls"} {
		t.Run("named over "+transport, func(t *testing.T) {
			secure := cutTLS(transport)
			bounds := cutNamed(t, secure, -1, nil)
			handshake, all := bounds[0], bounds[len(bounds)-1]
			n := 0
			for cut := int64(0); cut <= all; cut++ {
				if cut < handshake && transport == "tls" && !*faultFull && cut%50 != 0 {
					continue // a handshake takes a millisecond
				}
				cutNamed(t, secure, cut, bounds)
				n++
			}
			t.Logf("%d offsets of the %d bytes, of which the first %d are handshake: whole messages, then io.ErrUnexpectedEOF unless the goodbye was whole", n, all, handshake)
		})
	}
}

// cutRaw sends a stream to a Conn of raw mode and cuts it.
func cutRaw(t *testing.T, f qsocket.Framing, stream []byte, cut, want int, clean bool) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		proxy := qsockettest.NewProxy(1, qsockettest.Faults{Cut: qsockettest.FIN, CutAfter: int64(cut)}, qsockettest.Faults{})
		defer proxy.Close()
		peer, nc := proxy.Pipe()
		defer peer.Close()
		p := testkit.Text
		p.Framing = f
		c, err := qsocket.NewConn(t.Context(), nc, p, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.End(c)
		if _, err := peer.Write(stream); err != nil {
			t.Fatal(err)
		}
		got := 0
		for err = error(nil); err == nil; got++ {
			_, err = c.Recv(t.Context())
		}
		if got--; got != want {
			t.Errorf("cut at %d: got %d messages, want %d", cut, got, want)
		}
		if clean && err != io.EOF || !clean && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: got %v, want a clean end: %v", cut, err, clean)
		}
	})
}

// cutTLS returns what makes TLS of a connection in a bubble, or leaves it alone.
func cutTLS(transport string) func(client, server net.Conn) (net.Conn, net.Conn) {
	if transport != "tls" {
		return func(client, server net.Conn) (net.Conn, net.Conn) { return client, server }
	}
	ca, now := testkit.CA(), time.Now()
	certified := func() time.Time { return now } // a bubble's clock begins in 2000
	return func(client, server net.Conn) (net.Conn, net.Conn) {
		return tls.Client(client, &tls.Config{RootCAs: ca.Pool, ServerName: "localhost", Time: certified}),
			tls.Server(server, &tls.Config{Certificates: []tls.Certificate{ca.Server}, Time: certified})
	}
}

// counted counts the bytes that are written to a connection.
type counted struct {
	*qsockettest.StreamConn
	n atomic.Int64
}

func (c *counted) Write(b []byte) (int, error) {
	c.n.Add(int64(len(b)))
	return c.StreamConn.Write(b)
}

// cutNamed lets two ends talk: three messages, and Close. It returns how many bytes
// the client had written after the handshake, each message and the goodbye. With
// those it cuts the connection and checks what the server got.
func cutNamed(t *testing.T, secure func(client, server net.Conn) (net.Conn, net.Conn), cut int64, bounds []int64) (measured []int64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		// To measure, the answer to the goodbye is late: behind it, TLS says an end of
		// its own, which is not to be counted.
		faults, answers := qsockettest.Faults{}, qsockettest.Faults{Latency: time.Second}
		if bounds != nil {
			faults, answers = qsockettest.Faults{Cut: qsockettest.FIN, CutAfter: cut}, qsockettest.Faults{}
		}
		proxy := qsockettest.NewProxy(1, faults, answers)
		defer proxy.Close()
		na, nb := proxy.Pipe()
		count := &counted{StreamConn: na}
		client, server := secure(count, nb)
		got := 0
		ended := testkit.Async(func() error {
			b, err := qsocket.NewConn(context.Background(), server, testkit.Named, nil)
			if err != nil {
				return err
			}
			defer testkit.End(b)
			for {
				if _, err := b.Recv(context.Background()); err != nil {
					return err
				}
				got++
			}
		})
		a, err := qsocket.NewConn(context.Background(), client, testkit.Named, nil)
		if err == nil {
			defer testkit.End(a)
			synctest.Wait() // until everything of the handshake is written
			measured = append(measured, count.n.Load())
			for _, m := range []string{"one", "second", ""} {
				_ = a.Send(t.Context(), m) // whether it arrives is what the server tells
				_ = a.Flush(t.Context())
				measured = append(measured, count.n.Load())
			}
			_ = a.Close()
			measured = append(measured, count.n.Load())
		}
		err = <-ended
		if bounds == nil {
			if err != io.EOF || got != 3 {
				t.Fatalf("without a cut: %d messages, then %v", got, err)
			}
			return
		}
		messages := 0
		for messages < 3 && cut >= bounds[1+messages] {
			messages++
		}
		if cut < bounds[0] && got == 0 && err != nil { // TLS reports an end in its own words
			return
		}
		whole := cut >= bounds[4]
		if got != messages || whole && err != io.EOF || !whole && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: %d messages, then %v, want %d and a clean end: %v", cut, got, err, messages, whole)
		}
	})
	return measured
}
