// Package outbox is the sending half of a connection: frames on their way to the
// kernel. It knows nothing of messages: a frame is begun, the caller appends a payload
// in place, and commits or aborts it.
package outbox

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/bufpool"
	"github.com/fb9bb4ed/qsocket/internal/socket"
	"github.com/fb9bb4ed/qsocket/internal/wire"
	"github.com/fb9bb4ed/qsocket/internal/xsync"
)

// Outbox holds frames that have been accepted and are not yet with the kernel.
//
// The way of a frame: Begin locks the Outbox and returns the end of pending; the
// caller encodes its payload there; Commit seals the frame, accepts it, and unlocks.
//
//	pending  [ accepted frames … | staged frame ]
//	          0                   accepted       len
//
// A frame that does not fit into what SendBuffer allows stays where it is, staged and
// not part of the stream, until the writer has made space and accepts it, or until its
// sender gives up and discards it. While a frame is staged no other can be begun, so
// its place in the order is fixed.
//
// The writer is idle, with nothing to write, or
//
//	scheduled  a flusher goroutine has been started and will look for work
//	writing    a flusher, or one Send or WriteFrame in its place, is at the socket
//
// or both, when a Send writes although a flusher has been started. After a failed write
// it is idle for good, whatever is unwritten.
//
// The flusher goroutine exists only while there is something to write: it takes
// pending, writes it, and repeats. So frames are written whole and in the order of
// acceptance, and what is accepted during a write goes out with the next one. Where
// there is nothing to gather, a Send writes by itself instead; see direct.
//
// Invariants:
//
//   - What has set writing is the only writer. While accepted bytes are unwritten and
//     no write has failed, writing or scheduled is set.
//   - After a failed write nothing is written: what followed would land inside the
//     torn frame. (Of a farewell see there.)
//   - mu is held from Begin to Commit or Abort, for as long as the encoder takes, and
//     never across I/O or while waiting.
//
// The zero Outbox is not usable: call Init.
type Outbox struct {
	// Immutable after Init. What is needed for each message stands last, beside what is below: a Group
	// sends to many connections, and pays for each cache line.
	sock         *socket.Socket
	limit        int           // the limit of payloads as configured, bytes, for the error
	writeTimeout time.Duration // 0: none
	owner        Owner         // see Config
	watcher      Watcher       // see Config
	flushFunc    func()        // flush, bound once so that starting it allocates nothing
	tracer       *wire.Tracer  // see Config
	maxPayload   int           // what Commit accepts, bytes: limit, or less where the framing announces no more
	sendBuffer   int           // bytes accepted and not with the kernel, beyond which Begin waits
	framing      wire.Framing
	headerSize   uint8 // space left before a payload, bytes
	peerLimit    bool  // limit is the peer's
	named        bool  // there are control frames

	// The small fields stand together: an idle connection is to be small. mu guards these
	// two as well.
	watch        watch            // whether the watcher is told of waits
	starving     int32            // senders that have found the space taken too often: others must queue behind them
	mu           sync.Mutex       // guards following
	writing      bool             // the flusher writes, or a Send does by itself
	scheduled    bool             // a flusher has been started and has not looked yet for what there is to write
	goodbyeFirst wire.GoodbyeKind // the one before goodbyeSent became what it is
	goodbyeSent  wire.GoodbyeKind // named mode: no message is accepted behind it
	failing      bool             // writeErr is set, or about to be
	sealed       bool             // named mode: no control frame is accepted either: the write side is about to be closed
	flushes      int32            // Flushes and WriteFrames that wait

	pending    []byte  // frames that no write has taken yet; nil when there are none
	accepted   int     // pending[:accepted] are accepted, the rest is the staged frame
	unwritten  int     // bytes taken for writing that the kernel does not have yet
	frame      int     // length of the last frame: what to expect of the next
	batch      int     // bytes of recent writes: what to expect of the next
	staged     *waiter // whose frame is staged; nil if none is
	stopErr    error   // why frames are refused; nil while they are accepted. The first counts
	total      uint64  // bytes ever accepted
	messages   uint64  // for Counters
	messageEnd uint64  // total when the last message was accepted: up to there a loss is a loss of messages

	queue     []*waiter     // senders that wait for space, in order
	spare     []*waiter     // to be used again
	remainder []byte        // a buffer that the kernel has taken in part, for the flusher; nil if there is none
	taken     int           // bytes of remainder that the kernel has
	progress  chan struct{} // closed at the next progress of the writer; nil if it is not waited for
	stopped   xsync.Signal  // stopErr is set
	writeErr  error         // the write that failed, or its cause; nothing is written after it
	farewell  *farewell     // nil until the connection has failed and its peer is told why
	writes    uint64        // for Counters

	// Named mode: control frames go behind what is accepted, whatever sendBuffer says.
	heartbeat heartbeat
	controls  uint64 // bytes of control frames ever accepted
	ackEnd    int    // where in pending the last ack ends; 0: it has been taken, or there is none

	direct direct // when Send writes by itself

	// Owned by the flusher.
	overdue *overdue // the watch over WriteTimeout where the socket is none of the kernel's; nil if it is, or was not needed so far
	raw     struct {
		buf   []byte
		n     int
		err   error
		write func(fd uintptr) bool // onWritable, bound once
	}
}

