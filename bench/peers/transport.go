package peers

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A Transport is what carries the bytes of a connection.
type Transport string

const (
	TCP     Transport = ""        // over loopback, as is everything where nothing else is said
	TLS     Transport = "tls"     // 1.3, over loopback TCP
	Unix    Transport = "unix"    // a Unix domain socket
	Wrapper Transport = "wrapper" // loopback TCP behind a struct that embeds a net.Conn, as middleware hands it on
)

// Transports are all of them, in the order of the tables.
var Transports = []Transport{TCP, TLS, Unix, Wrapper}

// encrypted are those over which the libraries are compared that make their own connections.
var encrypted = []Transport{TCP, TLS}

// listen returns a listener on a free address. One of TLS hands out connections whose
// handshake is under way.
func (t Transport) listen() (net.Listener, error) {
	if t == Unix {
		return listenUnix()
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	switch t {
	case TCP:
		return ln, nil
	case Wrapper:
		return wrappingListener{ln}, nil
	case TLS:
		config, err := tlsConfig()
		if err != nil {
			ln.Close()
			return nil, err
		}
		return tlsListener{ln, config}, nil
	}
	ln.Close()
	return nil, fmt.Errorf("no transport is called %q", t)
}

// dial connects to the address of a listener. The handshake of TLS comes with the first
// message, which waits for it: the server may not have accepted yet.
func (t Transport) dial(ctx context.Context, addr string) (net.Conn, error) {
	network := "tcp"
	if t == Unix {
		network = "unix"
	}
	var d net.Dialer
	nc, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	switch t {
	case Wrapper:
		return wrapped{nc}, nil
	case TLS:
		config, err := tlsConfig()
		if err != nil {
			nc.Close()
			return nil, err
		}
		return tls.Client(nc, config), nil
	}
	return nc, nil
}

// tlsConfig returns the configuration of both ends. They do not verify the certificate, which is
// made when the process begins to use TLS: what is measured are records, not the handshake.
var tlsConfig = sync.OnceValues(func() (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	return &tls.Config{
		Certificates:       []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: key}},
		InsecureSkipVerify: true,
		MinVersion:         tls.VersionTLS13,
	}, nil
})

// tlsListener is that of crypto/tls, but does not leave the handshake to the first Read:
// clients come in one order and are accepted in another, and would wait for each other.
type tlsListener struct {
	net.Listener
	config *tls.Config
}

func (l tlsListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	conn := tls.Server(nc, l.config)
	go conn.Handshake() // ends with the handshake or the connection; Read and Write return its error
	return conn, nil
}

// wrapped has the methods of a net.Conn and hides all others of what it embeds.
type wrapped struct{ net.Conn }

type wrappingListener struct{ net.Listener }

func (l wrappingListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return wrapped{nc}, nil
}

// unixListener has a directory of its own for its socket.
type unixListener struct {
	net.Listener
	dir string
}

func listenUnix() (net.Listener, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return unixListener{ln, dir}, nil
}

func (l unixListener) Close() error {
	err := l.Listener.Close()
	os.RemoveAll(l.dir) // what is left of it is in a directory for temporary files
	return err
}

// closeHard resets a connection. A close in order would leave each of thousands of
// ports in TIME_WAIT, and that of TLS would wait for room for its farewell.
func closeHard(nc net.Conn) error {
	switch outer := nc.(type) {
	case *tls.Conn:
		nc = outer.NetConn()
	case wrapped:
		nc = outer.Conn
	}
	if tcp, ok := nc.(*net.TCPConn); ok {
		tcp.SetLinger(0) // fails only on what is closed already
	}
	return nc.Close()
}
