package interop

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// lengths tries frames of no bytes, of as many as an end takes, and of one more.
func lengths(t *testing.T, m match) {
	const limit = 200
	ctx := testkit.Context(t)
	opts := &qsocket.Options{MaxFrame: limit}
	for _, n := range []int{0, 1, limit} {
		task := fmt.Sprintf("bytes %d", n)
		c := meet(t, m, m.bytes(), opts, task)
		for range 2 { // its own, and the same from here and back
			want := bytes.Repeat([]byte("x"), n)
			if got, err := c.Recv(ctx); !bytes.Equal(got, want) || err != nil {
				t.Errorf("%s: got %q, %v, want %d x", task, got, err, n)
			}
			if err := c.Send(ctx, want); err != nil {
				t.Error(err)
			}
		}
		if _, err := c.Recv(ctx); err != nil {
			t.Error(err)
		}
		part(t, m, c, task, 2)
	}

	if m.named { // a peer that keeps to the page does not send it by itself
		tooLong(t, m, meet(t, m, m.values(), opts, fmt.Sprintf("violate %08x", limit+1)), "0 code 4", "0 lost")
	} else {
		tooLong(t, m, meet(t, m, m.bytes(), opts, fmt.Sprintf("bytes %d", limit+1)), "0 lost", "0 clean")
	}

	task := fmt.Sprintf("takes %d", limit)
	c := meet(t, m, m.bytes(), nil, task)
	if err := c.Send(ctx, make([]byte, limit)); err != nil {
		t.Error(err)
	}
	if got, err := c.Recv(ctx); len(got) != limit || err != nil {
		t.Errorf("%s: got %d bytes, %v", task, len(got), err)
	}
	err := c.Send(ctx, make([]byte, limit+1))
	if m.named {
		if !errors.Is(err, qsocket.ErrFrameTooLarge) {
			t.Errorf("%s: Send of one more: got %v, want ErrFrameTooLarge", task, err)
		}
		part(t, m, c, task, 1)
		return
	}
	if got, err := c.Recv(ctx); err == nil {
		t.Errorf("%s: got %q, want the end", task, got)
	}
	testkit.End(c)
	m.done(t, task, "1 too large", "1 clean") // Twisted's NetstringReceiver closes the connection and does not say why
}

// tooLong reads a frame above our limit.
func tooLong[T any](t *testing.T, m match, c *qsocket.Conn[T], says ...string) {
	t.Helper()
	if got, err := c.Recv(testkit.Context(t)); !errors.Is(err, qsocket.ErrFrameTooLarge) {
		t.Errorf("above the limit: got %+v, %v, want ErrFrameTooLarge", got, err)
	}
	testkit.WaitClosed(t, "the end", c.Done())
	m.done(t, "above the limit", says...)
}
