package faults

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// What connections cost on which nothing happens. Each end is a process of its own
// that does nothing else.
func TestFault09IdleConns(t *testing.T) {
	testkit.CheckGoroutines(t)
	n := *faultIdle
	if n == 0 {
		t.Skip("takes a minute: go test -run Fault09 -v ./tests/faults -idle 10000")
	}
	if testkit.ProcStatus("VmRSS") == 0 {
		t.Skip("needs /proc/self/status")
	}
	if n > openFiles()-100 {
		t.Fatalf("only %d files may be open, want %d (ulimit -n)", openFiles(), n+100)
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs the go command, to build tests/idle: https://go.dev/dl")
	}
	program := filepath.Join(t.TempDir(), "idle")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../idle").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, test := range []struct {
		transport, beat string
		server, client  string // how they receive; a client with recv does not
		limit           int    // MiB for 10,000
	}{
		{"tcp", "0s", "recv", "messages", 100},
		{"tcp", "15s", "recv", "messages", 100},
		{"tcp", "15s", "messages", "recv", 110}, // a handler, a reader and a channel for each
		{"tls", "0s", "recv", "messages", 300},
		{"tls", "15s", "recv", "messages", 300},
	} {
		number := strconv.Itoa(n)
		server := startIdle(t, program, "server", test.transport, test.beat, test.server, number)
		client := startIdle(t, program, "client", test.transport, test.beat, test.client, number, server.say(t, "listening"))
		client.say(t, "connected")
		server.say(t, "connected")
		here, there := server.ask(t), client.ask(t)
		t.Logf("%d idle connections, %s, heartbeat %s: the server has %d MiB, with %s; the client %d, with %s",
			n, test.transport, test.beat, here>>20, test.server, there>>20, test.client)
		if most := max(test.limit*n/10_000, test.limit/4) << 20; max(here, there) > most {
			t.Errorf("%d and %d MiB of memory, want at most %d", here>>20, there>>20, most>>20)
		}
		client.end(t)
		server.end(t)
	}
}

// idleProcess is one end, with which this process talks in lines.
type idleProcess struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
}

func startIdle(t *testing.T, program string, words ...string) *idleProcess {
	cmd := exec.CommandContext(t.Context(), program, words...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &idleProcess{cmd, in, bufio.NewScanner(out)}
}

// say waits for what the process says of key.
func (p *idleProcess) say(t *testing.T, key string) string {
	t.Helper()
	var said []string
	for p.lines.Scan() {
		if k, value, ok := strings.Cut(p.lines.Text(), "\t"); ok && k == key {
			return value
		}
		said = append(said, p.lines.Text())
	}
	t.Fatalf("the process has ended without %q:\n%s", key, strings.Join(said, "\n"))
	return ""
}

// ask returns the memory of the process, bytes.
func (p *idleProcess) ask(t *testing.T) int {
	if _, err := io.WriteString(p.in, "memory\n"); err != nil {
		t.Fatal(err)
	}
	t.Log(p.cmd.Args[1], "has", p.say(t, "detail"))
	n, err := strconv.Atoi(p.say(t, "memory"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (p *idleProcess) end(t *testing.T) {
	p.in.Close()
	for p.lines.Scan() { // not needed
	}
	if err := p.cmd.Wait(); err != nil {
		t.Error(err)
	}
}
