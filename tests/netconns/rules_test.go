package netconns

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// empty returns neither bytes nor an error once it has been told to.
type empty struct {
	*qsockettest.StreamConn
	now   atomic.Bool
	reads atomic.Int64
}

func (c *empty) Read(b []byte) (int, error) {
	c.reads.Add(1)
	if c.now.Load() {
		return 0, nil
	}
	return c.StreamConn.Read(b)
}

// Reads that return nothing end a handshake, a connection, and what goes on behind a Close.
func TestEmptyReads(t *testing.T) {
	for _, p := range []qsocket.Protocol[string]{testkit.Text, testkit.Named} {
		for _, when := range []string{"at first", "while it is open", "after Close"} {
			t.Run(when+" "+p.Name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a, b := qsockettest.NetPipe()
					defer a.Close()
					nc := &empty{StreamConn: a}
					nc.now.Store(when == "at first")
					peer := testkit.Async(func() *qsocket.Conn[string] {
						c, err := qsocket.NewConn(t.Context(), b, p, nil)
						if err != nil {
							b.Close()
						}
						return c
					})
					c, err := qsocket.NewConn(t.Context(), nc, p, &qsocket.Options{CloseTimeout: time.Second})
					if pc := <-peer; pc != nil {
						defer testkit.End(pc)
					}
					if p.Name != "" && when == "at first" {
						if !errors.Is(err, io.ErrNoProgress) {
							t.Errorf("NewConn: got %v, want io.ErrNoProgress", err)
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					defer testkit.End(c)
					nc.now.Store(true)
					start := time.Now()
					if when == "after Close" {
						if err := c.Close(); err != nil {
							t.Errorf("Close: got %v", err)
						}
						<-c.Done()
					} else if _, err := c.Recv(t.Context()); !errors.Is(err, io.ErrNoProgress) {
						t.Errorf("Recv: got %v, want io.ErrNoProgress", err)
					}
					if took := time.Since(start); took > time.Second+grace {
						t.Errorf("took %v", took)
					}
					if n := nc.reads.Load(); n > 1000 {
						t.Errorf("%d Reads", n)
					}
				})
			})
		}
	}
}

// short takes all but the last byte of its first Write, and says nothing of it.
type short struct {
	*qsockettest.StreamConn
	writes int
}

func (c *short) Write(b []byte) (int, error) {
	if c.writes++; c.writes == 1 {
		b = b[:len(b)-1]
	}
	return c.StreamConn.Write(b)
}

// A hello that was written in part is no hello.
func TestShortWriteOfHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := qsockettest.NetPipe()
		peer := testkit.Async(func() error { _, err := qsocket.NewConn(t.Context(), b, testkit.Named, nil); return err })
		_, err := qsocket.NewConn(t.Context(), &short{StreamConn: a}, testkit.Named, nil)
		if !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("got %v, want io.ErrShortWrite", err)
		}
		if err := <-peer; err == nil {
			t.Error("the peer was told nothing")
		}
	})
}

// deadlines notes the write deadline that was set last.
type deadlines struct {
	net.Conn
	set atomic.Int64
	at  atomic.Pointer[time.Time]
}

func (c *deadlines) SetWriteDeadline(t time.Time) error {
	c.set.Add(1)
	c.at.Store(&t)
	return c.Conn.SetWriteDeadline(t)
}

func (c *deadlines) SetDeadline(t time.Time) error {
	c.at.Store(&t)
	return c.Conn.SetDeadline(t)
}

