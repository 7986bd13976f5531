package qsocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// inbox is the receiving half of a Conn: it cuts what the socket delivers into
// frames.
//
// Whoever reads holds the token: a caller of Recv for the time of its call, or
// the reader goroutine for good. A call that gives up leaves a frame that has
// arrived in part where it is, and the next holder goes on from there.
//
// While a holder waits, the buffer holds no more than what has arrived: on a
// kernel socket it is given back before the wait, elsewhere (where a Read needs
// memory to wait with) it is small until traffic makes it grow.
type inbox struct {
	// Immutable.
	sock         *socket
	framing      Framing
	maxFrame     int
	frameTimeout time.Duration // 0: none

	token token

	// Owned by the holder of token.
	buf       []byte        // bytes read and not yet consumed: buf[r:w]
	r, w      int           // w may be below cap(buf); len(buf) means nothing
	need      int           // length of the frame at buf[r], header and trailer included; 0 if not known
	frameLeft time.Duration // what is left of FrameTimeout for that frame; 0: its clock has not started
	readSize  int           // what to offer the next Read where there is no raw access
	err       error         // why nothing more can be read
	broken    error         // what a read that stop overtook has said of the connection
	wait      struct {      // the wait under way
		ctx     context.Context
		stop    func() bool // ends the watch over ctx
		armed   bool
		started time.Time // of the frame's clock; zero if it stands still
		n       int
		err     error
	}
	readFunc func(fd uintptr) bool // readRaw, bound once

	mu          sync.Mutex    // guards following, and every read deadline
	stopped     bool          // nobody may read for messages any more
	interrupted bool          // the deadline is in the past because ctx has ended
	watch       int           // number of the wait that interrupt may break
	deadline    time.Time     // the socket's, as far as this wait goes
	endWithin   time.Duration // not 0: how long a wait for a new frame may take

	messages, bytes atomic.Uint64 // for Stats
	buffered        atomic.Bool   // a hint: there is something in buf
}

const (
	rawReadSize = 64 << 10 // smaller reads cost a stream of small frames up to twice as much
	minReadSize = 1 << 10  // while nothing happens on a connection without raw access

	maxEmptyReads = 100 // of a net.Conn that returns neither bytes nor an error
)

var (
	errStopped     = errors.New("qsocket: receiving was stopped")
	errInterrupted = errors.New("qsocket: read was interrupted")
)

func (in *inbox) init(sock *socket, framing Framing, opts *Options) {
	in.sock = sock
	in.framing = framing
	in.maxFrame = opts.MaxFrame
	in.frameTimeout = opts.FrameTimeout
	in.token.init()
	in.readFunc = in.readRaw
	in.readSize = minReadSize
}

// next returns the payload of the next frame, which is good until the next
// call. The caller must hold token. An error that will not go away is kept;
// ctx's error and errStopped leave everything as it is.
func (in *inbox) next(ctx context.Context) ([]byte, error) {
	for {
		payload, ok, err := in.cut()
		switch {
		case ok:
			return payload, nil
		case err == nil && in.err == nil:
			err = in.more(ctx)
		case err == nil:
			err = in.err
		}
		if err == nil {
			continue
		}
		if err != errStopped && err != ctx.Err() {
			in.err = err
		}
		return nil, err
	}
}

// cut takes a whole frame off the buffer, if there is one.
func (in *inbox) cut() (payload []byte, ok bool, err error) {
	b := in.buf[in.r:in.w]
	if len(b) < in.need || len(b) == 0 {
		return nil, false, nil
	}
	header, size, err := in.framing.parseHeader(b)
	if err != nil || header == 0 {
		return nil, false, err
	}
	if size > uint64(in.maxFrame) {
		return nil, false, &frameSizeError{size: size, limit: uint64(in.maxFrame), what: "MaxFrame", received: true}
	}
	end := header + int(size)
	in.need = end + in.framing.trailer()
	if len(b) < in.need {
		return nil, false, nil
	}
	if err := in.framing.checkTrailer(b[end:]); err != nil {
		return nil, false, err
	}
	in.r += in.need
	in.messages.Add(1)
	in.bytes.Add(uint64(in.need))
	in.need, in.frameLeft = 0, 0
	if buffered := in.r < in.w; buffered != in.buffered.Load() {
		in.buffered.Store(buffered)
	}
	return b[header:end:end], true, nil
}

