package qsocket_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// Two services exchange typed messages. The handler answers each message at
// once here, but either end may send at any time.
func Example() {
	type Message struct {
		ID   int
		Text string
	}
	protocol := qsocket.Protocol[Message]{}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", protocol, nil)
	if err != nil {
		log.Fatal(err)
	}
	serving, stop := context.WithCancel(ctx)
	served := make(chan error)
	go func() {
		served <- ln.Serve(serving, func(ctx context.Context, conn *qsocket.Conn[Message]) {
			for m := range conn.Messages() {
				m.Text = strings.ToUpper(m.Text)
				if err := conn.Send(ctx, m); err != nil {
					return
				}
			}
		})
	}()

	conn, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), protocol, nil)
	if err != nil {
		log.Fatal(err)
	}
	for i, text := range []string{"to be", "or not", "to be"} {
		if err := conn.Send(ctx, Message{ID: i, Text: text}); err != nil {
			log.Fatal(err)
		}
	}
	if err := conn.CloseWrite(); err != nil { // no more from us; the answers still come
		log.Fatal(err)
	}
	for m := range conn.Messages() {
		fmt.Println(m.ID, m.Text)
	}
	fmt.Println("end:", conn.Err())
	if err := conn.Close(); err != nil {
		log.Fatal(err)
	}

	stop()
	fmt.Println("served:", <-served)
	// Output:
	// 0 TO BE
	// 1 OR NOT
	// 2 TO BE
	// end: <nil>
	// served: <nil>
}

// mustPipe returns the two ends of a connection in memory.
func mustPipe[T any](p qsocket.Protocol[T], opts *qsocket.Options) (a, b *qsocket.Conn[T]) {
	a, b, err := qsocket.Pipe(p, opts)
	if err != nil {
		log.Fatal(err)
	}
	return a, b
}

// Send waits while the peer does not keep up, for as long as its ctx allows.
// A message that is refused leaves no trace on the wire.
func ExampleConn_Send() {
	a, b := mustPipe(qsocket.Protocol[string]{}, &qsocket.Options{SendBuffer: 20})
	ctx := context.Background()

	fmt.Println("first:", a.Send(ctx, "twelve bytes"))
	impatient, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	fmt.Println("second:", a.Send(impatient, "twelve more."))

	go a.Close()
	for m, err := range b.All(ctx) {
		fmt.Println("received:", m, err)
	}
	b.Close()
	// Output:
	// first: <nil>
	// second: context deadline exceeded
	// received: twelve bytes <nil>
}

// A loop without a channel: messages are read on the goroutine of the loop.
func ExampleConn_All() {
	a, b := mustPipe(qsocket.Protocol[int]{}, nil)
	ctx := context.Background()
	go func() {
		for i := range 3 {
			if err := a.Send(ctx, i*i); err != nil {
				log.Println(err)
			}
		}
		a.Close()
	}()
	for n, err := range b.All(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(n)
	}
	b.Close()
	// Output:
	// 0
	// 1
	// 4
}

// A program that waits for several things at once uses the channel.
func ExampleConn_Messages() {
	a, b := mustPipe(qsocket.Protocol[string]{}, nil)
	ctx := context.Background()
	go func() {
		if err := a.Send(ctx, "something happened"); err != nil {
			log.Println(err)
		}
		a.Close()
	}()
	timeout := time.After(10 * time.Second)
	for {
		select {
		case m, ok := <-b.Messages():
			if !ok {
				fmt.Println("end:", b.Err())
				b.Close()
				return
			}
			fmt.Println(m)
		case <-timeout:
			fmt.Println("nothing for 10 s")
			return
		}
	}
	// Output:
	// something happened
	// end: <nil>
}

