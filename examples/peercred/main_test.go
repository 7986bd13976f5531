//go:build linux

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

func TestRun(t *testing.T) {
	if err := run(); err != nil {
		t.Error(err)
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
