// Command before is an end of a named protocol, built with the library of before the codes of
// RemoteError: it connects, writes the bytes of -write, waits for -idle, receives to the end,
// and prints how that was.
package main

import (
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

type message interface{ isMessage() }

type text string

func (text) isMessage() {}

func main() {
	address := flag.String("address", "", "where to connect")
	write := flag.String("write", "", "hexadecimal digits")
	idle := flag.Duration("idle", 0, "before the first message is received")
	frameTimeout := flag.Duration("frame-timeout", 0, "Options.FrameTimeout")
	fin := flag.Bool("fin", false, "end the stream behind them")
	flag.Parse()
	p := qsocket.Protocol[message]{Name: "failures/1", Codec: qsocket.Union(qsocket.Case[message](1, qsocket.Msgpack[text]()))}
	opts := &qsocket.Options{MaxFrame: 1 << 20, FrameTimeout: *frameTimeout}
	conn, err := qsocket.Dial(context.Background(), "tcp", *address, p, opts)
	if err != nil {
		log.Fatal(err)
	}
	bytes, err := hex.DecodeString(*write)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := conn.NetConn().Write(bytes); err != nil {
		log.Fatal(err)
	}
	if *fin {
		if err := conn.NetConn().(*net.TCPConn).CloseWrite(); err != nil {
			log.Fatal(err)
		}
	}
	time.Sleep(*idle)
	for range conn.Messages() {
	}
	fmt.Println(conn.Err())
	conn.Close()
}
