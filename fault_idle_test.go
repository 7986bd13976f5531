package qsocket_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// What connections cost on which nothing happens. Each end is a process of its own.
func TestFault09IdleConns(t *testing.T) {
	fault(t)
	if words, ok := isChild(t); ok {
		idleEnd(t, words)
		return
	}
	n := *faultIdle
	if n == 0 {
		t.Skip("takes a minute: go test -run Fault09 -v . -idle 10000")
	}
	if procStatus("VmRSS") == 0 {
		t.Skip("needs /proc/self/status")
	}
	if n > openFiles()-100 {
		t.Fatalf("only %d files may be open, want %d (ulimit -n)", openFiles(), n+100)
	}
	for _, transport := range []string{"tcp", "tls"} {
		for _, beat := range []time.Duration{-1, 15 * time.Second} {
			limit := map[string]int{"tcp": 100, "tls": 300}[transport] << 20
			server := startIdle(t, "server", transport, fmt.Sprint(int(beat)), strconv.Itoa(n), "")
			client := startIdle(t, "client", transport, fmt.Sprint(int(beat)), strconv.Itoa(n), server.say(t, "listening"))
			client.say(t, "connected")
			server.say(t, "connected")
			here, there := server.ask(t), client.ask(t)
			base := server.base
			beats := "on"
			if beat < 0 {
				beats = "off"
			}
			t.Logf("%d idle connections (%s, heartbeats %s): %d MiB at the server, %d MiB at the client, of which %d MiB were there before the first",
				n, transport, beats, here>>20, there>>20, base>>20)
			if most := base + max(limit/10_000*n, limit/2); max(here, there) > most && !raceEnabled {
				t.Errorf("%d and %d MiB of memory, want at most %d", here>>20, there>>20, most>>20)
			}
			client.end(t)
			server.end(t)
		}
	}
}

// idleProcess is one end, to whom this process talks in lines.
type idleProcess struct {
	words []string
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
	base  int // memory before the first connection, bytes
}

func startIdle(t *testing.T, words ...string) *idleProcess {
	cmd := childCommand(t, nil, words...)
	cmd.Args = append(cmd.Args, fmt.Sprint("-idle=", *faultIdle))
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
	p := &idleProcess{words: words, cmd: cmd, in: in, lines: bufio.NewScanner(out)}
	if p.base, err = strconv.Atoi(p.say(t, "base")); err != nil {
		t.Fatal(err)
	}
	return p
}

// say waits for what the process reports as key.
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
	if _, err := io.WriteString(p.in, "measure\n"); err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(p.say(t, "memory"))
	if err != nil {
		t.Fatal(err)
	}
	t.Log(p.words[0], "has", p.say(t, "detail"))
	return n
}

func (p *idleProcess) end(t *testing.T) {
	p.in.Close()
	for p.lines.Scan() { // nobody wants to know
	}
	if err := p.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// idleEnd is one end, told which by words: role, transport, heartbeat, number,
// address.
func idleEnd(t *testing.T, words []string) {
	transport := words[1]
	beat, err := strconv.Atoi(words[2])
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(words[3])
	if err != nil {
		t.Fatal(err)
	}
	report("base", residentMemory())
	opts := qsocket.Options{Heartbeat: time.Duration(beat)}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if words[0] == "server" {
		ln := listenOn(t, transport, named, &opts)
		// With Recv a connection costs the goroutine of its handler, with Messages one more.
		served := serve(ctx, ln, func(_ context.Context, c *qsocket.Conn[string]) {
			for range c.All(ctx) {
			}
		})
		defer func() { cancel(); <-served }()
		report("listening", ln.Addr())
		for ln.Stats().Open < n {
			time.Sleep(10 * time.Millisecond)
		}
	} else {
		if transport == "tls" {
			opts.TLS = &tls.Config{InsecureSkipVerify: true} // the certificate was made by another process
		}
		for range n {
			c, err := qsocket.Dial(ctx, "tcp", words[4], named, &opts)
			if err != nil {
				t.Fatal(err)
			}
			defer end(c)
			c.Messages()
		}
	}
	report("connected", n)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		report("memory", residentMemory())
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		report("detail", fmt.Sprintf("heap %d MiB, stacks %d MiB, %d goroutines", m.HeapInuse>>20, m.StackInuse>>20, runtime.NumGoroutine()))
	}
}