// When nothing is left to write there is no write deadline: a Read over TLS may write as well,
// the answer to a KeyUpdate for example, and a deadline that has passed meanwhile would break
// the connection (RFC 8446, section 4.6.3).
func TestNoWriteDeadlineLeftBehind(t *testing.T) {
	for _, wrap := range []struct {
		name string
		wrap func(net.Conn) net.Conn
	}{
		{"TLS", func(nc net.Conn) net.Conn {
			return tls.Client(nc, &tls.Config{RootCAs: testkit.CA().Pool, ServerName: "localhost"})
		}},
		{"plain", func(nc net.Conn) net.Conn { return nc }},
	} {
		t.Run(wrap.name, func(t *testing.T) {
			na, nb := testkit.NetPair(t, "tcp")
			under := &deadlines{Conn: na}
			if wrap.name == "TLS" {
				nb = tls.Server(nb, testkit.ServerTLS())
			}
			peer := testkit.Async(func() *qsocket.Conn[string] {
				c, err := qsocket.NewConn(t.Context(), nb, testkit.Named, nil)
				if err != nil {
					t.Error(err)
				}
				return c
			})
			c, err := qsocket.NewConn(t.Context(), wrap.wrap(under), testkit.Named, &qsocket.Options{WriteTimeout: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			defer testkit.End(c)
			pc := <-peer
			defer testkit.End(pc)
			for range 20 {
				before := under.set.Load()
				testkit.Exchange(t, c, pc, "tick")
				testkit.Eventually(t, "the deadline to be taken back", func() bool {
					at := under.at.Load()
					return under.set.Load() > before && at.IsZero()
				})
			}
		})
	}
}

// A type that embeds a *tls.Conn or a *net.TCPConn is treated as what it embeds where that is
// safe: NewConn does the handshake of TLS, and a failure resets the connection, so that the
// peer does not take it for a clean end.
func TestEmbedded(t *testing.T) {
	type embedsTLS struct{ *tls.Conn }
	type embedsTCP struct{ *net.TCPConn }
	type hasNetConn struct {
		net.Conn
		under
	}
	for _, kind := range []struct {
		name  string
		isTLS bool
		wrap  func(net.Conn) net.Conn
	}{
		{"TLS", true, func(nc net.Conn) net.Conn {
			return embedsTLS{tls.Client(nc, &tls.Config{RootCAs: testkit.CA().Pool, ServerName: "localhost"})}
		}},
		{"TCP", false, func(nc net.Conn) net.Conn { return embedsTCP{nc.(*net.TCPConn)} }},
		{"NetConn", false, func(nc net.Conn) net.Conn { return hasNetConn{nc, under{nc}} }},
	} {
		t.Run(kind.name, func(t *testing.T) {
			na, nb := testkit.NetPair(t, "tcp")
			if kind.isTLS {
				nb = tls.Server(nb, testkit.ServerTLS())
			}
			peer := testkit.Async(func() *qsocket.Conn[string] {
				c, err := qsocket.NewConn(t.Context(), nb, testkit.Text, nil)
				if err != nil {
					t.Error(err)
				}
				return c
			})
			nc := kind.wrap(na)
			c, err := qsocket.NewConn(t.Context(), nc, testkit.Text, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer testkit.End(c)
			pc := <-peer
			defer testkit.End(pc)
			if s, ok := nc.(interface{ ConnectionState() tls.ConnectionState }); ok && !s.ConnectionState().HandshakeComplete {
				t.Error("NewConn did no handshake of TLS")
			}
			if c.NetConn() != nc {
				t.Errorf("NetConn: got %T, want what NewConn was given", c.NetConn())
			}
			testkit.Exchange(t, c, pc, "one")
			testkit.Exchange(t, pc, c, "two")

			g := qsocket.NewGroup(testkit.Text, qsocket.Disconnect)
			g.Add(c)
			for g.Len() > 0 {
				if _, err := g.Broadcast(t.Context(), strings.Repeat("x", 64<<10)); err != nil {
					t.Fatal(err)
				}
			}
			testkit.WaitClosed(t, "the Conn to fail", c.Done())
			for {
				if _, err = pc.Recv(testkit.Context(t)); err != nil {
					break
				}
			}
			if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("the peer: got %v, want a reset", err)
			}
		})
	}
}

// under has the connection below, as wrappers should tell it.
type under struct{ below net.Conn }

func (u under) NetConn() net.Conn { return u.below }

// A Write that fails with an error whose methods panic is a failed Write.
func TestWriteErrorsThatPanic(t *testing.T) {
	for _, p := range []qsocket.Protocol[string]{testkit.Text, testkit.Named} {
		for _, opts := range []*qsocket.Options{nil, {WriteTimeout: time.Minute}} {
			synctest.Test(t, func(t *testing.T) {
				a, b := qsockettest.NetPipe()
				made := testkit.Async(func() *qsocket.Conn[string] {
					peer, err := qsocket.NewConn(t.Context(), b, p, nil)
					if err != nil {
						t.Error(err)
					}
					return peer
				})
				c, err := qsocket.NewConn(t.Context(), panickingErrors{a}, p, opts)
				if err != nil {
					t.Fatal(err)
				}
				peer := <-made
				sent := testkit.Async(func() error {
					for {
						if err := c.Send(t.Context(), "some text"); err != nil {
							return err
						}
					}
				})
				synctest.Wait() // all buffers are full
				testkit.End(peer)
				if err := <-sent; err == nil {
					t.Error("no error")
				}
				_ = c.Close()
				<-c.Done()
			})
		}
	}
	synctest.Test(t, func(t *testing.T) { // of the hello, too
		a, b := qsockettest.NetPipe()
		_ = b.Close()
		if _, err := qsocket.NewConn(t.Context(), panickingErrors{a}, testkit.Named, nil); err == nil {
			t.Error("no error")
		}
	})
}
