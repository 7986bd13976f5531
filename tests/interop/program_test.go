package interop

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// A program is a peer in another language that runs.
type program struct {
	in     io.WriteCloser
	lines  chan string // of its standard output, closed at the end
	stderr *bytes.Buffer
}

// start runs a command, which ends with the test. It lives for all trials of a peer, and so for longer than a test may wait.
func start(t *testing.T, cmd *exec.Cmd) *program {
	t.Helper()
	cmd = &exec.Cmd{Path: cmd.Path, Args: cmd.Args, Env: cmd.Env, Dir: cmd.Dir, Err: cmd.Err}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{in: in, lines: make(chan string, 16), stderr: new(bytes.Buffer)}
	cmd.Stderr = p.stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := time.AfterFunc(4*testkit.Timeout, func() { _ = cmd.Process.Kill() })
	var read sync.WaitGroup
	read.Go(func() { // until the program ends
		defer close(p.lines)
		scanner := bufio.NewScanner(out)
		for scanner.Scan() {
			p.lines <- scanner.Text()
		}
	})
	t.Cleanup(func() {
		in.Close()
		for range p.lines {
		}
		read.Wait()
		killed.Stop()
		if err := cmd.Wait(); err != nil || p.stderr.Len() > 0 {
			t.Errorf("the program: %v\n%s", err, p.stderr)
		}
	})
	return p
}

// do gives the program a task.
func (p *program) do(t *testing.T, format string, args ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(p.in, format+"\n", args...); err != nil {
		t.Fatalf("%v\n%s", err, p.stderr)
	}
}

// said waits for the line that begins with word, and returns the rest of it.
func (p *program) said(t *testing.T, word string) string {
	t.Helper()
	select {
	case line, ok := <-p.lines:
		rest, found := strings.CutPrefix(line, word+" ")
		if !ok || !found {
			t.Fatalf("the program said %q, want %s", line, word)
		}
		return rest
	case <-time.After(testkit.Timeout):
		t.Fatalf("the program has not said %s for %v", word, testkit.Timeout)
		return ""
	}
}
