package outbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/bufpool"
	"github.com/fb9bb4ed/qsocket/internal/monotime"
	"github.com/fb9bb4ed/qsocket/internal/socket"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// The writer's states and what moves it between them:
//
//	idle ── a frame is accepted ──► scheduled ── the flusher runs ──► writing ──► idle
//	  └──── direct write ─────────────► writing ── kernel full, or more came ──► scheduled
//	scheduled ── a Send takes over ──► writing (the flusher, when it comes, leaves)
//
//	writing ── the write fails ──► idle for good, with writeErr set
//
// scheduled and writing may both be set: a Send writes by itself while a flusher waits
// for its turn. Of the two only the one that has set writing touches the socket, remainder
// and what is taken of pending; mu is released while it does, so frames are accepted
// meanwhile. The flusher that finds writing set leaves, because the Send that writes looks
// for more work, and for a flusher, when it is done.
//
// The bytes that are accepted and not yet with the kernel:
//
//	pending[:accepted]   no writer has taken them
//	unwritten            taken: in the buffer being written, or in remainder
//
// The writer learns of a failure first and tells the watcher before anything else, so
// that the link knows the cause before a Send, a Flush or closeLoop sees writeErr.

// flushLocked starts the writing of a frame that was just accepted, unless there is a
// writer already, or will be: that one takes the frame along. For a direct write it
// releases mu and locks it again, so what its caller knew of the Outbox may have changed.
func (o *Outbox) flushLocked() {
	switch {
	case o.writing:
	case o.scheduled:
		if o.wantTakeOverLocked() {
			o.writeDirectLocked()
		}
	case o.canDirectLocked() && o.wantDirectLocked():
		o.writeDirectLocked()
	default:
		o.scheduleLocked()
	}
}

// scheduleLocked starts a flusher. It ends when there is nothing left to write,
// when a write has failed (at the latest because the link has closed the socket), or when
// it finds a Send that writes. On exit writing is false again, unless a Send has set it.
func (o *Outbox) scheduleLocked() {
	o.scheduled = true
	go o.flushFunc()
}

// wroteLocked accounts for n bytes that the kernel has taken. The space that they leave may
// let a staged frame be accepted, so accepted may grow under a writer.
func (o *Outbox) wroteLocked(n int) {
	o.unwritten -= n
	o.madeSpaceLocked()
}

// progressLocked wakes what waits for bytes to be written, or for the outcome of
// the write under way: Flush, closeLoop by way of it, and AwaitWriteResult. They look
// for themselves what has happened, and ask for a new channel if that is not enough.
func (o *Outbox) progressLocked() {
	if o.progress != nil {
		close(o.progress)
		o.progress = nil
	}
}

// flush is the flusher goroutine. It takes pending whole, writes it without the lock, and
// looks again: what was accepted during a write goes out with the next one. For when it
// ends, see scheduleLocked.
func (o *Outbox) flush() {
	// Let other runnable senders add their frames to the first write. A stream of small
	// messages that has a system call for each costs 40 times as much.
	runtime.Gosched()
	o.mu.Lock()
	o.scheduled = false
	if o.writing || o.writeErr != nil { // a Send writes, or has failed
		o.mu.Unlock()
		return
	}
	o.writing = true
	o.writeRestLocked()
}

// writeRestLocked writes until nothing is left. It is called by what has set writing, with mu
// held, and takes both back.
func (o *Outbox) writeRestLocked() {
	for {
		if o.remainder == nil && o.accepted == 0 {
			if o.overdue == nil || !o.overdue.set {
				break
			}
			o.mu.Unlock()
			o.takeBackDeadline()
			o.mu.Lock()
			continue // what has come meanwhile
		}
		buf, from := o.remainder, o.taken // first: a frame in it has begun
		if o.remainder = nil; buf == nil {
			buf, from = o.takeLocked(), 0
		}
		o.mu.Unlock()
		n, err := o.write(buf, from)
		if err != nil {
			o.failIn(buf, n, err)
			return
		}
		bufpool.Put(buf)
		o.mu.Lock()
	}
	// Under the lock in which the loop found nothing: a frame that is accepted after this
	// finds no writer and starts one.
	o.writing = false
	o.activeLocked(monotime.Now()) // for the next Send, this connection is not quiet
	o.progressLocked()
	o.mu.Unlock()
}

