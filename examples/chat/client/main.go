// Command client is one guest of a chat room, see package chat. It says the lines of its input, and
// ends with it. Its token is in the environment variable TOKEN.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"log"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/examples/chat"
)

func main() {
	address := flag.String("dial", "127.0.0.1:7008", "`address` of the server")
	flag.Parse()
	g := guest{lines: make(chan string), screen: screen{os.Stdout, make(map[string]bool)}}
	go func() { // ends with the input, or the program
		defer close(g.lines)
		for input := bufio.NewScanner(os.Stdin); input.Scan(); {
			g.lines <- strings.ToValidUTF8(input.Text(), "?") // the codec refuses what is no text
		}
	}()
	if err := g.stay(context.Background(), *address, &qsocket.Options{Attributes: chat.Show(os.Getenv("TOKEN"))}); err != nil {
		log.Fatal(err)
	}
}

// guest is a client that stays connected. When a server drains, each line reaches it or the next one.
type guest struct {
	lines  chan string // to say; closed at the end of the input
	due    string      // a line that no connection has accepted yet
	over   bool        // all is said
	screen screen
}

// stay dials again whenever a connection has ended, until all is said or dialing again will not help.
func (g *guest) stay(ctx context.Context, address string, opts *qsocket.Options) error {
	const shortest, longest = 50 * time.Millisecond, 5 * time.Second
	for wait := shortest; ; wait = min(2*wait, longest) {
		dialing, cancel := context.WithTimeout(ctx, 10*time.Second) // a host that is gone does not answer at all
		conn, err := qsocket.Dial(dialing, "tcp", address, chat.Protocol, opts)
		cancel()
		if refused := (*qsocket.HandshakeError)(nil); errors.As(err, &refused) && refused.Final() {
			return err
		}
		if err == nil {
			since := time.Now()
			err = g.talk(ctx, conn)
			conn.Close()
			if g.over {
				return err
			}
			if time.Since(since) >= longest { // not a server that ends each connection at once
				wait = shortest
			}
		}
		select {
		case <-time.After(rand.N(wait)): // by chance: all clients of a server that restarts come at the same time
			log.Println("connecting again, err:", err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// talk is one connection, until it has ended.
func (g *guest) talk(ctx context.Context, conn *qsocket.Conn[chat.Message]) error {
	defer context.AfterFunc(ctx, func() { conn.Close() })() // ends the loop
	lines, goingAway, settled := g.lines, conn.GoingAway(), time.After(10*time.Second)
	for {
		if g.due != "" && conn.Send(ctx, chat.Say{Text: g.due}) != nil {
			lines = nil // it has ended: none of the line has reached the server
		} else {
			g.due = ""
		}
		select {
		case m, more := <-conn.Messages():
			if !more {
				return conn.Err()
			}
			g.screen.show(m)
		case line, more := <-lines:
			if g.due, g.over = line, !more; g.over { // goodbye; the server says it as well, and the loop ends
				lines = nil
				conn.CloseWrite()
			}
		case <-goingAway: // the next line is for the next server; what others have said here still comes
			lines, goingAway = nil, nil
			conn.CloseWrite()
		case <-settled: // all who come have come
			g.screen.settle()
		}
	}
}
