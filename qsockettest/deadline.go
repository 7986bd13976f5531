package qsockettest

import (
	"sync"
	"time"
)

// deadline is one of the deadlines of a [StreamConn]. Its fields are guarded
// by the mutex of the stream.
type deadline struct {
	timer  *time.Timer
	number int  // of the deadline that is set, so that a timer that comes late knows
	passed bool // waiters are to give up
}

// setLocked sets the deadline to t, and wakes what waits on cond if it has
// passed, now or later.
func (d *deadline) setLocked(t time.Time, cond *sync.Cond) {
	d.stopLocked()
	d.passed = false
	if t.IsZero() {
		return
	}
	left := time.Until(t)
	if left <= 0 {
		d.passed = true
		cond.Broadcast()
		return
	}
	number := d.number
	d.timer = time.AfterFunc(left, func() {
		cond.L.Lock()
		defer cond.L.Unlock()
		if number == d.number {
			d.passed = true
			cond.Broadcast()
		}
	})
}

// stopLocked ends the timer; the deadline stays as it is.
func (d *deadline) stopLocked() {
	d.number++
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
