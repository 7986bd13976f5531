package transports_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// counts embeds a *net.TCPConn, and counts what goes through its methods.
type counts struct {
	*net.TCPConn
	read, written atomic.Int64
}

func (c *counts) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	c.read.Add(int64(n))
	return n, err
}

func (c *counts) Write(b []byte) (int, error) {
	n, err := c.TCPConn.Write(b)
	c.written.Add(int64(n))
	return n, err
}

// A wrapper that keeps SyscallConn is not passed by.
func TestForwardEveryByteGoesThroughTheWrapper(t *testing.T) {
	na, nb := newNetwork(t, false).tcp(t)
	ca := &counts{TCPConn: na.(*net.TCPConn)}
	a, b := testkit.WrapPair(t, ca, nb, testkit.Raw, nil, nil)
	e := &env{T: t, patience: hang}
	for i := range 10 {
		if err := errors.Join(sendAll(a, i, i+1, 1000), expect(e, b, i, i+1, 1000), sendAll(b, i, i+1, 1000), expect(e, a, i, i+1, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Flush(testkit.Context(t)); err != nil {
		t.Fatal(err)
	}
	if read, written := ca.read.Load(), ca.written.Load(); read != 10*1004 || written != 10*1004 {
		t.Errorf("read %d and wrote %d bytes through the wrapper, want %d", read, written, 10*1004)
	}
}

// A wrapper that hides TLS leaves its handshake to the first Read or Write: NewConn cannot do
// it, nor bound it.
func TestForwardHiddenTLS(t *testing.T) {
	n := newNetwork(t, false)
	for _, test := range []struct {
		name string
		wrap func(net.Conn) net.Conn
		done bool
	}{
		{"plain", func(nc net.Conn) net.Conn { return nc }, true},
		{"hidden", func(nc net.Conn) net.Conn { return embedsConn{nc} }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			na, _ := n.tcp(t) // the peer says nothing
			c, err := qsocket.NewConn(context.Background(), test.wrap(clientOfTLS(na)), testkit.Raw, &qsocket.Options{HandshakeTimeout: 50 * time.Millisecond})
			if err == nil {
				testkit.End(c)
			}
			if (err != nil) != test.done {
				t.Errorf("NewConn: %v", err)
			}
		})
	}
}

// deadlineless has no deadlines. It says so with err, or with nil does not.
type deadlineless struct {
	net.Conn
	err error
}

func (c deadlineless) SetDeadline(time.Time) error      { return c.err }
func (c deadlineless) SetReadDeadline(time.Time) error  { return c.err }
func (c deadlineless) SetWriteDeadline(time.Time) error { return c.err }

// A SetDeadline that does nothing must return an error: then the library does without. If it
// is taken at its word, a Recv whose ctx ends stays.
func TestForwardDeadlines(t *testing.T) {
	for _, test := range []struct {
		name    string
		err     error
		returns bool
	}{
		{"honest", errNoDeadlines, true},
		{"lying", nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				na, nb := net.Pipe()
				defer nb.Close()
				c, err := qsocket.NewConn(t.Context(), deadlineless{na, test.err}, testkit.Raw, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer testkit.End(c)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				returned := recv(ctx, c)
				time.Sleep(time.Minute)
				select {
				case r := <-returned:
					if !test.returns || r.err != context.DeadlineExceeded {
						t.Errorf("Recv returned %v", r.err)
					}
				default:
					if test.returns {
						t.Error("Recv has not returned")
					}
				}
			})
		})
	}
}

// Over TLS on net.Pipe there is a half-close, but no buffer for a goodbye.
func TestCloseOverTLSOnPipe(t *testing.T) {
	testkit.CA() // not in the bubble, whose clock is another
	synctest.Test(t, func(t *testing.T) {
		na, nb := net.Pipe()
		config := testkit.ClientTLS()
		config.ServerName = "localhost"
		config.Time = func() time.Time { return started }
		const timeout = 3 * time.Second
		a, b := testkit.WrapPair(t, tls.Client(na, config), serverOfTLS(nb), named.protocol(), &qsocket.Options{CloseTimeout: timeout}, nil)
		start := time.Now()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took != timeout {
			t.Errorf("Close took %v beside a peer that does not read, CloseTimeout is %v", took, timeout)
		}
		testkit.End(b)
	})
}
