package operations

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// fromAddresses is a net.Listener whose connections seem to come from addresses of the test's choice.
type fromAddresses struct {
	*qsockettest.Listener
	addresses chan string
}

type fromAddress struct {
	*qsockettest.StreamConn
	remote net.Addr
}

func (c *fromAddress) RemoteAddr() net.Addr { return c.remote }

func (l *fromAddresses) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &fromAddress{nc.(*qsockettest.StreamConn), net.TCPAddrFromAddrPort(netip.MustParseAddrPort(<-l.addresses))}, nil
}

// Each address may have two connections, whatever others have, and another when one of them has ended.
func TestPerAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &fromAddresses{qsockettest.Listen(address), make(chan string, 1)}
		limited := limitPerAddress(network, 2)
		var log testkit.LogRecorder
		ln := listen(t, limited, echo, &qsocket.Options{Logger: log.Logger()})
		connect := func(from string) (*qsocket.Conn[Message], error) {
			network.addresses <- from
			conn, err := qsocket.Dial(t.Context(), "tcp", address, Protocol, through(network.Listener))
			if err == nil {
				t.Cleanup(func() { conn.Close() })
			}
			return conn, err
		}
		var first *qsocket.Conn[Message]
		for _, from := range []string{
			"192.0.2.1:1", "192.0.2.1:2", "192.0.2.2:1", "[::ffff:192.0.2.2]:2",
			"[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8:0:1::1]:1",
		} {
			conn, err := connect(from)
			if err != nil {
				t.Fatalf("%s: %v", from, err)
			}
			if got, err := newCaller(conn).call(t.Context(), "hello"); got != "hello" || err != nil {
				t.Errorf("%s: got %q, %v", from, got, err)
			}
			if first == nil {
				first = conn
			}
		}
		for _, from := range []string{"192.0.2.1:3", "192.0.2.2:3", "[2001:db8::3]:1"} {
			_, err := connect(from)
			var refused *qsocket.HandshakeError
			if !errors.As(err, &refused) || refused.Final() {
				t.Errorf("%s: got %v, want a refusal that is not final", from, err)
			}
		}
		if got := ln.Stats(); got.Open != 7 || got.Refused != 0 || log.Count() > 0 {
			t.Errorf("got %+v, want no trace of the others in it, nor in the log:\n%s", got, log.Text())
		}
		if err := first.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		last, err := connect("192.0.2.1:4")
		if err != nil {
			t.Fatalf("when one has ended: %v", err)
		}
		newCaller(last) // it reads
		if err := ln.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if len(limited.open) > 0 {
			t.Errorf("left: %v", limited.open)
		}
	})
}

// Over TCP, with TLS by the Options; and an error of Accept is passed on.
func TestPerAddressTCP(t *testing.T) {
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	limited := limitPerAddress(nl, 1)
	ln := listen(t, limited, echo, &qsocket.Options{TLS: testkit.ServerTLS()})
	opts := &qsocket.Options{TLS: testkit.ClientTLS()}
	conn, err := qsocket.Dial(t.Context(), "tcp", ln.Addr().String(), Protocol, opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := qsocket.Dial(t.Context(), "tcp", ln.Addr().String(), Protocol, opts); err == nil {
		t.Error("a second connection is let in")
	}
	if err := check(context.Background(), "tcp", ln.Addr().String(), opts); err == nil {
		t.Error("a third is")
	}
	if err := conn.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if _, err := limited.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v, want net.ErrClosed", err)
	}
}
