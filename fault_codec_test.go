package qsocket_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/fb9bb4ed/qsocket"
)

// A handler that panics, or ends its goroutine, ends its Conn and nothing else.
// Panics are counted and logged.
func TestFault26Panics(t *testing.T) {
	fault(t)
	for _, test := range []struct {
		name   string
		leave  func()
		panics int
		log    string
	}{
		{"panic", func() { panic("oh no") }, 1, `panic="oh no"`},
		{"panic with an error", func() { panic(errors.New("oh no")) }, 1, `panic="oh no"`},
		{"panic with nil", func() { panic(nil) }, 1, "nil argument"},
		{"runtime error", func() { var p *int; *p++ }, 1, "nil pointer"},
		{"Goexit", runtime.Goexit, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			forTransports(t, kernelTransports, func(t *testing.T, transport string) {
				ctx := testContext(t)
				var log logRecorder
				ln := listenOn(t, transport, text, &qsocket.Options{Logger: log.logger()})
				ctxs := make(chan context.Context, 2)
				conns := make(chan *qsocket.Conn[string], 2)
				served := serve(ctx, ln, func(ctx context.Context, c *qsocket.Conn[string]) {
					for m := range c.Messages() {
						if m == "leave" {
							conns <- c
							ctxs <- ctx
							test.leave()
						}
						if err := c.Send(ctx, m); err != nil {
							t.Error(err)
						}
					}
				})
				bystander, victim := dialTo(t, transport, ln, text), dialTo(t, transport, ln, text)
				answers := func(c *qsocket.Conn[string], m string) {
					t.Helper()
					if err := c.Send(ctx, m); err != nil {
						t.Fatal(err)
					}
					if got, err := c.Recv(ctx); got != m || err != nil {
						t.Fatalf("got %q, %v, want %q", got, err, m)
					}
				}
				answers(bystander, "before")
				answers(victim, "before")
				if err := victim.Send(ctx, "leave"); err != nil {
					t.Fatal(err)
				}
				if m, err := victim.Recv(ctx); err != io.EOF {
					t.Errorf("the client got %q, %v, want io.EOF", m, err)
				}
				if err := victim.Close(); err != nil {
					t.Error(err)
				}
				waitClosed(t, "the handler's context", (<-ctxs).Done())
				waitClosed(t, "Done", (<-conns).Done())
				answers(bystander, "after")
				answers(dialTo(t, transport, ln, text), "new")
				if got, want := ln.Stats(), (qsocket.ListenerStats{Open: 2, Accepted: 3, Panics: uint64(test.panics)}); got != want {
					t.Errorf("got %+v, want %+v", got, want)
				}
				if got := log.count("level=ERROR", "panic", test.log, "stack=", "fault_codec_test.go"); got != test.panics {
					t.Errorf("got %d log records of the panic, want %d", got, test.panics)
				}
				select {
				case err := <-served:
					t.Errorf("Serve returned %v", err)
				default:
				}
				if err := ln.Close(); err != nil {
					t.Error(err)
				}
				if err := result(t, "Serve", served); err != nil {
					t.Errorf("Serve: got %v, want nil", err)
				}
			})
		})
	}
}
