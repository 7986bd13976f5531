package qsockettest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

func TestPipe(t *testing.T) {
	ctx := t.Context()
	a, b := qsockettest.Pipe(t, qsocket.Protocol[string]{}, nil)
	if err := a.Send(ctx, "hello"); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Recv(ctx); got != "hello" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	if err := a.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Recv(ctx); err != io.EOF {
		t.Fatalf("after CloseWrite: %v, want %v", err, io.EOF)
	}
	if err := b.Send(ctx, "still here"); err != nil {
		t.Fatal(err)
	}
	if got, err := a.Recv(ctx); got != "still here" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
}

// The Conns that a test leaves open are closed in the bubble, which would
// not end otherwise: both have a reader, and one has a Send that waits.
func TestPipeCleanup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a, b *qsocket.Conn[[]byte]
		start := time.Now()
		t.Cleanup(func() { // after those of Pipe
			if err := a.Send(context.Background(), nil); err == nil {
				t.Error("Send after the test: no error, want the Conn to be closed")
			}
			if took := time.Since(start); took != time.Hour {
				t.Errorf("cleaned up after %v, want 1h, in the bubble's time", took)
			}
		})
		a, b = qsockettest.Pipe(t, qsocket.Protocol[[]byte]{}, &qsocket.Options{SendBuffer: 1000})
		a.Messages()
		b.Messages()
		go func() { // ends when a is closed
			for a.Send(context.Background(), make([]byte, 10_000)) == nil {
			}
		}()
		time.Sleep(time.Hour)
	})
}

// Close delivers what was sent, although the peer's messages are unread.
func TestPipeClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := qsockettest.Pipe(t, qsocket.Protocol[[]byte]{}, nil)
		const messages = 100
		for range messages {
			for _, c := range []*qsocket.Conn[[]byte]{a, b} {
				if err := c.Send(t.Context(), make([]byte, 500)); err != nil {
					t.Fatal(err)
				}
			}
		}
		synctest.Wait()
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		n := 0
		for range b.Messages() {
			n++
		}
		if n != messages || b.Err() != nil {
			t.Errorf("got %d messages, %v, want %d and a clean end", n, b.Err(), messages)
		}
	})
}

// Close interrupts a Recv at once, as over TCP: over kinds of net.Conn that are not known it waits for the peer's end.
func TestPipeCloseInterruptsRecv(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := qsockettest.Pipe(t, qsocket.Protocol[string]{Name: "text/1"}, nil) // the peer does not end
		start := time.Now()
		received := make(chan error)
		go func() { // ends with a
			_, err := a.Recv(context.Background())
			received <- err
		}()
		synctest.Wait()
		a.Close()
		if err := <-received; !errors.Is(err, net.ErrClosed) || time.Since(start) > 0 {
			t.Errorf("got %v after %v, want %v at once", err, time.Since(start), net.ErrClosed)
		}
	})
}

// A Conn that fails ends at the exact time, over a stream as well.
func TestNetPipeFrameTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		na, nb := qsockettest.NetPipe()
		defer na.Close()
		b, err := qsocket.NewConn(t.Context(), nb, qsocket.Protocol[string]{}, &qsocket.Options{FrameTimeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		write(t, na, "\x00\x00")
		start := time.Now()
		if _, err := b.Recv(t.Context()); err == nil || time.Since(start) != time.Second {
			t.Errorf("%v after %v, want an error after 1s", err, time.Since(start))
		}
	})
}

// fatalTB stands for a test that fails.
type fatalTB struct {
	testing.TB
	text string
}

func (f *fatalTB) Fatalf(format string, args ...any) {
	f.text = format
	for _, arg := range args {
		if err, ok := arg.(error); ok {
			f.text += err.Error()
		}
	}
	runtime.Goexit()
}

func TestPipeFatal(t *testing.T) {
	fake := &fatalTB{TB: t}
	done := make(chan struct{})
	go func() { // ends with Fatalf, or with Pipe
		defer close(done)
		qsockettest.Pipe(fake, qsocket.Protocol[int]{Framing: 99}, nil)
		t.Error("Pipe returned, want it to end the test")
	}()
	<-done
	if !strings.Contains(fake.text, "framing") {
		t.Errorf("the test failed with %q, want the error of NewConn", fake.text)
	}
}
