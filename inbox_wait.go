package qsocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// arm sets the deadline for the wait that is about to begin and watches ctx.
// It returns false, with errInterrupted, if there is to be no wait.
//
// The clock of FrameTimeout starts with the first wait inside a frame and runs
// only during waits: a consumer that takes its time is not the peer's fault.
func (in *inbox) arm() bool {
	w := &in.wait
	w.armed = true
	var deadline time.Time
	in.mu.Lock()
	defer in.mu.Unlock()
	switch {
	case in.w > in.r && in.frameTimeout > 0:
		w.started = time.Now()
		if in.frameLeft <= 0 {
			in.frameLeft = in.frameTimeout
		}
		deadline = w.started.Add(in.frameLeft)
	case in.endWithin > 0:
		deadline = time.Now().Add(in.endWithin)
	}
	if in.stoppedLocked() || w.ctx.Err() != nil {
		w.err = errInterrupted
		return false
	}
	if in.patience > 0 {
		in.listening = true
		if !in.busy {
			in.since = time.Since(clockStart)
		}
	}
	in.setDeadlineLocked(deadline)
	if w.ctx == in.covered {
		in.unwatched = true
	} else if w.ctx.Done() != nil {
		in.watch++
		watch := in.watch
		w.stop = context.AfterFunc(w.ctx, func() { in.interrupt(watch) })
	}
	return true
}

// setDeadlineLocked spares the socket a call when nothing changes.
func (in *inbox) setDeadlineLocked(t time.Time) {
	if !t.Equal(in.deadline) {
		in.deadline = t
		_ = in.sock.SetReadDeadline(t) // fails only on a closed socket, which the read will notice
	}
}

// cover promises a call of interruptCovered when ctx has ended. Watching it for
// each wait costs more than a read.
func (in *inbox) cover(ctx context.Context) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.covered = ctx
}

// interruptCovered breaks the wait under way, if it is one with that ctx.
func (in *inbox) interruptCovered() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.unwatched && !in.stoppedLocked() {
		in.interrupted = true
		in.setDeadlineLocked(past)
	}
}

// interrupt breaks the wait of that number, if it is still under way.
func (in *inbox) interrupt(watch int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if watch == in.watch && !in.stoppedLocked() {
		in.interrupted = true
		in.setDeadlineLocked(past)
	}
}

// disarm ends the wait, and says why it was broken: ctx's error, errStopped, a
// timeout of ours, or nil if there is no such reason.
func (in *inbox) disarm() error {
	w := &in.wait
	if w.stop != nil {
		w.stop()
		w.stop = nil
	}
	timedOut := errors.Is(w.err, os.ErrDeadlineExceeded)
	inFrame := !w.started.IsZero()
	if inFrame {
		in.frameLeft = max(in.frameLeft-time.Since(w.started), 1)
	}
	armed := w.armed
	w.armed, w.started = false, time.Time{}

	in.mu.Lock()
	defer in.mu.Unlock()
	in.watch++
	in.unwatched = false
	in.heardLocked()
	dead := in.dead
	if in.interrupted || dead {
		in.interrupted, in.dead = false, false
		in.setDeadlineLocked(time.Time{})
	}
	switch {
	case in.stoppedLocked():
		if w.err != nil && !timedOut && w.err != errInterrupted && w.err != io.EOF {
			in.broken = w.err // the kernel tells it only once
		}
		return errStopped
	case dead && timedOut:
		return fmt.Errorf("%w: nothing came for %v, twice Options.Heartbeat", ErrPeerDead, in.patience)
	case w.ctx.Err() != nil && (timedOut || w.err == errInterrupted):
		return w.ctx.Err()
	case !timedOut:
		return nil
	}
	// A deadline has passed. One that was left from an earlier wait is no news.
	switch {
	case !armed:
		in.setDeadlineLocked(time.Time{})
		w.err = errInterrupted
		return nil
	case inFrame:
		return fmt.Errorf("qsocket: %s within FrameTimeout %v: %w", in.partial(), in.frameTimeout, os.ErrDeadlineExceeded)
	case in.endWithin == 0:
		return nil // a deadline that the program has set on NetConn
	default:
		return fmt.Errorf("qsocket: read: nothing came for %v after a failed write: %w", in.endWithin, os.ErrDeadlineExceeded)
	}
}

// expectEnd bounds, from now on, each wait for a new frame: after a failed
// write the peer is on its way out, or gone.
func (in *inbox) expectEnd(within time.Duration) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.endWithin = within
	if in.deadline.IsZero() && !in.stoppedLocked() {
		in.setDeadlineLocked(time.Now().Add(within))
	}
}

// stop breaks the wait under way and refuses all further ones, for good. What
// is in the buffer stays there.
func (in *inbox) stop() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.stopped = true
	if !in.attended {
		in.setDeadlineLocked(past)
	}
}

func (in *inbox) stoppedLocked() bool { return in.stopped && !in.attended }

// attend allows waits again, for the holder of token, who will keep it.
func (in *inbox) attend() {
	if in.err == errGoodbye {
		in.err = nil
	}
	if in.err == nil && in.broken != nil {
		in.err = networkError("read", in.broken)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.attended = true
	in.setDeadlineLocked(time.Time{})
}

// discard reads and drops what the peer still sends, until it ends, and then
// returns nil. It may be called once, after stop.
func (in *inbox) discard() error {
	in.token.lock() // wait until the last holder has left the socket
	broken := in.broken
	if broken == nil {
		broken = in.late // which no receiver has come to see
	}
	in.token.unlock()
	if broken != nil {
		return broken
	}
	in.mu.Lock()
	in.setDeadlineLocked(time.Time{})
	in.mu.Unlock()
	scratch := getBuffer(minBuffer)
	defer func() { putBuffer(scratch) }()
	for {
		n, err := in.sock.Read(scratch[:cap(scratch)])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if n == cap(scratch) && n < rawReadSize {
			putBuffer(scratch)
			scratch = getBuffer(4 * n)
		}
	}
}
