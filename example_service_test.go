package qsocket_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

var echoes = qsocket.Protocol[string]{Name: "echo/1"}

// echoAll is a handler.
func echoAll(ctx context.Context, conn *qsocket.Conn[string]) {
	for m, err := range conn.All(ctx) {
		if err != nil || conn.Send(ctx, m) != nil {
			return
		}
	}
}

// mustListen returns a Listener on a port of the system's choice.
func mustListen[T any](p qsocket.Protocol[T], opts *qsocket.Options) *qsocket.Listener[T] {
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", p, opts)
	if err != nil {
		log.Fatal(err)
	}
	return ln
}

// A handler runs for each connection, which is closed when it returns. One that panics costs its own
// connection only.
func ExampleListener_Serve() {
	ln := mustListen(echoes, nil)
	served := make(chan error, 1)
	go func() {
		served <- ln.Serve(context.Background(), func(ctx context.Context, conn *qsocket.Conn[string]) {
			m, err := conn.Recv(ctx)
			if err != nil || m == "fail" {
				panic("a secret")
			}
			conn.Send(ctx, "re: "+m)
		})
	}()

	ctx := context.Background()
	for _, m := range []string{"fail", "work"} {
		conn, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), echoes, nil)
		if err != nil {
			log.Fatal(err)
		}
		conn.Send(ctx, m)
		fmt.Println(conn.Recv(ctx))
		conn.Close()
	}
	fmt.Println(ln.Shutdown(ctx), <-served, ln.Stats().Panics)
	// Output:
	//  qsocket: closed by peer: panic: handler panicked
	// re: work <nil>
	// <nil> <nil> 1
}

// A server that stops lets its clients finish: what is under way gets its answer.
func ExampleListener_Drain() {
	ln := mustListen(echoes, nil)
	served := make(chan error, 1)
	go func() { served <- ln.Serve(context.Background(), echoAll) }() // its ctx is not that of a signal

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), echoes, nil)
	if err != nil {
		log.Fatal(err)
	}
	drained := make(chan error, 1)
	go func() { drained <- ln.Drain(ctx, "restart") }()

	conn.Messages() // something must read, to hear of it
	<-conn.GoingAway()
	conn.Send(ctx, "the last one")
	fmt.Println(conn.Recv(ctx))
	conn.Close() // and dial another server
	fmt.Println(<-drained, <-served, ln.Totals().MessagesSent)
	// Output:
	// the last one <nil>
	// <nil> <nil> 1
}

// A client that stays connected: it dials again whenever its connection has ended, unless that
// will not help.
func ExampleDial() {
	ln := mustListen(echoes, nil)
	defer ln.Close()
	go ln.Serve(context.Background(), func(ctx context.Context, conn *qsocket.Conn[string]) {
		conn.Send(ctx, "hello") // and that is all: the connection ends
	})

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	const shortest, longest = 10 * time.Millisecond, 5 * time.Second
	greetings := 0
	for wait := shortest; ctx.Err() == nil; wait = min(2*wait, longest) {
		dialing, cancelDialing := context.WithTimeout(ctx, 10*time.Second) // a host that is gone does not answer at all
		conn, err := qsocket.Dial(dialing, "tcp", ln.Addr().String(), echoes, nil)
		cancelDialing()
		if refused := (*qsocket.HandshakeError)(nil); errors.As(err, &refused) && refused.Final() {
			fmt.Println(err)
			return
		}
		if err == nil {
			since := time.Now()
			for m, err := range conn.All(ctx) {
				if err != nil {
					break
				}
				fmt.Println(m)
				if greetings++; greetings == 3 {
					cancel()
				}
			}
			conn.Close()
			if time.Since(since) >= longest { // not a server that ends each connection at once
				wait = shortest
			}
		}
		select {
		case <-time.After(rand.N(wait)): // by chance: all clients of a server that restarts come at the same time
		case <-ctx.Done():
		}
	}
	// Output:
	// hello
	// hello
	// hello
}

// The two ends do not mean the same by a message. Both learn that before the first one, and in what they differ.
func ExampleHandshakeError() {
	type oldPrice struct{ Last float64 }
	type newPrice struct{ Last string }
	ln := mustListen(qsocket.Protocol[oldPrice]{Name: "prices/1"}, nil)
	defer ln.Close()

	_, err := qsocket.Dial(context.Background(), "tcp", ln.Addr().String(), qsocket.Protocol[newPrice]{Name: "prices/1"}, nil)
	var refused *qsocket.HandshakeError
	if errors.As(err, &refused) {
		fmt.Println(refused.Field, "|", refused.Local, "|", refused.Peer)
		fmt.Println("dialing again is in vain:", refused.Final())
	}
	// Output:
	// types | message.Last string | message.Last float64
	// dialing again is in vain: true
}