// Owner is what an Outbox asks of the connection whose messages it sends.
type Owner interface {
	// Undo tells the encoder that its last payload is not sent, and reports whether
	// what it encodes next can be decoded without that payload. It is called with the
	// lock held.
	Undo() bool

	// InputReady reports whether messages can be received without waiting for the
	// socket. It is a hint.
	InputReady() bool
}

// Watcher is what an Outbox tells of what happens to it.
type Watcher interface {
	// WriteFailed is told of the write that failed, without locks held and before any
	// Send learns of it. It returns the cause.
	WriteFailed(err error) (cause error)

	// SendWaits is told that a Send or a Flush begins to wait, without locks held; see
	// WatchWaits and Progress.
	SendWaits()
}

// Config is what an Outbox needs to know. Init copies it.
type Config struct {
	Framing      wire.Framing
	MaxPayload   int  // largest payload that Commit accepts, bytes
	PeerLimit    bool // that is the peer's limit
	Named        bool // there are control frames
	SendBuffer   int  // bytes accepted and not yet written, beyond which Begin waits
	WriteTimeout time.Duration

	Owner Owner

	Watcher Watcher

	// Tracer is told of each frame when it is accepted, with the lock held; nil for none.
	Tracer *wire.Tracer

	// Received is the count of messages received on the connection, by which direct
	// knows an answer.
	Received *atomic.Uint64
}

// Init makes o ready for use.
func (o *Outbox) Init(sock *socket.Socket, c Config) {
	o.sock = sock
	o.framing = c.Framing
	o.headerSize = uint8(c.Framing.HeaderSize())
	o.limit, o.peerLimit, o.named = c.MaxPayload, c.PeerLimit, c.Named
	o.maxPayload = c.Framing.MaxPayload(c.MaxPayload)
	o.sendBuffer = c.SendBuffer
	o.writeTimeout = c.WriteTimeout
	o.owner, o.watcher, o.tracer = c.Owner, c.Watcher, c.Tracer
	o.flushFunc = o.flush
	o.raw.write = o.onWritable
	o.direct.write = o.tryWrite
	o.direct.received = c.Received
}

// Tracer returns what is told of each frame, or nil.
func (o *Outbox) Tracer() *wire.Tracer { return o.tracer }

// MaxPayload returns the largest payload that Commit accepts, bytes.
func (o *Outbox) MaxPayload() int { return o.maxPayload }

// bufferedLocked returns the number of bytes accepted and not yet with the kernel.
func (o *Outbox) bufferedLocked() int { return o.accepted + o.unwritten }

// Stop refuses all further frames with err; what is accepted is still written. The
// first call counts.
func (o *Outbox) Stop(err error) {
	o.mu.Lock()
	o.stopLocked(err)
	o.mu.Unlock()
}

func (o *Outbox) stopLocked(err error) {
	if o.stopErr == nil {
		o.stopErr = err
		o.stopped.FireLocked()
	}
}

// SendControl queues a control frame.
func (o *Outbox) SendControl(frame []byte) {
	o.mu.Lock()
	o.sendControlLocked(frame)
	o.mu.Unlock()
}

// sendControlLocked puts the frame between what is accepted and what is staged. It does
// not wait for space, since its callers must not wait: a receiver that answers, a timer.
func (o *Outbox) sendControlLocked(frame []byte) {
	if o.sealed || o.writeErr != nil {
		return
	}
	o.queueControlLocked(frame)
	o.flushLocked()
}

// queueControlLocked is sendControlLocked without the writing.
func (o *Outbox) queueControlLocked(frame []byte) {
	o.pending = slices.Insert(o.bufferLocked(), o.accepted, frame...)
	o.accepted += len(frame)
	o.total += uint64(len(frame))
	o.controls += uint64(len(frame))
	if o.tracer != nil {
		o.tracer.Control(true, frame[4:])
	}
}

