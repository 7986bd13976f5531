package service

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// clientCertificate makes a certificate that testkit.CA vouches for.
func clientCertificate(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := testkit.CA().Server
	parent, err := x509.ParseCertificate(ca.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    parent.NotBefore,
		NotAfter:     parent.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, ca.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// silentServer accepts one connection, tells when the client has said
// something, says nothing itself, and tells how the connection ends.
func silentServer(t *testing.T) (address string, spoken <-chan struct{}, ended <-chan error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	first, last := make(chan struct{}), make(chan error, 1)
	go func() {
		nc, err := ln.Accept()
		if err != nil {
			last <- err
			return
		}
		defer nc.Close()
		nc.SetReadDeadline(time.Now().Add(testkit.Timeout))
		if _, err := nc.Read(make([]byte, 1)); err != nil {
			last <- err
			return
		}
		close(first)
		if _, err = io.Copy(io.Discard, nc); err == nil {
			err = io.EOF
		}
		last <- err
	}()
	return ln.Addr().String(), first, last
}

// checkEnded checks that the far end of a connection saw it end.
func checkEnded(t *testing.T, ended <-chan error) {
	t.Helper()
	if err := testkit.Result(t, "the end of the connection", ended); testkit.IsTimeout(err) {
		t.Errorf("the connection is left open: %v", err)
	}
}

// Dial connects over every network, and both ends name each other's address.
func TestDial(t *testing.T) {
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		ln := testkit.ListenOn(t, transport, testkit.Text, nil)
		client := testkit.DialTo(t, transport, ln, testkit.Text)
		server := testkit.Accept(t, ln)
		testkit.Exchange(t, client, server, "hello")
		testkit.Exchange(t, server, client, "hello yourself")
		for _, a := range []struct {
			what      string
			got, want net.Addr
		}{
			{"RemoteAddr of the client", client.RemoteAddr(), ln.Addr()},
			{"RemoteAddr of the server", server.RemoteAddr(), client.LocalAddr()},
			{"LocalAddr of the server", server.LocalAddr(), ln.Addr()},
		} {
			if got, want := a.got.String(), a.want.String(); got != want && transport != "unix" {
				t.Errorf("%s: got %v, want %v", a.what, got, want)
			}
		}
		for name, c := range map[string]*qsocket.Conn[string]{"client": client, "server": server} {
			_, isTLS := c.NetConn().(*tls.Conn)
			if want := transport == "tls"; isTLS != want {
				t.Errorf("the NetConn of the %s is a %T", name, c.NetConn())
			}
		}
	})
}

// The server's name, which its certificate must have, is that of the address
// unless the Config has one. The Config given is not changed.
func TestDialServerName(t *testing.T) {
	ln := testkit.ListenOn(t, "tls", testkit.Text, nil)
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ host, set, sent string }{
		{"127.0.0.1", "", ""}, // an IP address is checked, and not sent
		{"localhost", "", "localhost"},
		{"127.0.0.1", "localhost", "localhost"},
	} {
		config := testkit.ClientTLS()
		config.ServerName = test.set
		c, err := qsocket.Dial(testkit.Context(t), "tcp", net.JoinHostPort(test.host, port), testkit.Text, &qsocket.Options{TLS: config})
		if err != nil {
			t.Errorf("Dial of %s, ServerName %q: %v", test.host, test.set, err)
			continue
		}
		defer testkit.End(c)
		server := testkit.Accept(t, ln)
		testkit.Exchange(t, c, server, "hello")
		if got := server.NetConn().(*tls.Conn).ConnectionState().ServerName; got != test.sent {
			t.Errorf("Dial of %s, ServerName %q: the server was told %q, want %q", test.host, test.set, got, test.sent)
		}
		if config.ServerName != test.set {
			t.Errorf("the Config was changed: ServerName %q, want %q", config.ServerName, test.set)
		}
	}
}

