package qsocket_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

func TestOrderOfConcurrentSenders(t *testing.T) {
	const senders, each = 16, 500
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		ctx := testkit.Context(t)
		// A small buffer makes senders queue for room all the time.
		for _, buffer := range []int{0, 300} {
			a, b := testkit.Pair(t, transport, testkit.Raw, &qsocket.Options{SendBuffer: buffer}, nil)
			var wg sync.WaitGroup
			for s := range senders {
				wg.Go(func() {
					for i := range each {
						if err := a.Send(ctx, testkit.Numbered(s, i, 8+i%100)); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			var next [senders]int
			for range senders * each {
				m, err := b.Recv(ctx)
				if err != nil {
					t.Fatal(err)
				}
				s, i := testkit.ParseNumbered(m)
				if i != next[s] || len(m) != 8+i%100 {
					t.Fatalf("sender %d: got message %d of %d bytes, want message %d", s, i, len(m), next[s])
				}
				next[s]++
			}
			wg.Wait()
		}
	})
}

// While the peer does not read, Send is refused when its ctx ends; afterwards
// exactly the accepted messages arrive.
func TestSendRefusedByContext(t *testing.T) {
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		ctx := testkit.Context(t)
		for _, size := range []int{100, 3000} {
			const buffer = 2000 // the larger messages only fit when it is empty
			a, b, n := testkit.StalledPair(t, transport, &qsocket.Options{SendBuffer: buffer}, size)
			if s := a.Stats(); s.SendBuffered == 0 || s.SendBuffered > max(buffer, size+4) {
				t.Errorf("size %d: %d bytes buffered, want 1 to %d", size, s.SendBuffered, buffer)
			}
			canceled, cancel := context.WithCancel(context.Background())
			refused := testkit.Async(func() error { return a.Send(canceled, testkit.Numbered(9, 9, size)) })
			cancel()
			if err := testkit.Result(t, "Send", refused); err != context.Canceled {
				t.Errorf("got %v, want context.Canceled", err)
			}
			sent := testkit.Async(func() error { // waits, and goes out when there is room
				return a.Send(ctx, testkit.Numbered(0, n, size))
			})
			for i := range n + 1 {
				m, err := b.Recv(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if s, got := testkit.ParseNumbered(m); s != 0 || got != i || len(m) != size {
					t.Fatalf("got message %d.%d of %d bytes, want 0.%d of %d", s, got, len(m), i, size)
				}
			}
			if err := testkit.Result(t, "Send", sent); err != nil {
				t.Error(err)
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
			if m, err := b.Recv(ctx); err != io.EOF {
				t.Errorf("got %d bytes and %v, want io.EOF: nothing refused may arrive", len(m), err)
			}
		}
	})
}

// Senders that need not wait may overtake one that does, but not for ever: one
// that has to send a few messages comes to its turn among others that never stop.
func TestNoSenderStarves(t *testing.T) {
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		ctx := testkit.Context(t)
		a, b := testkit.Pair(t, transport, testkit.Raw, &qsocket.Options{SendBuffer: 1000}, nil) // room for 10 frames
		greedy, stop := context.WithCancel(ctx)
		var wg sync.WaitGroup
		for s := range 7 {
			wg.Go(func() {
				for i := 0; a.Send(greedy, testkit.Numbered(1+s, i, 96)) == nil; i++ {
				}
			})
		}
		received := testkit.Async(func() error {
			for _, err := range b.All(ctx) {
				if err != nil {
					return err
				}
			}
			return nil
		})
		for i := range 200 {
			if err := a.Send(ctx, testkit.Numbered(0, i, 96)); err != nil {
				t.Fatalf("message %d: %v", i, err)
			}
		}
		stop()
		wg.Wait()
		a.Close()
		if err := testkit.Result(t, "All", received); err != nil && transport != "pipe" {
			t.Error(err)
		}
	})
}

