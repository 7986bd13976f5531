package transports_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"path/filepath"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/soheilhy/cmux"
)

// kind is a transport.
type kind struct {
	name string
	what string // for the document

	// open returns the two ends of a connection. a is the end under test, and b that of a
	// peer; in most kinds they are the same.
	open func(t testing.TB, n *network) (a, b net.Conn)

	// listen returns a listener and a function that connects to it; nil: there is none.
	// over ends the listener from outside, not by its Close.
	listen func(t testing.TB) (ln net.Listener, dial func(context.Context) (net.Conn, error), over func())

	half  bool // a has CloseWrite
	tls   bool // NewConn has a handshake of TLS to do
	woken bool // Close wakes a parked Recv: TCP, Unix, net.Pipe, TLS over them, and what has no deadlines of its own
}

var kinds = []kind{
	{
		name: "tcp", what: "`*net.TCPConn`", half: true, woken: true,
		open:   func(t testing.TB, n *network) (a, b net.Conn) { return n.tcp(t) },
		listen: func(t testing.TB) (net.Listener, dialer, func()) { return listenTCP(t, nil, nil) },
	},
	{
		name: "unix", what: "`*net.UnixConn`", half: true, woken: true,
		open:   func(t testing.TB, n *network) (a, b net.Conn) { return n.unix(t) },
		listen: listenUnix,
	},
	{
		name: "tls", what: "`*tls.Conn` over TCP", half: true, tls: true, woken: true,
		open:   func(t testing.TB, n *network) (a, b net.Conn) { return overTLS(n.tcp(t)) },
		listen: func(t testing.TB) (net.Listener, dialer, func()) { return listenTCP(t, clientOfTLS, serverOfTLS) },
	},
	{
		name: "tls-pipe", what: "`*tls.Conn` over `net.Pipe`", half: true, tls: true, woken: true,
		open: func(t testing.TB, n *network) (a, b net.Conn) { return overTLS(n.memory(t)) },
	},
	{
		name: "tls-wrapped", what: "`*tls.Conn` over a struct that embeds `net.Conn`", half: true, tls: true,
		open: func(t testing.TB, n *network) (a, b net.Conn) {
			a, b = n.tcp(t)
			return overTLS(embedsConn{a}, b)
		},
	},
	{
		name: "pipe", what: "`net.Pipe`", woken: true,
		open: func(t testing.TB, n *network) (a, b net.Conn) { return n.memory(t) },
	},
	{
		name: "embeds-conn", what: "a struct that embeds `net.Conn`",
		open: func(t testing.TB, n *network) (a, b net.Conn) {
			a, b = n.tcp(t)
			return embedsConn{a}, embedsConn{b}
		},
		listen: func(t testing.TB) (net.Listener, dialer, func()) {
			return listenTCP(t, nil, func(nc net.Conn) net.Conn { return embedsConn{nc} })
		},
	},
	{
		name: "embeds-tcp", what: "a struct that embeds `*net.TCPConn`", half: true,
		open: func(t testing.TB, n *network) (a, b net.Conn) {
			a, b = n.tcp(t)
			return embedsTCP{a.(*net.TCPConn)}, embedsTCP{b.(*net.TCPConn)}
		},
		listen: func(t testing.TB) (net.Listener, dialer, func()) {
			return listenTCP(t, nil, func(nc net.Conn) net.Conn { return embedsTCP{nc.(*net.TCPConn)} })
		},
	},
	{
		name: "embeds-tls", what: "a struct that embeds `*tls.Conn`", half: true, tls: true,
		open: func(t testing.TB, n *network) (a, b net.Conn) {
			a, b = overTLS(n.tcp(t))
			return embedsTLS{a.(*tls.Conn)}, embedsTLS{b.(*tls.Conn)}
		},
		listen: func(t testing.TB) (net.Listener, dialer, func()) {
			return listenTCP(t, clientOfTLS, func(nc net.Conn) net.Conn { return embedsTLS{serverOfTLS(nc).(*tls.Conn)} })
		},
	},
	{
		name: "rate-limited", what: "a wrapper whose `Write` sleeps, with `CloseWrite` and `NetConn`", half: true,
		open: func(t testing.TB, n *network) (a, b net.Conn) {
			a, b = n.tcp(t)
			return limit(a), limit(b)
		},
		listen: func(t testing.TB) (net.Listener, dialer, func()) { return listenTCP(t, nil, limit) },
	},
	{
		name: "cmux", what: "a connection accepted by cmux",
		open: func(t testing.TB, n *network) (a, b net.Conn) {
			ln, addr, _ := muxTCP(t)
			b, err := net.Dial("tcp", n.to(t, addr))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = b.Close() })
			first := make([]byte, 24) // see muxTCP
			if _, err = b.Write(first); err == nil {
				a, err = ln.Accept()
			}
			if err == nil {
				_, err = io.ReadFull(a, first)
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = a.Close() })
			return a, b
		},
		listen: func(t testing.TB) (net.Listener, dialer, func()) {
			ln, addr, over := muxTCP(t)
			return ln, dialTo("tcp", addr), over
		},
	},
	{
		name: "yamux", what: "a stream of yamux",
		open: func(t testing.TB, n *network) (a, b net.Conn) {
			client, server := yamuxSessions(t, n)
			a, errA := client.Open()
			b, errB := server.Accept()
			return mustBoth(t, a, errA, b, errB)
		},
		listen: func(t testing.TB) (net.Listener, dialer, func()) {
			client, server := yamuxSessions(t, newNetwork(t, false))
			return newYamuxListener(server), func(context.Context) (net.Conn, error) { return client.Open() }, func() { _ = client.Close() }
		},
	},
	{
		name: "smux", what: "a stream of smux",
		open: func(t testing.TB, n *network) (a, b net.Conn) {
			client, server := smuxSessions(t, n)
			a, errA := openSmux(client)
			b, errB := newSmuxListener(server).Accept()
			return mustBoth(t, a, errA, b, errB)
		},
		listen: func(t testing.TB) (net.Listener, dialer, func()) {
			client, server := smuxSessions(t, newNetwork(t, false))
			return newSmuxListener(server), func(context.Context) (net.Conn, error) { return openSmux(client) }, func() { _ = client.Close() }
		},
	},
	{
		name: "quic", what: "a stream of quic-go", half: true,
		open: func(t testing.TB, n *network) (a, b net.Conn) {
			client, server := quicConns(t, n)
			a, errA := openQUIC(testkit.Context(t), client)
			b, errB := newQUICListener(server).Accept()
			if errA == nil && errB == nil {
				_, errB = io.ReadFull(b, make([]byte, 1))
			}
			return mustBoth(t, a, errA, b, errB)
		},
		listen: func(t testing.TB) (net.Listener, dialer, func()) {
			client, server := quicConns(t, newNetwork(t, false))
			dial := func(ctx context.Context) (net.Conn, error) {
				s, err := client.OpenStreamSync(ctx)
				return &quicConn{s, client}, err
			}
			return newQUICListener(server), dial, func() { _ = client.CloseWithError(0, "") }
		},
	},
	{
		name: "ssh", what: "a channel of SSH, without deadlines", half: true, woken: true,
		open: func(t testing.TB, n *network) (a, b net.Conn) {
			client, server := sshConns(t, n)
			accepted := testkit.Async(func() (r result) {
				r.nc, r.err = server.Accept()
				return r
			})
			a, errA := openSSH(client)
			r := testkit.Result(t, "Accept", accepted)
			return mustBoth(t, a, errA, r.nc, r.err)
		},
		listen: func(t testing.TB) (net.Listener, dialer, func()) {
			client, server := sshConns(t, newNetwork(t, false))
			return server, func(context.Context) (net.Conn, error) { return openSSH(client) }, func() { _ = client.Close() }
		},
	},
	{
		name: "websocket-coder", what: "`websocket.NetConn` of coder/websocket",
		open: func(t testing.TB, n *network) (a, b net.Conn) {
			ln := serveWeb(t, upgradeCoder)
			a, errA := dialCoder(testkit.Context(t), n.to(t, ln.Addr().String()))
			b, errB := ln.Accept()
			return mustBoth(t, a, errA, b, errB)
		},
		listen: func(t testing.TB) (net.Listener, dialer, func()) {
			ln := serveWeb(t, upgradeCoder)
			return ln, func(ctx context.Context) (net.Conn, error) { return dialCoder(ctx, ln.Addr().String()) }, func() { _ = ln.Close() }
		},
	},
	{
		name: "websocket-gorilla", what: "gorilla/websocket, wrapped",
		open: func(t testing.TB, n *network) (a, b net.Conn) {
			ln := serveWeb(t, upgradeGorilla)
			a, errA := dialGorilla(testkit.Context(t), n.to(t, ln.Addr().String()))
			b, errB := ln.Accept()
			return mustBoth(t, a, errA, b, errB)
		},
		listen: func(t testing.TB) (net.Listener, dialer, func()) {
			ln := serveWeb(t, upgradeGorilla)
			return ln, func(ctx context.Context) (net.Conn, error) { return dialGorilla(ctx, ln.Addr().String()) }, func() { _ = ln.Close() }
		},
	},
}

