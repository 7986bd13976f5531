// Package inbox is the receiving half of a connection: it cuts what the socket
// delivers into frames. It knows nothing of messages: a payload is lent to the caller.
package inbox

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/socket"
	"github.com/fb9bb4ed/qsocket/internal/wire"
	"github.com/fb9bb4ed/qsocket/internal/xsync"
)

// Inbox cuts what the socket delivers into frames.
//
// A receiver locks it: a caller of Recv for the time of its call, or the reader
// goroutine for good. Only the holder of that lock reads from the socket and touches
// buf. A call that gives up leaves a frame that has arrived in part where it is, and
// the next receiver goes on from there.
//
//	buf  [ consumed | frame | frame | part of a frame | free ]
//	      0          r                                 w       cap
//
// While a receiver waits, the buffer holds no more than what has arrived: on a
// kernel socket it is given back before the wait, elsewhere (where a Read needs
// memory to wait with) it is small until traffic makes it grow.
//
// There are two ways to receive. Next returns one payload. Pump is for the reader
// goroutine: it calls drain, which cuts all that has come with Cut, before each wait;
// on a kernel socket inside the runtime's callback, see onReadable.
//
// The life of an Inbox:
//
//	open          receivers read messages
//	stopped       Stop: waits are broken and refused; what is in buf stays there
//	control only  DrainControl: the reader goroutine may wait again, for control frames
//
// In raw mode Discard takes the place of DrainControl. An error of the socket or of
// the peer's bytes is kept in err, in every state: nothing is read after it.
//
// Other goroutines than the receiver's may call Stop, ExpectEnd, CheckSilence,
// InterruptServe, Filled and Counters at any time. These touch only atomics and what mu
// guards: a receiver that waits for the socket does not let go of its lock.
//
// The zero Inbox is not usable: call Init.
type Inbox struct {
	xsync.Mutex // held by the receiver

	// Immutable after Init.
	sock         *socket.Socket
	framing      wire.Framing
	maxFrame     int
	frameTimeout time.Duration                      // 0: none
	onControl    func(kind byte, body []byte) error // see Config
	tracer       *wire.Tracer                       // see Config
	readFunc     func(fd uintptr) bool              // onReadable, bound once

	// Owned by the receiver.
	buf       []byte        // bytes read and not yet consumed: buf[r:w]
	r, w      int           // w may be below cap(buf); len(buf) means nothing
	need      int           // length of the frame at buf[r], header and trailer included; 0 if not known
	frameLeft time.Duration // what is left of FrameTimeout for that frame; 0: its clock has not started
	readSize  int32         // what to offer the next Read where there is no raw access
	fitBelow  int32         // with fewer bytes than that in buf, Release fits it
	err       error         // why nothing more can be read
	drain     func() bool   // of the reader goroutine, see Pump; nil for a caller of Next
	inside    bool          // drain is called by onReadable
	wait      wait          // the read under way, and its wait if it has one
	count     traffic       // whole frames so far

	// deferredErr is a failure that a read has reported along with bytes. The bytes go
	// first; the next read reports it, because the kernel says it only once. (An end of
	// file is not kept here: the next read meets it again.)
	deferredErr error

	// stoppedErr is a failure of the connection that came to light in a wait which
	// Stop broke. The receiver got ErrStopped in place of it. Discard and DrainControl,
	// which read on, report it: without it a reset that the kernel has told of once
	// would look like a clean end, and Shutdown would return nil.
	stoppedErr error

	messagesOver bool // the peer has said goodbye: no more messages may come
	dropped      bool // DrainControl has dropped a message, so the peer gets no confirm

	mu          sync.Mutex      // guards following, and every read deadline; never held across I/O
	stopped     bool            // Stop was called: no waiting for messages
	controlOnly bool            // ... but for control frames there is, and stopped does not count
	closing     bool            // ... unless the socket is about to be closed
	brokenBy    cause           // why the deadline of the wait under way is in the past
	deadline    time.Time       // the read deadline that was set last; the zero time is none
	endWithin   time.Duration   // not 0: how long a wait for a new frame may take, see ExpectEnd
	waitSeq     int             // grows with each wait, so that interrupt can tell whether its own is over
	serveCtx    context.Context // the ctx that no wait needs to watch, see SetServeCtx; may be nil
	onServeCtx  bool            // the wait under way has serveCtx: InterruptServe breaks it
	silence     silence         // how long the peer has been silent

	overdue *overdue // the watch over deadlines that the socket may not keep; nil if it does

	// Copies, for other goroutines than the receiver's, of count and of whether buf holds
	// anything. The receiver publishes them whenever it has emptied buf or may be about
	// to wait: an atomic operation for each message of a stream would cost as much as
	// cutting the message off.
	shared      struct{ messages, bytes atomic.Uint64 }
	undelivered atomic.Bool // see Drop
	filled      atomic.Bool // a hint: there is something in buf
}

