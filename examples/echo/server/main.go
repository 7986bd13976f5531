// Command server sends every message back to where it came from.
//
//	go run ./examples/echo/server &
//	go run ./examples/echo/client
//
// Ctrl-C (or SIGTERM) lets the clients finish. A second one ends the program at once.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/examples/echo"
)

func main() {
	address := flag.String("listen", "127.0.0.1:7007", "`address` to listen on")
	flag.Parse()
	stopping, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	ln, err := qsocket.Listen("tcp", *address, echo.Protocol, nil)
	if err != nil {
		log.Fatal(err)
	}
	log.Println("listening on", ln.Addr())
	served := make(chan error, 1)
	go func() { served <- ln.Serve(context.Background(), handle) }() // ends after Drain
	select {
	case err := <-served: // accepting has failed for good
		log.Fatal(err)
	case <-stopping.Done():
		stop() // a second signal ends the program at once
	}
	ending, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := errors.Join(ln.Drain(ending, "the server stops"), <-served); err != nil {
		log.Fatal(err)
	}
}

// handle serves one client.
func handle(ctx context.Context, conn *qsocket.Conn[string]) {
	for line := range conn.Messages() {
		if err := conn.Send(ctx, line); err != nil {
			break
		}
	}
	log.Println("gone:", conn.RemoteAddr(), conn.Err())
}
