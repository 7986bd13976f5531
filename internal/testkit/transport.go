package testkit

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// Transports are the kinds of stream over which promises are tested.
var Transports = []string{"tcp", "unix", "tls", "pipe"}

// KernelTransports are those with a half-close and buffers of their own.
var KernelTransports = Transports[:3]

// NetPair returns the two ends of a connection.
func NetPair(t testing.TB, transport string) (client, server net.Conn) {
	t.Helper()
	switch transport {
	case "pipe":
		client, server = net.Pipe()
	case "tcp", "tls":
		client, server = Dialed(t, "tcp", "127.0.0.1:0")
	case "unix":
		client, server = Dialed(t, "unix", filepath.Join(ShortTempDir(t), "s"))
	default:
		t.Fatalf("no transport %q", transport)
	}
	if transport == "tls" {
		ca := CA()
		client = tls.Client(client, &tls.Config{RootCAs: ca.Pool, ServerName: "localhost"})
		server = tls.Server(server, &tls.Config{Certificates: []tls.Certificate{ca.Server}})
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// ShortTempDir is t.TempDir with a path that fits into a socket address.
func ShortTempDir(t testing.TB) string {
	dir, err := os.MkdirTemp("", "q")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// Dialed returns the two ends of a connection to a listener on the address.
func Dialed(t testing.TB, network, address string) (client, server net.Conn) {
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

// ForTransports runs a test once for each transport.
func ForTransports(t *testing.T, names []string, test func(t *testing.T, transport string)) {
	for _, name := range names {
		t.Run(name, func(t *testing.T) { test(t, name) })
	}
}
