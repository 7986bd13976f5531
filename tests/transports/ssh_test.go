package transports_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// sshConn is a channel of SSH as a net.Conn. Channels have no deadlines, and the methods
// say so: one that did nothing and returned nil would be taken at its word.
type sshConn struct {
	ssh.Channel
	conn ssh.Conn
}

var errNoDeadlines = errors.New("ssh: channels have no deadlines")

func (c *sshConn) LocalAddr() net.Addr              { return c.conn.LocalAddr() }
func (c *sshConn) RemoteAddr() net.Addr             { return c.conn.RemoteAddr() }
func (c *sshConn) SetDeadline(time.Time) error      { return errNoDeadlines }
func (c *sshConn) SetReadDeadline(time.Time) error  { return errNoDeadlines }
func (c *sshConn) SetWriteDeadline(time.Time) error { return errNoDeadlines }

// sshListener accepts the channels that the other end of a connection opens.
type sshListener struct {
	conn     ssh.Conn
	channels <-chan ssh.NewChannel
	once     sync.Once
	closing  chan struct{}
}

func (l *sshListener) Accept() (net.Conn, error) {
	for {
		select {
		case <-l.closing:
			return nil, net.ErrClosed
		case next, ok := <-l.channels:
			if !ok {
				return nil, net.ErrClosed // the connection is over
			}
			ch, requests, err := next.Accept()
			if err != nil {
				continue // that channel is gone already
			}
			go ssh.DiscardRequests(requests) // ends with the channel
			return &sshConn{ch, l.conn}, nil
		}
	}
}

func (l *sshListener) Close() error {
	l.once.Do(func() { close(l.closing) })
	return nil
}

func (l *sshListener) Addr() net.Addr { return l.conn.LocalAddr() }

// openSSH opens a channel.
func openSSH(conn ssh.Conn) (net.Conn, error) {
	ch, requests, err := conn.OpenChannel("qsocket", nil)
	if err != nil {
		return nil, err
	}
	go ssh.DiscardRequests(requests) // ends with the channel
	return &sshConn{ch, conn}, nil
}

var sshHostKey = sync.OnceValue(func() ssh.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		panic(err)
	}
	return signer
})

// sshConns returns the two ends of a connection, and the channels that the client opens.
func sshConns(t testing.TB, n *network) (client ssh.Conn, server *sshListener) {
	t.Helper()
	a, b := n.tcp(t)
	accepted := make(chan *sshListener, 1)
	go func() { // ends with the handshake; its result is in accepted
		config := &ssh.ServerConfig{NoClientAuth: true}
		config.AddHostKey(sshHostKey())
		conn, channels, requests, err := ssh.NewServerConn(b, config)
		if err != nil {
			t.Error(err)
			_ = b.Close()
			close(accepted)
			return
		}
		go ssh.DiscardRequests(requests) // ends with the connection
		accepted <- &sshListener{conn: conn, channels: channels, closing: make(chan struct{})}
	}()
	client, channels, requests, err := ssh.NewClientConn(a, "localhost", &ssh.ClientConfig{
		HostKeyCallback: ssh.FixedHostKey(sshHostKey().PublicKey()),
	})
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(requests) // ends with the connection
	go func() {                      // ends with the connection
		for c := range channels {
			_ = c.Reject(ssh.Prohibited, "")
		}
	}()
	server = <-accepted
	if server == nil {
		t.FailNow()
	}
	t.Cleanup(func() { _, _ = client.Close(), server.conn.Close() })
	return client, server
}
