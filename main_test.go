package qsocket_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/leak"
)

// TestMain fails the run if goroutines of the package outlive its tests.
func TestMain(m *testing.M) { leak.Main(m) }

// testTimeout bounds what a test waits for. It is far above what any of it
// takes, also on a machine with ten times as much to do as it can, and only
// reached when something hangs.
const testTimeout = 2 * time.Minute

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	t.Cleanup(cancel)
	return ctx
}

// raw is a protocol whose messages are their payloads.
var raw = qsocket.Protocol[[]byte]{Codec: rawCodec}

var rawCodec = qsocket.Stateless("raw",
	func(b []byte) ([]byte, error) { return b, nil },
	func(payload []byte, b *[]byte) error { *b = append([]byte{}, payload...); return nil })

// text is raw for strings.
var text = qsocket.Protocol[string]{Codec: textCodec}

var textCodec = qsocket.Stateless("text",
	func(s string) ([]byte, error) { return []byte(s), nil },
	func(payload []byte, s *string) error { *s = string(payload); return nil })

var emptyTLS = new(tls.Config)

// transports are the kinds of stream over which promises are tested.
var transports = []string{"tcp", "unix", "tls", "pipe"}

// kernelTransports are those with a half-close and buffers of their own.
var kernelTransports = transports[:3]

// netPair returns the two ends of a connection.
func netPair(t testing.TB, transport string) (client, server net.Conn) {
	t.Helper()
	switch transport {
	case "pipe":
		client, server = net.Pipe()
	case "tcp", "tls":
		client, server = dialed(t, "tcp", "127.0.0.1:0")
	case "unix":
		client, server = dialed(t, "unix", filepath.Join(shortTempDir(t), "s"))
	default:
		t.Fatalf("no transport %q", transport)
	}
	if transport == "tls" {
		ca := testCA()
		client = tls.Client(client, &tls.Config{RootCAs: ca.pool, ServerName: "localhost"})
		server = tls.Server(server, &tls.Config{Certificates: []tls.Certificate{ca.server}})
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// shortTempDir is t.TempDir with a path that fits into a socket address.
func shortTempDir(t testing.TB) string {
	dir, err := os.MkdirTemp("", "q")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func dialed(t testing.TB, network, address string) (client, server net.Conn) {
	t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err = net.Dial(network, ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return client, server
}

// pair returns two Conns that are connected to each other.
func pair[T any](t testing.TB, transport string, p qsocket.Protocol[T], client, server *qsocket.Options) (a, b *qsocket.Conn[T]) {
	t.Helper()
	na, nb := netPair(t, transport)
	return wrapPair(t, na, nb, p, client, server)
}

func wrapPair[T any](t testing.TB, na, nb net.Conn, p qsocket.Protocol[T], client, server *qsocket.Options) (a, b *qsocket.Conn[T]) {
	t.Helper()
	var wg sync.WaitGroup
	var errB error
	wg.Go(func() { b, errB = qsocket.NewConn(context.Background(), nb, p, server) })
	a, errA := qsocket.NewConn(context.Background(), na, p, client)
	wg.Wait()
	if errA != nil || errB != nil {
		t.Fatalf("NewConn: client %v, server %v", errA, errB)
	}
	t.Cleanup(func() { end(a); end(b) })
	return a, b
}

// end closes a Conn the hard way, whatever state it is in.
func end[T any](c *qsocket.Conn[T]) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = c.Shutdown(ctx)
}

// forTransports runs a test once for each transport.
func forTransports(t *testing.T, names []string, test func(t *testing.T, transport string)) {
	for _, name := range names {
		t.Run(name, func(t *testing.T) { test(t, name) })
	}
}

type ca struct {
	pool   *x509.CertPool
	server tls.Certificate
}

// testCA makes, once, a certificate authority and a certificate for localhost.
var testCA = sync.OnceValue(func() ca {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "localhost"},
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return ca{pool: pool, server: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}}
})

// waitClosed fails the test if ch is not closed in time.
func waitClosed(t testing.TB, what string, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(testTimeout):
		t.Fatalf("%s: not after %v", what, testTimeout)
	}
}

// result waits for what a goroutine sends.
func result[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(testTimeout):
		t.Fatalf("%s: not after %v", what, testTimeout)
		panic("unreachable")
	}
}

// watched is a context that tells when a call is about to wait for it.
type watched struct {
	context.Context
	waits chan struct{} // capacity 1
}

func newWatched(ctx context.Context) watched { return watched{ctx, make(chan struct{}, 1)} }

func (w watched) Done() <-chan struct{} {
	w.tell()
	return w.Context.Done()
}

// tell says that the call waits, or that it is over.
func (w watched) tell() {
	select {
	case w.waits <- struct{}{}:
	default: // it was told before
	}
}

// async runs f and delivers what it returns.
func async[T any](f func() T) <-chan T {
	ch := make(chan T, 1)
	go func() { ch <- f() }()
	return ch
}
