package service

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// failingText refuses messages that begin with "bad".
var failingText = qsocket.Protocol[string]{Name: "text/1", Codec: qsocket.Stateless("text",
	func(s string) ([]byte, error) { return []byte(s), nil },
	func(payload []byte, s *string) error {
		if bytes.HasPrefix(payload, []byte("bad")) {
			return errors.New("a secret")
		}
		*s = string(payload)
		return nil
	})}

// scripted returns a Conn over wrap's connection, and the peer's end after the hellos.
func scripted(t *testing.T, wrap func(*qsockettest.StreamConn) net.Conn, opts *qsocket.Options) (*qsocket.Conn[string], *qsockettest.StreamConn) {
	t.Helper()
	nc, peer := qsockettest.NetPipe()
	t.Cleanup(func() { peer.Close() })
	s := testkit.WirePeer{T: t, Conn: peer}
	s.Send(testkit.GoldenHello)
	c, err := qsocket.NewConn(t.Context(), wrap(nc), failingText, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { testkit.End(c) })
	s.ExpectHello()
	peer.SetReadDeadline(time.Time{})
	return c, peer
}

func plain(nc *qsockettest.StreamConn) net.Conn { return nc }

// frames cuts a stream into frames.
func frames(t *testing.T, stream []byte) (list []string) {
	t.Helper()
	for len(stream) > 0 {
		if len(stream) < 4 {
			t.Fatalf("the stream ends with % x", stream)
		}
		size := 4 + int(binary.BigEndian.Uint32(stream)&^(1<<31))
		if len(stream) < size {
			t.Fatalf("the stream ends in a frame of %d bytes, of which there are %d", size, len(stream))
		}
		list = append(list, string(stream[:size]))
		stream = stream[size:]
	}
	return list
}

// codeOf returns the code of a full goodbye.
func codeOf(frame string) int {
	if !strings.HasPrefix(frame[4:], "\x01\x83\xa6reason") || !strings.Contains(frame[:len(frame)-1], "\xa4full\xc3\xa4code") {
		return 0
	}
	return int(frame[len(frame)-1])
}

const (
	badMessage  = "00000003 626164"
	tooMuch     = "7fffffff"
	badControl  = "80000001 7f"
	partOfFrame = "00000005 61"
)

// What was accepted goes out before the goodbye, or is dropped but for the frame that has begun,
// whole in either case. The peer has taken nothing for a while, and takes it then.
func TestFarewellFrames(t *testing.T) {
	const messages, size = 20, 10_000
	for _, test := range []struct {
		name, bytes string
		code        int
		all         bool
	}{
		{"bad message", badMessage, 2, true},
		{"protocol", badControl, 3, false},
		{"too large", tooMuch, 4, false},
		{"slow", "", 5, false},
		{"timeout", partOfFrame, 6, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, peer := scripted(t, plain, &qsocket.Options{SendBuffer: 1 << 20, FrameTimeout: time.Second, Heartbeat: -1})
				for i := range messages {
					if err := c.Send(t.Context(), strings.Repeat(string(rune('a'+i)), size)); err != nil {
						t.Fatal(err)
					}
				}
				done := c.Done()
				synctest.Wait() // the buffer between them is full
				if test.bytes == "" {
					g := qsocket.NewGroup(failingText, qsocket.Disconnect)
					g.Add(c)
					for g.Len() > 0 {
						if _, err := g.Broadcast(t.Context(), strings.Repeat("!", size)); err != nil {
							t.Fatal(err)
						}
					}
				}
				testkit.WirePeer{T: t, Conn: peer}.Send(test.bytes)
				start := time.Now()
				<-done
				if test.code != 6 && time.Since(start) > 0 {
					t.Errorf("Done came after %v", time.Since(start))
				}
				if err := c.Err(); err == nil {
					t.Error("Err is nil")
				}
				for name, call := range map[string]func() error{
					"Send":       func() error { return c.Send(context.Background(), "more") },
					"Flush":      func() error { return c.Flush(context.Background()) },
					"Recv":       func() error { _, err := c.Recv(context.Background()); return err },
					"CloseWrite": c.CloseWrite,
					"Close":      c.Close,
					"Shutdown":   func() error { return c.Shutdown(context.Background()) },
				} {
					start := time.Now()
					if err := call(); err == nil && name != "Close" && name != "CloseWrite" {
						t.Errorf("%s: nil", name)
					}
					if time.Since(start) > 0 {
						t.Errorf("%s took %v", name, time.Since(start))
					}
				}
				written := testkit.Async(func() (err error) { // it goes on sending, and is not reset
					for range 100 {
						if _, e := peer.Write(make([]byte, 10_000)); e != nil {
							err = e
						}
					}
					return err
				})
				stream, err := io.ReadAll(peer)
				if err != nil {
					t.Errorf("the peer read %v", err)
				}
				list := frames(t, stream)
				goodbye := list[len(list)-1]
				if got := codeOf(goodbye); got != test.code || strings.Contains(goodbye, "secret") {
					t.Errorf("the last frame is %q, want the code %d", goodbye, test.code)
				}
				for i, frame := range list[:len(list)-1] {
					if want := strings.Repeat(string(rune('a'+i)), size); frame[4:] != want {
						t.Fatalf("frame %d is %q…", i, frame[:20])
					}
				}
				if got := len(list) - 1; test.all && got != messages || !test.all && (got == 0 || got > 9) { // 64 KiB, 16 KiB that are being written, and the frame in which they end
					t.Errorf("%d messages before the goodbye", got)
				}
				if err := <-written; err != nil {
					t.Errorf("the peer's write: %v", err)
				}
			})
		})
	}
}

