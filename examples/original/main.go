// Command original is a gateway for programs of a small Python package, a socket that behaves
// like a queue, and a client of one. Frames have a length of four bytes, and are pickles.
//
//	go run ./examples/original -listen 127.0.0.1:7070    # a gateway, until Ctrl-C or SIGTERM
//	python3 examples/original/peer.py client 127.0.0.1 7070 1000
//
//	python3 examples/original/peer.py server             # prints its port
//	go run ./examples/original -dial 127.0.0.1:PORT      # sends a thousand orders to it
//
// PYTHON RUNS WHATEVER CODE A PICKLE SAYS: docs/pickle.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/pickle"
)

func main() {
	listen := flag.String("listen", "", "serve at this address")
	dial := flag.String("dial", "", "send orders to this address")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, *dial); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, listen, dial string) error {
	switch {
	case listen != "":
		ln, err := qsocket.Listen("tcp", listen, Protocol, nil)
		if err != nil {
			return err
		}
		log.Print("listening on ", ln.Addr())
		return ln.Serve(ctx, serve)
	case dial != "":
		conn, err := qsocket.Dial(ctx, "tcp", dial, Protocol, nil)
		if err != nil {
			return err
		}
		defer conn.Close()
		answers, err := trade(ctx, conn, orders(1000))
		fmt.Println(len(answers), "answers")
		return err
	}
	return errors.New("want -listen or -dial")
}

// orders makes n of them, of which each is another.
func orders(n int) []Message {
	list := make([]Message, n)
	for i := range list {
		list[i] = Message{
			Kind: "order", ID: int64(i), Symbol: "BTC-USDT", Quantity: int64(i % 7),
			Price:  pickle.Decimal(strconv.Itoa(i) + ".50"),
			Placed: time.Unix(int64(i), 0).UTC(),
			Tags:   map[string]struct{}{"go": {}, strconv.Itoa(i % 10): {}},
		}
	}
	return list
}
