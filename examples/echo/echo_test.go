// Package echo_test runs the two programs against each other.
package echo_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestEcho(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", dir+string(filepath.Separator), "./server", "./client").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	program := func(name string, args ...string) *exec.Cmd {
		if runtime.GOOS == "windows" {
			name += ".exe"
		}
		return exec.CommandContext(ctx, filepath.Join(dir, name), args...)
	}

	server := program("server", "-listen", "127.0.0.1:0")
	stderr, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { // where the signal below was not reached
		server.Process.Kill()
		server.Wait()
	}()
	log := bufio.NewReader(stderr)
	line, err := log.ReadString('\n')
	_, address, found := strings.Cut(strings.TrimSpace(line), "listening on ")
	if err != nil || !found {
		t.Fatalf("server says %q, %v; want its address", line, err)
	}

	var many strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&many, "line %d\n", i)
	}
	for _, tt := range []struct {
		name, input, want string
	}{
		{name: "input", input: "a\n\nβ\n", want: "a\n\nβ\n"},
		{name: "no input", input: "", want: ""},
		{name: "many lines", input: many.String(), want: many.String()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client := program("client", "-dial", address)
			client.Stdin = strings.NewReader(tt.input)
			client.Stderr = t.Output()
			got, err := client.Output()
			if err != nil {
				t.Errorf("client: %v", err)
			}
			if string(got) != tt.want {
				t.Errorf("got %.100q (%d bytes), want %.100q (%d bytes)", got, len(got), tt.want, len(tt.want))
			}
		})
	}

	if runtime.GOOS == "windows" {
		return // no interrupt to send
	}
	client := program("client", "-dial", address) // one whose input does not end
	client.Stderr = t.Output()
	input, err1 := client.StdinPipe()
	output, err2 := client.StdoutPipe()
	if err := errors.Join(err1, err2, client.Start()); err != nil {
		t.Fatal(err)
	}
	defer client.Wait() // where that below was not reached
	defer client.Process.Kill()
	io.WriteString(input, "line\n")
	echoes := bufio.NewReader(output)
	if line, err := echoes.ReadString('\n'); line != "line\n" {
		t.Fatalf("got %q, %v, want the line", line, err)
	}
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(echoes); len(rest) > 0 || err != nil {
		t.Errorf("client: got %q, %v, want no more", rest, err)
	}
	if err := client.Wait(); err != nil {
		t.Errorf("client of a server that stops: %v", err)
	}
	if rest, err := io.ReadAll(log); err != nil {
		t.Errorf("server log: %v\n%s", err, rest)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("server after a signal: %v", err)
	}
}
