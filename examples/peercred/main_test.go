//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// programEnv makes the test binary behave as the program.
const programEnv = "PEERCRED_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestRun(t *testing.T) {
	if err := run(t.Context(), "", ""); err != nil {
		t.Error(err)
	}
}

// A server process that gets a signal lets its client finish, and ends well.
func TestSignal(t *testing.T) {
	dir, err := os.MkdirTemp("", "p") // short enough for the address of a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	address := filepath.Join(dir, "s")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server := exec.CommandContext(ctx, os.Args[0], "-listen", address)
	server.Env = append(os.Environ(), programEnv+"=1")
	stderr, err := server.StderrPipe()
	if err := errors.Join(err, server.Start()); err != nil {
		t.Fatal(err)
	}
	defer server.Wait() // where that below was not reached
	defer server.Process.Kill()
	log := bufio.NewReader(stderr)
	if line, err := log.ReadString('\n'); !strings.Contains(line, "listening on ") {
		t.Fatalf("got %q, %v, want its address", line, err)
	}
	conn, err := qsocket.Dial(ctx, "unix", address, Greeting, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	want := fmt.Sprintf("hello, process %d of user %d", os.Getpid(), os.Getuid())
	if m, err := conn.Recv(ctx); m != want {
		t.Errorf("got %q, %v, want %q", m, err, want)
	}
	conn.Messages() // something reads, and so learns what the server says
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-conn.GoingAway():
	case <-ctx.Done():
		t.Fatal("the client has not learned that the server stops")
	}
	if err := conn.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if rest, err := io.ReadAll(log); len(rest) > 0 || err != nil {
		t.Errorf("the server says %s, %v", rest, err)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("the server: %v", err)
	}
}

// A user who is not the expected one gets the reason.
func TestRefused(t *testing.T) {
	dir, err := os.MkdirTemp("", "p") // short enough for the address of a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ln, err := qsocket.Listen("unix", filepath.Join(dir, "s"), Greeting, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
	served := make(chan error, 1)
	go func() { served <- serve(ctx, ln, uint32(os.Getuid())+1) }()
	conn, err := qsocket.Dial(ctx, "unix", ln.Addr().String(), Greeting, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = conn.Recv(ctx)
	var remote *qsocket.RemoteError
	if !errors.As(err, &remote) {
		t.Errorf("got %v, want the reason", err)
	}
	conn.Close()
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// Where there is no socket there are no credentials, and an error says so.
func TestNoCredentials(t *testing.T) {
	a, b, err := qsocket.Pipe(Greeting, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	if cred, err := Credentials(a); err == nil {
		t.Errorf("got %+v, want an error", cred)
	}
}
