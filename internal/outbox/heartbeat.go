package outbox

import (
	"time"

	"github.com/fb9bb4ed/qsocket/internal/monotime"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// heartbeat decides when a heartbeat is sent; guarded by the Outbox's mu.
//
// It looks now and then whether anything was sent since the last look, so a message costs
// nothing for it. A heartbeat means that nothing was sent for half of the peer's interval.
//
// Where the interval is a second or more, looks are ¼ to 5⁄16 of it apart, and two in a row
// that find nothing lead to a heartbeat: the longest silence is 15⁄16 of the interval.
//
// Shorter intervals are for peers that want to cost something. There an idle connection has
// one look for each heartbeat:
//
//	after a look that has found something   ½ to 9⁄16 of the interval
//	after a heartbeat                       ¾ to the whole
//
// The longest silence is then that of a connection whose traffic ends right after a
// heartbeat: 1 9⁄16 of the interval. A peer gives up after twice its interval.
type heartbeat struct {
	interval  time.Duration // that the peer asks for; 0: it does not care
	next      time.Duration // the next look, on the clock of monotime
	lastTotal uint64        // the Outbox's total at the last look
	quiet     bool          // the last look has found nothing; for a long interval
}

// longInterval is one of whose looks a connection may have several.
const longInterval = time.Second

// maxGrain bounds how many connections look at the same time, ms, a power of two: of ten
// thousand with intervals of 15 s it is a twelfth or so.
const maxGrain = 1 << 10

// roundest returns the time between from and to that is a multiple of the greatest power of
// two of milliseconds, and of these the last. Connections that choose their times like that
// come to have them in common, with no knowledge of each other. What is due at the same time
// the runtime starts in one go; it would have to be woken for each of them otherwise.
func roundest(from, to time.Duration) time.Duration {
	first, last := (from+time.Millisecond-1)/time.Millisecond, to/time.Millisecond
	for grain := time.Duration(maxGrain); grain > 0; grain /= 2 {
		if at := last &^ (grain - 1); at >= first {
			return at * time.Millisecond
		}
	}
	return to // no whole millisecond is in between
}

// lookWithin sets the next look to a time between from and to from now on, and returns
// how long that is from now.
func (h *heartbeat) lookWithin(now, from, to time.Duration) time.Duration {
	h.next = roundest(now+from, now+to)
	return h.next - now
}

// found notes whether anything has been sent since the last look, and reports whether that
// makes a heartbeat due.
func (h *heartbeat) found(something bool) (due bool) {
	due = !something && (h.quiet || h.interval < longInterval)
	h.quiet = !something && !due
	return due
}

// lookAgain sets the next look, after one that has led to a heartbeat or not.
func (h *heartbeat) lookAgain(now time.Duration, sent bool) time.Duration {
	sixteenth := h.interval / 16
	switch {
	case h.interval >= longInterval:
		return h.lookWithin(now, h.interval/4, h.interval/4+sixteenth)
	case sent:
		return h.lookWithin(now, h.interval-h.interval/4, h.interval)
	}
	return h.lookWithin(now, h.interval/2, h.interval/2+sixteenth)
}

// StartHeartbeat makes TickHeartbeat look, for a peer that asks for a heartbeat in each
// interval, and returns when to call it first; 0 is never, in both.
func (o *Outbox) StartHeartbeat(interval time.Duration) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.heartbeat.interval = interval; interval == 0 {
		return 0
	}
	return o.heartbeat.lookAgain(monotime.Now(), false) // the hello has just been sent
}

// TickHeartbeat sends a heartbeat if it is time, and returns when to call it again, from
// now on; 0 is never.
func (o *Outbox) TickHeartbeat(now time.Duration) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	h := &o.heartbeat
	if h.interval == 0 || o.goodbyeSent == wire.GoodbyeFull || o.sealed || o.writeErr != nil {
		return 0
	}
	if now < h.next {
		return h.next - now
	}
	// What is accepted and not written says as much as a heartbeat, once the peer takes it.
	due := h.found(o.total != h.lastTotal || o.bufferedLocked() > 0)
	if due {
		o.sendHeartbeatLocked()
	}
	h.lastTotal = o.total
	return h.lookAgain(now, due)
}

// sendHeartbeatLocked sends a heartbeat where nothing waits to be written. This goroutine
// has nothing else to do, so if it can it writes by itself, without a flusher, whose start
// costs half as much again. For the next Send the connection is as quiet as before.
func (o *Outbox) sendHeartbeatLocked() {
	direct := o.sock.Raw != nil && !o.writing && !o.scheduled && Path(forcedPath.Load()) == Chosen
	if !direct {
		o.sendControlLocked(wire.HeartbeatFrame)
		return
	}
	o.queueControlLocked(wire.HeartbeatFrame)
	o.writeDirectLocked()
}
