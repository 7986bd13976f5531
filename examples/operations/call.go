package operations

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/fb9bb4ed/qsocket"
)

// caller makes calls over one connection, for as many goroutines at a time as there are.
type caller struct {
	conn *qsocket.Conn[Message]

	mu      sync.Mutex
	last    uint64                 // ID of a call
	waiting map[uint64]chan Answer // by ID
	ended   bool                   // no more answers come
}

func newCaller(conn *qsocket.Conn[Message]) *caller {
	c := &caller{conn: conn, waiting: make(map[uint64]chan Answer)}
	go c.receive() // ends with conn
	return c
}

var errUnanswered = errors.New("no answer: the call may have been carried out or not")

// call asks, and waits for the answer as long as ctx allows.
func (c *caller) call(ctx context.Context, text string) (string, error) {
	id, answered := c.expect()
	defer c.forget(id)
	if err := c.conn.Send(ctx, Call{ID: id, Trace: traceOf(ctx), Text: text}); err != nil {
		return "", err // the server does not get it: it may be sent elsewhere
	}
	select {
	case answer, ok := <-answered:
		if !ok {
			return "", fmt.Errorf("%w: %w", errUnanswered, cmp.Or(c.conn.Err(), net.ErrClosed))
		}
		return answer.Text, answer.failure()
	case <-ctx.Done():
		return "", fmt.Errorf("%w: %w", errUnanswered, ctx.Err())
	}
}

// receive hands out the answers, and at the end wakes all who wait for one.
func (c *caller) receive() {
	for m := range c.conn.Messages() {
		answer, _ := m.(Answer)
		if answered := c.forget(answer.ID); answered != nil { // else its caller has given up
			answered <- answer
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	for _, answered := range c.waiting {
		close(answered)
	}
}

// expect returns the ID of the next call, and the channel for its answer.
func (c *caller) expect() (id uint64, answered chan Answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	answered = make(chan Answer, 1)
	if c.ended {
		close(answered)
	} else {
		c.waiting[c.last] = answered
	}
	return c.last, answered
}

// forget returns that channel, the first time.
func (c *caller) forget(id uint64) chan Answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	answered := c.waiting[id]
	delete(c.waiting, id)
	return answered
}

// answerWith returns a handler that works on up to most calls of a connection at a time.
func answerWith(work func(ctx context.Context, text string) (string, error), most int) func(context.Context, *qsocket.Conn[Message]) {
	return func(ctx context.Context, conn *qsocket.Conn[Message]) {
		var working sync.WaitGroup
		defer working.Wait() // Serve closes conn when this returns
		places := make(chan struct{}, most)
		for m, err := range conn.All(ctx) {
			call, ok := m.(Call)
			if err != nil || !ok {
				return
			}
			places <- struct{}{} // while all are taken nothing is read, and in the end the client's Send waits
			working.Go(func() {  // a panic in it ends the process: Serve sees those of the handler only
				defer func() { <-places }()
				answer := Answer{ID: call.ID}
				var err error
				if answer.Text, err = work(context.WithValue(ctx, traceKey{}, call.Trace), call.Text); err != nil {
					answer.Error = err.Error()
				}
				_ = conn.Send(ctx, answer) // fails if the client has gone
			})
		}
	}
}
