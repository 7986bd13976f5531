package qsockettest

import (
	"net"
	"sync"
	"time"
)

// session is a connection that leads through a Proxy: two flows, each with a
// goroutine that reads and one that delivers.
type session struct {
	mu      sync.Mutex // guards following and both flows; never held across I/O or while waiting
	changed sync.Cond  // anything has
	mode    mode

	up, down flow
}

type mode int

const (
	passing  mode = iota
	dropping      // cut: what comes is read and dropped, until both ends have ended
	over          // both ends are closed
)

func newSession(seed, number uint64, a, b net.Conn) *session {
	s := &session{}
	s.changed.L = &s.mu
	for _, nc := range []net.Conn{a, b} {
		_ = nc.SetDeadline(time.Time{}) // what its former owner has left
	}
	s.up.init(s, a, b, &s.down, seed, 2*number)
	s.down.init(s, b, a, &s.up, seed, 2*number+1)
	return s
}

// run returns when the connection is over: when both directions have ended, a
// reset has been passed on, or it was cut and both ends have ended.
func (s *session) run() {
	var flows sync.WaitGroup
	for _, f := range []*flow{&s.up, &s.down} {
		flows.Go(f.read)    // ends with its source, or when the session is over
		flows.Go(f.deliver) // ends when both directions have ended or the connection was cut
	}
	flows.Wait()
	s.mu.Lock()
	closed := s.mode == over
	s.mu.Unlock()
	if closed { // or will be, with a reset, by the caller that has entered that mode
		return
	}
	_ = s.up.src.Close() // the end is not news
	_ = s.down.src.Close()
}

func (s *session) set(up, down Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up.setLocked(up)
	s.down.setLocked(down)
	s.changed.Broadcast()
}

// wake makes all waiters look again.
func (s *session) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed.Broadcast()
}

// enter changes the mode, which only goes up, and reports whether it has.
func (s *session) enter(m mode) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m <= s.mode {
		return false
	}
	s.mode = m
	s.up.held.clear()
	s.down.held.clear()
	s.changed.Broadcast()
	return true
}

// cut cuts the connection.
func (s *session) cut(how Cut) {
	switch how {
	case FIN:
		if s.enter(dropping) {
			closeWrite(s.up.dst)
			closeWrite(s.down.dst)
		}
	case BlackHole:
		s.enter(dropping)
	case RST:
		if s.enter(over) {
			resetAfter(s.up.dst)
			resetAfter(s.down.dst)
		}
	}
}

// reset passes on a reset that has come from the source of f.
func (s *session) reset(f *flow) {
	if s.enter(over) {
		reset(f.dst)
		reset(f.src)
	}
}

// sleepLocked waits until t, or until anything changes.
func (s *session) sleepLocked(t time.Time) {
	timer := time.AfterFunc(time.Until(t), s.wake)
	s.changed.Wait()
	timer.Stop()
}
