//go:build linux

// Command peercred is a server on a Unix socket that knows its clients by what
// the kernel says of them: process, user and group. No client can lie about that, so
// it needs neither passwords nor TLS.
//
//	go run ./examples/peercred                    # a server and a client in one process
//	go run ./examples/peercred -listen ./socket   # a server, until Ctrl-C or SIGTERM
//	go run ./examples/peercred -dial ./socket     # a client
//
// Linux only: other systems have other calls (LOCAL_PEERCRED, getpeereid).
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

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

// greet greets clients of the given user, and refuses others with a reason.
func greet(uid uint32) func(context.Context, *qsocket.Conn[string]) {
	return func(ctx context.Context, conn *qsocket.Conn[string]) {
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
		for range conn.Messages() { // until the client has closed
		}
	}
}

// serve serves clients of the given user on a Unix socket until ctx ends, and lets them finish.
func serve(ctx context.Context, ln *qsocket.Listener[string], uid uint32) error {
	served := make(chan error, 1)
	go func() { served <- ln.Serve(context.WithoutCancel(ctx), greet(uid)) }() // ends after Drain
	select {
	case err := <-served:
		return err // accepting has failed for good
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(ln.Drain(ending, "the server stops"), <-served)
}

// visit is a client: it prints how it is greeted.
func visit(ctx context.Context, address string) error {
	conn, err := qsocket.Dial(ctx, "unix", address, Greeting, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	greeting, err := conn.Recv(ctx)
	if err == nil {
		fmt.Println(greeting)
	}
	return err
}

// run is the program: it listens if there is an address to listen on, and visits an address if
// there is one. Without either it does both.
func run(ctx context.Context, listen, dial string) error {
	if dial != "" {
		return visit(ctx, dial)
	}
	dir, err := os.MkdirTemp("", "peercred")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ln, err := qsocket.Listen("unix", cmp.Or(listen, filepath.Join(dir, "socket")), Greeting, nil)
	if err != nil {
		return err
	}
	uid := uint32(os.Getuid())
	if listen != "" {
		log.Println("listening on", ln.Addr())
		return serve(ctx, ln, uid)
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- serve(serving, ln, uid) }() // ends with serving
	err = visit(ctx, ln.Addr().String())
	stop()
	return errors.Join(err, <-served)
}

func main() {
	listen := flag.String("listen", "", "be a server on this `socket`")
	dial := flag.String("dial", "", "be a client of the server on this `socket`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal is not caught
	if err := run(ctx, *listen, *dial); err != nil {
		log.Fatal(err)
	}
}
