package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/leak"
)

var built struct {
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) {
	leak.Main(m)
}

// program builds the program, once, and returns its path.
func builtProgram(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "qsocket"); built.err != nil {
			return
		}
		args := []string{"build", "-buildvcs=false", "-o", filepath.Join(built.dir, "qsocket")}
		if os.Getenv("GOCOVERDIR") != "" {
			args = append(args, "-cover", "-coverpkg=./...")
		}
		out, err := exec.Command("go", append(args, ".")...).CombinedOutput()
		if err != nil {
			built.err = errors.New(string(out))
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, "qsocket")
}

// outcome is what a run of the program has printed, and its exit code.
type outcome struct {
	code     int
	out, err string
}

// patience is far more than anything here takes.
const patience = 30 * time.Second

// runs runs the program in this process.
func runs(t testing.TB, args ...string) outcome { return runsWith(t, "", args...) }

// runsWith is runs with an input.
func runsWith(t testing.TB, in string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, errOut bytes.Buffer
	code := run(ctx, args, strings.NewReader(in), &out, &errOut)
	if ctx.Err() != nil {
		t.Fatalf("qsocket %s did not end\n%s\n%s", strings.Join(args, " "), &out, &errOut)
	}
	return outcome{code, out.String(), errOut.String()}
}

// runsBuilt runs the built program.
func runsBuilt(t testing.TB, in string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, builtProgram(t), args...)
	var out, errOut bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(in), &out, &errOut
	err := c.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("qsocket %s: %v, %v", strings.Join(args, " "), err, ctx.Err())
	}
	return outcome{c.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// want fails unless o has the exit code, and all the texts in its output and its errors.
func (o outcome) want(t testing.TB, code int, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(o.out+o.err, text) {
			t.Errorf("got no %q", text)
		}
	}
	if lines := strings.Count(o.err, "\n"); o.code != code || lines > 1 {
		t.Errorf("got code %d with %d lines of errors, want %d", o.code, lines, code)
	}
	if t.Failed() {
		t.Fatalf("output:\n%s\nerrors:\n%s", o.out, o.err)
	}
}

// loud keeps what is logged above Debug.
type loud struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (l *loud) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug + 1}))
}

func (l *loud) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(b)
}

func (l *loud) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

// echoing is a handler that sends back what comes.
func echoing[T any](ctx context.Context, c *qsocket.Conn[T]) {
	for m, err := range c.All(ctx) {
		if err != nil || c.Send(ctx, m) != nil {
			return
		}
	}
}

// serving is a server that runs until the test ends, or stop is called.
type serving[T any] struct {
	*qsocket.Listener[T]
	url  string
	loud *loud
	stop func() // waits until all connections have ended
}

// serve begins to serve p at a free port of loopback.
func serve[T any](t testing.TB, p qsocket.Protocol[T], opts *qsocket.Options, handle func(context.Context, *qsocket.Conn[T])) *serving[T] {
	t.Helper()
	if opts == nil {
		opts = &qsocket.Options{}
	}
	s := &serving[T]{loud: new(loud)}
	o := *opts
	o.Logger = s.loud.logger()
	var err error
	if s.Listener, err = qsocket.Listen("tcp", "127.0.0.1:0", p, &o); err != nil {
		t.Fatal(err)
	}
	s.url = "tcp://" + s.Addr().String()
	if o.TLS != nil {
		s.url = "tls://" + s.Addr().String()
	}
	ended := make(chan error, 1)
	go func() { // ends with Shutdown
		if o.MaxSessions > 0 {
			ended <- s.ServeSessions(context.Background(), func(ctx context.Context, s *qsocket.Session[T]) {
				for range s.All(ctx) {
				}
			})
		} else {
			ended <- s.Serve(context.Background(), handle)
		}
	}()
	s.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil && !errors.Is(err, qsocket.ErrUnconfirmed) {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(s.stop)
	return s
}

// hostile is a server that does with each connection what f does, and closes it.
func hostile(t testing.TB, f func(nc net.Conn)) (addr string) {
	t.Helper()
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() { // ends when nl is closed
		for {
			nc, err := nl.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(t.Context(), func() { nc.Close() })
			all.Go(func() { // ends with f, which the closing of nc ends at the latest
				defer stop()
				defer nc.Close()
				f(nc)
				_, _ = io.Copy(io.Discard, nc)
			})
		}
	})
	t.Cleanup(func() { nl.Close(); all.Wait() })
	return "tcp://" + nl.Addr().String()
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
