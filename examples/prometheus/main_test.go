package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// programEnv makes the test binary behave as the program.
const programEnv = "PROMETHEUS_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A server process that gets a signal lets its client finish, and ends well.
func TestSignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot send an interrupt to another")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	server := exec.CommandContext(ctx, os.Args[0], "-listen", "127.0.0.1:0", "-metrics", "127.0.0.1:0")
	server.Env = append(os.Environ(), programEnv+"=1")
	stderr, err := server.StderrPipe()
	if err := errors.Join(err, server.Start()); err != nil {
		t.Fatal(err)
	}
	defer server.Wait() // where that below was not reached
	defer server.Process.Kill()
	log := bufio.NewReader(stderr)
	line, err := log.ReadString('\n')
	_, address, found := strings.Cut(line, "serving ")
	address, _, _ = strings.Cut(address, " ")
	if !found {
		t.Fatalf("got %q, %v, want its address", line, err)
	}
	client, err := qsocket.Dial(ctx, "tcp", address, Echo, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	exchange := func(m string) {
		t.Helper()
		if err := client.Send(ctx, m); err != nil {
			t.Fatal(err)
		}
		if got, err := client.Recv(ctx); got != m {
			t.Fatalf("got %q, %v, want %q", got, err, m)
		}
	}
	exchange("before")
	client.Messages() // something reads, and so learns what the server says
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-client.GoingAway():
	case <-ctx.Done():
		t.Fatal("the client has not learned that the server stops")
	}
	exchange("after")
	if err := client.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if rest, err := io.ReadAll(log); len(rest) > 0 || err != nil {
		t.Errorf("the server says %s, %v", rest, err)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("the server: %v", err)
	}
}

// What is scraped after three messages there and back, and a refused client.
func TestCollector(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", Echo, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c := NewCollector(ln)
	client, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), Echo, nil)
	if err != nil {
		t.Fatal(err)
	}
	server, err := ln.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		for _, way := range [][2]*qsocket.Conn[string]{{client, server}, {server, client}} {
			if err := way[0].Send(ctx, "hello"); err != nil {
				t.Fatal(err)
			}
			if _, err := way[1].Recv(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), qsocket.Protocol[string]{Name: "echo/2"}, nil); err == nil {
		t.Fatal("another protocol was accepted")
	}
	for range time.Tick(time.Millisecond) {
		if ln.Stats().Refused == 1 { // the server may take a moment longer than the client
			break
		}
		if ctx.Err() != nil {
			t.Fatal("the server has not counted the refusal")
		}
	}
	want := `
# HELP qsocket_bytes_total Bytes of frames, by direction.
# TYPE qsocket_bytes_total counter
qsocket_bytes_total{direction="received"} 30
qsocket_bytes_total{direction="sent"} 30
# HELP qsocket_messages_total Messages, by direction.
# TYPE qsocket_messages_total counter
qsocket_messages_total{direction="received"} 3
qsocket_messages_total{direction="sent"} 3
# HELP qsocket_refused_total Handshakes failed, by cause.
# TYPE qsocket_refused_total counter
qsocket_refused_total{cause="proto"} 1
# HELP qsocket_connections_open Connections that have not ended.
# TYPE qsocket_connections_open gauge
qsocket_connections_open 1
`
	names := []string{"qsocket_bytes_total", "qsocket_messages_total", "qsocket_refused_total", "qsocket_connections_open"}
	if err := testutil.CollectAndCompare(c, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.CollectAndLint(c); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}

	// The sums do not shrink when a Conn ends.
	client.Close()
	<-server.Done()
	server.Close()
	if err := testutil.CollectAndCompare(c, strings.NewReader(strings.ReplaceAll(want, "open 1", "open 0")), names...); err != nil {
		t.Error(err)
	}
}
