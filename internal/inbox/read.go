package inbox

import (
	"context"
	"fmt"
	"io"

	"github.com/fb9bb4ed/qsocket/internal/bufpool"
	"github.com/fb9bb4ed/qsocket/internal/socket"
)

const (
	rawReadSize = 64 << 10 // smaller reads cost a stream of small frames up to twice as much
	minReadSize = 1 << 10  // while nothing happens on a connection without raw access

	maxEmptyReads = 100 // of a net.Conn that returns neither bytes nor an error
)

// readKeep is readMore, and keeps the error as Next does.
func (in *Inbox) readKeep(ctx context.Context) error {
	err := in.readMore(ctx)
	if err != nil && err != ErrStopped && err != ctx.Err() {
		in.err = err
	}
	return err
}

// readMore waits until there are more bytes in the buffer. It returns io.EOF only
// if the peer ended between two frames.
func (in *Inbox) readMore(ctx context.Context) error {
	in.mu.Lock()
	stopped := in.stoppedLocked()
	in.mu.Unlock()
	if stopped { // the socket belongs to Discard now
		return ErrStopped
	}
	if err := in.deferredErr; err != nil {
		in.deferredErr = nil
		return socket.NetworkError("read", err)
	}
	in.publish()
	w := &in.wait
	w.ctx = ctx
	for range maxEmptyReads {
		w.n, w.err = 0, nil
		if in.sock.Raw != nil {
			if err := in.sock.Raw.Read(in.readFunc); w.err == nil {
				w.err = err
			}
			if w.err != nil && w.err != errBroken {
				w.err = in.sock.RawError("read", w.err)
			}
		} else {
			in.readOnce()
		}
		err := in.disarm()
		switch {
		case w.n > 0:
			if w.err != nil && w.err != errBroken && w.err != io.EOF {
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

// readOnce reads once where there is no raw access to the socket.
func (in *Inbox) readOnce() {
	in.makeSpace(in.readSize)
	in.shrink(in.readSize)
	if !in.arm() {
		return
	}
	w := &in.wait
	space := in.buf[in.w:cap(in.buf)]
	w.n, w.err = in.sock.Read(space)
	if w.n < 0 || w.n > len(space) {
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
// right after it has woken its consumer, who then mostly runs in its place, on the
// same processor. To come back for each message it would have to read once more
// in between, lest it miss what came meanwhile, and give another processor the
// time to take the consumer over; that costs more than everything else that the
// library does.
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
			w.n = 0
			in.publish()
			in.shrink(0)
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
		// With the last bytes of a full buffer it leaves: a peer that never lets
		// the socket become empty must not keep it from seeing that it is to stop.
		if w.armed && in.disarm() != nil || n == len(space) {
			return true
		}
	}
}

// drainInside is drain where a control frame must wait: what it asks for may
// close the socket, which waits for the callback to return.
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
// returns nil. It may be called once, after Stop, without the lock.
func (in *Inbox) Discard() error {
	in.Lock() // wait until the last receiver has left the socket
	broken := in.stoppedErr
	if broken == nil {
		broken = in.deferredErr // which no receiver has come to see
	}
	in.Unlock()
	if broken != nil {
		return broken
	}
	in.clearDeadline()
	scratch := bufpool.Get(bufpool.Min)
	defer func() { bufpool.Put(scratch) }()
	for {
		n, err := in.sock.Read(scratch[:cap(scratch)])
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
