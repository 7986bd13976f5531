package qsocket_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"sync"

	"github.com/fb9bb4ed/qsocket"
)

// echo sends back what arrives, and reads on while Send waits.
func echo[T any](ctx context.Context, conn *qsocket.Conn[T]) {
	const most = 100_000 // messages that may wait: a peer that is further ahead is cut off
	var (
		mu    sync.Mutex
		queue []T                      // read, and not yet sent
		more  = make(chan struct{}, 1) // something was added to queue
		sent  = make(chan struct{})
	)
	go func() { // ends when more is closed and the queue is empty, or when a Send fails
		defer close(sent)
		for range more {
			mu.Lock()
			batch := queue
			queue = nil
			mu.Unlock()
			for _, m := range batch {
				if err := conn.Send(ctx, m); err != nil {
					return
				}
			}
		}
	}()
	for m := range conn.Messages() {
		mu.Lock()
		queue = append(queue, m)
		waiting := len(queue)
		mu.Unlock()
		select {
		case more <- struct{}{}:
		default: // it has been told
		}
		if waiting > most {
			conn.Close()
		}
	}
	close(more)
	<-sent
}

// A peer that reads nothing while it sends, such as the Python package, needs an end that
// reads on while Send waits. Otherwise each waits for the other to read, for good.
func Example_queue() {
	ctx, stop := context.WithCancel(context.Background())
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", qsocket.Protocol[string]{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- ln.Serve(ctx, echo[string]) }()

	// The peer sends 20 MB, and reads only then.
	peer, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	payload := append([]byte{0xda, 0x03, 0xe8}, bytes.Repeat([]byte("m"), 1000)...) // "mmm…" in MessagePack
	frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
	for range 20_000 {
		if _, err := peer.Write(frame); err != nil {
			log.Fatal(err)
		}
	}
	n, err := io.CopyN(io.Discard, peer, int64(20_000*len(frame)))
	fmt.Println(n/int64(len(frame)), "messages came back", err)
	peer.Close()
	stop()
	fmt.Println("served:", <-served)
	// Output:
	// 20000 messages came back <nil>
	// served: <nil>
}
