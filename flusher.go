package qsocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
)

// flushLocked upholds the outbox's invariant after a frame was accepted. If
// somebody writes, or is about to, that one will take the frame along.
func (o *outbox) flushLocked() {
	switch {
	case o.flushing:
	case o.scheduled:
		if o.wantTakeOverLocked() {
			o.writeDirectLocked()
		}
	case o.wantDirectLocked():
		o.writeDirectLocked()
	default:
		o.scheduleLocked()
	}
}

// scheduleLocked starts a flusher. It ends when there is nothing left to write,
// when a write has failed, or when it finds a Send that writes.
func (o *outbox) scheduleLocked() {
	o.scheduled = true
	go o.flushFunc()
}

// tookLocked accounts for n bytes that the kernel has taken.
func (o *outbox) tookLocked(n int) {
	o.writing -= n
	o.madeRoomLocked()
}

// progressLocked wakes those who wait for bytes to be written, or for what
// becomes of the write under way.
func (o *outbox) progressLocked() {
	if o.progress != nil {
		close(o.progress)
		o.progress = nil
	}
}

// flush is the flusher goroutine.
func (o *outbox) flush() {
	// Let other runnable senders add their frames to the first write.
	runtime.Gosched()
	o.mu.Lock()
	o.scheduled = false
	if o.flushing || o.writeErr != nil {
		o.mu.Unlock()
		return
	}
	o.flushing = true
	for o.left != nil || o.accepted > 0 {
		buf := o.left
		if o.left = nil; buf == nil {
			buf = o.takeLocked()
		}
		o.mu.Unlock()
		err := o.write(buf)
		putBuffer(buf)
		if err != nil {
			o.fail(err)
			return
		}
		o.mu.Lock()
	}
	o.flushing = false
	o.activeLocked(time.Since(clockStart))
	o.progressLocked()
	o.mu.Unlock()
}

// takeLocked hands the accepted frames to the flusher. An offered frame moves
// to the buffer that takes their place.
func (o *outbox) takeLocked() []byte {
	taken := o.pending[:o.accepted]
	rest := o.pending[o.accepted:]
	o.pending = nil
	o.batch = max(len(taken), len(rest), o.batch-o.batch/8)
	if len(rest) > 0 {
		o.pending = append(getBuffer(o.batch), rest...)
	}
	o.writing = len(taken)
	o.accepted = 0
	return taken
}

// write writes all of b and accounts for each part that the kernel has taken.
func (o *outbox) write(b []byte) error {
	for len(b) > 0 {
		if o.writeTimeout > 0 {
			if err := o.sock.SetWriteDeadline(time.Now().Add(o.writeTimeout)); err != nil {
				return err
			}
		}
		n, err := o.writeSome(b)
		if n < 0 || n > len(b) || n == 0 && err == nil {
			n, err = 0, fmt.Errorf("Write of %T returned %d without an error: %w", o.sock.Conn, n, io.ErrNoProgress)
		}
		b = b[n:]
		if n > 0 && errors.Is(err, os.ErrDeadlineExceeded) { // a timeout after progress is none
			err = nil
		}
		o.mu.Lock()
		o.writes++
		o.tookLocked(n)
		if err == nil { // else fail calls it, once the failure is recorded
			o.progressLocked()
		}
		o.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// writeChunk bounds a Write whose progress cannot be seen until it is over. It
// is what TLS makes a record of.
const writeChunk = 16 << 10

func (o *outbox) writeSome(b []byte) (int, error) {
	if o.sock.raw == nil {
		return o.sock.Write(b[:min(len(b), writeChunk)])
	}
	r := &o.raw
	r.buf, r.n, r.err = b, 0, nil
	err := o.sock.raw.Write(r.write)
	r.buf = nil
	if err == nil {
		err = r.err
	}
	if err != nil {
		err = o.sock.rawError("write", err)
	}
	return r.n, err
}

// writeRaw is called by the runtime whenever the socket may take bytes.
func (o *outbox) writeRaw(fd uintptr) (done bool) {
	r := &o.raw
	var again bool
	r.n, again, r.err = rawWrite(fd, r.buf)
	return !again
}

// fail ends sending for good: nothing may follow a write that was cut short.
// Its caller, the flusher or a Send that wrote by itself, writes no more.
func (o *outbox) fail(err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) && o.writeTimeout > 0 {
		err = fmt.Errorf("qsocket: write: no progress within WriteTimeout %v: %w", o.writeTimeout, os.ErrDeadlineExceeded)
	} else {
		err = networkError("write", err)
	}
	err = o.onFailure(err) // first: whoever learns of the failure finds it recorded
	o.mu.Lock()
	o.writeErr = err
	o.flushing = false
	o.stopLocked(&endedError{err})
	o.progressLocked()
	o.mu.Unlock()
}

// flushed waits until everything accepted before the call is with the kernel,
// for as long as ctx allows. Otherwise it returns ctx's error or the failed write.
func (o *outbox) flushed(ctx context.Context) error {
	o.mu.Lock()
	return o.flushedLocked(ctx, o.total)
}

// flushedMessages is flushed up to the last message.
func (o *outbox) flushedMessages(ctx context.Context) error {
	o.mu.Lock()
	return o.flushedLocked(ctx, o.messageEnd)
}

// flushedLocked releases mu.
func (o *outbox) flushedLocked(ctx context.Context, target uint64) error {
	for {
		switch {
		case o.total-uint64(o.bufferedLocked()) >= target:
			o.mu.Unlock()
			return nil
		case o.writeErr != nil:
			err := o.writeErr
			o.mu.Unlock()
			return err
		}
		progress := o.progressOrNewLocked()
		o.mu.Unlock()
		select {
		case <-progress:
		case <-ctx.Done():
			return ctx.Err()
		}
		o.mu.Lock()
	}
}

// settle waits until it is known what has become of a write that is under way, for
// as long as a write may take that fails at once, and not after stop is closed.
// When ctx ends it returns ctx's error.
func (o *outbox) settle(ctx context.Context, stop <-chan struct{}) error {
	o.mu.Lock()
	if !o.flushing {
		o.mu.Unlock()
		return nil
	}
	progress := o.progressOrNewLocked()
	o.mu.Unlock()
	timer := time.NewTimer(settleGrace)
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

// settleGrace is for the scheduler to let the writer say what the kernel has
// told it already. A write that lasts longer waits for room, and has been told
// nothing.
const settleGrace = 100 * time.Millisecond

func (o *outbox) progressOrNewLocked() <-chan struct{} {
	if o.progress == nil {
		o.progress = make(chan struct{})
	}
	return o.progress
}
