package outbox

import (
	"encoding/binary"

	"github.com/fb9bb4ed/qsocket/internal/bufpool"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// farewell is the rest of what an end writes whose connection has failed, in named mode, while
// its socket still works: the frame that has begun, the frames accepted before the failure
// unless they are to be dropped, and the goodbye that tells the peer why. For the program
// the connection has ended: no frame is accepted, and a Flush returns the cause.
//
//	failed ── Farewell ──► what is left is written ─┬─ all is with the kernel
//	                                                └─ a write fails, or GiveUp
//
// It is guarded by the Outbox's mu, and its existence is what tells the writer.
type farewell struct {
	cause   error  // why the connection has failed
	cut     bool   // of the buffer that a writer has taken already, frames that have not begun are dropped
	dropped int    // bytes of them
	end     uint64 // of all that was accepted before: the last of that is what is dropped
}

// drops reports whether any of the bytes up to target is dropped.
func (f *farewell) drops(target uint64) bool {
	return f.dropped > 0 && target > f.end-uint64(f.dropped)
}

// Farewell stops the Outbox because of cause, and makes g the last that is written. If keep,
// the frames accepted so far come before it. It reports false, and changes nothing, if g cannot
// be written behind what has been: after a write that failed (but for one that WriteTimeout has
// ended, where the rest is there to be written), after another full goodbye, and once the
// write side is about to be closed.
func (o *Outbox) Farewell(cause error, g wire.Goodbye, keep bool) (ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	resumes := o.writeErr != nil && o.remainder != nil
	if o.sealed || o.farewell != nil || o.goodbyeSent == wire.GoodbyeFull || (o.failing || o.writeErr != nil) && !resumes {
		return false
	}
	o.stopLocked(&EndedError{cause})
	o.failing, o.writeErr = false, nil
	o.farewell = &farewell{cause: cause, cut: !keep, end: o.total}
	if !keep {
		o.dropPendingLocked()
	}
	if o.remainder != nil {
		if o.remainder = o.cutLocked(o.remainder, o.taken); len(o.remainder) == o.taken {
			bufpool.Put(o.remainder)
			o.remainder = nil
		}
	}
	frame := g.Frame()
	o.goodbyeSent = wire.GoodbyeFull
	o.queueControlLocked(frame)
	if o.farewell.dropped > 0 {
		o.messageEnd += uint64(len(frame)) // it takes the place of something that is not sent
	}
	switch {
	case o.writing, o.scheduled:
	case o.remainder != nil: // which is none of a direct write
		o.scheduleLocked()
	default:
		o.flushLocked()
	}
	o.progressLocked()
	return true
}

// dropPendingLocked drops the frames that no writer has taken, but for a staged one, which its
// sender drops.
func (o *Outbox) dropPendingLocked() {
	if o.accepted == 0 {
		return
	}
	o.farewell.dropped += o.accepted
	o.pending = append(o.pending[:0], o.pending[o.accepted:]...)
	o.accepted, o.ackEnd = 0, 0
}

// cutLocked returns as much of b, whose frames a writer has taken, as a farewell lets it write:
// up to the end of the frame in which the bytes end that the kernel has.
func (o *Outbox) cutLocked(b []byte, taken int) []byte {
	if o.farewell == nil || !o.farewell.cut {
		return b
	}
	end := 0
	for end < taken { // named mode has one framing
		end += 4 + int(binary.BigEndian.Uint32(b[end:])&^wire.ControlBit)
	}
	rest := len(b) - end
	o.farewell.dropped += rest
	o.unwritten -= rest
	return b[:end]
}

// canResume reports whether a write that err has ended could go on later.
func (o *Outbox) canResume(err error) bool {
	return o.named && o.sock.Raw != nil && !o.failing && o.farewell == nil && o.writeTimeout > 0 && o.saysTimeout(err)
}

// AwaitFarewell waits until the kernel has all that Farewell lets it have, and reports false if
// a write has failed or GiveUp was called.
func (o *Outbox) AwaitFarewell() (ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.writeErr == nil && o.bufferedLocked() > 0 {
		progress := o.awaitProgressLocked()
		o.mu.Unlock()
		<-progress
		o.mu.Lock()
	}
	return o.writeErr == nil
}
