package outbox

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// overdue watches over write deadlines. WriteTimeout is one of the socket; where that is none
// of the kernel's, a timer of our own watches over it: some net.Conns have no deadlines, or do
// not keep them. A Write that has not returned overdueGrace after its deadline has failed; the
// closing of the socket that follows may wake it or not.
type overdue struct {
	// Owned by the writer.
	set      bool      // there is a deadline that has to be taken back
	deadline time.Time // of the last write; zero if it was taken back
	late     time.Time // when a write last returned, as a good one, behind its deadline

	// Guarded by the Outbox's mu.
	at    time.Time   // when the write under way is overdue; zero if none is
	timer *time.Timer // runs checkOverdue; nil if it was not needed so far
	runs  bool        // it is about to
}

const overdueGrace = 100 * time.Millisecond

// setDeadline sets the deadline of the next write. It is called by the writer.
func (o *Outbox) setDeadline() error {
	deadline := time.Now().Add(o.writeTimeout)
	err := o.sock.SetWriteDeadline(deadline)
	if o.sock.Raw != nil {
		return err
	}
	if o.overdue == nil {
		o.overdue = new(overdue)
	}
	w := o.overdue
	w.noteLate()
	w.set, w.deadline = true, deadline
	if o.sock.Interruptible && !errors.Is(err, errors.ErrUnsupported) { // that is of one which has been given read deadlines
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	w.at = deadline.Add(overdueGrace)
	if w.timer == nil {
		w.timer = time.AfterFunc(o.writeTimeout+overdueGrace, o.checkOverdue)
	} else if !w.runs {
		w.timer.Reset(o.writeTimeout + overdueGrace)
	}
	w.runs = true
	return nil // without deadlines there is the timer
}

// takeBackDeadline is called by the flusher, which is about to end. Over TLS a Read may
// write, the answer to a KeyUpdate for example, and a deadline that had passed by then would
// be the end of the connection. (On a kernel socket only the flusher waits in a write.)
func (o *Outbox) takeBackDeadline() {
	w := o.overdue
	w.noteLate()
	w.set, w.deadline = false, time.Time{}
	_ = o.sock.SetWriteDeadline(time.Time{}) // fails on a closed socket, and where there are no deadlines
}

// noteLate is called when a deadline is about to be replaced. One that has passed may have
// broken the net.Conn, of which one of the next writes learns.
func (w *overdue) noteLate() {
	if now := time.Now(); !w.deadline.IsZero() && !now.Before(w.deadline) {
		w.late = now
	}
}

// hasPassed reports whether a deadline has passed just now, or not longer ago than timeout.
func (w *overdue) hasPassed(timeout time.Duration) bool {
	now := time.Now()
	return !now.Before(w.deadline) || !w.late.IsZero() && now.Sub(w.late) < timeout
}

// checkOverdue is run by the timer, in a goroutine of its own that ends with its return. The
// timer is not set anew for each write: it looks whether the one of then is over.
func (o *Outbox) checkOverdue() {
	o.mu.Lock()
	w := o.overdue
	w.runs = false
	left := time.Until(w.at)
	switch {
	case w.at.IsZero() || o.failing:
		o.mu.Unlock()
		return
	case left > 0:
		w.runs = true
		w.timer.Reset(left)
		o.mu.Unlock()
		return
	}
	o.mu.Unlock()
	o.fail(os.ErrDeadlineExceeded)
}

// isTimeout reports whether err, of a write, is that of its deadline. It is called by the
// writer. Where it cannot be told what an error means, it is known that the deadline has passed.
func (o *Outbox) isTimeout(err error) bool {
	return o.writeTimeout > 0 && (o.saysTimeout(err) ||
		!o.sock.Interruptible && !errors.Is(err, net.ErrClosed) && o.overdue.hasPassed(o.writeTimeout))
}

// saysTimeout reports whether err says that it is that of a deadline, after which the
// socket can be written to again. That of the kernel, which has given up the peer, is the end.
func (o *Outbox) saysTimeout(err error) bool {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	var ne net.Error
	return !o.sock.Interruptible && errors.As(err, &ne) && ne.Timeout() && !errors.Is(err, syscall.ETIMEDOUT)
}
