//go:build linux

// Command peercred is a server on a Unix socket that knows its clients by what
// the kernel says of them: process, user and group. No client can lie about that, so
// it needs neither passwords nor TLS.
//
//	go run ./examples/peercred
//
// It runs a server and a client in one process. Linux only: other systems have
// other calls (LOCAL_PEERCRED, getpeereid).
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"syscall"

	"github.com/fb9bb4ed/qsocket"
)

// Greeting is what the server says to users that it knows.
var Greeting = qsocket.Protocol[string]{Name: "greeting/1"}

// Credentials asks the kernel who is at the other end of a Unix socket. They are
// those of the process that called connect.
func Credentials[T any](conn *qsocket.Conn[T]) (*syscall.Ucred, error) {
	sc, ok := conn.NetConn().(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("peercred: %T is no socket", conn.NetConn())
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *syscall.Ucred
	if e := raw.Control(func(fd uintptr) {
		cred, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); e != nil {
		return nil, e
	}
	return cred, err
}

// serve greets clients of the given user, and refuses others with a reason.
func serve(ctx context.Context, ln *qsocket.Listener[string], uid uint32) error {
	return ln.Serve(ctx, func(ctx context.Context, conn *qsocket.Conn[string]) {
		cred, err := Credentials(conn)
		if err != nil {
			log.Print(err)
			return
		}
		if cred.Uid != uid {
			conn.CloseWithReason(fmt.Sprintf("user %d is not welcome", cred.Uid))
			return
		}
		if err := conn.Send(ctx, fmt.Sprintf("hello, process %d of user %d", cred.Pid, cred.Uid)); err != nil {
			log.Print(err)
		}
	})
}

func run() error {
	dir, err := os.MkdirTemp("", "peercred")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ln, err := qsocket.Listen("unix", filepath.Join(dir, "socket"), Greeting, nil)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- serve(ctx, ln, uint32(os.Getuid())) }() // ends with ctx

	conn, err := qsocket.Dial(ctx, "unix", ln.Addr().String(), Greeting, nil)
	if err == nil {
		var greeting string
		if greeting, err = conn.Recv(ctx); err == nil {
			fmt.Println(greeting)
		}
		conn.Close()
	}
	stop()
	return errors.Join(err, <-served)
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