// A peer that takes nothing is reset when CloseTimeout has passed, and one that does not end, too.
func TestFarewellTimeout(t *testing.T) {
	for _, reads := range []bool{false, true} {
		t.Run(fmt.Sprintf("reads %v", reads), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, peer := scripted(t, plain, &qsocket.Options{SendBuffer: 1 << 20, CloseTimeout: 3 * time.Second, Heartbeat: -1})
				if err := c.Send(t.Context(), strings.Repeat("x", 100_000)); err != nil {
					t.Fatal(err)
				}
				c.Messages()
				if reads {
					if _, err := io.CopyN(io.Discard, peer, 100_004); err != nil {
						t.Fatal(err)
					}
				}
				start := time.Now()
				testkit.WirePeer{T: t, Conn: peer}.Send(badControl)
				if reads {
					stream, err := io.ReadAll(peer)
					if list := frames(t, stream); err != nil || codeOf(list[len(list)-1]) != 3 {
						t.Errorf("read %q, %v", list, err)
					}
				}
				for { // until it is reset
					if _, err := peer.Write([]byte("m")); err != nil {
						if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
							t.Errorf("got %v, want a reset", err)
						}
						break
					}
					time.Sleep(time.Millisecond)
				}
				if got := time.Since(start).Round(10 * time.Millisecond); got != 3*time.Second {
					t.Errorf("the reset came after %v, want CloseTimeout", got)
				}
			})
		})
	}
}

// noHalf has no half-close.
type noHalf struct{ net.Conn }

// Without a half-close the peer would wait for an end that does not come: the socket is closed a second after
// the goodbye, or when the peer ends.
func TestFarewellWithoutHalfClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := scripted(t, func(nc *qsockettest.StreamConn) net.Conn { return noHalf{nc} }, &qsocket.Options{Heartbeat: -1})
		received := testkit.Async(func() error { _, err := c.Recv(context.Background()); return err })
		start := time.Now()
		testkit.WirePeer{T: t, Conn: peer}.Send(badMessage)
		stream, err := io.ReadAll(peer)
		if list := frames(t, stream); err != nil || len(list) != 1 || codeOf(list[0]) != 2 {
			t.Errorf("read %q, %v", list, err)
		}
		if got := time.Since(start); got != time.Second {
			t.Errorf("the end came after %v, want a second", got)
		}
		var ce *qsocket.CodecError
		if err := <-received; !errors.As(err, &ce) {
			t.Errorf("Recv: %v", err)
		}
	})
}

// What is left to do counts towards MaxConns, and of a Listener's Conns there are 64 at most that are
// left in this way: then the oldest is reset.
func TestFarewellsOfListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 64
		network := qsockettest.Listen(address)
		ln, err := qsocket.NewListener(network, failingText, &qsocket.Options{CloseTimeout: time.Minute, MaxConns: 2 * most, Heartbeat: -1})
		if err != nil {
			t.Fatal(err)
		}
		testkit.Serve(t.Context(), ln, func(ctx context.Context, c *qsocket.Conn[string]) {
			for range c.Messages() {
			}
		})
		peers := make([]net.Conn, most+3)
		for i := range peers {
			peer, err := network.DialContext(t.Context(), "tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			s := testkit.WirePeer{T: t, Conn: peer}
			s.Send(testkit.GoldenHello)
			s.ExpectHello()
			s.Send(badMessage)
			synctest.Wait()
			peers[i] = peer
		}
		reset := 0
		for i, peer := range peers {
			_, err := peer.Write([]byte("m"))
			if (err != nil) != (i < 3) {
				t.Errorf("peer %d: %v", i, err)
			}
			if err != nil {
				reset++
			}
		}
		if open := ln.Stats().Open; reset != 3 || open != 0 {
			t.Errorf("%d were reset, want 3; %d are open", reset, open)
		}
		// Shutdown and Drain wait for the rest, and reset what is left in the end.
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		if err := ln.Drain(ctx, ""); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 10*time.Second {
			t.Errorf("Drain: %v, after %v", err, time.Since(start))
		}
		for i, peer := range peers {
			_ = peer.SetReadDeadline(time.Now().Add(time.Second))
			if _, err := io.ReadAll(peer); i >= 3 && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("peer %d read %v, want a reset", i, err)
			}
			peer.Close()
		}
	})
}

// Slots of MaxConns are free again when the peer has ended, not before.
func TestFarewellHoldsSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, failingText, func(ctx context.Context, c *qsocket.Conn[string]) {
			for range c.Messages() {
			}
		}, &qsocket.Options{MaxConns: 1, CloseTimeout: time.Minute, Heartbeat: -1})
		peer, err := s.network.DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		w := testkit.WirePeer{T: t, Conn: peer}
		w.Send(testkit.GoldenHello)
		w.ExpectHello()
		w.Send(badMessage)
		synctest.Wait()
		if open := s.ln.Stats().Open; open != 0 {
			t.Errorf("%d Conns are open", open)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if c, err := qsocket.Dial(ctx, "tcp", address, failingText, &qsocket.Options{DialContext: s.network.DialContext}); err == nil {
			testkit.End(c)
			t.Error("a second connection, while the socket of the first is not closed")
		}
		peer.Close()
		synctest.Wait()
		s.dial(failingText)
	})
}
