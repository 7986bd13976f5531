package inbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/socket"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// A wait for the socket goes through these states:
//
//	idle ── arm ──► armed ── bytes, an end, a failure ──► idle (disarm)
//	                  │
//	                  └── deadline in the past ──► broken ──► idle (disarm says why)
//
// On a kernel socket, a read that finds bytes at once is never armed: deadlines and the
// watch over ctx cost more than the read. Two deadlines pass by themselves: FrameTimeout
// inside a frame, and the bound after a failed write (ExpectEnd) between frames. Other
// goroutines break a wait by a deadline in the past:
//
//	ctx ends               interrupt, on a goroutine of context.AfterFunc
//	the ctx of Serve ends  InterruptServe, on the goroutine with which Serve closes the Conn
//	the peer is silent     CheckSilence, on that of the link's heartbeat timer
//	Stop                   on that of the caller of Close, or of whatever ends the connection
//
// Stop and InterruptServe do that only where it harms nothing else (Socket.Interruptible).
// Elsewhere the wait goes on, until bytes come, or the end, or the closing of the socket.
//
// All of them set the deadline under mu, and so does arm, which looks at the same time
// whether there is a reason not to wait. So no reason is lost: it comes before arm,
// which sees it, or after, and then its deadline replaces arm's. A deadline also breaks
// a wait that is armed and has not quite begun. disarm finds out which of them it was.

// wait is the read under way, and its wait if it has to wait: then it is armed. It is
// owned by the receiver.
type wait struct {
	ctx        context.Context // of the receiver; Background for the reader goroutine
	unwatch    func() bool     // ends the watch over ctx; nil if there is none
	armed      bool            // between arm and disarm
	frameStart time.Time       // when the clock of FrameTimeout started in this wait; zero if it stands still
	n          int             // bytes read
	err        error           // of the socket, or errBroken
}

// cause is why this end has broken the wait under way. A greater one takes precedence,
// and Stop, which is for good and not of one wait, is above both.
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
// only during waits: a consumer that takes its time is not the peer's fault. What is
// left of it is kept in frameLeft from one wait to the next.
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
	if in.overdue != nil {
		in.overdue.frame = !w.frameStart.IsZero()
	}
	in.setDeadlineLocked(deadline)
	if w.ctx == in.serveCtx {
		in.onServeCtx = true
	} else if w.ctx.Done() != nil {
		// unwatch does not wait for an interrupt that has begun. That one may get the
		// lock after disarm, and must not break the next wait: hence its number.
		in.waitSeq++
		seq := in.waitSeq
		w.unwatch = context.AfterFunc(w.ctx, func() { in.interrupt(seq) })
	}
	return true
}

// setDeadlineLocked sets the read deadline, and spares the socket a call when nothing
// changes. Every deadline goes through it, or deadline would be wrong.
func (in *Inbox) setDeadlineLocked(t time.Time) {
	if t.Equal(in.deadline) {
		return
	}
	in.deadline = t
	_ = in.sock.SetReadDeadline(t) // fails only on a closed socket, which the read will notice
	if in.overdue != nil {
		in.watchLocked(t)
	}
}

// clearDeadline lets reads wait for as long as they like.
func (in *Inbox) clearDeadline() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.setDeadlineLocked(noDeadline)
}

// breakLocked breaks the wait under way. In raw mode it must not be called when stoppedLocked:
// Discard may be reading then, without a deadline.
func (in *Inbox) breakLocked(by cause) {
	in.brokenBy = max(in.brokenBy, by)
	in.setDeadlineLocked(socket.Past)
}

// SetServeCtx promises a call of InterruptServe when ctx, that of a handler of Serve, has
// ended. To watch it in each wait would cost more than a read.
func (in *Inbox) SetServeCtx(ctx context.Context) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.serveCtx = ctx
}

// InterruptServe breaks the wait under way, if it is one with the ctx of SetServeCtx.
func (in *Inbox) InterruptServe() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.onServeCtx && !in.stoppedLocked() && in.sock.Interruptible {
		in.breakLocked(byContext)
	}
}

// interrupt breaks the wait of that number, if it is still under way. It is called when
// the wait's ctx has ended, so disarm can tell by ctx that it was the reason.
func (in *Inbox) interrupt(seq int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if seq == in.waitSeq && !in.stoppedLocked() {
		in.breakLocked(byContext)
	}
}