// A certificate that is not the server's, or not from a known authority, is an
// error of Dial that says so, and both ends are left without the connection.
func TestDialWrongCertificate(t *testing.T) {
	var wrongHost x509.HostnameError
	var unknown x509.UnknownAuthorityError
	for _, test := range []struct {
		name   string
		config *tls.Config
		target any
		text   string
	}{
		{"host", &tls.Config{RootCAs: testkit.CA().Pool, ServerName: "example.com"}, &wrongHost, "example.com"},
		{"authority", &tls.Config{RootCAs: x509.NewCertPool()}, &unknown, "unknown authority"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log testkit.LogRecorder
			ln := testkit.ListenOn(t, "tls", testkit.Text, &qsocket.Options{Logger: log.Logger()})
			c, err := qsocket.Dial(testkit.Context(t), "tcp", ln.Addr().String(), testkit.Text, &qsocket.Options{TLS: test.config})
			if err == nil {
				testkit.End(c)
				t.Fatal("no error")
			}
			if !errors.As(err, test.target) || !strings.HasPrefix(err.Error(), "qsocket: TLS handshake: ") || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want qsocket: TLS handshake: … %s", err, test.text)
			}
			testkit.Eventually(t, "the server to notice", func() bool { return ln.Stats().Refused == 1 })
			if got, want := ln.Stats(), (qsocket.ListenerStats{Refused: 1}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if err := ln.Close(); err != nil {
				t.Error(err)
			}
			if got := log.Count("level=WARN", "bad certificate"); got != 1 {
				t.Errorf("got %d log records, want 1", got)
			}
		})
	}
	testkit.NoGoroutinesLeft(t)
}

// With mutual TLS the server finds the client's certificate in the state of
// NetConn.
func TestMutualTLS(t *testing.T) {
	config := testkit.ServerTLS()
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.ClientCAs = testkit.CA().Pool
	for _, transport := range testkit.KernelTransports[:2] {
		t.Run(transport, func(t *testing.T) {
			ln := testkit.ListenOn(t, transport, testkit.Text, &qsocket.Options{TLS: config})
			client := testkit.ClientTLS()
			client.ServerName = "localhost"
			client.Certificates = []tls.Certificate{clientCertificate(t, "alice")}
			c, err := qsocket.Dial(testkit.Context(t), ln.Addr().Network(), ln.Addr().String(), testkit.Text, &qsocket.Options{TLS: client})
			if err != nil {
				t.Fatal(err)
			}
			defer testkit.End(c)
			server := testkit.Accept(t, ln)
			testkit.Exchange(t, c, server, "it is me")
			testkit.Exchange(t, server, c, "so it is")
			certs := server.NetConn().(*tls.Conn).ConnectionState().PeerCertificates
			if len(certs) != 1 || certs[0].Subject.CommonName != "alice" {
				t.Errorf("got %d certificates, want that of alice: %v", len(certs), certs)
			}
		})
	}
	t.Run("no certificate", func(t *testing.T) {
		ln := testkit.ListenOn(t, "tcp", testkit.Text, &qsocket.Options{TLS: config})
		c, err := qsocket.Dial(testkit.Context(t), "tcp", ln.Addr().String(), testkit.Text, &qsocket.Options{TLS: testkit.ClientTLS()})
		if err == nil { // in TLS 1.3 the client is done before the server has looked
			defer testkit.End(c)
			_, err = c.Recv(testkit.Context(t))
		}
		if err == nil || err == io.EOF || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the client got %v, want the refusal", err)
		}
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
		if got, want := ln.Stats(), (qsocket.ListenerStats{Refused: 1}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// Where no process listens, Dial returns the network's error.
func TestDialRefused(t *testing.T) {
	ln := testkit.ListenOn(t, "tcp", testkit.Text, nil)
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	for _, target := range []struct{ network, address string }{
		{"tcp", ln.Addr().String()},
		{"unix", filepath.Join(testkit.ShortTempDir(t), "none")},
		{"tcp", "no port"},
	} {
		for _, opts := range []*qsocket.Options{nil, {TLS: testkit.ClientTLS()}} {
			c, err := qsocket.Dial(testkit.Context(t), target.network, target.address, testkit.Text, opts)
			if c != nil {
				testkit.End(c)
			}
			var oe *net.OpError
			if !errors.As(err, &oe) || oe.Op != "dial" || !strings.HasPrefix(err.Error(), "qsocket: ") {
				t.Errorf("Dial of %v: got %v, want qsocket: … *net.OpError of dial", target, err)
			}
		}
	}
}

// Dial and Listen refuse a network that is no stream of bytes.
func TestNetworkIsAStream(t *testing.T) {
	for _, network := range []string{"udp", "unixgram", "unixpacket", "ip", "no network", ""} {
		c, err := qsocket.Dial(testkit.Context(t), network, "127.0.0.1:1", testkit.Text, nil)
		if err == nil {
			testkit.End(c)
		}
		ln, listenErr := qsocket.Listen(network, "127.0.0.1:0", testkit.Text, nil)
		if listenErr == nil {
			testkit.EndListener(ln)
		}
		for what, err := range map[string]error{"Dial": err, "Listen": listenErr} {
			if err == nil || !strings.HasPrefix(err.Error(), "qsocket: ") {
				t.Errorf("%s on network %q: got %v, want an error of qsocket", what, network, err)
			}
		}
	}
}

// A ctx that has ended before Dial connects to nothing.
func TestDialWithEndedContext(t *testing.T) {
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		ln := testkit.ListenOn(t, transport, testkit.Text, nil)
		canceled, cancel := context.WithCancel(context.Background())
		cancel()
		late, cancel := context.WithDeadline(context.Background(), time.Now())
		defer cancel()
		for want, ctx := range map[error]context.Context{context.Canceled: canceled, context.DeadlineExceeded: late} {
			_, err := qsocket.Dial(ctx, ln.Addr().Network(), ln.Addr().String(), testkit.Text, testkit.DialOptions(transport))
			if !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
		if got := ln.Stats(); got != (qsocket.ListenerStats{}) {
			t.Errorf("got %+v, want no connection", got)
		}
	})
}

// Once Dial has returned, its ctx has no effect on the Conn.
func TestDialContextHasNoLaterEffect(t *testing.T) {
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		ln := testkit.ListenOn(t, transport, testkit.Text, nil)
		ctx, cancel := context.WithCancel(context.Background())
		client, err := qsocket.Dial(ctx, ln.Addr().Network(), ln.Addr().String(), testkit.Text, testkit.DialOptions(transport))
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.End(client)
		server := testkit.Accept(t, ln)
		testkit.Exchange(t, client, server, "hello")
		testkit.Exchange(t, server, client, "hello yourself")
	})
}

