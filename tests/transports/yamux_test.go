package transports_test

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/hashicorp/yamux"
)

// yamuxListener accepts the streams of a session. A *yamux.Session is a net.Listener
// itself, but its Close ends the session, and with it every Conn that is still to send or to
// receive something. This one only stops accepting: close the session when the qsocket
// Listener has been shut down.
type yamuxListener struct {
	*yamux.Session
	closing context.Context
	cancel  context.CancelFunc
}

func newYamuxListener(s *yamux.Session) *yamuxListener {
	ctx, cancel := context.WithCancel(context.Background())
	return &yamuxListener{s, ctx, cancel}
}

func (l *yamuxListener) Accept() (net.Conn, error) {
	s, err := l.AcceptStreamWithContext(l.closing)
	switch {
	case l.closing.Err() != nil:
		return nil, net.ErrClosed
	case err != nil: // the session is over
		return nil, err
	}
	return s, nil
}

func (l *yamuxListener) Close() error {
	l.cancel()
	return l.GoAway() // the peer is to open no more streams
}

func quietYamux() *yamux.Config {
	c := yamux.DefaultConfig()
	c.LogOutput = io.Discard
	return c
}

// yamuxSessions returns the two ends of a session.
func yamuxSessions(t testing.TB, n *network) (client, server *yamux.Session) {
	t.Helper()
	a, b := n.tcp(t)
	client, err := yamux.Client(a, quietYamux())
	if err != nil {
		t.Fatal(err)
	}
	server, err = yamux.Server(b, quietYamux())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	return client, server
}
