package transports_test

import (
	"context"
	"crypto/tls"
	"net"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/quic-go/quic-go"
)

// quicConn is a stream of QUIC as a net.Conn.
type quicConn struct {
	*quic.Stream
	conn *quic.Conn
}

func (c *quicConn) LocalAddr() net.Addr  { return c.conn.LocalAddr() }
func (c *quicConn) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// CloseWrite is the Close of a stream.
func (c *quicConn) CloseWrite() error { return c.Stream.Close() }

// Close ends both directions. Without CancelRead the peer could go on sending, and a Read
// would go on waiting.
func (c *quicConn) Close() error {
	c.CancelRead(0)
	return c.Stream.Close()
}

// quicListener accepts the streams of a connection. The peer learns of a stream with its
// first bytes, so a client that does not speak first is not accepted.
type quicListener struct {
	conn    *quic.Conn
	closing context.Context
	cancel  context.CancelFunc
}

func newQUICListener(conn *quic.Conn) *quicListener {
	ctx, cancel := context.WithCancel(context.Background())
	return &quicListener{conn, ctx, cancel}
}

func (l *quicListener) Accept() (net.Conn, error) {
	s, err := l.conn.AcceptStream(l.closing)
	switch {
	case l.closing.Err() != nil:
		return nil, net.ErrClosed
	case err != nil: // the connection is over
		return nil, err
	}
	return &quicConn{s, l.conn}, nil
}

func (l *quicListener) Close() error   { l.cancel(); return nil }
func (l *quicListener) Addr() net.Addr { return l.conn.LocalAddr() }

// droppable is a socket for datagrams whose network may stop.
type droppable struct {
	net.PacketConn
	network *network
}

func (p *droppable) WriteTo(b []byte, addr net.Addr) (int, error) {
	if p.network.stopped.Load() {
		return len(b), nil
	}
	return p.PacketConn.WriteTo(b, addr)
}

func (p *droppable) ReadFrom(b []byte) (n int, addr net.Addr, err error) {
	for {
		n, addr, err = p.PacketConn.ReadFrom(b)
		if err != nil || !p.network.stopped.Load() {
			return n, addr, err
		}
	}
}

// quicConns returns the two ends of a connection.
func quicConns(t testing.TB, n *network) (client, server *quic.Conn) {
	t.Helper()
	ctx := testkit.Context(t)
	socket := func() *quic.Transport {
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		tr := &quic.Transport{Conn: &droppable{udp, n}}
		t.Cleanup(func() { _, _ = tr.Close(), udp.Close() })
		return tr
	}
	serverTLS, clientTLS := testkit.ServerTLS(), testkit.ClientTLS()
	serverTLS.NextProtos, clientTLS.NextProtos = []string{"qsocket"}, []string{"qsocket"}
	clientTLS.ServerName = "localhost"
	clientTLS.MinVersion = tls.VersionTLS13
	tr := socket()
	ln, err := tr.Listen(serverTLS, nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err = socket().Dial(ctx, tr.Conn.LocalAddr(), clientTLS, nil)
	if err != nil {
		t.Fatal(err)
	}
	server, err = ln.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.CloseWithError(0, "")
		_ = server.CloseWithError(0, "")
		_ = ln.Close()
	})
	return client, server
}

// openQUIC opens a stream. The byte lets the peer accept it in raw mode too, in which
// neither end might have anything to say at first.
func openQUIC(ctx context.Context, client *quic.Conn) (net.Conn, error) {
	s, err := client.OpenStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	_, err = s.Write([]byte{0})
	return &quicConn{s, client}, err
}
