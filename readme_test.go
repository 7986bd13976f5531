package qsocket_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// readText returns a file of the repository.
func readText(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

// README shows the code of Example_queue.
func TestReadmeQueue(t *testing.T) {
	_, code, found := strings.Cut(readText(t, "example_queue_test.go"), "\n// echo sends back")
	code, _, closed := strings.Cut(code, "\n}\n")
	if !found || !closed {
		t.Fatal("there is no function echo in example_queue_test.go")
	}
	if code = "```go\n// echo sends back" + code + "\n}\n```\n"; !strings.Contains(readText(t, "README.md"), code) {
		t.Errorf("README.md does not have this block:\n%s", code)
	}
}

// locked is a peer that reads nothing while it sends: as in the Python package,
// a lock is held while a send waits, and taken for each read.
type locked struct {
	nc   *qsockettest.StreamConn
	lock chan struct{} // capacity 1: a mutex that is durably blocking in a bubble
}

// send sends n messages.
func (p *locked) send(n int, frame []byte) error {
	for range n {
		p.lock <- struct{}{}
		_, err := p.nc.Write(frame)
		<-p.lock
		if err != nil {
			return err
		}
	}
	return nil
}

// receive reads until size bytes have come.
func (p *locked) receive(size int) error {
	b := make([]byte, 4096)
	for size > 0 {
		p.lock <- struct{}{}
		p.nc.SetReadDeadline(time.Now().Add(time.Millisecond)) // as long as it waits for something to read
		n, err := p.nc.Read(b[:min(size, len(b))])
		<-p.lock
		if size -= n; err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		time.Sleep(time.Millisecond) // sends get the lock
	}
	return nil
}

// A plain echo loop and a peer that reads nothing while it sends wait for each other for
// good, unless a timeout ends it. A queue between reading and sending helps.
func TestPeerThatDoesNotReadWhileSending(t *testing.T) {
	const messages = 20_000
	frame := []byte("\x00\x00\x03\xe8" + strings.Repeat("m", 1000))
	loop := testkit.Echo[string]
	for _, test := range []struct {
		name    string
		handle  func(context.Context, *qsocket.Conn[string])
		opts    qsocket.Options
		through bool
		cause   error // of the end of the Conn, if it comes by itself
	}{
		{"echo loop", loop, qsocket.Options{}, false, nil},
		{"echo loop with WriteTimeout", loop, qsocket.Options{WriteTimeout: time.Minute}, false, os.ErrDeadlineExceeded},
		{"echo loop with a long RecvQueue", loop, qsocket.Options{RecvQueue: messages, DecodedBuffer: 64 << 20}, true, nil},
		{"queue", echo[string], qsocket.Options{}, true, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nc, far := qsockettest.NetPipe()
				c, err := qsocket.NewConn(context.Background(), nc, testkit.Text, &test.opts)
				if err != nil {
					t.Fatal(err)
				}
				handled := testkit.Async(func() error {
					test.handle(context.Background(), c)
					return c.Close() // as Serve does
				})
				p := &locked{far, make(chan struct{}, 1)}
				sent := testkit.Async(func() error { return p.send(messages, frame) })
				received := testkit.Async(func() error { return p.receive(messages * len(frame)) })

				time.Sleep(24 * time.Hour)
				select {
				case err := <-received:
					if !test.through && test.cause == nil || test.through && err != nil {
						t.Errorf("receiving came to an end: %v", err)
					}
					if err := <-sent; test.through && err != nil {
						t.Error(err)
					}
				default:
					if test.through || test.cause != nil {
						t.Error("it is stuck")
					}
				}
				if err := c.Err(); !errors.Is(err, test.cause) {
					t.Errorf("got %v, want %v", err, test.cause)
				}
				far.Close()
				c.Close()
				<-handled
			})
		})
	}
}

// A peer that is too far ahead is cut off.
func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nc, far := qsockettest.NetPipe()
		c, err := qsocket.NewConn(context.Background(), nc, testkit.Text, nil)
		if err != nil {
			t.Fatal(err)
		}
		handled := testkit.Async(func() bool { echo(context.Background(), c); return true })
		frame := []byte("\x00\x00\x00\x64" + strings.Repeat("m", 100))
		for range 300_000 { // the sender may have taken 100,000 of them
			if _, err := far.Write(frame); err != nil {
				break
			}
		}
		time.Sleep(time.Minute) // CloseTimeout
		select {
		case <-handled:
		default:
			t.Error("the peer was not cut off")
		}
		far.Close()
	})
}
