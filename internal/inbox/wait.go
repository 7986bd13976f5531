package inbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/socket"
)

// A wait for the socket goes through these states:
//
//	idle ── arm ──► armed ── bytes, an end, a failure ──► idle (disarm)
//	                  │
//	                  └── deadline in the past ──► broken ──► idle (disarm says why)
//
// A read that finds bytes at once is never armed: deadlines and the watch over ctx
// cost more than the read. What may break a wait is the end of its ctx, Stop, silence
// of the peer, FrameTimeout, and the bound after a failed write. All of them work by the read deadline,
// which mu guards; disarm finds out which it was.

// wait is the wait under way, owned by the receiver.
type wait struct {
	ctx        context.Context
	unwatch    func() bool // ends the watch over ctx; nil if there is none
	armed      bool
	frameStart time.Time // when the clock of FrameTimeout started in this wait; zero if it stands still
	n          int       // bytes read
	err        error
}

// cause is why this end has broken the wait under way. A greater one takes precedence.
type cause uint8

const (
	notBroken cause = iota
	byContext
	bySilence
)

var noDeadline time.Time

// arm sets the deadline for the wait that is about to begin and watches ctx.
// It returns false, with errBroken, if there is to be no wait.
//
// The clock of FrameTimeout starts with the first wait inside a frame and runs
// only during waits: a consumer that takes its time is not the peer's fault.
func (in *Inbox) arm() bool {
	w := &in.wait
	w.armed = true
	var deadline time.Time
	in.mu.Lock()
	defer in.mu.Unlock()
	switch {
	case in.w > in.r && in.frameTimeout > 0:
		w.frameStart = time.Now()
		if in.frameLeft <= 0 {
			in.frameLeft = in.frameTimeout
		}
		deadline = w.frameStart.Add(in.frameLeft)
	case in.endWithin > 0:
		deadline = time.Now().Add(in.endWithin)
	}
	if in.stoppedLocked() || w.ctx.Err() != nil {
		w.err = errBroken
		return false
	}
	in.silence.beginWaitLocked()
	in.setDeadlineLocked(deadline)
	if w.ctx == in.serveCtx {
		in.onServeCtx = true
	} else if w.ctx.Done() != nil {
		in.waitSeq++
		seq := in.waitSeq
		w.unwatch = context.AfterFunc(w.ctx, func() { in.interrupt(seq) })
	}
	return true
}

// setDeadlineLocked spares the socket a call when nothing changes.
func (in *Inbox) setDeadlineLocked(t time.Time) {
	if !t.Equal(in.deadline) {
		in.deadline = t
		_ = in.sock.SetReadDeadline(t) // fails only on a closed socket, which the read will notice
	}
}

func (in *Inbox) clearDeadline() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.setDeadlineLocked(noDeadline)
}

// breakLocked breaks the wait under way.
func (in *Inbox) breakLocked(by cause) {
	in.brokenBy = max(in.brokenBy, by)
	in.setDeadlineLocked(socket.Past)
}

// SetServeCtx promises a call of InterruptServe when ctx has ended. Watching it for
// each wait costs more than a read.
func (in *Inbox) SetServeCtx(ctx context.Context) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.serveCtx = ctx
}

// InterruptServe breaks the wait under way, if it is one with the ctx of SetServeCtx.
func (in *Inbox) InterruptServe() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.onServeCtx && !in.stoppedLocked() {
		in.breakLocked(byContext)
	}
}

// interrupt breaks the wait of that number, if it is still under way.
func (in *Inbox) interrupt(seq int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if seq == in.waitSeq && !in.stoppedLocked() {
		in.breakLocked(byContext)
	}
}

// disarm ends the wait, and says why it was broken: ctx's error, ErrStopped, a
// timeout of ours, or nil if there is no such reason.
func (in *Inbox) disarm() error {
	w := &in.wait
	if w.unwatch != nil {
		w.unwatch()
		w.unwatch = nil
	}
	timedOut := errors.Is(w.err, os.ErrDeadlineExceeded)
	inFrame := !w.frameStart.IsZero()
	if inFrame {
		in.frameLeft = max(in.frameLeft-time.Since(w.frameStart), 1)
	}
	armed := w.armed
	w.armed, w.frameStart = false, time.Time{}

	in.mu.Lock()
	defer in.mu.Unlock()
	in.waitSeq++
	in.onServeCtx = false
	in.silence.endWaitLocked(w.n > 0)
	by := in.brokenBy
	if by != notBroken {
		in.brokenBy = notBroken
		in.setDeadlineLocked(noDeadline)
	}
	switch {
	case in.stoppedLocked():
		if w.err != nil && !timedOut && w.err != errBroken && w.err != io.EOF {
			in.stoppedErr = w.err // the kernel says it only once
		}
		return ErrStopped
	case by == bySilence && timedOut:
		return fmt.Errorf("%w: nothing came for %v, twice Options.Heartbeat", ErrPeerDead, in.silence.limit)
	case w.ctx.Err() != nil && (timedOut || w.err == errBroken):
		return w.ctx.Err()
	case !timedOut:
		return nil
	}
	// A deadline has passed. One that was left from an earlier wait is no news.
	switch {
	case !armed:
		in.setDeadlineLocked(noDeadline)
		w.err = errBroken
		return nil
	case inFrame:
		return fmt.Errorf("qsocket: %s within FrameTimeout %v: %w", in.partialFrame(), in.frameTimeout, os.ErrDeadlineExceeded)
	case in.endWithin == 0:
		return nil // a deadline that the program has set on NetConn
	default:
		return fmt.Errorf("qsocket: read: nothing came for %v after a failed write: %w", in.endWithin, os.ErrDeadlineExceeded)
	}
}

// ExpectEnd bounds, from now on, each wait for a new frame: after a failed
// write the peer is on its way out, or gone.
func (in *Inbox) ExpectEnd(within time.Duration) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.endWithin = within
	if in.deadline.IsZero() && !in.stoppedLocked() {
		in.setDeadlineLocked(time.Now().Add(within))
	}
}

// Stop breaks the wait under way and refuses all further ones, for good. What
// is in the buffer stays there.
func (in *Inbox) Stop() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.stopped = true
	if !in.controlOnly {
		in.setDeadlineLocked(socket.Past)
	}
}

func (in *Inbox) stoppedLocked() bool { return in.stopped && !in.controlOnly }