func TestSendWithEndedContext(t *testing.T) {
	a, b := testkit.Pair(t, "tcp", testkit.Text, nil, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := a.Send(ctx, "no"); err != context.Canceled {
		t.Errorf("Send: got %v, want context.Canceled", err)
	}
	if err := a.Flush(ctx); err != context.Canceled {
		t.Errorf("Flush: got %v, want context.Canceled", err)
	}
	ctx = testkit.Context(t)
	if err := a.Send(ctx, "yes"); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Recv(ctx); got != "yes" || err != nil {
		t.Errorf("got %q, %v, want the message that was not refused", got, err)
	}
}

func TestFlush(t *testing.T) {
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		ctx := testkit.Context(t)
		a, b, n := testkit.StalledPair(t, transport, &qsocket.Options{SendBuffer: 10000}, 1000)
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		if err := a.Flush(short); err != context.DeadlineExceeded {
			t.Errorf("Flush while the peer does not read: got %v, want context.DeadlineExceeded", err)
		}
		flushed := testkit.Async(func() error { return a.Flush(ctx) })
		for range n {
			if _, err := b.Recv(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if err := testkit.Result(t, "Flush", flushed); err != nil {
			t.Error(err)
		}
		if s := a.Stats(); s.SendBuffered != 0 {
			t.Errorf("after Flush: %d bytes buffered", s.SendBuffered)
		}
	})
}

// A peer that never reads costs no more than SendBuffer and a frame.
func TestSendBufferIsTheBound(t *testing.T) {
	const buffer, frame = 64 << 10, 10 << 10
	a, _, n := testkit.StalledPair(t, "tcp", &qsocket.Options{SendBuffer: buffer}, frame)
	s := a.Stats()
	if s.SendBuffered > buffer || s.SendBuffered < buffer-frame-4 {
		t.Errorf("%d bytes buffered after %d messages, want about %d", s.SendBuffered, n, buffer)
	}
}

func TestWriteTimeout(t *testing.T) {
	t.Run("progress", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			na, nb := net.Pipe()
			a, err := qsocket.NewConn(t.Context(), na, testkit.Raw, &qsocket.Options{WriteTimeout: 3 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Send(t.Context(), make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			for range 52 { // 2 bytes every 2 seconds: slow, but not stuck
				time.Sleep(2 * time.Second)
				if _, err := io.ReadFull(nb, make([]byte, 2)); err != nil {
					t.Fatal(err)
				}
			}
			if err := a.Flush(t.Context()); err != nil {
				t.Error("Flush:", err)
			}
			testkit.End(a)
		})
	})
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		a, _ := testkit.Pair(t, transport, testkit.Raw, &qsocket.Options{WriteTimeout: 20 * time.Millisecond}, nil)
		ctx := testkit.Context(t)
		var err error
		for err == nil {
			err = a.Send(ctx, make([]byte, 10000))
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v, want os.ErrDeadlineExceeded", err)
		}
	})
}

// keeping is a codec with state: each payload says how many came before it.
// Its decoder refuses a gap.
type keeping struct{ canReset bool }

type keepingEncoder struct{ next uint32 }

type resettingEncoder struct{ keepingEncoder }

type keepingDecoder struct{ next uint32 }

func (k keeping) Name() string { return "keeping" }

func (k keeping) NewEncoder() qsocket.Encoder[[]byte] {
	if k.canReset {
		return &resettingEncoder{}
	}
	return &keepingEncoder{}
}

func (k keeping) NewDecoder() qsocket.Decoder[[]byte] { return &keepingDecoder{} }

func (e *keepingEncoder) Append(dst []byte, v []byte) ([]byte, error) {
	dst = binary.BigEndian.AppendUint32(dst, e.next)
	e.next++
	return append(dst, v...), nil
}

func (e *resettingEncoder) Reset() { e.next-- }

func (d *keepingDecoder) Decode(payload []byte) ([]byte, error) {
	if n := binary.BigEndian.Uint32(payload); n != d.next {
		return nil, fmt.Errorf("payload %d, want %d", n, d.next)
	}
	d.next++
	return append([]byte{}, payload[4:]...), nil
}

