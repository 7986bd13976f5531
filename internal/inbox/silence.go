package inbox

import (
	"time"

	"github.com/fb9bb4ed/qsocket/internal/monotime"
)

// silence is how long the peer has been silent while it was listened to. It is guarded
// by the Inbox's mu.
//
// A wait notes when it began, and CheckSilence comes back when that wait has lasted for
// the limit, with what earlier waits have lasted since the last byte came. Time in which
// nothing reads does not count. So a message costs nothing for it but, on a connection
// with little traffic, a look at the clock where the receiver has to wait.
//
// A busy connection spares that look: then it is CheckSilence that notes the time, of the
// wait that it finds under way.
type silence struct {
	limit     time.Duration // how long the peer may be silent; 0: for ever
	waiting   bool          // a wait is under way
	timed     bool          // waitStart is known
	busy      bool          // there are too many waits to look at the clock for each
	waitStart time.Duration // when the wait under way began, on the clock of monotime, or later
	silentFor time.Duration // how long earlier waits have lasted since the last byte came
	lastCheck time.Duration // when CheckSilence was last called
	lastWaits int32         // waitSeq at that time
	lastReads int32         // waitSeq, when Watched was last called
}

// busyWaits is how many waits between two calls of CheckSilence make a
// connection busy: a look at the clock for each would be 5 % of what a small
// message costs. Then it is called every second or more often, and a peer that
// falls silent is found by as much later.
const busyWaits = 100

// LimitSilence sets how long the peer may be silent while it is listened to; 0 is for
// ever. From then on CheckSilence has to be called.
func (in *Inbox) LimitSilence(limit time.Duration) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.silence.limit = limit
}

// CheckSilence breaks the wait under way, with ErrPeerDead, if the peer has been silent
// for too long, and returns when that may be the case next; 0 is never. late is how
// much later than asked for it is called: if that is much, the process has been
// stopped, or starved, and what came meanwhile may be unread, so the clock starts anew.
func (in *Inbox) CheckSilence(late time.Duration) time.Duration {
	in.mu.Lock()
	defer in.mu.Unlock()
	s := &in.silence
	if s.limit == 0 {
		return 0
	}
	now, waits := monotime.Now(), int32(in.waitSeq)-s.lastWaits
	switch {
	case late > s.limit/4:
		s.silentFor, s.waitStart, s.timed = 0, now, true
	case s.waiting && !s.timed:
		s.waitStart, s.timed = now, true
		if waits == 0 { // it has begun before the last call
			s.waitStart = s.lastCheck
		}
	}
	s.lastCheck, s.lastWaits, s.busy = now, int32(in.waitSeq), waits > busyWaits
	left := s.limit - s.silentFor
	if s.waiting {
		left -= now - s.waitStart
		if left <= 0 && !in.closing { // after Stop, too: where that cannot break a wait it goes on, and its peer may be gone
			in.breakLocked(bySilence)
			return s.limit
		}
	}
	if s.busy {
		left = min(left, s.limit/8, time.Second)
	}
	return max(left, time.Millisecond)
}

// SilenceLimit returns what LimitSilence has set.
func (in *Inbox) SilenceLimit() time.Duration {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.silence.limit
}

// Watched reports whether a receiver waits for the peer, so that its silence is noticed,
// or has done so since the last call.
func (in *Inbox) Watched() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	s := &in.silence
	before := s.lastReads
	s.lastReads = int32(in.waitSeq)
	return s.waiting || s.lastReads != before
}

// beginWaitLocked notes that a wait begins.
func (s *silence) beginWaitLocked() {
	if s.limit == 0 {
		return
	}
	s.waiting, s.timed = true, !s.busy
	if s.timed {
		s.waitStart = monotime.Now()
	}
}

// endWaitLocked notes that a wait, if there was one, has ended, and whether it has
// brought bytes.
func (s *silence) endWaitLocked(heard bool) {
	if s.limit == 0 {
		return
	}
	if heard {
		s.silentFor = 0
	} else if s.waiting && s.timed {
		s.silentFor += monotime.Now() - s.waitStart
	}
	s.waiting = false
}
