package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/fb9bb4ed/qsocket"
)

// client books what comes from source.
type client struct {
	source chan Entry
	opts   *qsocket.Options

	left              []Entry // those that no session has accepted, or that the server has perhaps not taken
	lost              []error
	resumes, replayed uint64
}

// produce makes the entries, which the client does not keep when it has sent them.
func (c *client) produce(ctx context.Context) {
	defer close(c.source)
	for number := range entries {
		select {
		case c.source <- Entry{Number: number + 1, Cents: number * 7 % 1000}:
		case <-ctx.Done():
			return
		}
	}
}

// bookAll returns nil when the server has booked all entries. It begins another session when one is
// lost.
func (c *client) bookAll(ctx context.Context, address string) error {
	for {
		err := c.session(ctx, address)
		if !errors.Is(err, qsocket.ErrSessionLost) {
			return err
		}
		c.lost = append(c.lost, err)
	}
}

func (c *client) session(ctx context.Context, address string) error {
	s, err := qsocket.DialSession(ctx, "tcp", address, protocol, c.opts) // only the first connection: the Session makes the others
	if err != nil {
		return err // unless it is Final, a client that starts before its server tries again
	}
	defer s.Close()
	err = c.send(ctx, s)
	stats := s.Stats()
	c.resumes, c.replayed = c.resumes+stats.Resumes, c.replayed+stats.Replayed
	if !errors.Is(err, qsocket.ErrSessionLost) {
		return err
	}
	<-s.Done()
	var unacknowledged []Entry
	for m := range s.Unacknowledged() {
		unacknowledged = append(unacknowledged, m.(Entry)) // the server may have booked it, or not
	}
	c.left = append(unacknowledged, c.left...)
	return err
}

// send sends what the server does not have, and then what comes from source.
func (c *client) send(ctx context.Context, s *qsocket.Session[Message]) error {
	last, err := receiveLast(ctx, s)
	if err != nil {
		return err
	}
	for len(c.left) > 0 && c.left[0].Number <= last {
		c.left = c.left[1:]
	}
	sent := last
	for {
		if len(c.left) == 0 {
			entry, ok := <-c.source
			if !ok {
				break
			}
			c.left = append(c.left, entry)
		}
		if err := s.Send(ctx, c.left[0]); err != nil {
			return err
		}
		sent = c.left[0].Number
		c.left = c.left[1:]
	}
	if err := s.CloseWrite(); err != nil {
		return err
	}
	// Sync would say that the server's program has taken them. Its answer says that it has booked them.
	if last, err = receiveLast(ctx, s); err == nil && last != sent {
		err = fmt.Errorf("the server has booked up to %d of %d", last, sent)
	}
	return err
}

func receiveLast(ctx context.Context, s *qsocket.Session[Message]) (int, error) {
	m, err := s.Recv(ctx)
	if err != nil {
		return 0, err
	}
	last, ok := m.(Last)
	if !ok {
		return 0, fmt.Errorf("got %T, want Last", m)
	}
	return last.Number, nil
}
