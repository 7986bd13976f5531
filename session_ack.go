package qsocket

import (
	"time"

	"github.com/fb9bb4ed/qsocket/internal/backlog"
)

// What the program has taken is told to the peer in acks: when a quarter of what the peer keeps was taken, when the peer asks, and
// otherwise now and then.

// lookLocked looks at what was taken from the queue, acks it if that is due, and makes sure that
// it is looked at again while something is owed.
func (s *sessionCore) lookLocked() {
	s.in.Look(s.typed.queued())
	if s.in.Due() && s.at != nil && s.sending < closing {
		s.at.c.link.Out.SendAck(s.in.Ack())
		s.lookFrom = time.Now() // the consumer is at work
	}
	owes := s.in.Owes()
	if s.owes.Load() != owes {
		s.owes.Store(owes)
	}
	if s.over {
		return
	}
	if owes && !s.looking {
		s.looking, s.lookFrom = true, time.Now()
		s.lookAfterLocked(backlog.Pause(0))
	}
	if !s.acking && s.in.Pending() {
		s.acking = true
		if s.ackTime == nil {
			s.ackTime = time.AfterFunc(s.ackInterval(), s.ackNow)
		} else {
			s.ackTime.Reset(s.ackInterval())
		}
	}
}

func (s *sessionCore) lookAfterLocked(d time.Duration) {
	if s.lookTime == nil {
		s.lookTime = time.AfterFunc(d, s.lookAgain)
	} else {
		s.lookTime.Reset(d)
	}
}

// lookAgain is run by a timer.
func (s *sessionCore) lookAgain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looking = false
	if s.over {
		return
	}
	s.in.Look(s.typed.queued())
	if s.in.Due() && s.at != nil {
		s.at.c.link.Out.SendAck(s.in.Ack())
		s.lookFrom = time.Now()
	}
	if s.in.Owes() {
		s.looking = true
		s.lookAfterLocked(backlog.Pause(time.Since(s.lookFrom)))
	}
}

// longestAck is how long the peer waits at most for an ack of what was taken.
const longestAck = 5 * time.Second

func (s *sessionCore) ackInterval() time.Duration {
	if h := s.set.Heartbeat; h > 0 && h < longestAck {
		return h
	}
	return longestAck
}

// ackNow is run by a timer: it acks what was taken, however little it is.
func (s *sessionCore) ackNow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acking = false
	if s.over {
		return
	}
	s.in.Look(s.typed.queued())
	if s.in.Unacked() && s.at != nil && s.sending < closing {
		s.at.c.link.Out.SendAck(s.in.Ack())
	}
	s.lookLocked()
}
