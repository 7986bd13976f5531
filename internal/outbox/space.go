package outbox

import (
	"context"
	"slices"
)

// Two things are waited for. Senders that find no space wait in queue to encode a
// frame; the one whose frame did not fit, staged, waits for it to be accepted. The writer
// makes space and serves the staged frame first, then the queue:
//
//	no space ─► queue ── woken ─┬─ there is space ─► encode ─┬─ it fits ──────► accepted
//	              ▲             │                            └─ it does not ─► staged ─► accepted
//	              └─ in front ──┴─ taken by others
//
// To be woken is a hint and not a grant: a sender that has not waited may come in between.
// One that finds the space taken maxLostRaces times is starving: until it has got its
// turn, those that have not waited must queue.
//
// A wait also ends with ctx, with gone, and with Stop. The sender then passes on a hint
// that it may have received: the space would stay unused until the writer's next
// progress otherwise, and there may be none.

// waiter is a Send that waits, for space or for its staged frame to be accepted. It is
// in queue, or staged, or about to look again, or in spare.
type waiter struct {
	ready     chan struct{} // capacity 1: look again
	lostRaces int           // how often it was woken and found no space; guarded by the Outbox's mu
}

// maxLostRaces is how often a sender that waits for space may find it taken by
// others. Letting senders that have not waited take space that there is spares a
// change of goroutines for each message, several times what a Send costs: in strict
// order, once the outbox has been full every Send would have to wait for the one
// before it to be scheduled. But no sender is to wait for ever.
const maxLostRaces = 2

// openLocked reports whether a sender that has not waited may encode its frame
// now. Whether the frame then fits is another matter.
func (o *Outbox) openLocked() bool {
	return o.hasSpaceLocked() && o.starving == 0 && o.stopErr == nil
}

// hasSpaceLocked reports whether a frame may be encoded: there is at least a byte of space,
// and no staged frame at the end of pending, where the next one would be encoded.
func (o *Outbox) hasSpaceLocked() bool {
	return o.staged == nil && o.bufferedLocked() < o.sendBuffer
}

// awaitSpaceLocked waits until a frame may be encoded, for as long as ctx and gone
// allow. It returns with mu held, as it was called, but releases it in between.
func (o *Outbox) awaitSpaceLocked(ctx context.Context, gone <-chan struct{}) error {
	if o.stopErr != nil {
		return o.stopErr
	}
	w := o.waiterLocked()
	defer o.releaseLocked(w)
	o.queue = append(o.queue, w)
	for {
		if err := o.waitLocked(ctx, gone, w); err != nil {
			if i := slices.Index(o.queue, w); i >= 0 {
				o.queue = slices.Delete(o.queue, i, i+1)
			}
			o.wakeLocked() // it may have been woken as well: the space is for another
			return err
		}
		if o.hasSpaceLocked() {
			return nil
		}
		if w.lostRaces++; w.lostRaces == maxLostRaces {
			o.starving++
		}
		o.queue = slices.Insert(o.queue, 0, w)
	}
}

// awaitAcceptanceLocked keeps the frame at the end of pending staged until it is
// accepted. With an error it is not, and still stands at the end of pending. Whether
// it was accepted is decided by staged alone: ctx may end at the same moment.
func (o *Outbox) awaitAcceptanceLocked(ctx context.Context, gone <-chan struct{}) error {
	w := o.waiterLocked()
	defer o.releaseLocked(w)
	o.staged = w
	err := o.waitLocked(ctx, gone, w)
	if o.staged != w {
		return nil // accepted, whatever else has happened
	}
	o.staged = nil
	return err
}

// waitLocked waits until w is woken, or ctx ends, or gone (which may be nil) is
// closed. It returns with mu held, as it was called.
func (o *Outbox) waitLocked(ctx context.Context, gone <-chan struct{}, w *waiter) error {
	stopped := o.stopped.WaitLocked()
	tell := o.waitsLocked()
	o.mu.Unlock()
	if tell {
		o.watcher.SendWaits()
	}
	var err error
	select {
	case <-w.ready:
	case <-ctx.Done():
		err = ctx.Err()
	case <-gone:
		err = ErrGone
	case <-stopped:
	}
	o.mu.Lock()
	if o.stopErr != nil { // it counts more than ctx, which may have ended as well
		return o.stopErr
	}
	return err
}

// madeSpaceLocked passes on space that has come about: to the staged frame first,
// then to the queue. The writer calls it. It accepts the frame itself, rather than wake its
// sender to do so, because the writer would find nothing to write until then. Sending to
// ready never blocks: it has space for the one hint that a waiter gets before it looks.
func (o *Outbox) madeSpaceLocked() {
	if o.staged != nil && o.stopErr == nil && o.fitsLocked() {
		o.traceLocked()
		o.commitLocked()
		o.staged.ready <- struct{}{}
		o.staged = nil
	}
	o.wakeLocked()
}

// wakeLocked wakes as many senders as there may be space for. A sender that has been
// woken, or has kept others from encoding, and then adds no frame calls it as well:
// the flusher, which calls it otherwise, may have nothing to do.
func (o *Outbox) wakeLocked() {
	if len(o.queue) == 0 || !o.hasSpaceLocked() {
		return
	}
	n := 1 + (o.sendBuffer-o.bufferedLocked())/max(o.frame, 1)
	n = min(n, len(o.queue))
	for _, w := range o.queue[:n] {
		w.ready <- struct{}{} // there is room in it: what is in the queue has not been woken
	}
	o.queue = slices.Delete(o.queue, 0, n)
}

// waiterLocked returns a waiter whose ready is empty.
func (o *Outbox) waiterLocked() *waiter {
	n := len(o.spare)
	if n == 0 {
		return &waiter{ready: make(chan struct{}, 1)}
	}
	w := o.spare[n-1]
	o.spare = o.spare[:n-1]
	return w
}

// maxSpare bounds the waiters that an idle connection keeps.
const maxSpare = 16

// releaseLocked takes back a waiter when its sender no longer waits.
func (o *Outbox) releaseLocked(w *waiter) {
	if w.lostRaces >= maxLostRaces {
		o.starving--
	}
	w.lostRaces = 0
	select {
	case <-w.ready: // it came while its sender turned away
	default:
	}
	if len(o.spare) < maxSpare {
		o.spare = append(o.spare, w)
	}
}
