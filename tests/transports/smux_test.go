package transports_test

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/xtaci/smux"
)

// A session of smux drops what comes for a stream that OpenStream has not yet returned. So the
// end that accepts must not speak first, as qsocket does in named mode: it waits for a byte
// of the end that has opened the stream.

// openSmux opens a stream.
func openSmux(s *smux.Session) (net.Conn, error) {
	stream, err := s.OpenStream()
	if err != nil {
		return nil, err
	}
	if _, err := stream.Write([]byte{0}); err != nil {
		return nil, err
	}
	return stream, nil
}

// smuxListener accepts the streams of a session that openSmux opens. Its Close wakes Accept,
// and leaves the session and its streams alone.
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
		go l.greet(s) // ends when the byte has come and s is accepted, or the listener is closed, or the session
	}
}

func (l *smuxListener) greet(s *smux.Stream) {
	if _, err := io.ReadFull(s, make([]byte, 1)); err == nil {
		select {
		case l.streams <- s:
			return
		case <-l.closing:
		case <-l.ended:
		}
	}
	_ = s.Close()
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
