package qsocket_test

import (
	"context"
	"crypto/tls"
	"expvar"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// Counters of a Listener on /debug/vars, by package expvar. (For Prometheus
// see examples/prometheus.)
func ExampleListener_Stats() {
	protocol := qsocket.Protocol[string]{Name: "ticks/1"}
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", protocol, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ln.Close()
	expvar.Publish("ticks", expvar.Func(func() any {
		return struct {
			qsocket.ListenerStats
			Refusals map[string]uint64
		}{ln.Stats(), ln.Refusals()}
	}))

	ctx := context.Background()
	conn, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), protocol, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	server, err := ln.Accept(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	other := qsocket.Protocol[string]{Name: "ticks/2"}
	_, err = qsocket.Dial(ctx, "tcp", ln.Addr().String(), other, nil)
	fmt.Println(err)
	for range time.Tick(time.Millisecond) {
		if ln.Stats().Refused == 1 { // the server may take a moment longer than the client
			break
		}
	}
	fmt.Println(expvar.Get("ticks"))
	// Output:
	// qsocket: handshake: proto differs: "ticks/2" here, "ticks/1" at the peer
	// {"Open":1,"Sessions":0,"Handshaking":0,"Accepted":1,"Refused":1,"AcceptErrors":0,"Panics":0,"Refusals":{"proto":1}}
}

// What is logged of a connection. Payloads never are.
func ExampleOptions_logger() {
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "peer" || a.Key == "duration" {
				return slog.Attr{} // different each time
			}
			return a
		},
	}))
	a, b, err := qsocket.Pipe(qsocket.Protocol[string]{Name: "ticks/1"}, &qsocket.Options{Logger: log})
	if err != nil {
		fmt.Println(err)
		return
	}
	done := b.Done() // b reads
	a.CloseWithReason("maintenance")
	<-done
	b.Close()
	// Output:
	// level=INFO msg="qsocket: closing connection" reason=maintenance
	// level=INFO msg="qsocket: connection closed by peer" protocol=ticks/1 sent=0 received=0 bytesSent=0 bytesReceived=0 dropped=0 err="qsocket: closed by peer: maintenance"
}

// A server on the open internet: what to set, and why. docs/security.md says
// more.
func ExampleOptions_openInternet() {
	serverTLS := &tls.Config{Certificates: []tls.Certificate{testkit.CA().Server}} // with ClientAuth: tls.RequireAndVerifyClientCert and ClientCAs, if clients have certificates
	options := &qsocket.Options{
		TLS:              serverTLS,
		MaxConns:         10_000,                        // memory: so many times what a client may make us hold
		MaxHandshakes:    200,                           // a flood of clients that connect and say nothing
		HandshakeTimeout: 5 * time.Second,               // or slowly
		MaxFrame:         64 << 10,                      // no larger than the largest message
		RecvQueue:        4,                             // messages that wait for the handler
		SendBuffer:       64 << 10,                      // what waits for a client that does not read
		FrameTimeout:     10 * time.Second,              // messages that dribble in
		WriteTimeout:     30 * time.Second,              // clients that never read
		Heartbeat:        15 * time.Second,              // clients that are gone
		Logger:           slog.New(slog.DiscardHandler), // yours
	}
	protocol := qsocket.Protocol[string]{Name: "ticks/1", Codec: qsocket.Msgpack[string](qsocket.MaxExpansion(16))}
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", protocol, options)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	served := make(chan error)
	go func() {
		served <- ln.Serve(ctx, func(ctx context.Context, conn *qsocket.Conn[string]) {
			for m := range conn.Messages() {
				bounded, cancel := context.WithTimeout(ctx, time.Second) // one that does not read is not waited for
				err := conn.Send(bounded, "got "+m)
				cancel()
				if err != nil {
					conn.CloseWithReason("you do not keep up")
					return
				}
			}
		})
	}()

	conn, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), protocol, &qsocket.Options{TLS: testkit.ClientTLS()})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := conn.Send(ctx, "hello"); err != nil {
		fmt.Println(err)
	}
	fmt.Println(conn.Recv(ctx))
	conn.Close()

	// Without TLS a client is told so, and refused.
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = qsocket.NewConn(ctx, nc, protocol, nil)
	fmt.Println(err)
	stop()
	fmt.Println(<-served)
	// Output:
	// got hello <nil>
	// qsocket: handshake: want a hello (beginning with QSK): peer sent a TLS record: it sent 15 03 03 00 02 02 0a
	// <nil>
}