// disarm ends the wait, and says why it was broken: ctx's error, ErrStopped, a
// timeout of ours, or nil if there is no such reason. It is called after each read,
// armed or not, and may be called twice. The deadline stays as it is, unless it was
// one that breaks: the next arm sets its own, and until then a read that runs into the
// old one is tried again.
//
// Bytes that came at the same time are delivered whatever disarm returns, see readMore.
// The next wait then meets the reason again.
func (in *Inbox) disarm() error {
	w := &in.wait
	if w.unwatch != nil {
		w.unwatch()
		w.unwatch = nil
	}
	inFrame := !w.frameStart.IsZero()
	if inFrame { // at least 1: 0 would start the clock anew
		in.frameLeft = max(in.frameLeft-time.Since(w.frameStart), 1)
	}
	armed := w.armed
	w.armed, w.frameStart = false, time.Time{}

	in.mu.Lock()
	defer in.mu.Unlock()
	in.waitSeq++ // an interrupt that is late finds another number
	in.onServeCtx = false
	in.silence.endWaitLocked(w.n > 0)
	by := in.brokenBy
	timedOut := in.isTimeoutLocked(w.err)
	if by != notBroken {
		in.brokenBy = notBroken
		in.setDeadlineLocked(noDeadline)
	} else if !in.sock.Interruptible && armed { // one that passes between two Reads may be the end of such a net.Conn
		in.setDeadlineLocked(noDeadline)
	}
	switch {
	case in.stoppedLocked(): // first: Stop is for good, and its deadline looks like any other
		if w.err != nil && !timedOut && w.err != errBroken && w.err != io.EOF {
			in.stoppedErr = w.err // a failure of the socket: the kernel says it only once
		}
		return ErrStopped
	case by == bySilence && timedOut:
		return in.deadLocked()
	case w.ctx.Err() != nil && (timedOut || w.err == errBroken):
		return w.ctx.Err()
	case !timedOut:
		return nil
	}
	// A deadline has passed. One that was set for an earlier wait does not count.
	switch {
	case !armed:
		in.setDeadlineLocked(noDeadline)
		w.err = errBroken
		return nil
	case inFrame:
		return in.lateFrame(in.partialFrame())
	case in.endWithin == 0:
		return nil // a deadline that the program has set on NetConn
	default:
		return fmt.Errorf("qsocket: read: nothing came for %v after a failed write: %w", in.endWithin, os.ErrDeadlineExceeded)
	}
}

// lateFrame is the error for a frame that did not come in time.
func (in *Inbox) lateFrame(what string) error {
	return &wire.TimeoutError{Name: "FrameTimeout", After: in.frameTimeout, What: what}
}

// deadLocked is the error for a peer that has been silent for too long.
func (in *Inbox) deadLocked() error {
	return fmt.Errorf("%w: nothing came for %v, twice Options.Heartbeat", ErrPeerDead, in.silence.limit)
}

// isTimeoutLocked reports whether err, of a Read, is that of a deadline. Each net.Conn has
// its own: where it cannot be told what one means, it is known that this end has broken the
// wait, or that the deadline has passed. (An end of the connection that comes at the same
// time is met again.)
func (in *Inbox) isTimeoutLocked(err error) bool {
	if err == nil {
		return false
	}
	if in.sock.Interruptible {
		return errors.Is(err, os.ErrDeadlineExceeded)
	}
	if isTimeout(err) {
		return true
	}
	passed := in.brokenBy != notBroken || !in.deadline.IsZero() && !time.Now().Before(in.deadline)
	return passed && err != io.EOF && !errors.Is(err, net.ErrClosed)
}

// isTimeout reports whether err says that it is that of a deadline. That of the kernel, which
// has given up a peer, is a failure.
func isTimeout(err error) bool {
	var ne net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &ne) && ne.Timeout() && !errors.Is(err, syscall.ETIMEDOUT)
}

// isSpoilt reports whether the bytes that a Read has returned along with err are not to
// be trusted. coder/websocket returns those of a message that was cut still masked, and
// from other wrappers nobody knows. After a timeout the connection goes on, and under TLS
// bytes have been authenticated before they are returned.
func (in *Inbox) isSpoilt(err error) bool {
	if err == nil || err == io.EOF || err == errBroken || in.sock.Interruptible || isTimeout(err) {
		return false
	}
	_, secure := in.sock.Conn.(socket.Secure)
	return !secure
}

// ExpectEnd bounds, from now on, each wait for a new frame: after a failed
// write the peer is on its way out, or gone. The writer calls it, beside a receiver.
func (in *Inbox) ExpectEnd(within time.Duration) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.endWithin = within
	// The wait under way gets the bound as well, unless it has a deadline: inside a
	// frame that is FrameTimeout's, which ends it too.
	if in.deadline.IsZero() && !in.stoppedLocked() {
		in.setDeadlineLocked(time.Now().Add(within))
	}
}

// Stop breaks the wait under way and refuses all further ones, for good, but for those of
// DrainControl if the socket stays open. What is in the buffer stays there. It may be called
// more than once: by Close, and when the socket is about to be closed.
func (in *Inbox) Stop(closing bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.stopped = true
	in.closing = in.closing || closing
	if !in.controlOnly && in.sock.Interruptible { // DrainControl reads on until the socket is closed
		in.setDeadlineLocked(socket.Past)
	}
}

func (in *Inbox) isClosing() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.closing
}

// stoppedLocked reports whether there is to be no wait: what DrainControl waits for is
// the end, so it goes on after Stop, until the socket is closed. (Some net.Conns wake a Read
// before their Close is over.)
func (in *Inbox) stoppedLocked() bool { return in.stopped && (in.closing || !in.controlOnly) }
