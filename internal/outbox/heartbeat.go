package outbox

import (
	"time"

	"github.com/fb9bb4ed/qsocket/internal/monotime"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// heartbeat decides when a heartbeat is sent; guarded by the Outbox's mu.
//
// It looks every quarter of the peer's interval whether anything was sent since the
// last look. After two looks in vain, half an interval, a heartbeat goes out. So a
// message costs nothing for it.
type heartbeat struct {
	every     time.Duration // between two looks; 0: the peer does not care
	next      time.Duration // the next look, on the clock of monotime
	lastTotal uint64        // the Outbox's total at the last look
	idleLooks int           // looks in a row at which it was as before
}

// StartHeartbeat makes TickHeartbeat look every so often, a quarter of the interval
// that the peer asks for; 0 is never.
func (o *Outbox) StartHeartbeat(every time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.heartbeat.every = every
	o.heartbeat.next = monotime.Now() + every
}

// TickHeartbeat sends a heartbeat if it is time, and returns when to call it again; 0
// is never.
func (o *Outbox) TickHeartbeat(now time.Duration) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	h := &o.heartbeat
	if h.every == 0 || o.goodbyeSent == wire.GoodbyeFull || o.sealed || o.writeErr != nil {
		return 0
	}
	if now < h.next {
		return h.next - now
	}
	h.next = now + h.every
	if o.total != h.lastTotal {
		h.lastTotal, h.idleLooks = o.total, 0
	} else {
		h.idleLooks++
	}
	if h.idleLooks >= 2 && o.bufferedLocked() == 0 {
		o.sendControlLocked(wire.HeartbeatFrame)
		h.lastTotal, h.idleLooks = o.total, 0
	}
	return h.every
}
