package operations

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// scene is a connection in memory on which something goes wrong. The program looks at here.
type scene struct {
	t           *testing.T
	proxy       *qsockettest.Proxy
	here, there *qsocket.Conn[string]
}

func (s *scene) open(here *qsocket.Options) {
	na, nb := s.proxy.Pipe()
	s.there, s.here = testkit.WrapPair(s.t, na, nb, testkit.Named, nil, here)
}

// received is what here receives, and then its Err.
func (s *scene) received() error {
	for range s.here.Messages() {
	}
	return s.here.Err()
}

// dialed is the error of a client of this protocol that meets peer, which has read its hello.
func (s *scene) dialed(peer func(nc net.Conn)) error {
	na, nb := s.proxy.Pipe()
	met := testkit.Async(func() bool {
		_, _ = nb.Read(make([]byte, 4096))
		peer(nb)
		return true
	})
	_, err := qsocket.NewConn(s.t.Context(), na, testkit.Named, nil)
	<-met
	return err
}

// met is the error of a client that meets a server of these Options.
func (s *scene) met(p qsocket.Protocol[string], opts *qsocket.Options) error {
	network := qsockettest.Listen(address)
	ln, err := qsocket.NewListener(network, testkit.Named, opts)
	if err != nil {
		s.t.Fatal(err)
	}
	defer testkit.EndListener(ln)
	for {
		conn, err := qsocket.Dial(s.t.Context(), "tcp", address, p, through(network))
		if err != nil {
			return err
		}
		defer testkit.End(conn)
	}
}

// write sends bytes that the other end would not send.
func (s *scene) write(bytes string) {
	if _, err := s.there.NetConn().Write([]byte(bytes)); err != nil {
		s.t.Error(err)
	}
}

// symptoms are the rows of the page's table: what is in the text of the error, the error, and how it comes
// about.
// sessions is a server with room for one session. begin begins one, and restart replaces the server.
func (s *scene) sessions() (begin func() (*qsocket.Session[string], error), restart func()) {
	var network qsockettest.Network
	there := make(chan *qsocket.Session[string], 1)
	start := func() *qsocket.Listener[string] {
		nl, err := network.Listen(address)
		if err != nil {
			s.t.Fatal(err)
		}
		ln, err := qsocket.NewListener(nl, sessions, &qsocket.Options{MaxSessions: 1})
		if err != nil {
			s.t.Fatal(err)
		}
		go ln.ServeSessions(context.Background(), func(_ context.Context, session *qsocket.Session[string]) { // ends with ln
			there <- session
			<-session.Done()
		})
		return ln
	}
	ln := start()
	s.t.Cleanup(func() { testkit.EndListener(ln) })
	begin = func() (*qsocket.Session[string], error) {
		return qsocket.DialSession(s.t.Context(), "tcp", address, sessions, &qsocket.Options{DialContext: network.DialContext})
	}
	return begin, func() {
		ln.Close()
		ln = start()
		(<-there).NetConn().Close()
	}
}

var sessions = qsocket.Protocol[string]{Name: "sessions/1"}

