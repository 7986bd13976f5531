package qsockettest_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// printer stands in for the *testing.T that an example does not have: it prints what a test
// would report.
type printer struct {
	testing.TB
	cleanups []func()
}

func (p *printer) Helper()                      {}
func (p *printer) Name() string                 { return "TestProtocol" }
func (p *printer) Context() context.Context     { return context.Background() }
func (p *printer) Cleanup(f func())             { p.cleanups = append(p.cleanups, f) }
func (p *printer) Logf(string, ...any)          {}
func (p *printer) Fatalf(f string, args ...any) { panic(fmt.Sprintf(f, args...)) }

func (p *printer) Errorf(f string, args ...any) {
	for line := range strings.Lines(fmt.Sprintf(f, args...)) {
		if !strings.Contains(line, ": ") && strings.TrimSpace(line) != "" {
			fmt.Print(line)
		}
	}
}

// end does what the end of a test does.
func (p *printer) end() {
	for _, f := range p.cleanups {
		f()
	}
}

// Two connected ends for a test, in memory. They end with it.
func ExamplePipe() {
	t := new(printer) // in a test: its *testing.T
	defer t.end()

	client, server := qsockettest.Pipe(t, orders, nil)
	send(client, "tea")
	fmt.Println(server.Recv(t.Context()))
	// Output:
	// {1 tea} <nil>
}

// A record of the protocol is written once, with QSOCKET_UPDATE=1, and committed. A change of a type then
// fails the test, which says what it means for peers that run older code.
func ExampleGolden() {
	dir, err := os.MkdirTemp("", "golden")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	was, _ := os.Getwd()
	os.Chdir(dir) // in a test: the folder of its package
	defer os.Chdir(was)
	t := new(printer)

	type v1 struct{ Price float64 }
	os.Setenv("QSOCKET_UPDATE", "1")
	qsockettest.Golden(t, qsocket.Protocol[v1]{Name: "prices/1"})

	type v2 struct{ Price string }
	os.Unsetenv("QSOCKET_UPDATE")
	qsockettest.Golden(t, qsocket.Protocol[v2]{Name: "prices/1"})
	// Output:
	// protocol "prices/1" is not what testdata/prices_1.protocol records.
	// breaks:
	//   field message.Price was float64 and is string now
	// Give the protocol a new version in its Name, which makes it another one, or take back what breaks. If no peer of the recorded version is left, QSOCKET_UPDATE=breaking go test -run TestProtocol records it.
}

// A net.Listener in memory: a server and its clients without a network, also in a bubble of testing/synctest.
func ExampleListen() {
	var network *qsockettest.Listener = qsockettest.Listen("shop")
	ln, err := qsocket.NewListener(network, orders, nil)
	if err != nil {
		panic(err)
	}
	defer ln.Close()
	conn, err := qsocket.Dial(context.Background(), "tcp", "shop", orders, &qsocket.Options{DialContext: network.DialContext})
	if err != nil {
		panic(err)
	}
	fmt.Println("connected to", conn.RemoteAddr())
	conn.Close()
	// Output:
	// connected to shop
}
