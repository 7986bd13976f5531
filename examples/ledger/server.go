package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// Message is what the two ends say. As two programs they would import it from a package of its own.
type Message interface{ isMessage() }

type (
	Entry struct{ Number, Cents int } // by the client
	Last  struct{ Number int }        // by the server, at the beginning and at the end: all up to that one are booked
)

func (Entry) isMessage() {}
func (Last) isMessage()  {}

var protocol = qsocket.Protocol[Message]{
	Name: "ledger/1",
	Codec: qsocket.Union(
		qsocket.Case[Message](1, qsocket.Msgpack[Entry]()),
		qsocket.Case[Message](2, qsocket.Msgpack[Last]()),
	),
}

// ledger has the entries 1, 2, 3 and so on. A real one is in a file.
type ledger struct {
	booked func(number int) // called for each entry

	mu       sync.Mutex // guards following
	entries  []Entry
	repeated int
}

func (l *ledger) last() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries)
}

// book recognizes by its number an entry that it has, and one that comes too early.
func (l *ledger) book(e Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch last := len(l.entries); {
	case e.Number <= last:
		l.repeated++
		return nil
	case e.Number > last+1:
		return fmt.Errorf("entry %d comes after %d", e.Number, last)
	}
	l.entries = append(l.entries, e)
	l.booked(e.Number)
	return nil
}

// serve is the handler: one call for each session, over all of its connections.
func (l *ledger) serve(ctx context.Context, s *qsocket.Session[Message]) {
	if s.Send(ctx, Last{l.last()}) != nil {
		return // s.Err says why
	}
	for m, err := range s.All(ctx) {
		if err != nil {
			return // the session is lost
		}
		entry, ok := m.(Entry)
		if !ok {
			return
		}
		if err := l.book(entry); err != nil {
			_ = s.CloseWithCode(2000, err.Error()) // the client is told or gone
			return
		}
	}
	_ = s.Send(ctx, Last{l.last()}) // the client has sent everything
}

// server is one that runs.
type server struct {
	ln     *qsocket.Listener[Message]
	served chan error
}

func start(ctx context.Context, address string, l *ledger) (*server, error) {
	ln, err := qsocket.Listen("tcp", address, protocol, &qsocket.Options{MaxSessions: 100})
	if err != nil {
		return nil, err
	}
	s := &server{ln: ln, served: make(chan error, 1)}
	go func() { s.served <- ln.ServeSessions(ctx, l.serve) }() // ends after stop
	return s, nil
}

// stop returns when all handlers have.
func (s *server) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(s.ln.Drain(ctx, "the server stops"), <-s.served)
}
