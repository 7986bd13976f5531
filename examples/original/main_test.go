package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/leak"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/google/go-cmp/cmp"
)

// TestMain fails the run if goroutines of the module outlive the tests.
func TestMain(m *testing.M) { leak.Main(m) }

// count is how many messages go each way at once.
const count = 20_000

// A Python client sends to the gateway while its answers arrive.
func TestPythonClient(t *testing.T) {
	log := new(testkit.LogCheck)
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", Protocol, &qsocket.Options{Logger: log.Logger()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	served := testkit.Async(func() error { return ln.Serve(ctx, serve) })
	host, port, _ := net.SplitHostPort(ln.Addr().String())
	cmd := testkit.PlainPython(t, "peer.py", "client", host, port, fmt.Sprint(count))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if got, want := strings.TrimSpace(string(out)), fmt.Sprint("ok ", count); err != nil || got != want {
		t.Errorf("got %q, error %v, want %q\n%s", got, err, want, &stderr)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if faults := log.Faults(); len(faults) > 0 {
		t.Errorf("logged: %q", faults)
	}
}

// A Python server answers in the thread that reads, so it reads nothing while its send
// waits. It is sent 20 MB, more than the buffers of both directions hold.
func TestPythonServer(t *testing.T) {
	cmd := testkit.PlainPython(t, "peer.py", "server")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(stdout)
	port, err := said.ReadString('\n')
	if err != nil {
		t.Fatalf("got %q, %v, want a port\n%s", port, err, &stderr)
	}
	ctx := testkit.Context(t)
	conn, err := qsocket.Dial(ctx, "tcp", net.JoinHostPort("127.0.0.1", strings.TrimSpace(port)), Protocol, nil)
	if err != nil {
		t.Fatal(err)
	}
	sent := orders(count)
	for i := range sent {
		sent[i].Symbol = strings.Repeat("x", 1000)
	}
	answers, err := trade(ctx, conn, sent)
	if err != nil || len(answers) != count {
		t.Fatalf("got %d answers, error %v, want %d", len(answers), err, count)
	}
	for i, got := range answers {
		if d := cmp.Diff(answer(sent[i]), got); d != "" {
			t.Fatalf("answer %d: %s", i, d)
		}
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	last, _ := said.ReadString('\n')
	if err := cmd.Wait(); err != nil || strings.TrimSpace(last) != fmt.Sprint("ok ", count) {
		t.Errorf("got %q, %v, want that all were answered\n%s", last, err, &stderr)
	}
}
