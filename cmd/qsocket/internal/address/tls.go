package address

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
)

// TLS are the options of the command line about TLS.
type TLS struct {
	CA         string `name:"ca" placeholder:"FILE" help:"Certificates that the server's may be signed by, PEM. Without it: those of the system."`
	Cert       string `placeholder:"FILE" help:"Certificate of this end, PEM, if the server wants one."`
	Key        string `placeholder:"FILE" help:"Key of that certificate, PEM."`
	ServerName string `name:"servername" placeholder:"NAME" help:"Name that the server's certificate must have. Without it: the host of the address."`
}

// Config returns the configuration for a client of a, nil if it is without TLS.
func (t *TLS) Config(a Address) (*tls.Config, error) {
	if !a.TLS {
		if t.CA != "" || t.Cert != "" || t.Key != "" || t.ServerName != "" {
			return nil, fmt.Errorf("options of TLS for %s: want an address that begins with tls://", a)
		}
		return nil, nil
	}
	config := &tls.Config{ServerName: t.ServerName}
	if t.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(a.Address)
	}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate in PEM", t.CA)
		}
	}
	certificates, err := t.Certificates()
	config.Certificates = certificates
	return config, err
}

// Certificates returns the certificate of this end, if one is given.
func (t *TLS) Certificates() ([]tls.Certificate, error) {
	if t.Cert == "" && t.Key == "" {
		return nil, nil
	}
	if t.Cert == "" || t.Key == "" {
		return nil, errors.New("one of --cert and --key without the other: want both")
	}
	certificate, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("--cert %s, --key %s: %w", t.Cert, t.Key, err)
	}
	return []tls.Certificate{certificate}, nil
}
