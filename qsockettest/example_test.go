package qsockettest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"syscall"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

type order struct {
	ID   int
	Item string
}

var orders = qsocket.Protocol[order]{Codec: qsocket.JSON[order]()}

// take is the program under test: it takes orders until there are no more, and
// says how that came.
func take(conn *qsocket.Conn[order]) error {
	defer conn.Close()
	for o, err := range conn.All(context.Background()) {
		if err != nil {
			return err
		}
		fmt.Println("order", o.ID, o.Item)
	}
	return nil
}

// connect puts the proxy between two Conns.
func connect(p *qsockettest.Proxy, opts *qsocket.Options) (client, server *qsocket.Conn[order]) {
	ctx := context.Background()
	a, b := p.Pipe()
	accepted := make(chan error)
	go func() {
		var err error
		server, err = qsocket.NewConn(ctx, b, orders, opts)
		accepted <- err
	}()
	client, err := qsocket.NewConn(ctx, a, orders, opts)
	if err := errors.Join(err, <-accepted); err != nil {
		log.Fatal(err)
	}
	return client, server
}

func send(conn *qsocket.Conn[order], items ...string) {
	for i, item := range items {
		if err := conn.Send(context.Background(), order{i + 1, item}); err != nil {
			log.Fatal(err)
		}
	}
}

// The client dies in the middle of its second order. The server must not take
// that for an end, and half an order not for an order.
func ExampleProxy() {
	proxy := qsockettest.NewProxy(1, qsockettest.Faults{Cut: qsockettest.FIN, CutAfter: 40}, qsockettest.Faults{})
	defer proxy.Close()
	client, server := connect(proxy, nil)
	defer client.Close()
	send(client, "tea", "coffee")

	err := take(server)
	fmt.Println(err)
	fmt.Println(errors.Is(err, io.ErrUnexpectedEOF))
	// Output:
	// order 1 tea
	// qsocket: 15 of the 28 bytes of a frame came, and no more: unexpected EOF
	// true
}

// The cable is pulled. Between two frames of a protocol without heartbeats,
// nothing can tell that from a peer that has nothing to say; inside a frame
// FrameTimeout does.
func ExampleCut() {
	proxy := qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{})
	defer proxy.Close()
	client, server := connect(proxy, &qsocket.Options{FrameTimeout: 50 * time.Millisecond})
	defer client.Close()
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()

	proxy.Set(qsockettest.Faults{Cut: qsockettest.BlackHole, CutAfter: 40}, qsockettest.Faults{})
	send(client, "tea", "coffee")
	fmt.Println(server.Recv(ctx))
	_, err := server.Recv(ctx)
	fmt.Println("server:", errors.Is(err, os.ErrDeadlineExceeded))
	_, err = client.Recv(ctx) // which does not hear of it
	fmt.Println("client:", err)
	// Output:
	// {1 tea} <nil>
	// server: true
	// client: context deadline exceeded
}

// A peer that sends a byte now and then is cut by FrameTimeout, too: it holds
// for the whole frame.
func ExampleFaults() {
	slow := qsockettest.Faults{DribbleBytes: 1, DribbleEvery: 10 * time.Millisecond}
	proxy := qsockettest.NewProxy(1, slow, qsockettest.Faults{})
	defer proxy.Close()
	client, server := connect(proxy, &qsocket.Options{FrameTimeout: 50 * time.Millisecond})
	defer client.Close()
	send(client, "tea")

	err := take(server)
	fmt.Println(errors.Is(err, os.ErrDeadlineExceeded))
	// Output:
	// true
}

// Between a client and a server that run as they always do, the client dials
// the proxy.
func ExampleProxy_Listen() {
	ctx := context.Background()
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", orders, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	proxy := qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{Latency: 10 * time.Millisecond})
	defer proxy.Close()
	addr, err := proxy.Listen(ln.Addr().String())
	if err != nil {
		log.Fatal(err)
	}

	client, err := qsocket.Dial(ctx, "tcp", addr, orders, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	server, err := ln.Accept(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	send(server, "tea")
	fmt.Println(client.Recv(ctx))
	proxy.Cut(qsockettest.RST)
	_, err = client.Recv(ctx)
	fmt.Println(errors.Is(err, syscall.ECONNRESET))
	// Output:
	// {1 tea} <nil>
	// true
}

// A stream in memory that ends like one of the kernel: with a reset here.
func ExampleNetPipe() {
	var a, b *qsockettest.StreamConn = qsockettest.NetPipe()
	defer b.Close()
	a.SetLinger(0)
	a.Close()
	_, err := b.Read(make([]byte, 1))
	fmt.Println(err)
	// Output:
	// read pipe b->a: read: connection reset by peer
}

// A client that dials again does not notice more of a restart than a pause. (In a bubble of
// testing/synctest, which needs a test, the pause takes no time; see Network.)
func ExampleNetwork() {
	var network qsockettest.Network
	opts := &qsocket.Options{DialContext: network.DialContext}
	for _, version := range []string{"old", "new"} { // of the server
		ln, err := network.Listen("gateway:7070")
		if err != nil {
			log.Fatal(err)
		}
		server, err := qsocket.NewListener(ln, orders, nil)
		if err != nil {
			log.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		served := make(chan error)
		go func() {
			served <- server.Serve(ctx, func(ctx context.Context, conn *qsocket.Conn[order]) {
				fmt.Println(version, "server:", conn.RemoteAddr(), take(conn))
			})
		}()

		client, err := qsocket.Dial(ctx, "tcp", "gateway:7070", orders, opts)
		if err != nil {
			log.Fatal(err)
		}
		send(client, "tea")
		if err := client.Shutdown(ctx); err != nil {
			log.Fatal(err)
		}
		stop()
		<-served
		_, err = qsocket.Dial(context.Background(), "tcp", "gateway:7070", orders, opts)
		fmt.Println(errors.Is(err, syscall.ECONNREFUSED))
	}
	// Output:
	// order 1 tea
	// old server: client-1 <nil>
	// true
	// order 1 tea
	// new server: client-2 <nil>
	// true
}

// A client dials the server through a Proxy, all in memory.
func ExampleProxy_Through() {
	ln := qsockettest.Listen("gateway:7070")
	server, err := qsocket.NewListener(ln, orders, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	proxy := qsockettest.NewProxy(1, qsockettest.Faults{Split: 3}, qsockettest.Faults{})
	defer proxy.Close()

	ctx := context.Background()
	opts := &qsocket.Options{DialContext: proxy.Through(ln.DialContext)}
	client, err := qsocket.Dial(ctx, "tcp", "gateway:7070", orders, opts)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	send(client, "tea")
	conn, err := server.Accept(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println(conn.Recv(ctx))
	proxy.Cut(qsockettest.RST)
	_, err = conn.Recv(ctx)
	fmt.Println(errors.Is(err, syscall.ECONNRESET))
	// Output:
	// {1 tea} <nil>
	// true
}
