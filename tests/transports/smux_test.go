package transports_test

import (
	"net"
	"sync"
	"testing"

	"github.com/xtaci/smux"
)

// smuxListener accepts the streams of a session. Its Close wakes Accept, and leaves the
// session and its streams alone.
type smuxListener struct {
	*smux.Session
	streams chan *smux.Stream
	ended   chan struct{} // closed by accept; err says why
	err     error
	once    sync.Once
	closing chan struct{}
}

func newSmuxListener(s *smux.Session) *smuxListener {
	l := &smuxListener{Session: s, streams: make(chan *smux.Stream), ended: make(chan struct{}), closing: make(chan struct{})}
	go l.accept() // ends with the session
	return l
}

func (l *smuxListener) accept() {
	for {
		s, err := l.AcceptStream()
		if err != nil {
			l.err = err
			close(l.ended)
			return
		}
		select {
		case l.streams <- s:
		case <-l.closing:
			_ = s.Close()
		}
	}
}

func (l *smuxListener) Accept() (net.Conn, error) {
	select {
	case <-l.closing:
		return nil, net.ErrClosed
	case s := <-l.streams:
		return s, nil
	case <-l.ended:
		return nil, l.err
	}
}

func (l *smuxListener) Close() error {
	l.once.Do(func() { close(l.closing) })
	return nil
}

func (l *smuxListener) Addr() net.Addr { return l.LocalAddr() }

// smuxSessions returns the two ends of a session. Version 2 of its protocol has flow
// control for each stream.
func smuxSessions(t testing.TB, n *network) (client, server *smux.Session) {
	t.Helper()
	a, b := n.tcp(t)
	config := smux.DefaultConfig()
	config.Version = 2
	client, err := smux.Client(a, config)
	if err != nil {
		t.Fatal(err)
	}
	server, err = smux.Server(b, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	return client, server
}
