package qsocket

import (
	"context"
	"encoding/binary"
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

	control func(kind byte, body []byte) error // deals with control frames; nil in raw mode

	token token

	// Owned by the holder of token.
	buf       []byte        // bytes read and not yet consumed: buf[r:w]
	r, w      int           // w may be below cap(buf); len(buf) means nothing
	need      int           // length of the frame at buf[r], header and trailer included; 0 if not known
	frameLeft time.Duration // what is left of FrameTimeout for that frame; 0: its clock has not started
	readSize  int           // what to offer the next Read where there is no raw access
	err       error         // why nothing more can be read
	late      error         // what a read said after another had brought bytes; for the next call of more
	broken    error         // what a read that stop overtook has said of the connection
	parted    bool          // the peer has said goodbye: no more messages may come
	discarded bool          // a message was dropped
	inside    bool          // handOn is called by readRaw
	handOn    func() bool   // of the reader goroutine, see readRaw; nil for a caller of Recv
	wait      struct {      // the wait under way
		ctx     context.Context
		stop    func() bool // ends the watch over ctx
		armed   bool
		started time.Time // of the frame's clock; zero if it stands still
		n       int       // bytes read
		err     error
	}
	readFunc func(fd uintptr) bool // readRaw, bound once
	count    traffic               // whole frames so far

	mu          sync.Mutex      // guards following, and every read deadline
	stopped     bool            // nobody may read for messages any more
	attended    bool            // ... but for control frames: stopped does not count
	interrupted bool            // the deadline is in the past because ctx has ended
	unwatched   bool            // the wait under way is one that interruptCovered is to break
	listening   bool            // a wait is under way
	busy        bool            // there are too many waits to look at the clock for each
	dead        bool            // patience has run out, and the wait under way is broken
	patience    time.Duration   // how long the peer may be silent while it is listened to; 0: for ever
	since       time.Duration   // when the wait under way began, on the clock of quietConn, unless busy
	seen        int             // watch, when checkSilence was last called
	silent      time.Duration   // how long earlier waits have lasted since the last byte came
	watch       int             // number of the wait that interrupt may break
	covered     context.Context // what no wait need watch, see cover; may be nil
	deadline    time.Time       // the socket's, as far as this wait goes
	endWithin   time.Duration   // not 0: how long a wait for a new frame may take

	// For others than the holder of token, who publishes whenever it has emptied
	// buf or may be about to wait. An atomic operation for each message of a
	// stream would cost as much as cutting it off.
	published struct{ messages, bytes atomic.Uint64 }
	buffered  atomic.Bool // a hint: there is something in buf
}

// traffic counts frames and their bytes.
type traffic struct{ messages, bytes uint64 }

const (
	rawReadSize = 64 << 10 // smaller reads cost a stream of small frames up to twice as much
	minReadSize = 1 << 10  // while nothing happens on a connection without raw access

	maxEmptyReads = 100 // of a net.Conn that returns neither bytes nor an error
)

var (
	errStopped     = errors.New("qsocket: receiving was stopped")
	errInside      = errors.New("qsocket: control frame inside a read")
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
	for in.err == nil {
		payload, ok, err := in.cut()
		switch {
		case ok:
			return payload, nil
		case err != nil:
			in.err = err
		default:
			if err := ctx.Err(); err != nil { // control frames are no reason to stay
				return nil, err
			}
			if err := in.fill(ctx); err != nil {
				return nil, err
			}
		}
	}
	return nil, in.err
}

// fill is more, and keeps the error as next does.
func (in *inbox) fill(ctx context.Context) error {
	err := in.more(ctx)
	if err != nil && err != errStopped && err != ctx.Err() {
		in.err = err
	}
	return err
}

// cut takes a whole frame off the buffer, if there is one.
func (in *inbox) cut() (payload []byte, ok bool, err error) {
	var b []byte
	var header int
	var size uint64
	for {
		b = in.buf[in.r:in.w]
		if len(b) < in.need || len(b) == 0 {
			return nil, false, nil
		}
		if in.framing == Uint32 && len(b) >= 4 { // the usual case, without a call
			header, size = 4, uint64(binary.BigEndian.Uint32(b))
		} else if header, size, err = in.framing.parseHeader(b); err != nil || header == 0 {
			return nil, false, err
		}
		if size <= uint64(in.maxFrame) && !in.parted {
			break
		}
		if in.control == nil || size < controlBit {
			return nil, false, in.refusal(b, size)
		}
		if in.inside {
			return nil, false, errInside
		}
		if whole, err := in.cutControl(b); !whole || err != nil {
			return nil, false, err
		}
	}
	end := header + int(size)
	in.need = end + in.framing.trailer()
	if len(b) < in.need {
		return nil, false, nil
	}
	if in.need > end {
		if err := in.framing.checkTrailer(b[end:]); err != nil {
			return nil, false, err
		}
	}
	in.r += in.need
	in.count.messages++
	in.count.bytes += uint64(in.need)
	in.need, in.frameLeft = 0, 0
	if in.r == in.w {
		in.publish()
	} else if !in.buffered.Load() {
		in.buffered.Store(true)
	}
	return b[header:end:end], true, nil
}

