package qsocket

import "time"

// A connection of a named protocol on which nothing happens is kept provably
// alive by heartbeats, in each direction as the receiver of it wishes.
//
// To send them, beat looks every quarter of the peer's interval whether anything
// was sent since it last looked. After two looks in vain, half an interval, a
// heartbeat goes out. To miss them, the inbox notes when a wait begins, and beat
// comes back when that wait has lasted for twice our interval, with what earlier
// waits have lasted since the last byte came. Time in which nobody reads does not
// count. So neither direction costs a message anything but, on a connection with
// little traffic, a look at the clock where the receiver has to wait for it.

// maxHeartbeat keeps twice an interval a duration.
const maxHeartbeat = 1 << 61 * time.Nanosecond

// startPulse starts the timer, which finish stops.
func (l *link) startPulse(peerWants time.Duration) {
	l.out.pulse.every = peerWants / 4
	l.out.pulse.next = time.Since(clockStart) + peerWants/4
	l.in.patience = 2 * min(l.opts.Heartbeat, maxHeartbeat)
	first := shortest(l.out.pulse.every, l.in.patience)
	if first == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.due = time.Since(clockStart) + first
	l.pulse = time.AfterFunc(first, l.beat)
}

// beat does what is due, and comes back when more may be.
func (l *link) beat() {
	now := time.Since(clockStart)
	l.mu.Lock()
	late := now - l.due
	l.mu.Unlock()
	next := shortest(l.out.keepAlive(now), l.in.checkSilence(late))
	l.mu.Lock()
	defer l.mu.Unlock()
	if next > 0 && !l.finished {
		l.due = time.Since(clockStart) + next
		l.pulse.Reset(next)
	}
}

// shortest returns the shorter of two durations, where 0 is for ever.
func shortest(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// pulse is what the outbox knows of heartbeats; guarded by its mu.
type pulse struct {
	every time.Duration // between two looks; 0: the peer does not care
	next  time.Duration // the next look, on the clock of quietConn
	seen  uint64        // the outbox's total at the last look
	idle  int           // looks in a row at which it was as before
}

// keepAlive sends a heartbeat if it is time, and returns when to look again; 0
// is never.
func (o *outbox) keepAlive(now time.Duration) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := &o.pulse
	if p.every == 0 || o.said == full || o.sealed || o.writeErr != nil {
		return 0
	}
	if now < p.next {
		return p.next - now
	}
	p.next = now + p.every
	if o.total != p.seen {
		p.seen, p.idle = o.total, 0
	} else {
		p.idle++
	}
	if p.idle >= 2 && o.bufferedLocked() == 0 {
		o.controlLocked(heartbeatFrame)
		p.seen, p.idle = o.total, 0
	}
	return p.every
}

// busyWaits is how many waits between two calls of checkSilence make a
// connection busy: a look at the clock for each would be 5 % of what a small
// message costs. Then it is called every second or more often, and a peer that
// falls silent is found by as much later.
const busyWaits = 100

// checkSilence breaks the wait under way if the peer has been silent for too
// long, and returns when that may be the case next; 0 is never. If it is called
// much too late, the process has been stopped, or starved, and what came
// meanwhile may be unread: the clock starts anew.
func (in *inbox) checkSilence(late time.Duration) time.Duration {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.patience == 0 {
		return 0
	}
	waits, tick := in.watch-in.seen, min(in.patience/8, time.Second)
	in.seen = in.watch
	wasBusy := in.busy
	if in.busy = waits > busyWaits; in.busy {
		return tick
	}
	if wasBusy || late > in.patience/4 { // the wait under way began after the last call
		in.silent, in.since = 0, time.Since(clockStart)
	}
	left := in.patience - in.silent
	if in.listening {
		left -= time.Since(clockStart) - in.since
		if left <= 0 && !in.stoppedLocked() {
			in.dead = true
			in.setDeadlineLocked(past)
			return in.patience
		}
	}
	return max(left, time.Millisecond)
}

// heardLocked ends a wait, which may have brought something.
func (in *inbox) heardLocked() {
	if in.patience == 0 {
		return
	}
	if in.wait.n > 0 {
		in.silent = 0
	} else if in.listening && !in.busy {
		in.silent += time.Since(clockStart) - in.since
	}
	in.listening = false
}
