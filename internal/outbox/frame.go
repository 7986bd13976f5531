package outbox

import (
	"context"
	"encoding/binary"

	"github.com/fb9bb4ed/qsocket/internal/bufpool"
	"github.com/fb9bb4ed/qsocket/internal/oversize"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// The states of a frame at the end of pending, and the calls that lead from one to the
// next:
//
//	none ── Begin ──► open ── Commit ─┬─ it fits ─────────► accepted
//	  ▲                │              └─ it does not ─► staged ── the writer has made space ──► accepted
//	  ├──── Abort ─────┘                                  │
//	  └──── ctx ends, gone is closed, Stop ───────────────┘
//
// While it is open, mu is held by the caller of Begin and the encoder runs: nothing else
// happens to the Outbox. While it is staged, mu is free and others may accept control frames,
// which go in front of it, but no second frame can be begun. SendFrame has no open
// state, and the Try… calls no staged one.
//
// An encoder with state (gob) has told its decoder in each payload what later ones refer
// to. If a payload is not sent, the encoder must start anew: that is undo. If it cannot, the
// frame is accepted all the same, or the connection has to end.

// Begin waits for space in the outgoing buffer, for as long as ctx and gone (which may
// be nil) allow, locks the Outbox, and returns a buffer to whose end the caller
// appends one payload. What stands in it already must not be touched. After a nil
// error Commit or Abort must follow, without anything in between that waits.
func (o *Outbox) Begin(ctx context.Context, gone <-chan struct{}) (buf []byte, err error) {
	o.mu.Lock()
	if !o.openLocked() {
		if err := o.awaitSpaceLocked(ctx, gone); err != nil {
			o.mu.Unlock()
			return nil, err
		}
	}
	b := o.bufferLocked()
	return b[:len(b)+int(o.headerSize)], nil // bufferLocked made that space
}

// Commit makes a frame of what was appended to the buffer that Begin returned, and
// accepts it, waiting for that if need be. It unlocks the Outbox. After an error the
// frame is not part of the stream: its payload was too large, or it did not fit before
// ctx ended or gone was closed.
func (o *Outbox) Commit(ctx context.Context, gone <-chan struct{}, buf []byte) error {
	// buf is pending with the header's space and the payload behind it; the encoder may have
	// moved it to a larger array.
	size := len(buf) - len(o.pending) - int(o.headerSize)
	if size > o.maxPayload {
		return o.Abort(o.sizeError(size, false), true)
	}
	if o.framing == wire.Uint32 { // the usual framing needs no call for its header
		binary.BigEndian.PutUint32(buf[len(o.pending):], uint32(size))
		o.pending = buf
	} else {
		o.pending = o.framing.SealFrame(buf, len(o.pending))
	}
	if !o.fitsLocked() {
		return o.awaitCommit(ctx, gone, true)
	}
	o.traceLocked()
	o.commitLocked()
	o.flushLocked()
	o.mu.Unlock()
	return nil
}

// Abort ends what Begin began without a frame, because of cause, which it returns. It
// unlocks the Outbox. unsure says that the encoder may have got into a state of which
// the peer's decoder knows nothing: it is told to undo, and if it cannot, nothing more
// is sent, and what Abort returns is an *UndoError.
//
// A cause that is a *oversize.Error becomes that of a payload which is too large.
func (o *Outbox) Abort(cause error, unsure bool) error {
	if over, ok := cause.(*oversize.Error); ok {
		if err := o.sizeError(over.Least, true); err != nil {
			cause = err
		}
	}
	err := cause
	if unsure && !o.owner.Undo() { // before anything else is encoded
		o.stopLocked(&EndedError{cause})
		err = &UndoError{cause}
	}
	o.discardStagedLocked() // not the caller's buffer, which may have grown to any size
	o.wakeLocked()
	o.mu.Unlock()
	return err
}

// sizeError is why a payload of size bytes is refused, or of at least so many.
func (o *Outbox) sizeError(size int, atLeast bool) error {
	name := "MaxFrame"
	if o.peerLimit {
		name = "the peer's MaxFrame"
	}
	err := o.framing.CheckSize(size, o.limit, name)
	if e, ok := err.(*wire.SizeError); ok {
		e.AtLeast = atLeast
	}
	return err
}

// TryBegin is Begin without waiting: ok is false if there is no space.
func (o *Outbox) TryBegin() (buf []byte, ok bool, err error) {
	o.mu.Lock()
	if !o.openLocked() {
		err = o.stopErr
		o.mu.Unlock()
		return nil, false, err
	}
	b := o.bufferLocked()
	return b[:len(b)+int(o.headerSize)], true, nil
}

// TryCommit is Commit without waiting: it reports false if the frame does not fit, and
// then it is not part of the stream.
func (o *Outbox) TryCommit(buf []byte) (sent bool, err error) {
	if size := len(buf) - len(o.pending) - int(o.headerSize); size > o.maxPayload {
		return false, o.Abort(o.sizeError(size, false), true)
	}
	o.pending = o.framing.SealFrame(buf, len(o.pending))
	return o.tryCommit(true), nil
}

// SendFrame is Begin and Commit for a whole frame with a payload of that many bytes,
// which no encoder need undo.
func (o *Outbox) SendFrame(ctx context.Context, gone <-chan struct{}, frame []byte, payload int) error {
	o.mu.Lock()
	if !o.openLocked() {
		if err := o.awaitSpaceLocked(ctx, gone); err != nil {
			o.mu.Unlock()
			return err
		}
	}
	if payload > o.maxPayload {
		return o.Abort(o.sizeError(payload, false), false)
	}
	o.stageLocked(frame)
	if !o.fitsLocked() {
		return o.awaitCommit(ctx, gone, false)
	}
	o.traceLocked()
	o.commitLocked()
	o.flushLocked()
	o.mu.Unlock()
	return nil
}

// SendFrames is SendFrame for as many of the whole frames in frames as there is space for, and for one at least: it
// returns how many that were, and their bytes. It is for framing Uint32.
func (o *Outbox) SendFrames(ctx context.Context, gone <-chan struct{}, frames []byte) (n, size int, err error) {
	frame := firstFrame(frames)
	if size = len(frame); size == len(frames) {
		return 1, size, o.SendFrame(ctx, gone, frame, size-4)
	}
	o.mu.Lock()
	if !o.openLocked() {
		if err := o.awaitSpaceLocked(ctx, gone); err != nil {
			o.mu.Unlock()
			return 0, 0, err
		}
	}
	if size-4 > o.maxPayload {
		return 0, 0, o.Abort(o.sizeError(size-4, false), false)
	}
	o.stageLocked(frame)
	if !o.fitsLocked() {
		return 1, size, o.awaitCommit(ctx, gone, false)
	}
	for n = 1; ; n++ {
		o.traceLocked()
		o.commitLocked()
		if size == len(frames) {
			break
		}
		frame = firstFrame(frames[size:])
		if len(frame)-4 > o.maxPayload {
			break // the next call says so
		}
		o.stageLocked(frame)
		if !o.fitsLocked() {
			o.discardStagedLocked()
			break
		}
		size += len(frame)
	}
	o.flushLocked()
	o.mu.Unlock()
	return n, size, nil
}

// WriteFrame writes a whole large frame, in framing Uint32, from the caller's memory, behind all that was accepted. The frame must not
// change, nor another message be sent, before it returns; that can be long after the end of the connection.
func (o *Outbox) WriteFrame(frame []byte) error {
	o.mu.Lock()
	if payload := len(frame) - int(o.headerSize); payload > o.maxPayload && o.stopErr == nil {
		return o.Abort(o.sizeError(payload, false), false)
	}
	o.flushes++ // it waits for the kernel, as a Flush does
	if o.waitsLocked() {
		o.mu.Unlock()
		o.watcher.SendWaits()
		o.mu.Lock()
	}
	for o.stopErr == nil && (o.writing || o.bufferedLocked() > 0) {
		progress, stopped := o.awaitProgressLocked(), o.stopped.WaitLocked()
		o.mu.Unlock()
		select {
		case <-progress:
		case <-stopped:
		}
		o.mu.Lock()
	}
	if o.stopErr != nil {
		defer o.mu.Unlock()
		o.flushes--
		return o.stopErr
	}
	if o.tracer != nil {
		o.tracer.Sent(o.framing, frame)
	}
	o.total += uint64(len(frame))
	o.messages++
	o.messageEnd = o.total
	o.unwritten = len(frame)
	o.writing = true
	o.mu.Unlock()
	taken, err := o.write(frame, 0)
	o.mu.Lock()
	o.flushes--
	if err == nil {
		o.writeRestLocked()
		return nil
	}
	var rest []byte
	if o.canResume(err) { // a farewell may write it
		rest = append(bufpool.Get(len(frame)), frame...)
	}
	o.mu.Unlock()
	o.failIn(rest, taken, err)
	return err
}

// FirstFrameSize returns the size, bytes, of the first of the whole frames in b.
func FirstFrameSize(b []byte) int { return 4 + int(binary.BigEndian.Uint32(b)) }

func firstFrame(b []byte) []byte { return b[:FirstFrameSize(b)] }

// TrySendFrame is SendFrame without waiting: it reports false if there is no space.
func (o *Outbox) TrySendFrame(frame []byte, payload int) (sent bool, err error) {
	o.mu.Lock()
	switch {
	case !o.openLocked():
		err = o.stopErr
		o.mu.Unlock()
		return false, err
	case payload > o.maxPayload:
		return false, o.Abort(o.sizeError(payload, false), false)
	}
	o.stageLocked(frame)
	return o.tryCommit(false), nil
}

// stageLocked copies a whole frame to the end of pending, where it is staged until the
// caller accepts or discards it.
func (o *Outbox) stageLocked(frame []byte) {
	o.frame = len(frame) // so that there is space for it
	o.pending = append(o.bufferLocked(), frame...)
}

// awaitCommit ends a Send whose frame does not fit yet. The frame stays staged, so
// that no other can be begun, until the writer accepts it or it is given up. encoded
// is false for a frame that no encoder need undo. The caller holds mu, which awaitCommit
// releases.
func (o *Outbox) awaitCommit(ctx context.Context, gone <-chan struct{}, encoded bool) error {
	defer o.mu.Unlock()
	err := o.awaitAcceptanceLocked(ctx, gone)
	if err != nil {
		// After Stop it is discarded in any case: nothing may follow, so there is nothing
		// that could not be decoded without it.
		if o.stopErr == nil && !o.canDiscard(encoded) {
			o.traceLocked()
			o.commitLocked()
			o.flushLocked()
			err = nil
		} else {
			o.discardStagedLocked()
		}
		o.wakeLocked()
	}
	return err
}

// tryCommit accepts the staged frame if it fits, and otherwise discards it. The caller
// holds mu, which tryCommit releases.
func (o *Outbox) tryCommit(encoded bool) (sent bool) {
	defer o.mu.Unlock()
	if o.fitsLocked() || !o.canDiscard(encoded) {
		o.traceLocked()
		o.commitLocked()
		o.flushLocked()
		return true
	}
	o.discardStagedLocked()
	return false
}

// canDiscard reports whether the peer can decode what follows without the staged
// frame. One that it cannot do without is accepted: it was encoded when the buffer had
// space, so it is the one frame beyond the limit. Its Send then returns nil although ctx
// has ended, since the message is sent.
func (o *Outbox) canDiscard(encoded bool) bool { return !encoded || o.owner.Undo() }

// fitsLocked reports whether the staged frame may be accepted. One that is larger than
// the limit fits when nothing else is there, or it would wait for ever.
func (o *Outbox) fitsLocked() bool {
	buffered := o.bufferedLocked()
	return buffered == 0 || buffered+len(o.pending)-o.accepted <= o.sendBuffer
}

// traceLocked shows the staged frame to the tracer, if there is one, before
// commitLocked accepts it.
func (o *Outbox) traceLocked() {
	if o.tracer != nil {
		o.tracer.Sent(o.framing, o.pending[o.accepted:])
	}
}

// commitLocked makes the staged frame part of the stream. The caller starts the
// flusher if there is none; the writer, which calls it as well, looks for more by itself.
func (o *Outbox) commitLocked() {
	o.frame = len(o.pending) - o.accepted
	o.total += uint64(o.frame)
	o.messages++
	o.accepted = len(o.pending)
	o.messageEnd = o.total
}

// discardStagedLocked removes the staged frame, if there is one. An empty buffer goes back
// to the pool, so that a connection on which nothing happens holds none.
func (o *Outbox) discardStagedLocked() {
	o.pending = o.pending[:o.accepted]
	if o.accepted == 0 {
		bufpool.Put(o.pending)
		o.pending = nil
	}
}
