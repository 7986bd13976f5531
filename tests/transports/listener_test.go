package transports_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// TestListener tests a qsocket.Listener over the listener of each kind that has one.
func TestListener(t *testing.T) {
	for _, k := range kinds {
		if k.listen == nil {
			continue
		}
		for _, m := range both {
			for _, test := range []struct {
				name string
				run  func(e *env) error
			}{
				{"serve", listenerServe}, {"shutdown", listenerShutdown}, {"close", listenerClose}, {"over", listenerOver},
			} {
				t.Run(k.name+"/"+test.name+"/"+string(m), func(t *testing.T) {
					t.Parallel()
					if err := test.run(&env{T: t, kind: k, mode: m, patience: hang}); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
}

// listening is a Listener with an echo for its handler.
type listening struct {
	*qsocket.Listener[[]byte]
	dial   dialer
	over   func()
	served <-chan error
}

func (e *env) listen(ctx context.Context) *listening {
	e.Helper()
	nl, dial, over := e.kind.listen(e)
	ln, err := qsocket.NewListener(nl, e.mode.protocol(), nil)
	if err != nil {
		e.Fatal(err)
	}
	e.Cleanup(func() { testkit.EndListener(ln) })
	served := testkit.Async(func() error {
		return ln.Serve(ctx, func(ctx context.Context, c *qsocket.Conn[[]byte]) {
			for m := range c.All(ctx) {
				_ = c.Send(ctx, m) // an error ends the loop too
			}
		})
	})
	return &listening{ln, dial, over, served}
}

// client connects, and has a message come back.
func (e *env) client(l *listening) (*qsocket.Conn[[]byte], error) {
	e.Helper()
	ctx := testkit.Context(e)
	nc, err := l.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	c, err := qsocket.NewConn(ctx, nc, e.mode.protocol(), nil)
	if err != nil {
		return nil, err
	}
	e.Cleanup(func() { testkit.End(c) })
	if err := sendAll(c, 1, 2, 1000); err != nil {
		return nil, err
	}
	return c, expect(e, c, 1, 2, 1000)
}

// endsCleanly waits for the end that the other side has made.
func endsCleanly(e *env, c *qsocket.Conn[[]byte]) error {
	if err := expectEnd(e, c, io.EOF); err != nil {
		for _, x := range exceptions {
			if slices.Contains(x.rows, "clean") && slices.Contains(x.kinds, e.kind.name) && slices.Contains(x.modes, e.mode) {
				return nil // an end of some kind is all that there is
			}
		}
		return err
	}
	if err := awaitError(e, "the client's Close", c.Close); err != nil {
		return err
	}
	return c.Err()
}

// clients connects some, and returns what to wait for: that each sees a clean end.
func clients(e *env, l *listening) (ends <-chan error, err error) {
	const n = 3
	all := make(chan error, n)
	for range n {
		c, err := e.client(l)
		if err != nil {
			return nil, err
		}
		go func() { all <- endsCleanly(e, c) }() // ends with the connection
	}
	return testkit.Async(func() (err error) {
		for range n {
			err = errors.Join(err, <-all)
		}
		return err
	}), nil
}

// listenerServe ends the ctx of Serve.
func listenerServe(e *env) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l := e.listen(ctx)
	ends, err := clients(e, l)
	if err != nil {
		return err
	}
	cancel()
	err, late := await(e, "Serve", l.served)
	err2, late2 := await(e, "the clients", ends)
	return errors.Join(err, late, err2, late2, l.Err())
}

func listenerShutdown(e *env) error {
	l := e.listen(context.Background())
	ends, err := clients(e, l)
	if err != nil {
		return err
	}
	down := testkit.Async(func() error { return l.Shutdown(testkit.Context(e)) })
	err, late := await(e, "Shutdown", down)
	if !e.kind.half && e.mode == raw && errors.Is(err, qsocket.ErrUnconfirmed) {
		err = nil // see the row shutdown-nil
	}
	err2, late2 := await(e, "the clients", ends)
	err3, late3 := await(e, "Serve", l.served)
	_, err4 := l.Accept(context.Background())
	if errors.Is(err4, net.ErrClosed) {
		err4 = nil
	}
	return errors.Join(err, late, err2, late2, err3, late3, err4, l.Err())
}

// listenerClose closes the Listener, after which its Conns live on.
func listenerClose(e *env) error {
	l := e.listen(context.Background())
	c, err := e.client(l)
	if err != nil {
		return err
	}
	if err := awaitError(e, "Close", l.Close); err != nil {
		return err
	}
	if err, late := await(e, "Serve", l.served); err != nil || late != nil {
		return errors.Join(err, late)
	}
	if err := sendAll(c, 2, 3, 1000); err != nil {
		return err
	}
	if err := expect(e, c, 2, 3, 1000); err != nil {
		return err
	}
	if err := awaitError(e, "the client's Close", c.Close); err != nil {
		return err
	}
	return errors.Join(c.Err(), l.Err())
}

// listenerOver ends what is listened on, not the Listener. That must not be tried again for
// ever: Serve returns, and Err says why.
func listenerOver(e *env) error {
	l := e.listen(context.Background())
	l.over()
	err, late := await(e, "Serve", l.served)
	if late != nil {
		return late
	}
	if err == nil || l.Err() == nil {
		return fmt.Errorf("Serve returned %v, Err is %v: want why accepting is over", err, l.Err())
	}
	return nil
}
