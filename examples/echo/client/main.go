// Command client sends the lines of its input and prints the echoes. It ends with its input,
// and when the server stops.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log"
	"os"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/examples/echo"
)

func main() {
	address := flag.String("dial", "127.0.0.1:7007", "`address` of the server")
	flag.Parse()
	conn, err := qsocket.Dial(context.Background(), "tcp", *address, echo.Protocol, nil)
	if err != nil {
		log.Fatal(err)
	}
	go func() { // ends with the input; then the server's loop ends, and then ours
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			if err := conn.Send(context.Background(), lines.Text()); err != nil {
				log.Fatal(err)
			}
		}
		if err := conn.CloseWrite(); err != nil || lines.Err() != nil {
			log.Fatal(err, lines.Err())
		}
	}()
	go func() { // ends with the program
		<-conn.GoingAway()
		log.Print("the server stops")
		conn.CloseWrite()
	}()
	for line := range conn.Messages() {
		fmt.Println(line)
	}
	if conn.Close(); conn.Err() != nil {
		log.Fatal(conn.Err())
	}
}
