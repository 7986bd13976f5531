package operations

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/leak"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// TestMain fails the run if goroutines of the module outlive the tests.
func TestMain(m *testing.M) { leak.Main(m) }

const address = "service"

type handler = func(context.Context, *qsocket.Conn[Message])

// echo answers each call with its own text.
var echo = answerWith(func(_ context.Context, text string) (string, error) {
	if text == "fail" {
		return "", errors.New("it has failed")
	}
	return text, nil
}, 8)

// listen returns a Listener on ln, which runs handle, if there is one, until the test ends.
func listen(t *testing.T, ln net.Listener, handle handler, opts *qsocket.Options) *qsocket.Listener[Message] {
	t.Helper()
	server, err := qsocket.NewListener(ln, Protocol, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { testkit.EndListener(server) })
	if handle != nil {
		testkit.Serve(context.Background(), server, handle)
	}
	return server
}

// dial connects to the Listener in memory that opts lead to.
func dial(t *testing.T, opts *qsocket.Options) *qsocket.Conn[Message] {
	t.Helper()
	conn, err := qsocket.Dial(t.Context(), "tcp", address, Protocol, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { testkit.End(conn) })
	return conn
}

// through are the Options of a client of ln.
func through(ln *qsockettest.Listener) *qsocket.Options {
	return &qsocket.Options{DialContext: ln.DialContext}
}
