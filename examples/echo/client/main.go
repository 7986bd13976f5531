// Command client sends the lines of its input and prints the echoes.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"

	"github.com/fb9bb4ed/qsocket"
)

func main() {
	address := flag.String("dial", "127.0.0.1:7007", "`address` of the server")
	flag.Parse()
	ctx := context.Background()
	conn, err := qsocket.Dial(ctx, "tcp", *address, qsocket.Protocol[string]{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	go func() { // ends with the input
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			if err := conn.Send(ctx, lines.Text()); err != nil {
				log.Fatal(err)
			}
		}
		conn.CloseWrite() // the server's loop ends, and then ours
	}()
	for line := range conn.Messages() {
		fmt.Println(line)
	}
	if err := errors.Join(conn.Err(), conn.Close()); err != nil {
		log.Fatal(err)
	}
}