var symptoms = []struct {
	text string
	is   error
	see  func(s *scene) error
}{
	{"connection refused", syscall.ECONNREFUSED, func(s *scene) error {
		_, err := qsocket.Dial(s.t.Context(), "tcp", address, testkit.Named, &qsocket.Options{DialContext: new(qsockettest.Network).DialContext})
		return err
	}},
	{"the connection ended before one came", io.ErrUnexpectedEOF, func(s *scene) error {
		return s.dialed(func(nc net.Conn) { nc.Close() })
	}},
	{"none came for 10s", os.ErrDeadlineExceeded, func(s *scene) error {
		return s.dialed(func(nc net.Conn) { _, _ = io.Copy(io.Discard, nc); nc.Close() })
	}},
	{"peer speaks HTTP", nil, func(s *scene) error {
		return s.dialed(func(nc net.Conn) { _, _ = io.WriteString(nc, "HTTP/1.1 400 Bad Request\r\n\r\n"); nc.Close() })
	}},
	{"TLS handshake: tls: first record does not look like", nil, func(s *scene) error {
		na, nb := s.proxy.Pipe()
		go func() {
			_, _ = io.WriteString(nb, "220 mail.example ESMTP\r\n")
			_, _ = io.Copy(io.Discard, nb) // a Close with something unread would be a reset, which may come first
			nb.Close()
		}()
		_, err := qsocket.NewConn(s.t.Context(), tls.Client(na, &tls.Config{InsecureSkipVerify: true}), testkit.Named, nil)
		return err
	}},
	{"differs", nil, func(s *scene) error {
		return s.met(qsocket.Protocol[string]{Name: "text/2", Codec: testkit.TextCodec}, nil)
	}},
	{"the peer has no room: full", nil, func(s *scene) error { return s.met(testkit.Named, &qsocket.Options{MaxConns: 1}) }},
	{"too many sessions", nil, func(s *scene) error {
		begin, _ := s.sessions()
		one, err := begin()
		if err != nil {
			return err
		}
		defer one.Close()
		_, err = begin()
		return err
	}},
	{"session lost", qsocket.ErrSessionLost, func(s *scene) error {
		begin, restart := s.sessions()
		one, err := begin()
		if err != nil {
			return err
		}
		restart()
		<-one.Done()
		return one.Err()
	}},
	{"refused by the peer: no", nil, func(s *scene) error {
		return s.met(testkit.Named, &qsocket.Options{Admit: func(context.Context, qsocket.Peer, map[string]string, net.Conn) error { return qsocket.Refuse("no") }})
	}},
	{"the peer has failed: internal error", nil, func(s *scene) error {
		return s.met(testkit.Named, &qsocket.Options{Admit: func(context.Context, qsocket.Peer, map[string]string, net.Conn) error { return errors.New("no") }})
	}},
	{"connection reset by peer", syscall.ECONNRESET, func(s *scene) error {
		s.open(nil)
		s.proxy.Cut(qsockettest.RST)
		return s.received()
	}},
	{"broken pipe", syscall.EPIPE, func(s *scene) error {
		s.open(nil)
		s.there.NetConn().Close()
		synctest.Wait()
		for err := error(nil); err == nil; {
			err = s.here.Send(s.t.Context(), "tick")
		}
		return s.here.Err()
	}},
	{"ended without a goodbye", io.ErrUnexpectedEOF, func(s *scene) error {
		s.open(nil)
		s.proxy.Cut(qsockettest.FIN)
		return s.received()
	}},
	{"bytes of a frame came, and no more", io.ErrUnexpectedEOF, func(s *scene) error {
		s.open(nil)
		s.write("\x00\x00\x00\x09part")
		s.there.NetConn().(*qsockettest.StreamConn).CloseWrite()
		return s.received()
	}},
	{"within FrameTimeout", os.ErrDeadlineExceeded, func(s *scene) error {
		s.open(&qsocket.Options{FrameTimeout: 5 * time.Second})
		s.write("\x00\x00\x00\x09part")
		return s.received()
	}},
	{"peer is dead", qsocket.ErrPeerDead, func(s *scene) error {
		s.open(nil)
		s.proxy.Cut(qsockettest.BlackHole)
		return s.received()
	}},
	{"no progress within WriteTimeout", os.ErrDeadlineExceeded, func(s *scene) error {
		s.open(&qsocket.Options{WriteTimeout: time.Minute, Heartbeat: -1})
		for err := error(nil); err == nil; {
			err = s.here.Send(s.t.Context(), strings.Repeat("x", 10_000))
		}
		return s.here.Err()
	}},
	{"context deadline exceeded", context.DeadlineExceeded, func(s *scene) error {
		s.open(nil)
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
		defer cancel()
		for {
			if err := s.here.Send(ctx, strings.Repeat("x", 10_000)); err != nil {
				if s.here.Err() != nil {
					s.t.Errorf("the connection has ended: %v", s.here.Err())
				}
				return err
			}
		}
	}},
	{"closed by peer: …", nil, func(s *scene) error {
		s.open(nil)
		_ = s.there.CloseWithReason("…")
		return s.received()
	}},
	{"decode", nil, func(s *scene) error {
		na, nb := qsockettest.NetPipe()
		a, b := testkit.WrapPair(s.t, na, nb, Protocol, nil, nil)
		_, _ = a.NetConn().Write([]byte("\x00\x00\x00\x02\x01\xc1"))
		for range b.Messages() {
		}
		return b.Err()
	}},
	{"protocol violation", qsocket.ErrProtocol, func(s *scene) error {
		s.open(nil)
		s.write("\x80\x00\x00\x01\x03") // a confirm of nothing
		return s.received()
	}},
	{"exceeds MaxFrame", qsocket.ErrFrameTooLarge, func(s *scene) error {
		s.open(nil)
		s.write("\x7f\xff\xff\xff")
		return s.received()
	}},
	{"slow consumer", qsocket.ErrSlowConsumer, func(s *scene) error {
		s.open(nil)
		g := qsocket.NewGroup(testkit.Named, qsocket.Disconnect)
		g.Add(s.here)
		for g.Len() > 0 {
			_, _ = g.Broadcast(s.t.Context(), strings.Repeat("x", 10_000))
		}
		<-s.here.Done()
		return s.here.Err()
	}},
	{"peer did not confirm", qsocket.ErrUnconfirmed, func(s *scene) error {
		s.open(nil)
		_ = s.here.Send(s.t.Context(), "not taken")
		_ = s.there.Close()
		return s.here.Shutdown(s.t.Context())
	}},
	{"use of closed network connection", net.ErrClosed, func(s *scene) error {
		s.open(nil)
		_ = s.here.Close()
		return s.here.Send(s.t.Context(), "tick")
	}},
}

// Each symptom of the page's table comes about as the table says, and reads as it says.
func TestSymptoms(t *testing.T) {
	for _, symptom := range symptoms {
		t.Run(symptom.text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &scene{t: t, proxy: qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{})}
				defer s.proxy.Close()
				err := symptom.see(s)
				if err == nil || !strings.Contains(err.Error(), symptom.text) || symptom.is != nil && !errors.Is(err, symptom.is) {
					t.Errorf("got %v, want %q, and %v", err, symptom.text, symptom.is)
				}
			})
		})
	}
}
