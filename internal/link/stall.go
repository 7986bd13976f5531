package link

import (
	"fmt"
	"time"
)

// A Send waits for room for as long as its ctx allows: long back-pressure is legal. But a
// peer that is gone would keep it there for ever if nobody receives, since it is the
// receiver who notices silence. So while a Send or a Flush waits, the link looks from time
// to time for a sign of life: bytes that the kernel has taken, bytes that have been
// received, or that could be. A peer that shows none for as long as it may be silent is
// dead.
//
//	off ── a Send waits ──► looking ─┬─ a sign of life ──► looking, from the beginning
//	 ▲                               ├─ stallLooks without one ──► Fail
//	 └── nothing waits any more ─────┘
//
// A live peer sends heartbeats, so there is a sign even if it takes nothing. If bytes that
// nobody receives fill the socket, its heartbeats cannot get through: that there are
// any is sign enough. Where it cannot be seen whether there are (net.Pipe, wrappers),
// nothing is ever concluded.
//
// The timer outlives a wait: a stream that waits again and again would pay for setting it
// each time.

// stallLooks is how many looks in a row find no sign of life in a dead peer.
const stallLooks = 8

// stall is guarded by the Link's mu.
type stall struct {
	timer *time.Timer // runs lookForLife
	looks int         // in vain, in a row
	sent  uint64      // bytes that the kernel had at the last look
}

// running returns the timer, if there is one.
func (s *stall) running() *time.Timer {
	if s == nil {
		return nil
	}
	return s.timer
}

// SendWaits is called when a Send or a Flush begins to wait, and the link does not look
// already.
func (l *Link) SendWaits() {
	every := l.In.SilenceLimit() / stallLooks
	sent, _ := l.Out.Progress()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.state.socket != socketOpen:
	case l.stall == nil:
		l.stall = &stall{sent: sent}
		l.stall.timer = time.AfterFunc(every, l.lookForLife)
	default:
		l.stall.looks, l.stall.sent = 0, sent
		l.stall.timer.Reset(every)
	}
}

// lookForLife is run by the timer, in a goroutine of its own that ends with its return.
// teardown stops the timer; after that it is not set again.
func (l *Link) lookForLife() {
	limit := l.In.SilenceLimit()
	sent, waits := l.Out.Progress()
	if !waits { // the next wait calls SendWaits
		return
	}
	heard := l.In.Watched() || l.sock.Unread()
	l.mu.Lock()
	s := l.stall
	if s.looks++; heard || sent != s.sent {
		s.looks, s.sent = 0, sent
	}
	dead := s.looks == stallLooks
	if !dead && l.state.socket == socketOpen {
		s.timer.Reset(limit / stallLooks)
	}
	l.mu.Unlock()
	if dead {
		l.Fail(fmt.Errorf("%w: it took nothing and nothing came for %v, twice Options.Heartbeat, while a Send waited", ErrPeerDead, limit))
	}
}
