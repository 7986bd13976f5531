package interop

import (
	"errors"
	"io"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// thereAndBack sends values, which the peer decodes and encodes in its own way, and compares what comes back.
func thereAndBack(t *testing.T, m match) {
	ctx := testkit.Context(t)
	c := meet(t, m, m.values(), nil, "echo")
	n := 0
	for _, v := range m.list() {
		if err := c.Send(ctx, v); err != nil {
			t.Fatal(err)
		}
		got, err := c.Recv(ctx)
		if err != nil {
			t.Fatalf("after %+v: %v", v, err)
		}
		expect(t, "there and back", got, v)
		n++
	}
	part(t, m, c, "echo", n)
}

// part ends a connection on which all messages have come, and compares what the peer says with n of them.
func part[T any](t *testing.T, m match, c *qsocket.Conn[T], task string, n int) {
	t.Helper()
	ctx := testkit.Context(t)
	if err := c.CloseWrite(); err != nil {
		t.Error(err)
	}
	if v, err := c.Recv(ctx); err != io.EOF {
		t.Errorf("%s: got %+v, %v, want the end", task, v, err)
	}
	if err := c.Shutdown(ctx); err != nil {
		t.Errorf("%s: Shutdown: %v", task, err)
	}
	m.done(t, task, said(n, "clean"))
}

// offered lets the peer send what it may have, value by value, each over a connection of its own.
func offered(group string) func(t *testing.T, m match) {
	return func(t *testing.T, m match) {
		ctx := testkit.Context(t)
		list := offers[group]
		if m.pickles {
			list = pickles[group]
		}
		for _, o := range list {
			task := "send " + o.name
			c := meet(t, m, m.values(), nil, task)
			got, err := c.Recv(ctx)
			var bad *qsocket.CodecError
			switch {
			case o.may && err == io.EOF || o.want == nil && errors.As(err, &bad):
			case o.want == nil || err != nil:
				testkit.End(c)
				t.Fatalf("%s: got %+v, %v, want it refused: %v", task, got, err, o.want == nil)
			default:
				expect(t, task, got, *o.want)
			}
			switch {
			case o.want != nil:
				part(t, m, c, task, 0)
			case o.may:
				testkit.End(c)
				m.done(t, task, "cannot", m.refused())
			default:
				testkit.WaitClosed(t, "the end", c.Done())
				m.done(t, task, m.refused(), "0 clean")
			}
		}
	}
}

// refused is what a peer says whose message could not be decoded.
func (m match) refused() string {
	if m.named {
		return "0 code 2"
	}
	return "0 lost"
}