// takeLocked hands the accepted frames to the writer. A staged frame moves to the
// buffer that takes their place: it is not part of the stream, and its sender may still
// discard it. batch, the size that the next buffer gets, follows the size of writes up at once
// and down by an eighth for each write.
func (o *Outbox) takeLocked() []byte {
	if o.farewell != nil {
		o.farewell.cut = false // from here on there is nothing but what it has let pass
	}
	taken := o.pending[:o.accepted]
	rest := o.pending[o.accepted:]
	o.pending = nil
	o.ackEnd = 0
	o.batch = max(len(taken), len(rest), o.batch-o.batch/8)
	if len(rest) > 0 {
		o.pending = append(bufpool.Get(o.batch), rest...)
	}
	o.unwritten = len(taken)
	o.accepted = 0
	return taken
}

// write writes b, of which the kernel has that many bytes already, to its end, or to where a
// farewell cuts it. It accounts for each part that the kernel has taken, and returns how many
// bytes of b that are in all. Each part
// has WriteTimeout anew: the limit is for a peer that takes nothing, and not for a slow one.
func (o *Outbox) write(b []byte, taken int) (int, error) {
	for taken < len(b) {
		if o.writeTimeout > 0 {
			if err := o.setDeadline(); err != nil {
				return taken, err
			}
		}
		n, err := o.writeSome(b[taken:])
		if n < 0 || n > len(b)-taken || n == 0 && err == nil { // a wrapper with a fault, which must not keep us in the loop
			n, err = 0, fmt.Errorf("%T.Write returned %d without an error: %w", o.sock.Conn, n, io.ErrNoProgress)
		}
		taken += n
		if n > 0 && o.writeTimeout > 0 && o.saysTimeout(err) { // it made progress, so the timeout does not count
			err = nil
		}
		o.mu.Lock()
		if o.overdue != nil {
			o.overdue.at = time.Time{}
		}
		if o.writeErr != nil { // GiveUp, or checkOverdue, did not wait for this
			o.mu.Unlock()
			return taken, errGivenUp
		}
		o.writes++
		o.wroteLocked(n)
		b = o.cutLocked(b, taken)
		// After an error fail calls it, once the failure is recorded: what waits for the
		// outcome (AwaitWriteResult) must not take a failed write for a good one.
		if err == nil {
			o.progressLocked()
		}
		o.mu.Unlock()
		if err != nil {
			return taken, err
		}
	}
	return taken, nil
}

// writeChunk bounds a Write whose progress cannot be seen until it is over, so that
// WriteTimeout is for so much and not for a whole buffer. It is what TLS makes a record of.
const writeChunk = 16 << 10

// writeSome writes a part of b, at least a byte, and waits for space in the socket if
// need be. Partial writes are wanted, so that each makes room for senders: on a kernel socket
// it returns with what the kernel took, elsewhere with a chunk.
func (o *Outbox) writeSome(b []byte) (int, error) {
	if o.sock.Raw == nil {
		n, err := o.sock.Write(b[:min(len(b), writeChunk)])
		return n, socket.Sane(err)
	}
	r := &o.raw
	r.buf, r.n, r.err = b, 0, nil
	err := o.sock.Raw.Write(r.write)
	r.buf = nil
	if err == nil {
		err = r.err
	}
	if err != nil {
		err = o.sock.RawError("write", err)
	}
	return r.n, err
}

// onWritable is called by the runtime, at once and then whenever the socket may take
// bytes, on the flusher's goroutine. It asks to be called again as long as the kernel
// takes nothing; the write deadline, or the closing of the socket, ends that.
func (o *Outbox) onWritable(fd uintptr) (done bool) {
	r := &o.raw
	var again bool
	r.n, again, r.err = socket.RawWrite(fd, r.buf)
	return !again
}

// fail ends sending for good: nothing may follow a write that was cut short. Its
// caller, the flusher or a Send that wrote by itself, writes no more. It holds no lock, as
// the watcher may close the socket and stop the outbox. If sending has ended before, by
// GiveUp or the timer of checkOverdue, this is a consequence.
func (o *Outbox) fail(err error) {
	o.mu.Lock()
	over := o.failing
	o.failing = true
	if over {
		o.writing = o.writeErr == nil // else nothing is to be written until the one that was first has recorded it
	}
	o.mu.Unlock()
	if over {
		return
	}
	if o.isTimeout(err) {
		err = &wire.TimeoutError{Name: "WriteTimeout", After: o.writeTimeout, What: "write: no progress"}
	} else {
		err = socket.NetworkError("write", err)
	}
	err = o.watcher.WriteFailed(err) // first: a Send that learns of the failure finds it recorded
	o.mu.Lock()
	o.writing = false
	o.endLocked(err)
	o.mu.Unlock()
}