// What is too large is refused with the numbers, and costs nothing but itself.
func ExampleOptions() {
	a, b := mustPipe(qsocket.Protocol[string]{}, &qsocket.Options{
		MaxFrame:     1000,
		RecvQueue:    64,
		CloseTimeout: time.Second,
		Logger:       slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	defer a.Close()
	defer b.Close()
	err := a.Send(context.Background(), strings.Repeat("x", 2000))
	fmt.Println(err)
	fmt.Println(errors.Is(err, qsocket.ErrFrameTooLarge), a.Err())
	// Output:
	// qsocket: frame of 2003 bytes exceeds MaxFrame 1000
	// true <nil>
}

// Dial connects as DialContext does: here with a choice of the dialer's own.
func ExampleOptions_dialContext() {
	protocol := qsocket.Protocol[string]{Name: "ticks/1"}
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", protocol, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, KeepAlive: time.Minute}
	conn, err := qsocket.Dial(context.Background(), "tcp", ln.Addr().String(), protocol, &qsocket.Options{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			fmt.Println("dial", network)
			return dialer.DialContext(ctx, network, address)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	host, _, _ := net.SplitHostPort(conn.LocalAddr().String())
	fmt.Println("connected from", host)
	// Output:
	// dial tcp
	// connected from 127.0.0.1
}

// Any encoding becomes a codec with two functions.
func ExampleStateless() {
	type Point struct{ X, Y int }
	points := qsocket.Protocol[Point]{
		Framing: qsocket.Netstring,
		Codec: qsocket.Stateless("point",
			func(p Point) ([]byte, error) { return fmt.Appendf(nil, "%d/%d", p.X, p.Y), nil },
			func(payload []byte, p *Point) error {
				x, y, _ := strings.Cut(string(payload), "/")
				var errX, errY error
				p.X, errX = strconv.Atoi(x)
				p.Y, errY = strconv.Atoi(y) // refuses what is left over, as every codec should
				return errors.Join(errX, errY)
			}),
	}
	a, b := mustPipe(points, nil)
	defer b.Close()
	go func() {
		if err := a.Send(context.Background(), Point{3, 4}); err != nil { // "3:3/4," on the wire
			log.Println(err)
		}
		a.Close()
	}()
	fmt.Println(b.Recv(context.Background()))
	// Output:
	// {3 4} <nil>
}

// What one says goes to all others, encoded once. One that does not keep up is skipped here;
// the others do not notice.
func ExampleGroup() {
	protocol := qsocket.Protocol[string]{}
	ctx := context.Background()
	room := qsocket.NewGroup(protocol, qsocket.Drop)
	var members, peers []*qsocket.Conn[string]
	for range 3 {
		member, peer := mustPipe(protocol, nil)
		room.Add(member)
		members, peers = append(members, member), append(peers, peer)
	}
	fmt.Println(room.BroadcastExcept(ctx, "hello, I am the first", members[0]))
	fmt.Println(room.BroadcastExcept(ctx, "I am the second", members[1]))
	fmt.Println(room.Broadcast(ctx, "welcome, everybody"))
	for i, peer := range peers {
		go members[i].Close()
		for line, err := range peer.All(ctx) {
			fmt.Println(i, line, err)
		}
		peer.Close()
	}
	// Output:
	// 2 <nil>
	// 2 <nil>
	// 3 <nil>
	// 0 I am the second <nil>
	// 0 welcome, everybody <nil>
	// 1 hello, I am the first <nil>
	// 1 welcome, everybody <nil>
	// 2 hello, I am the first <nil>
	// 2 I am the second <nil>
	// 2 welcome, everybody <nil>
}

// One message goes to a few of many, and none of them is waited for.
func ExampleGroup_Members() {
	protocol := qsocket.Protocol[string]{}
	room := qsocket.NewGroup(protocol, qsocket.Drop)
	likesTea := make(map[qsocket.Member[string]]bool)
	for i := range 3 {
		member, peer := mustPipe(protocol, nil)
		defer member.Close()
		defer peer.Close()
		room.Add(member)
		likesTea[member] = i != 1
	}
	message, err := protocol.Prepare("the tea is ready")
	if err != nil {
		log.Fatal(err)
	}
	for m := range room.Members() {
		if likesTea[m] {
			fmt.Println(m.TrySendPrepared(message))
		}
	}
	// Output:
	// true <nil>
	// true <nil>
}

// A price is worth no wait: if the peer does not keep up, it gets the next one.
func ExampleConn_TrySend() {
	a, b := mustPipe(qsocket.Protocol[int]{}, &qsocket.Options{SendBuffer: 10})
	for price := range 5 {
		sent, err := a.TrySend(100 + price) // 5 bytes each
		fmt.Println(sent, err)
	}
	go a.Close()
	for price, err := range b.All(context.Background()) {
		fmt.Println(price, err)
	}
	b.Close()
	// Output:
	// true <nil>
	// true <nil>
	// false <nil>
	// false <nil>
	// false <nil>
	// 100 <nil>
	// 101 <nil>
}