// A client without TLS at a server with it, and the reverse: both ends see the
// end, and none hangs.
func TestTLSOnOneEnd(t *testing.T) {
	t.Run("server, client sends", func(t *testing.T) {
		ctx := testkit.Context(t)
		ln := testkit.ListenOn(t, "tls", testkit.Text, nil)
		c, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), testkit.Text, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.End(c)
		if err := c.Send(ctx, "hello"); err != nil {
			t.Fatal(err)
		}
		m, err := c.Recv(ctx) // crypto/tls sends no alert to what is no TLS: the server just ends
		if err == nil || ctx.Err() != nil {
			t.Errorf("the client got %q, %v, want the end", m, err)
		}
		testkit.Eventually(t, "the server to refuse", func() bool { return ln.Stats().Refused == 1 })
	})
	t.Run("server, both wait", func(t *testing.T) {
		ctx := testkit.Context(t)
		ln := testkit.ListenOn(t, "tls", testkit.Text, &qsocket.Options{HandshakeTimeout: 30 * time.Millisecond})
		c, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), testkit.Text, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.End(c)
		if m, err := c.Recv(ctx); err != io.EOF {
			t.Errorf("the client got %q, %v, want io.EOF", m, err)
		}
		testkit.Eventually(t, "the server to refuse", func() bool { return ln.Stats().Refused == 1 })
	})
	t.Run("client", func(t *testing.T) {
		ctx := testkit.Context(t)
		ln := testkit.ListenOn(t, "tcp", testkit.Text, nil)
		received := make(chan error, 1)
		served := testkit.Async(func() error {
			return ln.Serve(ctx, func(ctx context.Context, c *qsocket.Conn[string]) {
				_, err := c.Recv(ctx)
				received <- err
			})
		})
		c, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), testkit.Text, &qsocket.Options{TLS: testkit.ClientTLS()})
		if err == nil {
			testkit.End(c)
		}
		if err == nil || ctx.Err() != nil {
			t.Errorf("Dial: got %v, want an error", err)
		}
		if err := testkit.Result(t, "the server", received); !errors.Is(err, qsocket.ErrProtocol) {
			t.Errorf("the server got %v, want ErrProtocol", err)
		}
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
		if err := testkit.Result(t, "Serve", served); err != nil {
			t.Error("Serve:", err)
		}
	})
}

// A peer that ends where TLS expects more is an unexpected end, also between two
// records.
func TestDialPeerEndsDuringTLS(t *testing.T) {
	ctx := testkit.Context(t)
	a, b := net.Pipe()
	peer := testkit.Async(func() error {
		record := make([]byte, 64<<10) // net.Pipe hands on what one Write writes, and so the whole hello
		_, err := b.Read(record)
		return errors.Join(err, b.Close())
	})
	_, err := qsocket.NewConn(ctx, tls.Client(a, &tls.Config{ServerName: "localhost"}), testkit.Text, nil)
	if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.HasPrefix(err.Error(), "qsocket: TLS handshake: ") {
		t.Errorf("got %v, want qsocket: TLS handshake: … io.ErrUnexpectedEOF", err)
	}
	if err := testkit.Result(t, "the peer", peer); err != nil {
		t.Error(err)
	}
}
