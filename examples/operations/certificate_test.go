package operations

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// issue writes a certificate for 127.0.0.1 and its key, and returns what trusts it.
func issue(t *testing.T, serial int64, certFile, keyFile string) *x509.CertPool {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err1 := x509.CreateCertificate(rand.Reader, template, template, public, private)
	key, err2 := x509.MarshalPKCS8PrivateKey(private)
	err3 := os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
	err4 := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600)
	cert, err5 := x509.ParseCertificate(der)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(cert)
	return trusted
}

// New connections get the new certificate, those that there are go on, and a file that cannot be read
// changes nothing.
func TestCertificate(t *testing.T) {
	certFile, keyFile := filepath.Join(t.TempDir(), "cert"), filepath.Join(t.TempDir(), "key")
	var cert certificate
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := listen(t, nl, echo, &qsocket.Options{TLS: &tls.Config{GetCertificate: cert.get}})
	var first *caller
	for serial := int64(1); serial <= 2; serial++ {
		trusted := issue(t, serial, certFile, keyFile)
		if err := cert.load(certFile, keyFile); err != nil {
			t.Fatal(err)
		}
		if err := cert.load(certFile, certFile); err == nil {
			t.Error("a file without a key is taken")
		}
		conn, err := qsocket.Dial(t.Context(), "tcp", ln.Addr().String(), Protocol, &qsocket.Options{TLS: &tls.Config{RootCAs: trusted}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if got := conn.NetConn().(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64(); got != serial {
			t.Errorf("got the certificate %d, want %d", got, serial)
		}
		if first == nil {
			first = newCaller(conn)
		}
	}
	if got, err := first.call(t.Context(), "still here"); got != "still here" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}
