package wire

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// telling is an Options.Attributes.
func telling(attributes map[string]string) func(context.Context) (map[string]string, error) {
	return func(context.Context) (map[string]string, error) { return attributes, nil }
}

// BenchmarkHello is dialling, the handshake and the end of a connection, where the client tells what
// it is, and the server or both ends ask. hello-bytes are those of the handshake, both ways.
func BenchmarkHello(b *testing.B) {
	p := testkit.Named
	attributes := telling(map[string]string{"token": "0123456789abcdef0123456789abcdef", "tenant": "north", "version": "1.2.3"})
	for _, w := range []struct {
		name           string
		client, server qsocket.Options
	}{
		{"nothing", qsocket.Options{}, qsocket.Options{}},
		{"attributes", qsocket.Options{Attributes: attributes}, qsocket.Options{}},
		{"admit", qsocket.Options{}, qsocket.Options{Admit: admitting("").Admit}},
		{"attributes-and-admit", qsocket.Options{Attributes: attributes}, qsocket.Options{Admit: admitting("").Admit}},
		{"admit-of-both", qsocket.Options{Admit: admitting("").Admit}, qsocket.Options{Admit: admitting("").Admit}},
	} {
		b.Run("with="+w.name, func(b *testing.B) {
			ln, err := qsocket.Listen("tcp", "127.0.0.1:0", p, &w.server)
			if err != nil {
				b.Fatal(err)
			}
			defer ln.Close()
			for b.Loop() {
				client, err := qsocket.Dial(b.Context(), "tcp", ln.Addr().String(), p, &w.client)
				if err != nil {
					b.Fatal(err)
				}
				server, err := ln.Accept(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				client.Close()
				server.Close()
			}
			b.ReportMetric(float64(helloBytes(b, p, &w.client, &w.server)), "hello-bytes")
		})
	}
}

// countingConn counts what is written.
type countingConn struct {
	net.Conn
	written *atomic.Int64
}

func (c countingConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.written.Add(int64(n))
	return n, err
}

// helloBytes returns how much the two ends send until they have their Conns.
func helloBytes[T any](t testing.TB, p qsocket.Protocol[T], client, server *qsocket.Options) int64 {
	t.Helper()
	var written atomic.Int64
	na, nb := qsockettest.NetPipe()
	a, b := testkit.WrapPair(t, countingConn{na, &written}, countingConn{nb, &written}, p, client, server)
	n := written.Load()
	testkit.End(a)
	testkit.End(b)
	return n
}

// What attributes and a verdict add to a handshake, in bytes: as docs/security.md says.
func TestHelloBytes(t *testing.T) {
	attributes := &qsocket.Options{Attributes: telling(map[string]string{"token": strings.Repeat("x", 32)})}
	admit := &qsocket.Options{Admit: admitting("").Admit}
	least := helloBytes(t, testkit.Named, nil, nil)
	for _, test := range []struct {
		name           string
		client, server *qsocket.Options
		want           int64
	}{
		{"a token of 32 bytes", attributes, nil, 46},
		{"a verdict", nil, admit, 10},
		{"two verdicts", admit, admit, 20},
	} {
		if got := helloBytes(t, testkit.Named, test.client, test.server) - least; got != test.want {
			t.Errorf("%s: got %d bytes, want %d", test.name, got, test.want)
		}
	}
}
