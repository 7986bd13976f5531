package main

import (
	"context"
	"sync"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/examples/orders/market"
)

// maxUnsent is the number of messages waiting for a client beyond which the
// gateway reads no more orders from it.
const maxUnsent = 1024

// session is one client as the gateway sees it: its connection and the
// messages that wait to be sent to it.
//
// match never calls Conn.Send, which waits while the peer does not read: one
// client that stops would stop the market, and a client that waits for the
// gateway to read before it reads itself would stop it for ever. So match calls
// put, which never waits, and a goroutine per session (write) does the sending.
// What waits is bounded all the same: at maxUnsent the gateway stops reading
// from the client (waitForRoom), so that there are no more answers than it
// takes; its fills are bounded by its open orders; and of the prices only the
// newest per symbol is kept. A slow client slows down only itself.
type session struct {
	conn *qsocket.Conn[market.Message]

	// owned by match
	ids map[uint64]bool // of accepted orders

	// set by handle and write, read by match after the event gone
	received, sent counts
	err            error // why the client did not get everything

	mu      sync.Mutex
	changed sync.Cond // with mu; signalled when a field below changes

	// guarded by mu
	unsent []market.Message
	prices map[string]int // symbol → index in unsent
	ended  bool           // no more put
	failed bool           // nothing can be sent
}

func newSession(conn *qsocket.Conn[market.Message]) *session {
	s := &session{conn: conn, ids: make(map[uint64]bool), prices: make(map[string]int)}
	s.changed.L = &s.mu
	return s
}

// put queues m for write. It does not wait.
func (s *session) put(m market.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed {
		return
	}
	if price, ok := m.(market.Price); ok {
		if i, waiting := s.prices[price.Symbol]; waiting {
			s.unsent[i] = m
			return
		}
		s.prices[price.Symbol] = len(s.unsent)
	}
	s.unsent = append(s.unsent, m)
	s.changed.Broadcast()
}

// end says that no more will be put: write returns once all is sent.
func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.changed.Broadcast()
}

// waitForRoom waits until less than maxUnsent messages wait for the client, or
// until it can no longer be reached.
func (s *session) waitForRoom() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.unsent) >= maxUnsent && !s.failed {
		s.changed.Wait()
	}
}

// take waits for unsent messages and returns them all, none after end.
func (s *session) take() []market.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.unsent) == 0 && !s.ended {
		s.changed.Wait()
	}
	batch := s.unsent
	s.unsent = nil
	clear(s.prices)
	s.changed.Broadcast()
	return batch
}

// fail drops what waits and everything that is put later.
func (s *session) fail() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = true
	s.unsent = nil
	s.changed.Broadcast()
}

// write sends what is put, until end or the first error of Send.
func (s *session) write(ctx context.Context) error {
	for {
		batch := s.take()
		if len(batch) == 0 {
			return nil
		}
		for _, m := range batch {
			if err := s.conn.Send(ctx, m); err != nil {
				s.fail()
				return err
			}
			s.sent.add(m)
		}
	}
}
