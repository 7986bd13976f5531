package main

import (
	"context"
	"sync"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/pickle"
)

// Message is an order, or the answer to one. In Python it is a dict.
type Message struct {
	Kind     string              `pickle:"kind"` // "order" or "answer"
	ID       int64               `pickle:"id"`
	Symbol   string              `pickle:"symbol"`
	Quantity int64               `pickle:"quantity"`
	Price    pickle.Decimal      `pickle:"price"`
	Placed   time.Time           `pickle:"placed"`
	Tags     map[string]struct{} `pickle:"tags"` // a set
}

// Protocol has no Name: nothing but frames is on the wire. The default framing is that of
// the Python program.
var Protocol = qsocket.Protocol[Message]{Codec: pickle.Codec[Message]()}

// answer is what the gateway does with an order.
func answer(m Message) Message {
	m.Kind, m.Quantity = "answer", -m.Quantity
	return m
}

// maxWaiting is how many answers may wait: a peer that is further ahead is cut off.
const maxWaiting = 100_000

// serve answers what arrives, and reads on while Send waits: a peer that reads nothing while
// it sends would otherwise get stuck with it as soon as the buffers of both directions are full.
func serve(ctx context.Context, conn *qsocket.Conn[Message]) {
	var (
		mu    sync.Mutex
		queue []Message                // answers that wait
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
				if conn.Send(ctx, m) != nil {
					return
				}
			}
		}
	}()
	for m := range conn.Messages() {
		mu.Lock()
		queue = append(queue, answer(m))
		waiting := len(queue)
		mu.Unlock()
		select {
		case more <- struct{}{}:
		default: // it has been told
		}
		if waiting > maxWaiting {
			conn.Close()
		}
	}
	close(more)
	<-sent
}

// trade sends orders, and returns the answers, which are received meanwhile.
func trade(ctx context.Context, conn *qsocket.Conn[Message], orders []Message) ([]Message, error) {
	failed := make(chan error, 1)
	go func() { // ends when all is sent, or a Send fails
		for _, m := range orders {
			if err := conn.Send(ctx, m); err != nil {
				failed <- err
				return
			}
		}
		failed <- conn.CloseWrite()
	}()
	var answers []Message
	for m, err := range conn.All(ctx) {
		if err != nil {
			return answers, err
		}
		answers = append(answers, m)
	}
	return answers, <-failed
}
