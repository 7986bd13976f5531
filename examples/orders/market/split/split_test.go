package split_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/examples/orders/market/split"
)

func protocol(name string) qsocket.Protocol[string] { return qsocket.Protocol[string]{Name: name} }

// serveBoth serves chat/1 and chat/2 on one port. What is sent back says which it was.
func serveBoth(t *testing.T) (addr string) {
	t.Helper()
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	both := split.Split(nl, "chat/1", "chat/2")
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error)
	for i, name := range []string{"chat/1", "chat/2"} {
		ln, err := qsocket.NewListener(both[i], protocol(name), nil)
		if err != nil {
			t.Fatal(err)
		}
		go func() { // ends with ctx
			served <- ln.Serve(ctx, func(ctx context.Context, conn *qsocket.Conn[string]) {
				for m := range conn.Messages() {
					if conn.Send(ctx, name+": "+m) != nil {
						return
					}
				}
			})
		}()
	}
	t.Cleanup(func() {
		stop()
		for range both {
			if err := <-served; err != nil {
				t.Errorf("Serve: %v", err)
			}
		}
		if nc, err := net.Dial("tcp", nl.Addr().String()); err == nil {
			nc.Close()
			t.Error("the port is open still")
		}
	})
	return nl.Addr().String()
}

// Clients of both names are served on one port, with all that a connection of its own has; others learn
// what is wrong; and one that is silent keeps nobody waiting.
func TestSplit(t *testing.T) {
	addr := serveBoth(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	silent, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, name := range []string{"chat/1", "chat/2", "chat/1"} {
		conn, err := qsocket.Dial(ctx, "tcp", addr, protocol(name), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Send(ctx, "hello"); err != nil {
			t.Fatal(err)
		}
		if m, err := conn.Recv(ctx); m != name+": hello" || err != nil {
			t.Errorf("got %q, %v, want the service of %s", m, err, name)
		}
		if err := conn.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	}
	_, err = qsocket.Dial(ctx, "tcp", addr, protocol("chat/3"), nil)
	var refused *qsocket.HandshakeError
	if !errors.As(err, &refused) || refused.Field != "proto" || refused.Peer != "chat/1" {
		t.Errorf("another name: got %v, want a HandshakeError about proto", err)
	}
	for _, first := range []string{"GET / HTTP/1.1\r\n\r\n", "QSK\x01\xff\xff\xff\xff", "QSK\x01\x00\x00\x00\x01\xc1"} {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Write([]byte(first)); err != nil {
			t.Fatal(err)
		}
		_ = nc.(*net.TCPConn).CloseWrite()
		_ = nc.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := nc.Read(make([]byte, 1)); err != nil { // its hello comes in any case
			t.Errorf("%q: got %v, want the answer of the first protocol", first, err)
		}
		nc.Close()
	}
}
