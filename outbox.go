package qsocket

import (
	"context"
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
// Invariant: while accepted bytes are unwritten and no write has failed, flushing
// is set, and whoever has set it, the flusher or one Send, is the only writer.
type outbox struct {
	// Immutable.
	sock         *socket
	limit        int               // SendBuffer
	writeTimeout time.Duration     // 0: none
	flushFunc    func()            // flush, bound once so that starting it allocates nothing
	onFailure    func(error) error // told of the write that failed; returns why it did

	// Senders that find the outbox full queue for turn, first come first
	// served. Its holder waits for room. The sender of an offered frame waits
	// for grant.
	turn    chan struct{} // capacity 1, full while held
	room    chan struct{} // capacity 1: a hint to look again
	grant   chan struct{} // capacity 1: the offered frame was accepted
	stopped chan struct{} // closed when stopErr is set

	mu       sync.Mutex    // guards following; never held across I/O
	pending  []byte        // frames that no write has taken yet; nil when there are none
	batch    int           // bytes of recent writes: what to expect of the next
	accepted int           // pending[:accepted] are accepted, the rest is the offered frame
	frame    int           // length of the last frame: what to expect of the next
	offer    offer         // what has become of the offered frame
	waiting  int           // senders in the queue for turn, its holder included
	writing  int           // bytes taken for writing that the kernel does not have yet
	left     []byte        // what a direct write has left to the flusher
	flushing bool          // the flusher runs, or a Send writes by itself
	total    uint64        // bytes ever accepted
	progress chan struct{} // closed at the next progress of the flusher; nil if nobody waits for it
	stopErr  error         // why frames are refused
	writeErr error         // the write that failed: nothing is written any more

	messages, writes uint64 // for Stats

	direct direct // when Send writes by itself

	// Owned by the flusher.
	raw struct {
		buf   []byte
		n     int
		err   error
		write func(fd uintptr) bool // bound once
	}
}

// offer is the state of the frame at the end of pending that did not fit when
// it was encoded. Nobody else may encode until its sender has seen the outcome.
type offer uint8

const (
	noOffer offer = iota
	offered       // not accepted; not part of the stream
	granted       // accepted by the flusher, and its sender does not know yet
)

func (o *outbox) init(sock *socket, opts *Options, onFailure func(error) error) {
	o.sock = sock
	o.limit = opts.SendBuffer
	o.writeTimeout = opts.WriteTimeout
	o.onFailure = onFailure
	o.flushFunc = o.flush
	o.raw.write = o.writeRaw
	o.direct.write = o.writeNow
	o.turn = make(chan struct{}, 1)
	o.room = make(chan struct{}, 1)
	o.grant = make(chan struct{}, 1)
	o.stopped = make(chan struct{})
}

// lock waits until a frame may be encoded, and returns with mu held. queued
// says that the caller holds turn, too; unlock releases both. ctx bounds the
// wait. On error nothing is held.
func (o *outbox) lock(ctx context.Context) (queued bool, err error) {
	o.mu.Lock()
	if o.stopErr != nil {
		err := o.stopErr
		o.mu.Unlock()
		return false, err
	}
	if o.waiting == 0 && o.hasRoomLocked() {
		return false, nil
	}
	o.waiting++
	o.mu.Unlock()

	select {
	case o.turn <- struct{}{}:
		queued = true
	case <-ctx.Done():
		err = ctx.Err()
	case <-o.stopped:
	}
	for {
		o.mu.Lock()
		if o.stopErr != nil {
			err = o.stopErr
		}
		if err != nil {
			o.unlock(queued, true)
			return false, err
		}
		if o.hasRoomLocked() {
			return true, nil
		}
		o.mu.Unlock()
		select {
		case <-o.room:
		case <-ctx.Done():
			err = ctx.Err()
		case <-o.stopped:
		}
	}
}

// unlock ends what lock began. waited says that the caller is counted in waiting.
func (o *outbox) unlock(queued, waited bool) {
	if waited {
		o.waiting--
	}
	o.mu.Unlock()
	if queued {
		<-o.turn
	}
}

// hasRoomLocked reports whether a frame may be encoded now. Whether it then
// fits is another matter.
func (o *outbox) hasRoomLocked() bool {
	return o.offer == noOffer && o.bufferedLocked() < o.limit
}

// bufferedLocked returns the number of bytes accepted and not yet with the kernel.
func (o *outbox) bufferedLocked() int { return o.accepted + o.writing }

// fitsLocked reports whether the frame at the end of pending may be accepted.
// One that is larger than the limit fits when nothing else is there.
func (o *outbox) fitsLocked() bool {
	buffered := o.bufferedLocked()
	return buffered == 0 || buffered+len(o.pending)-o.accepted <= o.limit
}

// bufferLocked returns pending with room for a frame like the last one. The
// room comes from the pool: what append grows to fits none of its classes.
func (o *outbox) bufferLocked() []byte {
	want := len(o.pending) + o.frame + o.frame/4
	switch {
	case o.pending == nil:
		o.pending = getBuffer(max(want, o.batch))
	case cap(o.pending) < want:
		b := append(getBuffer(max(want, 2*cap(o.pending))), o.pending...)
		putBuffer(o.pending)
		o.pending = b
	}
	return o.pending
}

// acceptLocked makes the frame at the end of pending part of the stream. The
// caller starts the flusher if there is none.
func (o *outbox) acceptLocked() {
	o.frame = len(o.pending) - o.accepted
	o.total += uint64(o.frame)
	o.messages++
	o.accepted = len(o.pending)
}

// takeBackLocked removes the frame at the end of pending.
func (o *outbox) takeBackLocked() {
	o.pending = o.pending[:o.accepted]
	if o.accepted == 0 {
		putBuffer(o.pending)
		o.pending = nil
	}
}

// awaitGrant waits until the offered frame is accepted, and returns with mu
// held. With an error the frame is not accepted. The caller ends the offer.
func (o *outbox) awaitGrant(ctx context.Context) error {
	var err error
	select {
	case <-o.grant:
	case <-ctx.Done():
		err = ctx.Err()
	case <-o.stopped:
	}
	o.mu.Lock()
	switch {
	case o.offer == granted:
		select {
		case <-o.grant: // it came while we turned away
		default:
		}
		return nil
	case o.stopErr != nil:
		return o.stopErr
	}
	return err
}

// madeRoomLocked passes on room that has come about: to the offered frame
// first, then to the sender whose turn it is.
func (o *outbox) madeRoomLocked() {
	if o.offer == offered && o.stopErr == nil && o.fitsLocked() {
		o.acceptLocked()
		o.offer = granted
		o.grant <- struct{}{} // empty: each grant is taken before the next offer
	}
	if o.waiting > 0 && o.hasRoomLocked() {
		select {
		case o.room <- struct{}{}:
		default:
		}
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
		close(o.stopped)
	}
}

// unsent returns the number of accepted bytes that are not with the kernel.
func (o *outbox) unsent() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bufferedLocked()
}

// addTo fills in the sender's part of s.
func (o *outbox) addTo(s *Stats) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.MessagesSent = o.messages
	s.BytesSent = o.total
	s.Flushes = o.writes
	s.SendBuffered = o.bufferedLocked()
}
