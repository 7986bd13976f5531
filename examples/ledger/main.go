// Command ledger books numbered entries at a server, over a session. It runs both ends, and a
// network between them that breaks, in one process over loopback:
//
//	go run ./examples/ledger           # both of the following
//	go run ./examples/ledger kill      # the connection is cut every 500 entries: the session goes on
//	go run ./examples/ledger restart   # the server restarts: the session is lost, another one begins
//
// Either way the ledger has each entry once and in order at the end. What a server has taken and
// not booked when it dies is lost to both ends: the client would hear of a gap. A client that has to
// survive that keeps its entries until a Last says that they are booked.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

const entries = 10000

func main() {
	modes := os.Args[1:]
	if len(modes) == 0 {
		modes = []string{"kill", "restart"}
	}
	for _, mode := range modes {
		if err := run(mode, os.Stdout, os.Stdout); err != nil {
			log.Fatalf("%s: %v", mode, err)
		}
	}
}

// run writes to out what is the same each time, and what is not to details.
func run(mode string, out, details io.Writer) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	net := qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{})
	defer net.Close()
	restart := make(chan struct{}, 1)
	var book ledger
	switch mode {
	case "kill":
		book.booked = func(number int) {
			if number%500 == 0 {
				net.Cut([]qsockettest.Cut{qsockettest.RST, qsockettest.FIN}[number/500%2])
			}
		}
	case "restart":
		book.booked = func(number int) {
			if number == entries/2 {
				restart <- struct{}{}
			}
		}
	default:
		return errors.New("want kill or restart")
	}
	srv, err := start(ctx, "127.0.0.1:0", &book)
	if err != nil {
		return err
	}
	defer func() { _ = srv.stop() }()
	address, err := net.Listen(srv.ln.Addr().String())
	if err != nil {
		return err
	}

	client := &client{source: make(chan Entry), opts: &qsocket.Options{
		SessionBuffer: 16 << 10, // so that the client is never far ahead of the server
		Backoff:       func(failures int) time.Duration { return 10 * time.Millisecond },
	}}
	go client.produce(ctx)
	done := make(chan error, 1)
	go func() { done <- client.bookAll(ctx, address) }()
	select {
	case err = <-done:
	case <-restart:
		_ = srv.ln.Close() // no client can come back to a session of this server
		net.Cut(qsockettest.RST)
		if err := srv.stop(); err != nil {
			return err
		}
		if srv, err = start(ctx, srv.ln.Addr().String(), &book); err != nil { // with the same ledger
			return err
		}
		err = <-done
	}
	for _, lost := range client.lost {
		fmt.Fprintf(details, "%s: %v\n", mode, lost)
	}
	fmt.Fprintf(details, "%s: resumes: %d; messages sent again: %d\n", mode, client.resumes, client.replayed)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: entries booked: 1 to %d; came twice: %d; sessions lost: %d\n", mode, book.last(), book.repeated, len(client.lost))
	return nil
}
