package qsocket

import (
	"sync"

	"github.com/fb9bb4ed/qsocket/internal/link"
)

// seats say whose the slots of MaxConns are, where there are sessions:
//
//   - A slot is one of a connection, from accepting until its socket is closed.
//   - The slot of a connection that begins a session becomes the session's. It keeps it while its client is
//     away, so that the client always finds room, and until the socket of its last connection is closed.
//   - A connection that goes on with a session needs no slot. One that has come with one gives that back, and one
//     that has come to a full Listener is let in without.
type seats struct {
	release func() // gives a slot back

	mu sync.Mutex           // guards following, and all seats
	of map[*link.Link]*seat // of connections that ask for a session, until their sockets are closed; nil without MaxConns
}

// seat is a slot, or the lack of one, and how many have it: a session, and its connections whose sockets are open.
type seat struct {
	slot    bool
	holders int
}

// sit notes the connection of l, which asks for a session, and whether it has a slot.
func (ss *seats) sit(l *link.Link, slot bool) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.of != nil {
		ss.of[l] = &seat{slot: slot, holders: 1}
	}
}

// stand is told that the socket of l is closed.
func (ss *seats) stand(l *link.Link) {
	ss.mu.Lock()
	own, ok := ss.of[l]
	delete(ss.of, l)
	ss.mu.Unlock()
	if !ok { // it has not asked for a session
		ss.release()
		return
	}
	ss.leave(own)
}

// begin returns the seat of a session that the connection of l begins: the one that it has. If its socket is closed
// already that is none, and the session is there without.
func (ss *seats) begin(l *link.Link) *seat {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	own, ok := ss.of[l]
	if !ok {
		own = new(seat)
	}
	own.holders++
	return own
}

// join makes the seat of a session that of l, too, a connection that goes on with it.
func (ss *seats) join(l *link.Link, session *seat) {
	ss.mu.Lock()
	own, ok := ss.of[l]
	if !ok {
		ss.mu.Unlock()
		return
	}
	ss.of[l] = session
	session.holders++
	spare := own.slot && session.slot
	session.slot = session.slot || own.slot
	ss.mu.Unlock()
	if spare {
		ss.release()
	}
}

// leave is called when a holder of s is gone.
func (ss *seats) leave(s *seat) {
	ss.mu.Lock()
	s.holders--
	free := s.holders == 0 && s.slot
	ss.mu.Unlock()
	if free {
		ss.release()
	}
}
