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

// caller makes calls over one connection, as many at a time as there are goroutines that call.
type caller struct {
	conn *qsocket.Conn[Message]

	mu      sync.Mutex
	last    uint64                 // ID
	waiting map[uint64]chan Answer // by ID; nil when the connection has ended
}

func newCaller(conn *qsocket.Conn[Message]) *caller {
	c := &caller{conn: conn, waiting: make(map[uint64]chan Answer)}
	go c.receive() // ends with conn
	return c
}

var errUnanswered = errors.New("no answer: the call may have been carried out or not")

// call asks, and waits for the answer as long as ctx allows.
func (c *caller) call(ctx context.Context, text string) (string, error) {
	answered := make(chan Answer, 1)
	c.mu.Lock()
	if c.waiting == nil {
		c.mu.Unlock()
		return "", net.ErrClosed
	}
	c.last++
	id := c.last
	c.waiting[id] = answered
	c.mu.Unlock()
	defer c.forget(id)
	if err := c.conn.Send(ctx, Call{ID: id, Trace: traceOf(ctx), Text: text}); err != nil {
		return "", err // the server does not get it: it may be sent elsewhere
	}
	select {
	case answer, ok := <-answered:
		if !ok {
			return "", fmt.Errorf("%w: %w", errUnanswered, cmp.Or(c.conn.Err(), net.ErrClosed))
		}
		if answer.Error != "" {
			return "", errors.New(answer.Error)
		}
		return answer.Text, nil
	case <-ctx.Done():
		return "", fmt.Errorf("%w: %w", errUnanswered, ctx.Err())
	}
}

func (c *caller) forget(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}

// receive hands out the answers, and wakes every caller that waits when no more will come.
func (c *caller) receive() {
	for m := range c.conn.Messages() {
		if answer, ok := m.(Answer); ok {
			c.mu.Lock()
			if answered := c.waiting[answer.ID]; answered != nil { // else the caller has given up
				answered <- answer
				delete(c.waiting, answer.ID)
			}
			c.mu.Unlock()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, answered := range c.waiting {
		close(answered)
	}
	c.waiting = nil
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
