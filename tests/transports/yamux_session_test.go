package transports_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/hashicorp/yamux"
	"github.com/soheilhy/cmux"
)

// shutDownSession shuts a service down that runs over the streams of a session: first the
// Conns, and then what they run over.
func shutDownSession[T any](ctx context.Context, ln *qsocket.Listener[T], session *yamux.Session) error {
	err := ln.Shutdown(ctx)
	return errors.Join(err, session.Close())
}

func TestYamuxSessionShutdown(t *testing.T) {
	client, server := yamuxSessions(t, newNetwork(t, false))
	e := &env{T: t, mode: named, patience: hang}
	e.kind.listen = func(testing.TB) (net.Listener, dialer, func()) {
		return newYamuxListener(server), func(context.Context) (net.Conn, error) { return client.Open() }, func() {}
	}
	l := e.listen(context.Background())
	ends, err := clients(e, l)
	if err != nil {
		t.Fatal(err)
	}
	down := testkit.Async(func() error { return shutDownSession(testkit.Context(t), l.Listener, server) })
	err, late := await(e, "shutDownSession", down)
	err2, late2 := await(e, "the clients", ends)
	if err := errors.Join(err, late, err2, late2); err != nil {
		t.Error(err)
	}
	if _, err := client.Open(); err == nil {
		t.Error("the session lives on")
	}
}

// A *yamux.Session works as a listener, but the Close of the qsocket Listener is the end of
// the session, and of Conns that should live on.
func TestYamuxSessionItself(t *testing.T) {
	client, server := yamuxSessions(t, newNetwork(t, false))
	e := &env{T: t, mode: named, patience: hang}
	e.kind.listen = func(testing.TB) (net.Listener, dialer, func()) {
		return server, func(context.Context) (net.Conn, error) { return client.Open() }, func() {}
	}
	l := e.listen(context.Background())
	c, err := e.client(l)
	if err != nil {
		t.Fatal(err)
	}
	if err := awaitError(e, "Close", l.Close); err != nil {
		t.Error(err)
	}
	r, err := await(e, "Recv", recv(context.Background(), c))
	if err != nil || r.err == nil || r.err == io.EOF {
		t.Errorf("Recv: %v, %v, want a failure", r.err, err)
	}
}

// endedListener is a net.Listener that has nothing more to accept.
type endedListener struct {
	net.Listener
	err error
}

func (l endedListener) Accept() (net.Conn, error) { return nil, l.err }

// What the listeners of multiplexers say at their end is not tried again, and Err has it.
func TestListenerEndErrors(t *testing.T) {
	for _, test := range []struct {
		name   string
		listen func(t *testing.T) (ln net.Listener, end func())
		want   []error // one of these
	}{
		{"yamux session", func(t *testing.T) (net.Listener, func()) {
			_, server := yamuxSessions(t, newNetwork(t, false))
			return newYamuxListener(server), func() { _ = server.Close() }
		}, []error{yamux.ErrSessionShutdown}},
		{"yamux peer", func(t *testing.T) (net.Listener, func()) {
			client, server := yamuxSessions(t, newNetwork(t, false))
			return newYamuxListener(server), func() { _ = client.Close() }
		}, []error{io.EOF}},
		{"cmux root", func(t *testing.T) (net.Listener, func()) {
			ln, _, over := muxTCP(t)
			return ln, over
		}, []error{cmux.ErrServerClosed, cmux.ErrListenerClosed}}, // left to chance
		{"cmux listener", func(t *testing.T) (net.Listener, func()) {
			ln, _, _ := muxTCP(t)
			return endedListener{ln, cmux.ErrListenerClosed}, func() {}
		}, []error{cmux.ErrListenerClosed}},
	} {
		t.Run(test.name, func(t *testing.T) {
			nl, end := test.listen(t)
			ln, err := qsocket.NewListener(nl, testkit.Raw, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer testkit.EndListener(ln)
			served := testkit.Async(func() error {
				return ln.Serve(context.Background(), func(context.Context, *qsocket.Conn[[]byte]) {})
			})
			end()
			e := &env{T: t, patience: hang}
			err, late := await(e, "Serve", served)
			if late != nil || !slices.ContainsFunc(test.want, func(want error) bool { return errors.Is(err, want) && errors.Is(ln.Err(), want) }) {
				t.Errorf("Serve: %v, %v, Err: %v, want %v", err, late, ln.Err(), test.want)
			}
			if n := ln.Stats().AcceptErrors; n != 1 {
				t.Errorf("%d errors of Accept, want 1", n)
			}
		})
	}
}
