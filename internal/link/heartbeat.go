package link

import (
	"time"

	"github.com/fb9bb4ed/qsocket/internal/monotime"
)

// A connection of a named protocol on which nothing happens is kept provably alive by
// heartbeats, in each direction as its receiver wishes. The outbox decides when one is
// sent, and the inbox when one is missed; a single timer serves both, so neither
// direction costs a message a timer.

// maxHeartbeat keeps twice an interval a duration.
const maxHeartbeat = 1 << 61 * time.Nanosecond

// startHeartbeat starts the timer, which teardown stops. ours is the interval that we
// ask of the peer, theirs the one that it asks of us; 0 is none.
func (l *Link) startHeartbeat(ours, theirs time.Duration) {
	limit := 2 * min(ours, maxHeartbeat)
	l.In.LimitSilence(limit)
	if limit > 0 {
		l.Out.WatchWaits()
	}
	first := shortest(l.Out.StartHeartbeat(min(theirs, maxHeartbeat)), limit)
	if first == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nextTick = monotime.Now() + first
	l.heartbeatTimer = time.AfterFunc(first, l.heartbeatTick)
}

// heartbeatTick is run by the timer, in a goroutine of its own that ends with its return:
// it sends a heartbeat if one is needed, breaks the wait of a receiver whose peer has been
// silent for too long, and sets the timer for the next look. teardown, which may come
// at the same time, stops the timer; after that it is not set again.
func (l *Link) heartbeatTick() {
	now := monotime.Now()
	l.mu.Lock()
	late := now - l.nextTick
	l.mu.Unlock()
	look, silence := l.Out.TickHeartbeat(now), l.In.CheckSilence(late)
	l.mu.Lock()
	defer l.mu.Unlock()
	after := monotime.Now()
	if look > 0 { // it counts from now, and the heartbeat has taken a while to write
		look = max(look-(after-now), 1)
	}
	if next := shortest(look, silence); next > 0 && l.state.socket == socketOpen {
		l.nextTick = after + next
		l.heartbeatTimer.Reset(next)
	}
}

// shortest returns the shorter of two durations, where 0 is for ever.
func shortest(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}
