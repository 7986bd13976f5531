// Command server is a chat room, see package chat.
//
// Ctrl-C (or SIGTERM) sends its clients to the next server, which may listen at the same address
// at once. A second one ends the program.
package main

import (
	"context"
	"flag"
	"log"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/fb9bb4ed/qsocket/examples/chat"
	"github.com/fb9bb4ed/qsocket/examples/chat/room"
)

func main() {
	address := flag.String("listen", "127.0.0.1:7008", "`address` to listen on")
	tokens := flag.String("tokens", "tokens", "`file` with a token and a name in each line, which only this user can read")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal is not caught

	door, err := chat.OpenDoor(*tokens)
	if err != nil {
		log.Fatal(err)
	}
	nl, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	log.Println("listening on", nl.Addr())
	if err := room.Serve(ctx, nl, door, slog.Default()); err != nil {
		log.Fatal(err)
	}
}