// A program closes with a code of its own, on which the peer branches.
func ExampleRemoteError() {
	const noSpace qsocket.Code = 1000 // from 1,000 on they are the program's
	a, b := mustPipe(echoes, nil)
	go a.CloseWithCode(noSpace, "the disk is full")

	_, err := b.Recv(context.Background())
	var remote *qsocket.RemoteError
	if errors.As(err, &remote) && remote.Code == noSpace {
		fmt.Println("try another server:", remote.Reason)
	}
	b.Close()
	// Output:
	// try another server: the disk is full
}

// Who may connect is decided before a Conn is handed out. The peer is told the words of Refuse, and no
// others.
func ExampleRefuse() {
	ln := mustListen(echoes, &qsocket.Options{
		Admit: func(_ context.Context, _ qsocket.Peer, attributes map[string]string, _ net.Conn) error {
			if attributes["tenant"] != "seven" {
				return qsocket.Refuse("no such tenant")
			}
			return nil
		},
	})
	defer ln.Close()
	_, err := qsocket.Dial(context.Background(), "tcp", ln.Addr().String(), echoes, &qsocket.Options{
		Attributes: func(context.Context) (map[string]string, error) {
			return map[string]string{"tenant": "eight"}, nil
		},
	})
	var remote *qsocket.RemoteError
	fmt.Println(errors.As(err, &remote), remote.Code, "|", remote.Reason)
	// Output:
	// true refused | no such tenant
}

// Two programs in one: what an old and a new end know of each other.
func ExamplePeer() {
	type old struct{ Symbol string }
	type new struct {
		Symbol string
		Venue  string
	}
	ln := mustListen(qsocket.Protocol[old]{Name: "ticks/1"}, &qsocket.Options{MaxFrame: 64 << 10})
	defer ln.Close()
	conn, err := qsocket.Dial(context.Background(), "tcp", ln.Addr().String(), qsocket.Protocol[new]{Name: "ticks/1"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	peer := conn.Peer()
	fmt.Println("takes", peer.MaxFrame, "bytes, and wants a heartbeat every", peer.Heartbeat)
	for line := range peer.DifferenceLines() {
		fmt.Println(line)
	}
	// Output:
	// takes 65536 bytes, and wants a heartbeat every 15s
	// message.Venue is only here: the peer skips it
}

// A connection that the program has made, or accepted, by itself.
func ExampleNewConn() {
	na, nb := net.Pipe()
	other := make(chan *qsocket.Conn[string])
	go func() {
		b, err := qsocket.NewConn(context.Background(), nb, echoes, nil) // the handshake takes both ends
		if err != nil {
			log.Fatal(err)
		}
		other <- b
	}()
	a, err := qsocket.NewConn(context.Background(), na, echoes, nil)
	if err != nil {
		log.Fatal(err)
	}
	b := <-other
	go a.Send(context.Background(), "over any net.Conn")
	fmt.Println(b.Recv(context.Background()))
	a.Close()
	b.Close()
	// Output:
	// over any net.Conn <nil>
}

// A Listener on a net.Listener of any kind: one that limits, one of systemd, one in memory.
func ExampleNewListener() {
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	ln, err := qsocket.NewListener(nl, echoes, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ln.Addr() == nl.Addr(), ln.Close()) // nl is its own now, and closed
	_, err = nl.Accept()
	fmt.Println(errors.Is(err, net.ErrClosed))
	// Output:
	// true <nil>
	// true
}

// What passes over a connection, without what is in it.
func ExampleFrame() {
	ln := mustListen(echoes, nil)
	served := make(chan error, 1)
	go func() { served <- ln.Serve(context.Background(), echoAll) }()
	ctx := context.Background()
	conn, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), echoes, &qsocket.Options{
		Trace: func(f qsocket.Frame) {
			if f.Kind == 0 { // a message
				fmt.Println("out:", f.Out, "bytes:", f.Size)
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	conn.Send(ctx, "hello")
	conn.Recv(ctx)
	conn.Close()
	fmt.Println(ln.Drain(ctx, "over"), <-served)
	// Output:
	// out: true bytes: 6
	// out: false bytes: 6
	// <nil> <nil>
}
