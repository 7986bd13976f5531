// Command mtls shows mutual TLS: the server knows who a client is by its
// certificate, and a client without one is refused.
//
//	go run ./examples/mtls
package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// Both ends use this. As two programs they would import it.
var protocol = qsocket.Protocol[string]{Name: "greeting/1"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal is not caught
	if err := run(ctx, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run is the server and its visitors, until they have gone, or ctx ends.
func run(ctx context.Context, out io.Writer) error {
	ca, err1 := issue("throw-away CA", nil)
	server, err2 := issue("server", &ca)
	client, err3 := issue("client seven", &ca)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(ca.Leaf)

	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", protocol, &qsocket.Options{TLS: &tls.Config{
		Certificates: []tls.Certificate{server},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    trusted,
		MinVersion:   tls.VersionTLS13,
	}})
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- ln.Serve(context.WithoutCancel(ctx), greet) }() // ends after Drain

	for _, tt := range []struct {
		name  string
		certs []tls.Certificate
	}{{"with a certificate", []tls.Certificate{client}}, {"without", nil}} {
		greeting, err := visit(ctx, ln.Addr().String(), &tls.Config{Certificates: tt.certs, RootCAs: trusted})
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			fmt.Fprintf(out, "%s: refused: %v\n", tt.name, err)
			continue
		}
		fmt.Fprintf(out, "%s: %s\n", tt.name, greeting)
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(ctx.Err(), ln.Drain(ending, "the server stops"), <-served)
}

// greet is the server: the Listener hands out a Conn only after the TLS
// handshake, so the certificate is there and verified.
func greet(ctx context.Context, conn *qsocket.Conn[string]) {
	state := conn.NetConn().(*tls.Conn).ConnectionState()
	if err := conn.Send(ctx, "hello, "+state.PeerCertificates[0].Subject.CommonName); err != nil {
		log.Print(err)
	}
}

// visit is the client. In TLS 1.3 a client has finished its handshake before the
// server looks at its certificate, so a refusal can arrive after Dial has returned.
func visit(ctx context.Context, address string, config *tls.Config) (greeting string, err error) {
	conn, err := qsocket.Dial(ctx, "tcp", address, protocol, &qsocket.Options{TLS: config})
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return conn.Recv(ctx)
}

// issue makes a key and a certificate that ca signs; without ca it is one.
func issue(name string, ca *tls.Certificate) (tls.Certificate, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)}, // what Dial compares with
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		IsCA:                  ca == nil,
	}
	parent, signer := template, private
	if ca != nil {
		parent, signer = ca.Leaf, ca.PrivateKey.(ed25519.PrivateKey)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private, Leaf: leaf}, err
}