// failIn is fail for a write that has ended with that many bytes of buf taken. If the
// connection can be told of it later, in a farewell, what was accepted is kept for that.
func (o *Outbox) failIn(buf []byte, taken int, err error) {
	o.mu.Lock()
	if o.canResume(err) {
		o.remainder, o.taken = buf, taken
	} else {
		bufpool.Put(buf)
	}
	o.mu.Unlock()
	o.fail(err)
}

// GiveUp ends sending because the connection has ended with err. It is called when the
// socket has been closed: a write that is under way would fail, but not every net.Conn has
// a Close that wakes a Write, and what waits for its outcome must not wait for ever. The
// writer finds out when it returns.
func (o *Outbox) GiveUp(err error) {
	o.mu.Lock()
	o.failing = true
	o.remainder = nil
	o.endLocked(err)
	o.mu.Unlock()
}

// endLocked records why nothing more is written, if that is not known yet.
func (o *Outbox) endLocked(err error) {
	if o.writeErr == nil {
		o.writeErr = err
	}
	o.stopLocked(&EndedError{err}) // if nothing has stopped it yet, such as teardown just now
	if o.remainder == nil {
		o.dropLocked()
	}
	o.progressLocked()
}

var errGivenUp = errors.New("the connection has ended")

// dropLocked gives back what will not be written: a program may keep a connection that
// has ended. It still counts as unsent. The sender of a staged frame has been told by
// stopLocked, and discards that.
func (o *Outbox) dropLocked() {
	o.unwritten += o.accepted
	o.accepted, o.remainder, o.ackEnd = 0, nil, 0
	if o.staged == nil {
		o.discardStagedLocked()
	}
}

// Flush waits until everything accepted before the call, control frames included, is
// with the kernel, for as long as ctx allows. Otherwise it returns ctx's error or the
// failed write. It starts no writer: as long as bytes are accepted there is one.
func (o *Outbox) Flush(ctx context.Context) error {
	o.mu.Lock()
	return o.flushUpTo(ctx, o.total)
}

// FlushMessages is Flush up to the last message.
func (o *Outbox) FlushMessages(ctx context.Context) error {
	o.mu.Lock()
	return o.flushUpTo(ctx, o.messageEnd)
}

// flushUpTo waits until the kernel has that many bytes of all that were ever accepted.
// The caller holds mu, which flushUpTo releases. Frames that are accepted later do
// not move the target, so a stream of them cannot keep it waiting.
func (o *Outbox) flushUpTo(ctx context.Context, target uint64) error {
	for {
		switch {
		case o.farewell != nil && o.farewell.drops(target):
			err := o.farewell.cause
			o.mu.Unlock()
			return err
		case o.sentLocked() >= target:
			o.mu.Unlock()
			return nil
		case o.farewell != nil:
			err := o.farewell.cause
			o.mu.Unlock()
			return err
		case o.writeErr != nil:
			err := o.writeErr
			o.mu.Unlock()
			return err
		}
		progress := o.awaitProgressLocked()
		o.flushes++
		tell := o.waitsLocked()
		o.mu.Unlock()
		if tell {
			o.watcher.SendWaits()
		}
		var err error
		select {
		case <-progress:
		case <-ctx.Done():
			err = ctx.Err()
		}
		o.mu.Lock()
		o.flushes--
		if err != nil {
			o.mu.Unlock()
			return err
		}
	}
}

// AwaitWriteResult waits until the outcome of a write that is under way is known, for
// as long as a write may take that fails at once, and not after stop is closed. When
// ctx ends it returns ctx's error. The receiver that has read an end of file calls it, see
// the link. progress is closed for a failure only after the failure is recorded.
func (o *Outbox) AwaitWriteResult(ctx context.Context, stop <-chan struct{}) error {
	o.mu.Lock()
	if !o.writing {
		o.mu.Unlock()
		return nil
	}
	progress := o.awaitProgressLocked()
	o.mu.Unlock()
	timer := time.NewTimer(writeResultGrace)
	defer timer.Stop()
	select {
	case <-progress:
	case <-timer.C:
	case <-stop:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// writeResultGrace is for the scheduler to let the writer report what the kernel has
// told it already. A write that lasts longer waits for space, and has been told
// nothing.
const writeResultGrace = 100 * time.Millisecond

// awaitProgressLocked returns a channel that is closed at the writer's next progress or
// failure. It is made only when something waits for it.
func (o *Outbox) awaitProgressLocked() <-chan struct{} {
	if o.progress == nil {
		o.progress = make(chan struct{})
	}
	return o.progress
}
