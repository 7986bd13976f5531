package inbox

import (
	"context"
	"fmt"
	"io"

	"github.com/fb9bb4ed/qsocket/internal/bufpool"
	"github.com/fb9bb4ed/qsocket/internal/socket"
)

// How bytes get into the buffer, all of it on the receiver's goroutine:
//
//	Next, Pump ─► readKeep ─► readMore ─┬─ kernel socket ─► Raw.Read ─► onReadable
//	                                    └─ others ────────► readOnce ─► Conn.Read
//
// onReadable and readOnce leave in wait how many bytes came and what went wrong, and
// call arm if they have to wait. readMore calls disarm after both, and decides:
//
//	bytes, no error    they are delivered
//	bytes and a failure, or an end of file
//	                   they are delivered first; the next read reports the rest
//	bytes and a timeout
//	                   they are delivered, and that is all: the connection goes on
//	spoilt bytes       they are dropped, and the connection has failed
//	no bytes, errBroken or a timeout
//	                   this end has broken the wait, or did not let it begin: the error
//	                   that disarm returns is the reason; without one it is tried again,
//	                   unless the program itself has set a deadline
//	no bytes, another error
//	                   the connection has ended or failed
const (
	rawReadSize = 64 << 10 // smaller reads cost a stream of small frames up to twice as much
	minReadSize = 1 << 10  // while nothing happens on a connection without raw access
	tlsRecord   = 16 << 10 // the most that a Read of package tls returns
)

// readKeep is readMore, and keeps the error as Next does. What is in the buffer is
// a part of a frame, of no use if the rest will not be read.
func (in *Inbox) readKeep(ctx context.Context) error {
	err := in.readMore(ctx)
	switch {
	case err == nil || err == ctx.Err():
	case err != ErrStopped:
		in.Fail(err)
	case in.onControl == nil || in.isClosing(): // else DrainControl may go on from there
		in.drop()
	}
	in.fitBelow = int32(cap(in.buf) / 4)
	return err
}

// readMore waits until there are more bytes in the buffer. It returns io.EOF only
// if the peer ended between two frames.
//
// A read is tried again if it has brought neither bytes nor an error, or has run into
// a deadline that an earlier wait has left: setting the deadline back after each wait
// would cost more than such a retry.
func (in *Inbox) readMore(ctx context.Context) error {
	// A read that finds bytes at once is never armed, and arm is what notices Stop
	// otherwise. After Stop, a receiver must not take bytes from Discard.
	in.mu.Lock()
	stopped := in.stoppedLocked()
	in.mu.Unlock()
	if stopped {
		return ErrStopped
	}
	if err := in.deferredErr; err != nil {
		in.deferredErr = nil
		return socket.NetworkError("read", err)
	}
	in.publish()
	w := &in.wait
	w.ctx = ctx
	for range socket.MaxEmptyReads {
		w.n, w.err = 0, nil
		if in.sock.Raw != nil {
			// Its own error is a deadline or the closing of the socket. What
			// onReadable found came first.
			if err := in.sock.Raw.Read(in.readFunc); w.err == nil {
				w.err = err
			}
			if w.err != nil && w.err != errBroken {
				w.err = in.sock.RawError("read", w.err)
			}
		} else {
			in.readOnce()
		}
		spoilt := w.n > 0 && in.isSpoilt(w.err)
		if spoilt {
			in.w -= w.n
			w.n = 0
		}
		err := in.disarm()
		switch {
		case spoilt && (err == nil || err == ctx.Err()):
			return socket.NetworkError("read", w.err)
		case w.n > 0:
			if w.err != nil && w.err != errBroken && w.err != io.EOF && !isTimeout(w.err) {
				in.deferredErr = w.err
			}
			return nil
		case err != nil:
			return err
		case w.err == io.EOF || w.err == nil && in.sock.Raw != nil: // a raw read of 0 bytes
			return in.eof()
		case w.err != nil && w.err != errBroken:
			return socket.NetworkError("read", w.err)
		}
	}
	return socket.NetworkError("read", io.ErrNoProgress)
}

