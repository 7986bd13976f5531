package qsocket

import (
	"context"
	"errors"
	"slices"
)

// errLeft says that a Group no longer wants the message to be sent.
var errLeft = errors.New("qsocket: no member any more")

// waiter is a Send that waits, for room or for its offered frame to be accepted.
type waiter struct {
	ready  chan struct{} // capacity 1: look again
	passed int           // how often it was woken and found no room; guarded by the outbox's mu
}

// patience is how often a sender that waits for room may find it taken by
// others. Letting senders that have not waited take room that there is spares a
// change of goroutines for each message, several times what a Send costs:
// in strict order, once the outbox has been full every Send would have to wait
// for the one before it to be scheduled. But nobody is to wait for ever.
const patience = 2

// openLocked reports whether a sender that has not waited may encode its frame
// now. Whether the frame then fits is another matter.
func (o *outbox) openLocked() bool {
	return o.hasRoomLocked() && o.hungry == 0 && o.stopErr == nil
}

func (o *outbox) hasRoomLocked() bool {
	return o.offer == nil && o.bufferedLocked() < o.limit
}

// awaitRoomLocked waits until a frame may be encoded, for as long as ctx and
// left allow.
func (o *outbox) awaitRoomLocked(ctx context.Context, left <-chan struct{}) error {
	if o.stopErr != nil {
		return o.stopErr
	}
	w := o.waiterLocked()
	defer o.releaseLocked(w)
	o.queue = append(o.queue, w)
	for {
		if err := o.waitLocked(ctx, left, w); err != nil {
			if i := slices.Index(o.queue, w); i >= 0 {
				o.queue = slices.Delete(o.queue, i, i+1)
			}
			o.wakeLocked() // it may have been woken as well: the room is for another
			return err
		}
		if o.hasRoomLocked() {
			return nil
		}
		if w.passed++; w.passed == patience {
			o.hungry++
		}
		o.queue = slices.Insert(o.queue, 0, w)
	}
}

// awaitGrantLocked offers the frame at the end of pending, and waits until it is
// accepted. With an error it is not.
func (o *outbox) awaitGrantLocked(ctx context.Context, left <-chan struct{}) error {
	w := o.waiterLocked()
	defer o.releaseLocked(w)
	o.offer = w
	err := o.waitLocked(ctx, left, w)
	if o.offer != w {
		return nil // whatever else has happened
	}
	o.offer = nil
	return err
}

// waitLocked waits until w is woken, or ctx ends, or left (which may be nil) is
// closed. It returns with mu held, as it was called.
func (o *outbox) waitLocked(ctx context.Context, left <-chan struct{}, w *waiter) error {
	stopped := o.stopped.waitLocked()
	o.mu.Unlock()
	var err error
	select {
	case <-w.ready:
	case <-ctx.Done():
		err = ctx.Err()
	case <-left:
		err = errLeft
	case <-stopped:
	}
	o.mu.Lock()
	if o.stopErr != nil {
		return o.stopErr
	}
	return err
}

// madeRoomLocked passes on room that has come about: to the offered frame
// first, then to those who wait.
func (o *outbox) madeRoomLocked() {
	if o.offer != nil && o.stopErr == nil && o.fitsLocked() {
		o.acceptLocked()
		o.offer.ready <- struct{}{}
		o.offer = nil
	}
	o.wakeLocked()
}

// wakeLocked wakes as many senders as there may be room for. Whoever has been
// woken, or has kept others from encoding, and adds no frame calls it as well: the
// flusher, which calls it otherwise, may have nothing to do.
func (o *outbox) wakeLocked() {
	if len(o.queue) == 0 || !o.hasRoomLocked() {
		return
	}
	n := 1 + (o.limit-o.bufferedLocked())/max(o.frame, 1)
	n = min(n, len(o.queue))
	for _, w := range o.queue[:n] {
		w.ready <- struct{}{} // there is room: who is in the queue has not been woken
	}
	o.queue = slices.Delete(o.queue, 0, n)
}

func (o *outbox) waiterLocked() *waiter {
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

func (o *outbox) releaseLocked(w *waiter) {
	if w.passed >= patience {
		o.hungry--
	}
	w.passed = 0
	select {
	case <-w.ready: // it came while its sender turned away
	default:
	}
	if len(o.spare) < maxSpare {
		o.spare = append(o.spare, w)
	}
}
