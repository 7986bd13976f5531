package service

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// logged is a Logger that keeps level, message and some attributes.
type logged struct {
	mu    sync.Mutex
	lines []string
}

func (l *logged) Enabled(context.Context, slog.Level) bool { return true }
func (l *logged) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *logged) WithGroup(string) slog.Handler            { return l }

func (l *logged) Handle(_ context.Context, r slog.Record) error {
	line := fmt.Sprintf("%v %s", r.Level, r.Message)
	r.Attrs(func(a slog.Attr) bool {
		if a.Key != "peer" && a.Key != "local" && a.Key != "stack" && a.Key != "duration" {
			line += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		}
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
	return nil
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n") + "\n"
}

// The line about the end has all that was sent and received until then, also where another
// goroutine than the receiver ends the connection, and how long it was open.
func TestLogOfEndCounts(t *testing.T) {
	for _, n := range []int{0, 1, 50, 5000} {
		for name, end := range map[string]func(a, b *qsocket.Conn[string]){
			"the peer is gone": func(a, _ *qsocket.Conn[string]) { a.NetConn().Close() },
			"a slow consumer": func(_, b *qsocket.Conn[string]) {
				g := qsocket.NewGroup(testkit.Named, qsocket.Disconnect)
				g.Add(b)
				for g.Len() > 0 {
					if _, err := g.Broadcast(t.Context(), "x"); err != nil {
						t.Fatal(err)
					}
				}
			},
		} {
			t.Run(fmt.Sprint(n, " messages, ", name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var log testkit.LogRecorder
					a, b := testkit.Pair(t, "pipe", testkit.Named, nil, &qsocket.Options{Logger: log.Logger(), SendBuffer: 5, Heartbeat: -1})
					received := make(chan int)
					go func() { // ends with b
						n := 0
						for range b.Messages() {
							n++
						}
						received <- n
					}()
					for range n {
						if err := a.Send(t.Context(), "tick"); err != nil {
							t.Fatal(err)
						}
					}
					if err := a.Flush(t.Context()); err != nil {
						t.Fatal(err)
					}
					time.Sleep(3 * time.Second)
					end(a, b)
					if got := <-received; got != n {
						t.Errorf("received %d messages, want %d", got, n)
					}
					<-b.Done()
					// "tick" has 4 bytes, and the header of its frame has 4
					if want := fmt.Sprintf(" received=%d bytesSent=%d bytesReceived=%d ", n, b.Stats().BytesSent, 8*n); log.Count("connection failed", "protocol=text/1 duration=3s", want) != 1 {
						t.Errorf("want a line with %q, got %s", want, log.Text())
					}
				})
			})
		}
	}
}

// What is logged of a connection: its opening and its end, and why.
func TestLogOfConn(t *testing.T) {
	ctx := testkit.Context(t)
	const secret = "what messages carry is nobody's business"
	for _, test := range []struct {
		name string
		end  func(a, b *qsocket.Conn[string])
		want []string // at b
	}{
		{"clean", func(a, b *qsocket.Conn[string]) { a.Close() }, []string{
			"DEBUG qsocket: connection open protocol=text/1",
			"DEBUG qsocket: connection ended protocol=text/1 sent=0 received=1 bytesSent=0 bytesReceived=44 dropped=0",
		}},
		{"a reason", func(a, b *qsocket.Conn[string]) { a.CloseWithReason("maintenance") }, []string{
			"INFO qsocket: connection closed by peer protocol=text/1 sent=0 received=1 bytesSent=0 bytesReceived=44 dropped=0 err=qsocket: closed by peer: maintenance",
		}},
		{"our reason", func(a, b *qsocket.Conn[string]) { b.CloseWithReason("maintenance") }, []string{
			"INFO qsocket: closing connection reason=maintenance",
		}},
		{"a failure", func(a, b *qsocket.Conn[string]) { a.NetConn().Close() }, []string{
			"INFO qsocket: connection failed protocol=text/1 sent=0 received=1 bytesSent=0 bytesReceived=44 dropped=0 err=qsocket: the connection ended without a goodbye: unexpected EOF",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			log := new(logged)
			a, b := testkit.Pair(t, "tcp", testkit.Named, nil, &qsocket.Options{Logger: slog.New(log)})
			if err := a.Send(ctx, secret); err != nil {
				t.Fatal(err)
			}
			if m, err := b.Recv(ctx); m != secret || err != nil {
				t.Fatal(m, err)
			}
			done := b.Done()
			a.Done()
			test.end(a, b)
			testkit.WaitClosed(t, "Done", done)
			for _, want := range test.want {
				if !strings.Contains(log.String(), want+"\n") {
					t.Errorf("got\n%swant\n%s", log, want)
				}
			}
			if strings.Contains(log.String(), secret) {
				t.Errorf("a payload is logged:\n%s", log)
			}
		})
	}
}

// Slow consumers are told of once, not with each message.
func TestLogOfSlowConsumers(t *testing.T) {
	ctx := testkit.Context(t)
	for policy, want := range map[qsocket.Overflow]string{
		qsocket.Drop:       "WARN qsocket: slow consumer, dropping messages\n",
		qsocket.Disconnect: "WARN qsocket: connection failed",
	} {
		log := new(logged)
		a, _ := testkit.Pair(t, "tcp", testkit.Named, &qsocket.Options{SendBuffer: 1000, Logger: slog.New(log)}, nil)
		g := qsocket.NewGroup(testkit.Named, policy)
		g.Add(a)
		for range 1000 {
			if sent, err := g.Broadcast(ctx, strings.Repeat("x", 100_000)); err != nil || g.Len() == 0 {
				break
			} else if sent == 0 && a.Stats().Dropped > 10 {
				break
			}
		}
		if policy == qsocket.Disconnect {
			testkit.WaitClosed(t, "Done", a.Done())
		}
		if got := strings.Count(log.String(), want); got != 1 {
			t.Errorf("%v: %d times, want once: %s%s", policy, got, want, log)
		}
	}
}

// A nil Logger writes nothing anywhere, whatever happens.
func TestSilentByDefault(t *testing.T) {
	var out bytes.Buffer
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	a, b := testkit.Pair(t, "tcp", testkit.Named, nil, nil)
	a.CloseWithReason("reason")
	if _, err := b.Recv(testkit.Context(t)); err == nil || err == io.EOF {
		t.Error(err)
	}
	if out.Len() > 0 {
		t.Errorf("logged: %s", out.String())
	}
}