// readOnce reads once where there is no raw access to the socket: TLS, net.Pipe,
// wrappers. It cannot know whether Read will wait, so it arms every read, and the
// buffer that Read fills must be there while it waits: it is kept small until the
// traffic fills it, see adapt.
func (in *Inbox) readOnce() {
	in.makeSpace(int(in.readSize))
	in.shrink(int(in.readSize))
	if !in.arm() {
		return
	}
	w := &in.wait
	space := in.buf[in.w:cap(in.buf)]
	w.n, w.err = in.sock.Read(space)
	w.err = socket.Sane(w.err)
	if w.n < 0 || w.n > len(space) { // a wrapper with a fault; its bytes cannot be trusted
		w.n, w.err = 0, fmt.Errorf("%T.Read returned %d for %d bytes", in.sock.Conn, w.n, len(space))
	}
	in.w += w.n
	in.adapt(w.n, len(space))
}

// onReadable is called by the runtime, first at once and then whenever the socket
// may have bytes.
//
// A caller of Recv leaves with the first bytes. The reader goroutine stays: it
// reads until the socket is empty, drains what has come, and waits again. It
// leaves when its buffer or its queue is full. So in a round trip it goes to sleep
// right after it has woken its consumer, which then mostly runs in its place, on the
// same processor. To come back for each message it would have to read once more
// in between, so as not to miss what came meanwhile, and would give another processor
// the time to take the consumer over; that costs more than everything else that the
// library does.
//
// It runs on the receiver's goroutine, and closing the socket waits until it has
// returned. So nothing that it calls may close the socket, and it must not stay without
// waiting: a false result makes the runtime wait, which the deadline or the closing
// of the socket ends.
func (in *Inbox) onReadable(fd uintptr) (done bool) {
	w := &in.wait
	for {
		in.makeSpace(rawReadSize)
		space := in.buf[in.w:cap(in.buf)]
		n, again, err := socket.RawRead(fd, space)
		switch {
		case again && w.n > 0 && !in.drainInside():
			return true
		case again:
			w.n = 0 // what came before has been delivered: from here on it is a new wait
			in.publish()
			in.shrink(0)
			// It is armed already if the runtime has called without bytes to read.
			return !w.armed && !in.arm() // true: there is to be no wait
		case n == 0 || err != nil: // w.n bytes came before the end
			w.err = err
			return true
		}
		in.w += n
		w.n += n
		if in.drain == nil {
			return true
		}
		// The wait is over, so disarm. Its error can only be ErrStopped here, and
		// readMore gets the same from its own call. With a full buffer it leaves as
		// well: a peer that never lets the socket become empty must not keep it from
		// seeing that it is to stop.
		if w.armed && in.disarm() != nil || n == len(space) {
			return true
		}
	}
}

// drainInside is drain inside the callback, where a control frame has to wait: what it
// asks for may close the socket, and that would wait for the callback to return.
func (in *Inbox) drainInside() (ready bool) {
	in.inside = true
	ready = in.drain()
	in.inside = false
	return ready
}

// eof returns the error for a peer that has ended here.
func (in *Inbox) eof() error {
	if in.w == in.r {
		return io.EOF
	}
	return fmt.Errorf("qsocket: %s: %w", in.partialFrame(), io.ErrUnexpectedEOF)
}

// partialFrame describes the frame that has arrived in part.
func (in *Inbox) partialFrame() string {
	if in.need == 0 {
		return fmt.Sprintf("%d bytes of a frame header came, and no more", in.w-in.r)
	}
	return fmt.Sprintf("%d of the %d bytes of a frame came, and no more", in.w-in.r, in.need)
}

// Discard reads and drops what the peer still sends, until it ends, and then
// returns nil. It may be called once, after Stop, without the lock. If the socket is
// closed meanwhile, it returns that error.
//
// It gives the lock back before it reads: receivers that come after Stop are turned
// away by readMore, and may take what is left in the buffer.
func (in *Inbox) Discard() error {
	in.Lock() // wait until the last receiver has left the socket
	broken := in.stoppedErr
	if broken == nil {
		broken = in.deferredErr // which no receiver has come to see
	}
	if in.w-in.r < in.need { // a part of a frame, which no receiver can take
		in.drop()
	}
	in.Unlock()
	if broken != nil {
		return broken
	}
	in.clearDeadline() // Stop has set it in the past, to send that receiver away
	r := socket.NewReader(in.sock.Conn)
	scratch := bufpool.Get(bufpool.Min)
	defer func() { bufpool.Put(scratch) }()
	for {
		n, err := r.Read(scratch[:cap(scratch)])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if n == cap(scratch) && n < rawReadSize {
			bufpool.Put(scratch)
			scratch = bufpool.Get(4 * n)
		}
	}
}