// traffic counts frames and their bytes.
type traffic struct{ messages, bytes uint64 }

// Config is what an Inbox needs to know. Init copies it.
type Config struct {
	Framing      wire.Framing
	MaxFrame     int           // largest payload accepted, bytes
	FrameTimeout time.Duration // 0: none

	// OnControl handles the control frames of named mode; nil in raw mode. The
	// receiver that has come to one calls it, with no other lock held. An error ends
	// receiving; ErrGoodbye that of messages only.
	OnControl func(kind byte, body []byte) error

	// Tracer is told of each frame when it has been cut off, by the receiver; nil for none.
	Tracer *wire.Tracer

	// OnOverdue is needed unless the socket is Interruptible. It is told, without locks held,
	// that a Read has not ended at the deadline that was to be the end of the connection, and
	// why it was. It closes the socket.
	OnOverdue func(why error)
}

// Init makes in ready for use.
func (in *Inbox) Init(sock *socket.Socket, c Config) {
	in.Mutex.Init()
	in.sock = sock
	in.framing = c.Framing
	in.maxFrame = c.MaxFrame
	in.frameTimeout = c.FrameTimeout
	in.onControl = c.OnControl
	in.tracer = c.Tracer
	if !sock.Interruptible {
		in.overdue = &overdue{tell: c.OnOverdue}
	}
	in.readFunc = in.onReadable
	in.readSize = minReadSize
}

// Next returns the payload of the next frame, which is valid until the next
// call. The caller must hold the lock. An error that will not go away is kept;
// ctx's error and ErrStopped leave everything as it is.
func (in *Inbox) Next(ctx context.Context) ([]byte, error) {
	for {
		payload, ok, err := in.Cut()
		switch {
		case ok:
			return payload, nil
		case err != nil:
			return nil, err
		}
		if err := ctx.Err(); err != nil { // a stream of control frames does not keep the caller
			return nil, err
		}
		if err := in.readKeep(ctx); err != nil {
			return nil, err
		}
	}
}

// Pump is the loop of the reader goroutine, which holds the lock. It calls drain
// whenever bytes have come, waits, and repeats. drain cuts off and delivers all that
// it can without waiting, and reports false if it cannot go on: Cut has returned an
// error, Fail was called, or there is no space for what it has cut. Pump then returns
// the error, which is nil in the last case: once there is space, call it again.
//
// Inside the callback of a raw read there is one more reason for drain to report
// false: Cut has come to a control frame (errInside, which is not kept). The callback
// then returns, and Pump calls drain again outside it.
func (in *Inbox) Pump(drain func() (ready bool)) error {
	in.drain = drain
	for drain() {
		if err := in.readKeep(context.Background()); err != nil {
			in.drain = nil
			return err
		}
	}
	if in.err != nil {
		in.drain = nil
		return in.err
	}
	in.publish() // the caller may be about to wait
	in.Release()
	return nil
}

