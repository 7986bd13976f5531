package qsocket

import (
	"slices"
	"sync"
	"time"
)

// outbox is the sending half of a Conn: frames on their way to the kernel.
//
// A sender encodes its frame at the end of pending, under mu. If the frame
// fits into what SendBuffer allows it is accepted at once; otherwise it stays
// there, offered, until the flusher has made room and accepts it, or until its
// sender gives up and takes it back. The flusher goroutine exists only while
// there is something to write: it swaps pending for an empty buffer, writes,
// and repeats. So frames are written whole and in the order of acceptance, and
// whatever is accepted during a write goes out with the next one.
//
// Where there is nothing to gather, a Send writes by itself instead; see direct.
//
// Invariants: whoever has set flushing, a flusher or one Send, is the only
// writer. While accepted bytes are unwritten and no write has failed, flushing
// or scheduled is set.
type outbox struct {
	// Immutable.
	sock         *socket
	limit        int               // SendBuffer
	writeTimeout time.Duration     // 0: none
	flushFunc    func()            // flush, bound once so that starting it allocates nothing
	onFailure    func(error) error // told of the write that failed; returns why it did

	mu        sync.Mutex    // guards following; never held across I/O
	pending   []byte        // frames that no write has taken yet; nil when there are none
	batch     int           // bytes of recent writes: what to expect of the next
	accepted  int           // pending[:accepted] are accepted, the rest is the offered frame
	frame     int           // length of the last frame: what to expect of the next
	offer     *waiter       // whose frame is offered: it is not part of the stream, and nobody may encode
	queue     []*waiter     // those who wait for room
	hungry    int           // senders that have waited for long: who has not waited must
	spare     []*waiter     // to be used again
	writing   int           // bytes taken for writing that the kernel does not have yet
	left      []byte        // what a direct write has left to the flusher
	flushing  bool          // the flusher writes, or a Send does by itself
	scheduled bool          // a flusher has been started and will look for what there is to write
	total     uint64        // bytes ever accepted
	progress  chan struct{} // closed at the next progress of the flusher; nil if nobody waits for it
	stopErr   error         // why frames are refused
	stopped   signal        // stopErr is set
	writeErr  error         // the write that failed: nothing is written any more

	messages, writes uint64 // for Stats
	messageEnd       uint64 // total when the last message was accepted

	// Named mode: control frames go behind what is accepted, whatever the limit.
	said     weight // the goodbye, after which no message is accepted
	sealed   bool   // nothing more will be said
	pulse    pulse  // heartbeats
	controls uint64 // bytes of control frames ever accepted

	direct direct // when Send writes by itself

	// Owned by the flusher.
	raw struct {
		buf   []byte
		n     int
		err   error
		write func(fd uintptr) bool // bound once
	}
}

func (o *outbox) init(sock *socket, opts *Options, onFailure func(error) error) {
	o.sock = sock
	o.limit = opts.SendBuffer
	o.writeTimeout = opts.WriteTimeout
	o.onFailure = onFailure
	o.flushFunc = o.flush
	o.raw.write = o.writeRaw
	o.direct.write = o.writeNow
}

// bufferedLocked returns the number of bytes accepted and not yet with the kernel.
func (o *outbox) bufferedLocked() int { return o.accepted + o.writing }

// fitsLocked reports whether the frame at the end of pending may be accepted.
// One that is larger than the limit fits when nothing else is there.
func (o *outbox) fitsLocked() bool {
	buffered := o.bufferedLocked()
	return buffered == 0 || buffered+len(o.pending)-o.accepted <= o.limit
}

// bufferLocked returns pending with room for a header and a payload like the
// last one. The room comes from the pool: what append grows to fits none of its
// classes.
func (o *outbox) bufferLocked() []byte {
	if want := len(o.pending) + maxHeader + o.frame + o.frame/4; cap(o.pending) < want {
		o.growLocked(want)
	}
	return o.pending
}

func (o *outbox) growLocked(want int) {
	if o.pending == nil {
		o.pending = getBuffer(max(want, o.batch))
		return
	}
	most := o.limit + want - len(o.pending) // what SendBuffer allows, and the frame
	b := append(getBuffer(max(want, min(2*cap(o.pending), most))), o.pending...)
	putBuffer(o.pending)
	o.pending = b
}

// acceptLocked makes the frame at the end of pending part of the stream. The
// caller starts the flusher if there is none.
func (o *outbox) acceptLocked() {
	o.frame = len(o.pending) - o.accepted
	o.total += uint64(o.frame)
	o.messages++
	o.accepted = len(o.pending)
	o.messageEnd = o.total
}

// takeBackLocked removes the frame at the end of pending.
func (o *outbox) takeBackLocked() {
	o.pending = o.pending[:o.accepted]
	if o.accepted == 0 {
		putBuffer(o.pending)
		o.pending = nil
	}
}

// stop refuses all further frames with err; what is accepted is still
// written. The first call counts.
func (o *outbox) stop(err error) {
	o.mu.Lock()
	o.stopLocked(err)
	o.mu.Unlock()
}

func (o *outbox) stopLocked(err error) {
	if o.stopErr == nil {
		o.stopErr = err
		o.stopped.fireLocked()
	}
}

// control queues a control frame.
func (o *outbox) control(frame []byte) {
	o.mu.Lock()
	o.controlLocked(frame)
	o.mu.Unlock()
}

// controlLocked puts the frame between what is accepted and what is offered.
func (o *outbox) controlLocked(frame []byte) {
	if o.sealed || o.writeErr != nil {
		return
	}
	o.pending = slices.Insert(o.bufferLocked(), o.accepted, frame...)
	o.accepted += len(frame)
	o.total += uint64(len(frame))
	o.controls += uint64(len(frame))
	o.flushLocked()
}

// sayGoodbye is stop, and queues the goodbye behind the last message, unless as
// much has been said already.
func (o *outbox) sayGoodbye(err error, w weight, reason string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stopLocked(err)
	if w > o.said {
		o.said = w
		o.controlLocked(goodbyeFrame(w, reason))
	}
}

// goodbye returns the goodbye that has been said.
func (o *outbox) goodbye() weight {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.said
}

// seal refuses further control frames. It reports false, and does not, if
// something remains to be written.
func (o *outbox) seal() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sealed = o.bufferedLocked() == 0
	return o.sealed
}

// unsentLocked returns the number of bytes, of accepted messages and what stands
// between them, that are not with the kernel.
func (o *outbox) unsentLocked() int {
	sent := o.total - uint64(o.bufferedLocked())
	return int(max(o.messageEnd, sent) - sent)
}

func (o *outbox) unsent() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.unsentLocked()
}

// addTo fills in the sender's part of s.
func (o *outbox) addTo(s *Stats) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.MessagesSent = o.messages
	s.BytesSent = o.total - o.controls
	s.Flushes = o.writes
	s.SendBuffered = o.unsentLocked()
}
