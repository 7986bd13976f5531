package qsocket_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// What holds each claim of README's tables, by the first cell of its row.
var readmeClaims = map[string][]string{
	"`Send` returned nil":          {"TestSenders", "TestOrderOfConcurrentSenders", "TestFault15Shutdown"},
	"`Send` returned an error":     {"TestSendRefusedByContext", "TestSendWithEndedContext", "TestSendRefusesLargeMessages"},
	"the peer does not keep up":    {"TestSendBufferIsTheBound", "TestTrySendDoesNotWait"},
	"what arrives":                 {"TestFault16CloseWhileFlooding", "TestOrderOfConcurrentSenders"},
	"`Close`, `Shutdown`, `Drain`": {"TestCloseWithUnreadInbound", "TestNamedShutdown", "TestDrainWaits", "TestServeContextLoses", "TestRollingRestart"},
	"the end":                      {"TestConnErrors", "TestFailures"},
	"the wrong peer":               {"TestHandshakeMismatch", "TestListenerRefuses", "TestDialRefused", "TestAdmitDenies"},
	"a dead peer":                  {"TestPeerDead", "TestSendFindsDeadPeer", "TestFrameTimeoutSparesSlowConsumers", "TestIdleConnHoldsNoBuffer"},
	"bytes of strangers":           {"TestCost", "TestMsgpackRefusesPayload", "TestGobRefusesPayload", "TestFault26Panics"},
	"one message to many":          {"TestGroup", "TestBroadcastBlock", "TestBroadcastDrop", "TestBroadcastDisconnect", "TestNoAllocationsPerBroadcast"},
	"`Msgpack`":                    {"ExampleMsgpack", "TestMsgpackRefusesPayload"},
	"`Gob`":                        {"ExampleGob", "TestGobRefusesPayload"},
	"`JSON`":                       {"ExampleJSON", "TestJSONRefusesPayload"},
	"`Binary`":                     {"ExampleBinary"},
	"`Stateless`":                  {"ExampleStateless"},
}

// README is short, and each claim in its tables is held by tests, which there are. ci/outside.sh runs its
// program, TestShownResults in bench compares its figures, and ci/docs.sh its links.
func TestReadme(t *testing.T) {
	text := testkit.ReadFile(t, "README.md")
	if lines := strings.Count(text, "\n"); lines > 160 {
		t.Errorf("README.md has %d lines, want at most 160", lines)
	}
	functions := testFunctions(t)
	rows := 0
	for _, heading := range []string{"## What it guarantees", "## Codecs"} {
		_, section, found := strings.Cut(text, "\n"+heading+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		if !found {
			t.Errorf("README.md has no %s", heading)
		}
		for line := range strings.Lines(section) {
			cells := strings.Split(line, " | ")
			name := strings.TrimPrefix(cells[0], "| ")
			if name == "|" || name == cells[0] { // the head, or no row
				continue
			}
			rows++
			if len(readmeClaims[name]) == 0 {
				t.Errorf("no tests are named for %q", name)
			}
			for _, test := range readmeClaims[name] {
				if !functions[test] {
					t.Errorf("%s: there is no %s", name, test)
				}
			}
		}
	}
	if rows != len(readmeClaims) {
		t.Errorf("got %d rows, and tests for %d", rows, len(readmeClaims))
	}
}

// testFunctions returns the names of the tests and examples of the module.
func testFunctions(t *testing.T) map[string]bool {
	t.Helper()
	names := make(map[string]bool)
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Example)\w*)\(`)
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		for _, m := range declared.FindAllStringSubmatch(testkit.ReadFile(t, path), -1) {
			names[m[1]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// docs/python.md shows the code of Example_queue.
func TestPythonQueue(t *testing.T) {
	_, code, found := strings.Cut(testkit.ReadFile(t, "example_queue_test.go"), "\n// echo sends back")
	code, _, closed := strings.Cut(code, "\n}\n")
	if !found || !closed {
		t.Fatal("there is no function echo in example_queue_test.go")
	}
	if code = "```go\n// echo sends back" + code + "\n}\n```\n"; !strings.Contains(testkit.ReadFile(t, "docs/python.md"), code) {
		t.Errorf("docs/python.md does not have this block:\n%s", code)
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
