package inbox

import (
	"fmt"
	"os"
	"time"
)

// A net.Conn that is none of the kernel's may take a deadline and not keep it. Where one
// means the end of the connection, a timer of our own watches over it: of a Read that has
// not returned overdueGrace after its deadline the link is told, which closes the socket.
//
// The timer is not set anew for each deadline: when it runs it looks whether the one of
// then is over.
type overdue struct {
	tell func(why error) // Config.OnOverdue

	// Guarded by the Inbox's mu.
	at    time.Time   // when the read deadline is overdue; zero if there is none
	frame bool        // it is FrameTimeout's
	timer *time.Timer // runs checkOverdue; nil if it was not needed so far
	next  time.Time   // when it does so; zero if it does not
}

const overdueGrace = 100 * time.Millisecond

// watchLocked notes that the read deadline is t.
func (in *Inbox) watchLocked(t time.Time) {
	o := in.overdue
	if t.IsZero() {
		o.at = noDeadline
		return
	}
	if now := time.Now(); t.Before(now) {
		t = now
	}
	o.at = t.Add(overdueGrace)
	switch {
	case o.timer == nil:
		o.timer = time.AfterFunc(time.Until(o.at), in.checkOverdue)
	case o.next.IsZero() || o.at.Before(o.next):
		o.timer.Reset(time.Until(o.at))
	default:
		return
	}
	o.next = o.at
}

// checkOverdue is run by the timer, in a goroutine of its own that ends with its return.
func (in *Inbox) checkOverdue() {
	in.mu.Lock()
	o := in.overdue
	o.next = noDeadline
	if o.at.IsZero() {
		in.mu.Unlock()
		return
	}
	if left := time.Until(o.at); left > 0 {
		o.next = o.at
		o.timer.Reset(left)
		in.mu.Unlock()
		return
	}
	o.at = noDeadline
	err := in.overdueLocked()
	in.mu.Unlock()
	if err != nil {
		o.tell(err)
	}
}

// overdueLocked returns what the deadline was for, or nil if it was only for one call.
func (in *Inbox) overdueLocked() error {
	switch {
	case in.brokenBy == bySilence:
		return in.deadLocked()
	case in.brokenBy != notBroken, in.stoppedLocked():
		return nil
	case in.overdue.frame:
		return in.lateFrame("the rest of a frame did not come")
	default:
		return fmt.Errorf("qsocket: read: nothing came for %v after a failed write: %w", in.endWithin, os.ErrDeadlineExceeded)
	}
}

// Expired returns why this end has let the read deadline pass, if that is the end of the
// connection, or nil. Where a passed deadline is fatal, a writer may be the first to see it.
func (in *Inbox) Expired() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.overdue == nil || in.deadline.IsZero() || time.Now().Before(in.deadline) {
		return nil
	}
	return in.overdueLocked()
}