type dialer = func(context.Context) (net.Conn, error)

type result struct {
	nc  net.Conn
	err error
}

func mustBoth(t testing.TB, a net.Conn, errA error, b net.Conn, errB error) (net.Conn, net.Conn) {
	t.Helper()
	if errA != nil || errB != nil {
		t.Fatalf("open: %v, %v", errA, errB)
	}
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a, b
}

func limit(nc net.Conn) net.Conn { return &rateLimited{nc, 64 << 20} }

func clientOfTLS(nc net.Conn) net.Conn {
	config := testkit.ClientTLS()
	config.ServerName = "localhost"
	return tls.Client(nc, config)
}

func serverOfTLS(nc net.Conn) net.Conn { return tls.Server(nc, testkit.ServerTLS()) }

func overTLS(a, b net.Conn) (net.Conn, net.Conn) { return clientOfTLS(a), serverOfTLS(b) }

func dialTo(network, addr string) dialer {
	return func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, network, addr) }
}

// listenTCP returns a listener whose connections the two functions wrap.
func listenTCP(t testing.TB, client, server func(net.Conn) net.Conn) (net.Listener, dialer, func()) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	dial := dialTo("tcp", ln.Addr().String())
	over := func() { _ = ln.Close() }
	if client != nil {
		plain := dial
		dial = func(ctx context.Context) (net.Conn, error) {
			nc, err := plain(ctx)
			if err != nil {
				return nil, err
			}
			return client(nc), nil
		}
	}
	if server != nil {
		return wrapListener{ln, server}, dial, over
	}
	return ln, dial, over
}

func listenUnix(t testing.TB) (net.Listener, dialer, func()) {
	t.Helper()
	ln, err := net.Listen("unix", filepath.Join(testkit.ShortTempDir(t), "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln, dialTo("unix", ln.Addr().String()), func() { _ = ln.Close() }
}

// muxTCP returns the listener of cmux for what is no HTTP. To find out it reads the first
// bytes of a connection, so it is for protocols in which the client speaks first.
func muxTCP(t testing.TB) (ln net.Listener, addr string, over func()) {
	t.Helper()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mux := cmux.New(tcp)
	_ = mux.Match(cmux.HTTP2(), cmux.HTTP1Fast())
	ln = mux.Match(cmux.Any())
	ended := make(chan struct{})
	go func() { // ends when tcp is closed
		defer close(ended)
		_ = mux.Serve()
	}()
	t.Cleanup(func() { _ = tcp.Close(); mux.Close(); <-ended })
	return ln, tcp.Addr().String(), func() { _ = tcp.Close() }
}