// refusal returns why there must not be a message of that size at b.
func (in *inbox) refusal(b []byte, size uint64) error {
	if in.parted {
		return fmt.Errorf("%w: a message of %d bytes after goodbye", ErrProtocol, size)
	}
	err := &frameSizeError{size: size, limit: uint64(in.maxFrame), what: "MaxFrame", received: true}
	if in.count.messages == 0 {
		err.found = sniff(b)
	}
	return err
}

// publish tells others what the holder of token has done so far.
func (in *inbox) publish() {
	if in.published.messages.Load() != in.count.messages {
		in.published.bytes.Store(in.count.bytes)
		in.published.messages.Store(in.count.messages)
	}
	if buffered := in.r < in.w; buffered != in.buffered.Load() {
		in.buffered.Store(buffered)
	}
}

// received returns what has been received. It is exact unless a receiver is at
// work right now.
func (in *inbox) received() (messages, bytes uint64) {
	if in.token.tryLock() {
		in.publish()
		in.token.unlock()
	}
	return in.published.messages.Load(), in.published.bytes.Load()
}

// more waits until there are more bytes in the buffer. It returns io.EOF only
// if the peer ended between two frames.
func (in *inbox) more(ctx context.Context) error {
	in.mu.Lock()
	stopped := in.stoppedLocked()
	in.mu.Unlock()
	if stopped { // the socket belongs to discard now
		return errStopped
	}
	if err := in.late; err != nil {
		in.late = nil
		return networkError("read", err)
	}
	in.publish()
	w := &in.wait
	w.ctx = ctx
	for range maxEmptyReads {
		w.n, w.err = 0, nil
		if in.sock.raw != nil {
			if err := in.sock.raw.Read(in.readFunc); w.err == nil {
				w.err = err
			}
			if w.err != nil && w.err != errInterrupted {
				w.err = in.sock.rawError("read", w.err)
			}
		} else {
			in.read()
		}
		err := in.disarm()
		switch {
		case w.n > 0:
			if w.err != nil && w.err != errInterrupted && w.err != io.EOF {
				in.late = w.err // the kernel tells it only once
			}
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

// read reads once where there is no raw access to the socket.
func (in *inbox) read() {
	in.makeRoom(in.readSize)
	in.shrink(in.readSize)
	if !in.arm() {
		return
	}
	w := &in.wait
	space := in.buf[in.w:cap(in.buf)]
	w.n, w.err = in.sock.Read(space)
	if w.n < 0 || w.n > len(space) {
		w.n, w.err = 0, fmt.Errorf("Read of %T returned %d for %d bytes", in.sock.Conn, w.n, len(space))
	}
	in.w += w.n
	in.adapt(w.n, len(space))
}

// readRaw is called by the runtime, first at once and then whenever the socket
// may have bytes.
//
// A caller of Recv leaves with the first bytes. The reader goroutine stays: it
// reads until the socket is empty, hands on what has come, and waits again. It
// leaves when its buffer or its queue is full. So in a round trip it goes to sleep
// right after it has woken its consumer, who then mostly runs in its place, on the
// same processor. To come back for each message it would have to read once more
// in between, lest it miss what came meanwhile, and give another processor the
// time to take the consumer over; that costs more than everything else that the
// library does.
func (in *inbox) readRaw(fd uintptr) (done bool) {
	w := &in.wait
	for {
		in.makeRoom(rawReadSize)
		space := in.buf[in.w:cap(in.buf)]
		n, again, err := rawRead(fd, space)
		switch {
		case again && w.n > 0 && !in.handOnInside():
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
		if in.handOn == nil {
			return true
		}
		// With the last bytes of a full buffer it leaves: a peer that never lets
		// the socket become empty must not keep it from seeing that it is to stop.
		if w.armed && in.disarm() != nil || n == len(space) {
			return true
		}
	}
}

// handOnInside is handOn where a control frame must wait: what it asks for may
// close the socket, which waits for the callback to return.
func (in *inbox) handOnInside() (all bool) {
	in.inside = true
	all = in.handOn()
	in.inside = false
	return all
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
