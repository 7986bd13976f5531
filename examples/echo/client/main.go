// Command client sends its arguments, or the lines of its input, and prints the echoes.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/fb9bb4ed/qsocket"
)

func main() {
	address := flag.String("dial", "", "`address` of the server")
	flag.Parse()
	lines := bufio.NewScanner(os.Stdin)
	if flag.NArg() > 0 {
		lines = bufio.NewScanner(strings.NewReader(strings.Join(flag.Args(), "\n")))
	}
	conn, err := qsocket.Dial(context.Background(), "tcp", *address, qsocket.Protocol[string]{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	go func() { // ends with the input
		for lines.Scan() {
			if err := conn.Send(context.Background(), lines.Text()); err != nil {
				log.Fatal(err)
			}
		}
		conn.CloseWrite() // the server's range ends, and with it the connection
	}()
	for line := range conn.Messages() {
		fmt.Println(line)
	}
	if err := conn.Err(); err != nil {
		log.Fatal(err)
	}
}
