package service

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// A flood of silent clients holds MaxHandshakes places, and a good one takes the place
// of one of them.
func TestMaxHandshakes(t *testing.T) {
	ctx := testkit.Context(t)
	const most, flood = 10, 50
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", testkit.Named, &qsocket.Options{MaxHandshakes: most, HandshakeTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ended := make(chan error, flood)
	for range flood {
		nc, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		go func() { // ends when the client has given way, or is closed
			_, err := io.Copy(io.Discard, nc)
			ended <- err
		}()
	}
	for range flood - most {
		if err := testkit.Result(t, "the end of one that has given way", ended); err != nil {
			t.Error(err)
		}
	}
	for range 3 {
		c, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), testkit.Named, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.End(c)
		s, err := ln.Accept(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.End(s)
	}
	if s := ln.Stats(); s.Accepted != 3 || s.Handshaking > most || s.Refused < flood-most {
		t.Errorf("got %+v", s)
	}
	if got := ln.Refusals(); got["crowded"] < flood-most || len(got) != 1 {
		t.Errorf("got %v, want at least %d crowded", got, flood-most)
	}
}

// pipeListener accepts what is put into it. It works in bubbles.
type pipeListener chan net.Conn

func (l pipeListener) Accept() (net.Conn, error) {
	if nc, ok := <-l; ok {
		return nc, nil
	}
	return nil, net.ErrClosed
}
func (l pipeListener) Close() error   { close(l); return nil }
func (l pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// connect returns the client's end of a connection to l.
func (l pipeListener) connect() net.Conn {
	a, b := qsockettest.NetPipe()
	l <- b
	return a
}

// A client whose hello takes so long that ten others come meanwhile has a chance, and
// no certainty, that none of them displaces it: 0.9 to the tenth power with 10 places.
func TestMaxHandshakesIsFair(t *testing.T) {
	const places, rounds = 10, 200
	synctest.Test(t, func(t *testing.T) {
		inner := make(pipeListener)
		ln, err := qsocket.NewListener(inner, testkit.Named, &qsocket.Options{MaxHandshakes: places, HandshakeTimeout: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		var clients []net.Conn
		through := 0
		for range rounds {
			far := inner.connect()
			clients = append(clients, far)
			for range places {
				clients = append(clients, inner.connect())
			}
			synctest.Wait()
			_, _ = far.Write(testkit.Unhex(testkit.GoldenHello)) // fails if it has been displaced
			synctest.Wait()
			select {
			case c := <-ln.Conns():
				through++
				testkit.End(c)
			default:
			}
		}
		for _, nc := range clients {
			nc.Close()
		}
		testkit.EndListener(ln)
		// That all fail, or all succeed, has a probability below 10 to the -37th.
		if through == 0 || through == rounds {
			t.Errorf("%d of %d got through, want about a third", through, rounds)
		}
		t.Logf("%d of %d got through", through, rounds)
		if s := ln.Stats(); s.Accepted != uint64(through) || s.Handshaking != 0 {
			t.Errorf("got %+v, want %d accepted", s, through)
		}
	})
}

// With one place every new client displaces the one before it. One whose hello arrives
// at the moment in which it is displaced is either accepted and served or neither.
func TestMaxHandshakesOfOne(t *testing.T) {
	const rounds = 500
	inner := make(pipeListener)
	ln, err := qsocket.NewListener(inner, testkit.Named, &qsocket.Options{MaxHandshakes: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer testkit.EndListener(ln)
	var n atomic.Uint64
	served := make(chan struct{})
	go func() { // ends when the Listener is closed
		defer close(served)
		for c := range ln.Conns() {
			n.Add(1)
			testkit.End(c)
		}
	}()
	var clients []net.Conn
	for range rounds {
		nc := inner.connect()
		_, _ = nc.Write(testkit.Unhex(testkit.GoldenHello))
		clients = append(clients, nc)
	}
	testkit.Eventually(t, "the end of all handshakes", func() bool {
		s := ln.Stats()
		return s.Handshaking == 0 && s.Accepted+s.Refused == rounds && s.Accepted == n.Load()
	})
	ln.Close()
	testkit.WaitClosed(t, "the server", served)
	for _, nc := range clients {
		nc.Close()
	}
	s := ln.Stats()
	t.Logf("%d served, %v", n.Load(), ln.Refusals())
	if s.Accepted != n.Load() || ln.Refusals()["crowded"] != s.Refused {
		t.Errorf("%d were served, got %+v and %v", n.Load(), s, ln.Refusals())
	}
}
