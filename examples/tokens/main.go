// Command tokens shows clients that a server knows by a token: how it is compared,
// how a new one replaces an old one, and how one is revoked while its client is connected.
//
//	go run ./examples/tokens
package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// Both ends use this. As two programs they would import it.
var protocol = qsocket.Protocol[string]{Name: "greeting/1"}

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(out io.Writer) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	dir, err := os.MkdirTemp("", "tokens")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	valid, mine := filepath.Join(dir, "valid"), filepath.Join(dir, "mine")
	oldToken, newToken := rand.Text(), rand.Text()
	write := func(path string, lines ...string) error {
		return os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600)
	}
	server, trusted, err := certificate()
	if err != nil {
		return err
	}

	// The server. It reads its file again when it is told to, by a signal for example.
	g := new(guard)
	err = errors.Join(write(valid, keyOf(oldToken)+" seven"), g.load(valid))
	if err != nil {
		return err
	}
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", protocol, &qsocket.Options{
		TLS:   &tls.Config{Certificates: []tls.Certificate{server}, MinVersion: tls.VersionTLS13},
		Admit: g.admit,
	})
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- ln.Serve(ctx, g.greet) }() // ends after ln.Close

	// The client.
	var conns []*qsocket.Conn[string]
	defer func() {
		for _, conn := range conns {
			_ = conn.Close() // some have been revoked
		}
	}()
	visit := func(what string) *qsocket.Conn[string] {
		conn, greeting, err := visit(ctx, ln.Addr().String(), mine, trusted)
		if err != nil {
			fmt.Fprintf(out, "%s: %v\n", what, err)
			return nil
		}
		fmt.Fprintf(out, "%s: %s\n", what, greeting)
		conns = append(conns, conn)
		return conn
	}
	err = write(mine, "a guess")
	visit("a guess")
	err = errors.Join(err, write(mine, oldToken))
	first := visit("the old token")

	err = errors.Join(err, write(valid, keyOf(oldToken)+" seven", keyOf(newToken)+" seven"), g.load(valid))
	visit("the old token, while both are valid")
	err = errors.Join(err, write(mine, newToken))
	second := visit("the new token, while both are valid")

	err = errors.Join(err, write(valid, keyOf(newToken)+" seven"), g.load(valid))
	if first == nil || second == nil || err != nil {
		return errors.Join(err, errors.New("a client with a valid token was not let in"))
	}
	_, revoked := first.Recv(ctx)
	fmt.Fprintf(out, "the connection of the old token: %v\n", revoked)
	err = second.Send(ctx, "still there?")
	if answer, failure := second.Recv(ctx); err == nil && failure == nil {
		fmt.Fprintf(out, "the connection of the new token: %s\n", answer)
	}
	return errors.Join(err, second.Close(), ln.Close(), <-served)
}

// greet is the server's handler. Only clients with a valid token get here, and who they are says the
// guard: a client's own word has been deleted.
func (g *guard) greet(ctx context.Context, conn *qsocket.Conn[string]) {
	if !g.enter(conn) {
		_ = conn.CloseWithCode(qsocket.CodeRefused, "the token has been revoked") // the client is told or gone
		return
	}
	defer g.leave(conn)
	user := conn.PeerAttributes()[userAttribute]
	if err := conn.Send(ctx, "hello, "+user); err != nil {
		return // conn.Err says why
	}
	for range conn.Messages() {
		if err := conn.Send(ctx, "still here, "+user); err != nil {
			return
		}
	}
}

// visit is the client. It reads its token anew for each connection, so that it need not be restarted
// when there is another one. Its error is final if it was refused: the same token will be again.
func visit(ctx context.Context, address, tokenFile string, trusted *x509.CertPool) (conn *qsocket.Conn[string], greeting string, err error) {
	conn, err = qsocket.Dial(ctx, "tcp", address, protocol, &qsocket.Options{
		TLS:        &tls.Config{RootCAs: trusted}, // or the token would go to whoever listens there
		Attributes: tokenFrom(tokenFile),
	})
	if refused := (*qsocket.HandshakeError)(nil); errors.As(err, &refused) && refused.Final() {
		return nil, "", fmt.Errorf("refused for good: %s", refused.Peer)
	}
	if err != nil {
		return nil, "", err
	}
	greeting, err = conn.Recv(ctx)
	if err != nil {
		_ = conn.Close()
	}
	return conn, greeting, err
}

// tokenFrom returns Options.Attributes with the token in the environment variable TOKEN, or else in a
// file that only this user can read. It is no argument of the command, which others would see.
func tokenFrom(path string) func(context.Context) (map[string]string, error) {
	return func(context.Context) (map[string]string, error) {
		token := os.Getenv("TOKEN")
		if token == "" {
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			token = strings.TrimSpace(string(text))
		}
		return map[string]string{tokenAttribute: token}, nil
	}
}

// certificate makes one for the server, and what a client needs to trust it.
func certificate() (tls.Certificate, *x509.CertPool, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)}, // what Dial compares with
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, trusted, nil
}
