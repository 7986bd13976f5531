// Command server sends every message back to where it came from.
//
//	go run ./examples/echo/server &
//	go run ./examples/echo/client
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/examples/echo"
)

func main() {
	address := flag.String("listen", "127.0.0.1:7007", "`address` to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	ln, err := qsocket.Listen("tcp", *address, echo.Protocol, nil)
	if err != nil {
		log.Fatal(err)
	}
	log.Println("listening on", ln.Addr())
	err = ln.Serve(ctx, func(ctx context.Context, conn *qsocket.Conn[string]) {
		for line := range conn.Messages() {
			if err := conn.Send(ctx, line); err != nil {
				break
			}
		}
		log.Println("gone:", conn.RemoteAddr(), conn.Err())
	})
	if err != nil {
		log.Fatal(err)
	}
}
