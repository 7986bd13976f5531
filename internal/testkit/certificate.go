package testkit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"sync"
	"time"
)

// Authority is a certificate authority and a certificate that it has signed.
type Authority struct {
	Pool   *x509.CertPool
	Server tls.Certificate
}

// CA makes, once, a certificate authority and a certificate for localhost.
var CA = sync.OnceValue(func() Authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "localhost"},
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:             time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), // in bubbles, too, where it is 2000
		NotAfter:              time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
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
	return Authority{Pool: pool, Server: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}}
})

// ServerTLS is the configuration of a server with the certificate of CA.
func ServerTLS() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{CA().Server}}
}

// ClientTLS is the configuration of a client that trusts CA.
func ClientTLS() *tls.Config {
	return &tls.Config{RootCAs: CA().Pool}
}