// more waits until there are more bytes in the buffer. It returns io.EOF only
// if the peer ended between two frames.
func (in *inbox) more(ctx context.Context) error {
	in.mu.Lock()
	stopped := in.stopped
	in.mu.Unlock()
	if stopped { // the socket belongs to discard now
		return errStopped
	}
	w := &in.wait
	w.ctx = ctx
	for range maxEmptyReads {
		w.n, w.err, w.armed, w.started = 0, nil, false, time.Time{}
		if in.sock.raw != nil {
			if err := in.sock.raw.Read(in.readFunc); w.err == nil {
				w.err = err
			}
			if w.err != nil && w.err != errInterrupted {
				w.err = in.sock.rawError("read", w.err)
			}
		} else {
			in.makeRoom(in.readSize)
			in.shrink(in.readSize)
			if in.arm() {
				space := in.buf[in.w:cap(in.buf)]
				w.n, w.err = in.sock.Read(space)
				if w.n < 0 || w.n > len(space) {
					w.n, w.err = 0, fmt.Errorf("Read of %T returned %d for %d bytes", in.sock.Conn, w.n, len(space))
				}
				in.adapt(w.n, len(space))
			}
		}
		in.w += w.n
		err := in.disarm()
		switch {
		case w.n > 0:
			return nil
		case err != nil:
			return err
		case w.err == io.EOF || w.err == nil && in.sock.raw != nil: // a raw read of 0 bytes
			return in.eof()
		case w.err != nil && w.err != errInterrupted:
			return networkError("read", w.err)
		}
	}
	return networkError("read", io.ErrNoProgress)
}

// readRaw is called by the runtime, first at once and then whenever the socket
// may have bytes.
func (in *inbox) readRaw(fd uintptr) (done bool) {
	in.makeRoom(rawReadSize)
	n, again, err := rawRead(fd, in.buf[in.w:cap(in.buf)])
	if again {
		in.shrink(0)
		if in.wait.armed {
			return false
		}
		return !in.arm() // true: there is to be no wait
	}
	in.wait.n, in.wait.err = n, err
	return true
}

// adapt fits the size of the next Read to the traffic.
func (in *inbox) adapt(n, offered int) {
	switch {
	case n == offered:
		in.readSize = min(4*in.readSize, rawReadSize)
	case n < in.readSize/4:
		in.readSize = max(2*n, minReadSize)
	}
}

// makeRoom makes room to read into, for at least one byte and otherwise for
// size bytes from the start of the frame. A buffer grows only when it is full,
// so a peer makes us hold no more than about twice what it has sent.
func (in *inbox) makeRoom(size int) {
	have := in.w - in.r
	switch {
	case have == 0 && cap(in.buf) >= size:
		in.r, in.w = 0, 0
	case cap(in.buf) < size || have == cap(in.buf):
		in.move(max(size, 2*have))
	case in.w == cap(in.buf) || in.r > 0 && in.r+in.need > cap(in.buf):
		in.w = copy(in.buf[:cap(in.buf)], in.buf[in.r:in.w])
		in.r = 0
	}
}

// shrink gives memory back before a wait: all but what has arrived and extra
// bytes to read into.
func (in *inbox) shrink(extra int) {
	have := in.w - in.r
	if have+extra == 0 {
		putBuffer(in.buf)
		in.buf, in.r, in.w = nil, 0, 0
	} else if cap(in.buf) > 4*max(have+extra, minBuffer/2) {
		in.move(have + extra)
	}
}

// move puts the unconsumed bytes at the start of another buffer.
func (in *inbox) move(size int) {
	b := getBuffer(size)
	n := copy(b[:cap(b)], in.buf[in.r:in.w])
	putBuffer(in.buf)
	in.buf, in.r, in.w = b, 0, n
}

// eof returns the error for a peer that has ended here.
func (in *inbox) eof() error {
	if in.w == in.r {
		return io.EOF
	}
	return fmt.Errorf("qsocket: %s: %w", in.partial(), io.ErrUnexpectedEOF)
}

// partial describes the frame that has arrived in part.
func (in *inbox) partial() string {
	if in.need == 0 {
		return fmt.Sprintf("%d bytes of a frame header came, and no more", in.w-in.r)
	}
	return fmt.Sprintf("%d of the %d bytes of a frame came, and no more", in.w-in.r, in.need)
}