// SendAck queues the frame that says how many messages have been taken. One that is still
// there to be written is changed in place, so a peer that reads nothing costs one frame.
func (o *Outbox) SendAck(taken uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ackEnd > 0 {
		wire.AppendAck(o.pending[:o.ackEnd-wire.AckFrameSize], taken)
		return
	}
	if o.sealed || o.writeErr != nil || o.goodbyeSent == wire.GoodbyeFull {
		return
	}
	o.queueControlLocked(wire.AppendAck(make([]byte, 0, wire.AckFrameSize), taken))
	o.ackEnd = o.accepted
	o.flushLocked()
}

// SendGoodbye is Stop, and queues the goodbye behind the last message, unless one of
// that kind or a greater one has been sent already.
func (o *Outbox) SendGoodbye(err error, g wire.Goodbye) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stopLocked(err)
	if g.Kind() > o.goodbyeSent {
		if o.goodbyeSent == wire.GoodbyeNone {
			o.goodbyeFirst = g.Kind()
		}
		o.goodbyeSent = g.Kind()
		o.sendControlLocked(g.Frame())
	}
}

// GoodbyeSent returns the goodbye that SendGoodbye has queued.
func (o *Outbox) GoodbyeSent() wire.GoodbyeKind {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.goodbyeSent
}

// FirstGoodbye returns the first that SendGoodbye has queued, which is the one that the peer confirms.
func (o *Outbox) FirstGoodbye() wire.GoodbyeKind {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.goodbyeFirst
}

// Seal refuses further control frames, before the write side of the socket is closed. If
// something remains to be written it does nothing and reports false.
func (o *Outbox) Seal() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sealed = o.bufferedLocked() == 0
	return o.sealed
}

// watch says whether the Watcher has been told that something waits, and will find out by
// itself when nothing does any more: a stream may wait for each of its messages.
type watch uint8

const (
	noWatch    watch = iota // it is not to be told
	watchWaits              // it is to be told of the next wait
	watching                // it knows
)

// WatchWaits arranges for SendWaits to be called.
func (o *Outbox) WatchWaits() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.watch = watchWaits
}

// waitsLocked notes that a wait begins, and reports whether SendWaits has to be called,
// without the lock.
func (o *Outbox) waitsLocked() bool {
	if o.watch != watchWaits {
		return false
	}
	o.watch = watching
	return true
}

// Progress returns how many bytes the kernel has taken so far, and whether a Send or a
// Flush waits for it to take more. If none does, the next wait leads to SendWaits again.
func (o *Outbox) Progress() (sent uint64, waits bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	waits = o.staged != nil || len(o.queue) > 0 || o.flushes > 0
	if !waits && o.watch == watching {
		o.watch = watchWaits
	}
	return o.sentLocked(), waits
}

// sentLocked returns how many of the bytes that were ever accepted are with the kernel.
func (o *Outbox) sentLocked() uint64 {
	sent := o.total - uint64(o.bufferedLocked())
	if o.farewell != nil {
		sent -= uint64(o.farewell.dropped)
	}
	return sent
}

// unsentLocked returns the number of bytes, of accepted messages and what stands
// between them, that are not with the kernel.
func (o *Outbox) unsentLocked() int {
	sent := o.sentLocked()
	return int(max(o.messageEnd, sent) - sent)
}

// Unsent returns the number of bytes, of accepted messages and what stands between
// them, that are not with the kernel.
func (o *Outbox) Unsent() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.unsentLocked()
}

// Counters is what an Outbox has done.
type Counters struct {
	Messages uint64 // accepted
	Bytes    uint64 // of their frames, headers included
	Writes   uint64 // to the socket
	Unsent   int    // bytes accepted and not yet with the kernel
}

// Counters returns the counters.
func (o *Outbox) Counters() Counters {
	o.mu.Lock()
	defer o.mu.Unlock()
	return Counters{
		Messages: o.messages,
		Bytes:    o.total - o.controls,
		Writes:   o.writes,
		Unsent:   o.unsentLocked(),
	}
}

// bufferLocked returns pending with space for a header and a payload like the
// last one. The space comes from the pool: what append grows to fits none of its
// classes.
func (o *Outbox) bufferLocked() []byte {
	if cap(o.pending)-len(o.pending) < wire.MaxHeader+o.frame+o.frame/4 {
		o.growLocked()
	}
	return o.pending
}

// growLocked moves pending to a buffer with that space.
func (o *Outbox) growLocked() {
	frame := wire.MaxHeader + o.frame + o.frame/4
	want := len(o.pending) + frame
	if o.pending == nil {
		o.pending = bufpool.Get(max(want, o.batch))
		return
	}
	most := o.sendBuffer + frame // what SendBuffer allows, and the frame
	b := append(bufpool.Get(max(want, min(2*cap(o.pending), most))), o.pending...)
	bufpool.Put(o.pending)
	o.pending = b
}