// Cut takes a whole frame off the buffer, if there is one, and returns its payload,
// which is valid until the next read. It is for drain, and does not wait. An error is kept, but for the one that says that it can
// only go on outside the callback of a read.
//
// Control frames on the way go to OnControl. To recognise them costs messages
// nothing: the top bit makes a size larger than any maxFrame of named mode, so they are
// found in the branch that refuses a frame for its size. After the peer's goodbye every
// frame takes that branch.
func (in *Inbox) Cut() (payload []byte, ok bool, err error) {
	if in.err != nil {
		return nil, false, in.err
	}
	var b []byte
	var header int
	var size uint64
	for {
		b = in.buf[in.r:in.w]
		if len(b) < in.need || len(b) == 0 {
			return nil, false, nil
		}
		if in.framing == wire.Uint32 && len(b) >= 4 { // the usual case, without a call
			header, size = 4, uint64(binary.BigEndian.Uint32(b))
		} else if header, size, err = in.framing.ParseHeader(b); err != nil || header == 0 {
			if err != nil {
				in.Fail(err)
			}
			return nil, false, err
		}
		if size <= uint64(in.maxFrame) && !in.messagesOver {
			break
		}
		if in.onControl == nil || size < wire.ControlBit {
			in.Fail(in.sizeError(b, size))
			return nil, false, in.err
		}
		if in.inside {
			return nil, false, errInside
		}
		if whole, err := in.cutControl(b); err == ErrGoodbye { // more control frames may follow
			in.err = err
			return nil, false, err
		} else if err != nil {
			in.Fail(err)
			return nil, false, err
		} else if !whole {
			return nil, false, nil
		}
	}
	end := header + int(size)
	in.need = end + in.framing.TrailerSize()
	if len(b) < in.need {
		return nil, false, nil
	}
	if in.need > end {
		if err := in.framing.CheckTrailer(b[end:]); err != nil {
			in.Fail(err)
			return nil, false, err
		}
	}
	in.r += in.need
	in.count.messages++
	in.count.bytes += uint64(in.need)
	in.need, in.frameLeft = 0, 0
	// A Send in answer to this message looks at filled: with more input at hand it
	// leaves its frame to the flusher, which writes all the answers at once.
	if in.r == in.w {
		in.publish()
	} else if !in.filled.Load() {
		in.filled.Store(true)
	}
	if in.tracer != nil {
		in.tracer.Frame(false, 0, b[header:end:end])
	}
	return b[header:end:end], true, nil
}

// Fail ends receiving: nothing more is read because of err, such as that of the decoder
// for the payload that was returned last. The caller must hold the lock.
func (in *Inbox) Fail(err error) {
	in.err = err
	in.drop()
	in.publish() // for who looks at the counters when the connection has ended by it
}

// sizeError returns why there must not be a message of that size at b.
func (in *Inbox) sizeError(b []byte, size uint64) error {
	if in.messagesOver {
		return fmt.Errorf("%w: a message of %d bytes after goodbye", wire.ErrProtocol, size)
	}
	err := &wire.SizeError{Size: size, Limit: uint64(in.maxFrame), LimitName: "MaxFrame", Received: true}
	if in.count.messages == 0 {
		err.Found = wire.Sniff(b)
	}
	return err
}

// publish updates what other goroutines see of the receiver's work. It stores only what
// has changed, since an atomic store costs more than the comparison.
func (in *Inbox) publish() {
	if in.shared.messages.Load() != in.count.messages {
		in.shared.bytes.Store(in.count.bytes)
		in.shared.messages.Store(in.count.messages)
	}
	if filled := in.r < in.w; filled != in.filled.Load() {
		in.filled.Store(filled)
	}
}

// Filled reports whether there is something in the buffer. It is a hint: it may be out
// of date, and what is there may be only a part of a frame.
func (in *Inbox) Filled() bool { return in.filled.Load() }

// Received is the count of messages as last published. A change means that messages
// have come.
func (in *Inbox) Received() *atomic.Uint64 { return &in.shared.messages }

// Counters returns how many frames have been received, and their bytes, headers
// included. While a receiver holds the lock they are what it has published last,
// otherwise they are exact.
func (in *Inbox) Counters() (messages, bytes uint64) {
	if in.TryLock() {
		in.publish()
		in.Unlock()
	}
	return in.shared.messages.Load(), in.shared.bytes.Load()
}