// A stateful encoder learns of payloads that are not sent. One that cannot
// learn it ends the Conn when a message is too large, and has its message
// accepted when its ctx ends: never does the peer decode garbage.
func TestStatefulEncoder(t *testing.T) {
	for _, canReset := range []bool{true, false} {
		t.Run(fmt.Sprint("reset=", canReset), func(t *testing.T) {
			ctx := testkit.Context(t)
			p := qsocket.Protocol[[]byte]{Codec: keeping{canReset}}
			a, b := testkit.Pair(t, "pipe", p, &qsocket.Options{SendBuffer: 100, MaxFrame: 1000}, nil)
			accepted := 0
			for i := range 10 {
				short, cancel := context.WithTimeout(ctx, time.Millisecond)
				if err := a.Send(short, testkit.Numbered(0, i, 60)); err == nil {
					accepted++
				}
				cancel()
			}
			if want := map[bool]int{true: 1, false: 2}[canReset]; accepted != want {
				t.Errorf("%d messages accepted, want %d", accepted, want)
			}
			for i := range accepted {
				if _, err := b.Recv(ctx); err != nil {
					t.Fatalf("message %d: %v", i, err)
				}
			}
			if err := a.Send(ctx, make([]byte, 2000)); !errors.Is(err, qsocket.ErrFrameTooLarge) {
				t.Errorf("got %v, want ErrFrameTooLarge", err)
			}
			err := a.Send(ctx, []byte("good"))
			if !canReset {
				if !errors.Is(err, qsocket.ErrFrameTooLarge) || !errors.Is(a.Err(), qsocket.ErrFrameTooLarge) {
					t.Errorf("Send: %v, Err: %v, want the Conn to have ended with ErrFrameTooLarge", err, a.Err())
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, err := b.Recv(ctx); err != nil || string(got) != "good" {
				t.Errorf("got %q, %v, want the good message", got, err)
			}
		})
	}
}

// brokenCodec is a codec whose Append is given.
type brokenCodec struct {
	append func(dst []byte, v string) ([]byte, error)
	resets *int
}

func (c brokenCodec) Name() string                        { return "broken" }
func (c brokenCodec) NewEncoder() qsocket.Encoder[string] { return c }
func (c brokenCodec) NewDecoder() qsocket.Decoder[string] { return testkit.TextCodec.NewDecoder() }
func (c brokenCodec) Append(dst []byte, v string) ([]byte, error) {
	return c.append(dst, v)
}
func (c brokenCodec) Reset() { *c.resets++ }

// An encoder that does not append, or panics, cannot spoil what was accepted
// before, and is told to start anew.
func TestBrokenEncoders(t *testing.T) {
	ctx := testkit.Context(t)
	resets := 0
	p := qsocket.Protocol[string]{Codec: brokenCodec{resets: &resets, append: func(dst []byte, v string) ([]byte, error) {
		switch v {
		case "fresh slice":
			return []byte("a payload without what was to precede it"), nil
		case "nil":
			return nil, nil
		case "panic":
			_ = append(dst, "garbage"...)
			panic("oh no")
		}
		return append(dst, v...), nil
	}}}
	a, b := testkit.Pair(t, "pipe", p, nil, nil)
	var ce *qsocket.CodecError
	for _, bad := range []string{"fresh slice", "nil", "panic"} {
		if err := a.Send(ctx, "good before "+bad); err != nil {
			t.Fatal(err)
		}
		if err := a.Send(ctx, bad); !errors.As(err, &ce) || ce.Op != "encode" {
			t.Errorf("%s: got %v, want a CodecError of encode", bad, err)
		}
		if err := a.Send(ctx, "good after "+bad); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"good before " + bad, "good after " + bad} {
			if got, err := b.Recv(ctx); err != nil || got != want {
				t.Fatalf("got %q, %v, want %q", got, err, want)
			}
		}
	}
	if resets != 3 {
		t.Errorf("%d resets, want 3", resets)
	}
}

// After a failed write the peer has CloseTimeout to say more, and then the
// Conn is over.
func TestSilenceAfterFailedWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		na, nb := net.Pipe()
		defer nb.Close()
		c, err := qsocket.NewConn(t.Context(), &testkit.FailingWriter{Conn: na}, testkit.Text, &qsocket.Options{CloseTimeout: 3 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		messages := c.Messages()
		synctest.Wait()
		start := time.Now()
		if err := c.Send(t.Context(), "fails"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if _, err := nb.Write([]byte(testkit.Frame(t, qsocket.Uint32, "more"))); err != nil {
			t.Fatal(err)
		}
		if m := <-messages; m != "more" {
			t.Errorf("got %q, want what came after the failed write", m)
		}
		<-c.Done()
		if got := time.Since(start); got != 5*time.Second {
			t.Errorf("over after %v, want 3s after the last message", got)
		}
		if err := c.Err(); !errors.Is(err, testkit.ErrBroken) {
			t.Errorf("Err: got %v, want the failed write", err)
		}
	})
}

// When a message is too large for an encoder that cannot forget it, no message
// of another sender slips in behind: the peer could not decode it.
func TestBrokenEncoderStopsAllSenders(t *testing.T) {
	p := qsocket.Protocol[[]byte]{Codec: keeping{canReset: false}}
	for range 300 {
		ctx := testkit.Context(t)
		a, b := testkit.Pair(t, "unix", p, &qsocket.Options{MaxFrame: 1000}, nil)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for a.Send(ctx, make([]byte, 10)) == nil {
				}
			})
		}
		wg.Go(func() { a.Send(ctx, make([]byte, 2000)) })
		for _, err := range b.All(ctx) {
			var ce *qsocket.CodecError
			if errors.As(err, &ce) {
				t.Fatal("the peer got a message that it could not decode:", err)
			}
		}
		wg.Wait()
		testkit.End(a)
		testkit.End(b)
	}
}

// What Send promises holds on all its paths to the socket.
func TestSendPaths(t *testing.T) {
	testkit.ForSendPaths(t, func(t *testing.T) {
		t.Run("order", TestOrderOfConcurrentSenders)
		t.Run("refusal", TestSendRefusedByContext)
		t.Run("bound", TestSendBufferIsTheBound)
		t.Run("write timeout", TestWriteTimeout)
		t.Run("flush", TestFlush)
		t.Run("close timeout", TestCloseTimeout)
		t.Run("both close", TestBothClose)
		t.Run("failure", TestDoneOfSender)
		t.Run("broken encoder", TestBrokenEncoderStopsAllSenders)
	})
}
