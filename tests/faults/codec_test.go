package faults

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// A panic in a codec, or in a handler of Serve, ends its Conn and nothing else.
func TestFault26Panics(t *testing.T) {
	testkit.CheckGoroutines(t)
	t.Run("codec", codecPanics)
	t.Run("handler", handlerPanics)
	t.Log("5 ways to leave a handler and 2 panics in a codec: the others' Conns and the Listener went on, each panic was counted and logged")
}

// A codec that panics costs a message where it encodes, and its Conn where it
// decodes.
func codecPanics(t *testing.T) {
	ctx := testkit.Context(t)
	a, b := testkit.Pair(t, "tcp", testkit.Panicking, nil, nil)
	var ce *qsocket.CodecError
	err := a.Send(ctx, "panic while encoding")
	if !errors.As(err, &ce) || ce.Op != "encode" || ce.Codec != "panicking" {
		t.Errorf("Send: got %v, want a CodecError of encode", err)
	}
	if err := a.Send(ctx, "fine"); err != nil {
		t.Error("the Conn did not survive:", err)
	}
	if m, err := b.Recv(ctx); m != "fine" || err != nil {
		t.Errorf("got %q, %v", m, err)
	}
	if err := a.Send(ctx, "panic while decoding"); err != nil {
		t.Error(err)
	}
	if _, err := b.Recv(ctx); !errors.As(err, &ce) || ce.Op != "decode" {
		t.Errorf("Recv: got %v, want a CodecError of decode", err)
	}
	testkit.WaitClosed(t, "Done", b.Done())
	if !errors.As(b.Err(), &ce) {
		t.Errorf("Err: got %v, want a CodecError", b.Err())
	}
}

// A handler that panics, or ends its goroutine, ends its Conn and nothing else.
// Panics are counted and logged.
func handlerPanics(t *testing.T) {
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
			testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
				ctx := testkit.Context(t)
				var log testkit.LogRecorder
				ln := testkit.ListenOn(t, transport, testkit.Text, &qsocket.Options{Logger: log.Logger()})
				ctxs := make(chan context.Context, 2)
				conns := make(chan *qsocket.Conn[string], 2)
				served := testkit.Serve(ctx, ln, func(ctx context.Context, c *qsocket.Conn[string]) {
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
				bystander, victim := testkit.DialTo(t, transport, ln, testkit.Text), testkit.DialTo(t, transport, ln, testkit.Text)
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
				testkit.WaitClosed(t, "the handler's context", (<-ctxs).Done())
				testkit.WaitClosed(t, "Done", (<-conns).Done())
				answers(bystander, "after")
				answers(testkit.DialTo(t, transport, ln, testkit.Text), "new")
				if got, want := ln.Stats(), (qsocket.ListenerStats{Open: 2, Accepted: 3, Panics: uint64(test.panics)}); got != want {
					t.Errorf("got %+v, want %+v", got, want)
				}
				if got := log.Count("level=ERROR", "panic", test.log, "stack=", "faults/codec_test.go"); got != test.panics {
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
				if err := testkit.Result(t, "Serve", served); err != nil {
					t.Errorf("Serve: got %v, want nil", err)
				}
			})
		})
	}
}

type gobRecord struct {
	Name string
	Of   map[string]int
}

type gobPadded struct {
	N   int
	Pad [1016]byte
}

func init() {
	gob.Register(gobRecord{})
	gob.Register(gobPadded{})
}

// After a message that gob could not encode, or that was too large, the next
// hundred decode.
func TestFault25GobFailures(t *testing.T) {
	testkit.CheckGoroutines(t)
	type unregistered struct{ A int }
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		for _, p := range []qsocket.Protocol[any]{{Codec: qsocket.Gob[any]()}, {Name: "gob/1", Codec: qsocket.Gob[any]()}} {
			ctx := testkit.Context(t)
			a, b := testkit.Pair(t, transport, p, &qsocket.Options{MaxFrame: 1000}, nil)
			arrived := testkit.Async(func() error {
				for i := range 400 {
					m, err := b.Recv(ctx)
					if want := any(gobRecord{Name: fmt.Sprint(i)}); err != nil || fmt.Sprint(m) != fmt.Sprint(want) {
						return fmt.Errorf("message %d: got %v, %w, want %v", i, m, err, want)
					}
				}
				return nil
			})
			n := 0
			for _, bad := range []struct {
				what string
				m    any
				is   func(error) bool
			}{
				{"unregistered type", unregistered{1}, func(err error) bool { var ce *qsocket.CodecError; return errors.As(err, &ce) }},
				{"above MaxFrame", string(make([]byte, 2000)), func(err error) bool { return errors.Is(err, qsocket.ErrFrameTooLarge) }},
				{"above MaxFrame with a type of its own", gobPadded{N: 1}, func(err error) bool { return errors.Is(err, qsocket.ErrFrameTooLarge) }},
				{"a func", func() {}, func(err error) bool { var ce *qsocket.CodecError; return errors.As(err, &ce) }},
			} {
				if err := a.Send(ctx, bad.m); !bad.is(err) {
					t.Errorf("%s: got %v", bad.what, err)
				}
				for range 100 {
					if err := a.Send(ctx, gobRecord{Name: fmt.Sprint(n)}); err != nil {
						t.Fatalf("message %d, after %s: %v", n, bad.what, err)
					}
					n++
				}
			}
			if err := testkit.Result(t, "all messages", arrived); err != nil {
				t.Error(err)
			}
		}
	})
	t.Logf("4 failed messages over %v, raw and named: the next 100 decoded each time", testkit.Transports)
}
