// Package session is what two ends of a session count: messages that were accepted and not
// acknowledged, and messages that were received and taken. It knows neither sockets nor
// types, and has no goroutines. docs/wire.md has the rules, and their words: message n of a
// direction is its n-th data frame since the session began, from 1.
package session

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/fb9bb4ed/qsocket/internal/bufpool"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// HeaderSize is that of a frame: named mode has one framing.
const HeaderSize = 4

// blockSize is what a block has space for, bytes, or one frame if that is larger. The first ones of a ring that was empty
// are smaller, since many sessions have few messages: smallest, and as much again as is held.
const (
	blockSize = 16 << 10
	smallest  = bufpool.Min
)

// Large is the size, bytes, above which a frame begins a block, if those before it were large as well.
const Large = blockSize

// Ring holds the frames of messages that were accepted and that the peer's program has not
// taken, as far as it has said so:
//
//	     taken                sent                 last
//	[ …   | may have arrived   | never written      |
//	  gone     held                 held
//
//	taken ≤ sent ≤ last
//
// Frames lie one behind the other in blocks, which go back to the pool as a whole when all in them are taken, so
// that a message costs its bytes and no object. A frame does not change after it was accepted, until it is acknowledged and nobody has
// it in hand, see Ack.
//
// Its owner guards it.
type Ring struct {
	limit  int // bytes of frames, beyond which no more fit unless there are none
	bytes  int
	blocks []block
	next   []byte // memory that Buffer has lent and no block has taken; or nil
	size   int    // of the last frame

	taken uint64 // by the peer's program, as its acks say
	sent  uint64 // the last message that was ever given to a connection
	last  uint64 // the last message that was accepted
}

type block struct {
	first uint64 // the number of the first message
	n     uint64 // messages
	gone  int    // bytes of those that are taken
	buf   []byte
}

// NewRing returns a Ring for frames of limit bytes.
func NewRing(limit int) Ring { return Ring{limit: limit} }

func (r *Ring) Taken() uint64 { return r.taken }
func (r *Ring) Sent() uint64  { return r.sent }
func (r *Ring) Last() uint64  { return r.last }

// Bytes returns how many bytes of frames are held.
func (r *Ring) Bytes() int { return r.bytes }

// Buffer returns the memory to which the next frame is to be appended, with what is there
// already.
func (r *Ring) Buffer() []byte {
	if n := len(r.blocks); n > 0 {
		b := r.blocks[n-1].buf
		if free := cap(b) - len(b); free > min(cap(b), blockSize)/8 && (free >= r.size || r.size <= blockSize) {
			return b
		}
	}
	want := r.size // the next one may be as large
	if want <= blockSize {
		want = min(max(r.bytes, smallest), blockSize)
	}
	if n := cap(r.next); n < want || n > 2*max(want, blockSize) {
		bufpool.Put(r.next)
		r.next = bufpool.Get(want)
	}
	return r.next
}

// GiveUp reports whether the memory that Buffer has returned, to which a frame was appended as b, is the caller's now: that
// of a large frame is.
func (r *Ring) GiveUp(b []byte) bool {
	if len(b) <= blockSize || !Same(b, r.next) {
		return false
	}
	r.next = nil
	return true
}

// Unused gives back what Buffer has returned, to which nothing was appended that was accepted, if nothing else is held.
func (r *Ring) Unused() {
	if len(r.blocks) == 0 {
		bufpool.Put(r.next)
		r.next = nil
	}
}

// Same reports whether a and b begin at the same place in memory.
func Same(a, b []byte) bool { return cap(a) > 0 && cap(b) > 0 && &a[:1][0] == &b[:1][0] }

// Fits reports whether a frame of that many bytes may be accepted. It may be larger than the
// limit allows while less than a quarter of that is in use: so much the peer's program may have taken
// without an ack, so whoever cannot wait for one must not be held up by it.
func (r *Ring) Fits(size int) bool {
	return r.bytes == 0 || r.bytes < r.limit/4 || r.bytes+size <= r.limit
}

// Accept makes b[start:] the last message, and returns its frame as the ring has it. b is what Buffer has returned, with
// the frame appended to it; its memory may be another by now, and is the ring's, or back in the pool, after the call.
func (r *Ring) Accept(b []byte, start int) (frame []byte) {
	r.last++
	r.size = len(b) - start
	r.bytes += r.size
	if n := len(r.blocks); n > 0 && start > 0 {
		last := &r.blocks[n-1]
		if Same(b, last.buf) { // the frame has found space in it
			last.buf = b
			last.n++
			return b[start:]
		}
		if frame := b[start:]; r.size > Large {
			b = frame
		} else {
			b = append(bufpool.Get(min(max(r.bytes, smallest), blockSize)), frame...)
		}
	} else {
		if Same(b, r.next) {
			r.next = nil
		}
		if r.size <= Large && cap(b) > 2*Large { // the last one was large
			small := append(bufpool.Get(min(max(r.bytes, smallest), blockSize)), b...)
			bufpool.Put(b)
			b = small
		}
	}
	r.blocks = append(r.blocks, block{first: r.last, n: 1, buf: b})
	return b
}

// Add returns what Accept takes for a whole frame, whose memory becomes the ring's unless it is small: then it
// is copied.
func (r *Ring) Add(frame []byte) (b []byte, start int) {
	if len(frame) > blockSize {
		return frame, 0
	}
	b = r.Buffer()
	return append(b, frame...), len(b)
}

// Cursor is a place in a Ring: that of a message that is to be sent next.
type Cursor struct {
	next  uint64 // its number
	block uint64 // the number of the first message in its block; 0: to be looked for
	at    int    // where in the block it is
}

// From returns the place of message n, which is above taken and at most last+1.
func (r *Ring) From(n uint64) Cursor { return Cursor{next: n} }

// Next returns the number of the message at c.
func (c *Cursor) Next() uint64 { return c.next }

// Frames returns the frames at c that lie one behind the other, those that begin within the first most bytes and one
// at least. They count as sent. There are none at the end.
func (r *Ring) Frames(c *Cursor, most int) []byte {
	if c.next > r.last {
		return nil
	}
	b := r.locate(c)
	end, n := c.at, c.next
	for ; end < len(b.buf) && end-c.at < most; n++ {
		end += frameSize(b.buf[end:])
	}
	r.sent = max(r.sent, n-1)
	return b.buf[c.at:end]
}

// Pass moves c behind n frames of that many bytes, which Frames has returned.
func (c *Cursor) Pass(n, bytes int) {
	c.next += uint64(n)
	c.at += bytes
}

// Sends moves c behind the last frame, at which it is, and which counts as sent.
func (r *Ring) Sends(c *Cursor, bytes int) {
	if b := &r.blocks[len(r.blocks)-1]; c.block == b.first {
		c.at += bytes
	} else {
		c.block = 0
	}
	c.next++
	r.sent = max(r.sent, r.last)
}

// Frame returns the frame at c, and moves c behind it. The message counts as sent. ok is false
// if there is none yet.
func (r *Ring) Frame(c *Cursor) (frame []byte, ok bool) {
	if frame = r.Frames(c, 1); frame == nil {
		return nil, false
	}
	c.Pass(1, len(frame))
	return frame, true
}

// locate returns the block of the message at c, which exists, and notes where it is in that.
func (r *Ring) locate(c *Cursor) *block {
	i := len(r.blocks) - 1 // mostly it is there
	for r.blocks[i].first > c.next {
		i--
	}
	b := &r.blocks[i]
	if c.block != b.first {
		c.block, c.at = b.first, 0
		for n := b.first; n < c.next; n++ {
			c.at += frameSize(b.buf[c.at:])
		}
	}
	return b
}

func frameSize(b []byte) int { return HeaderSize + int(binary.BigEndian.Uint32(b)) }

// Ack handles the peer's word that its program has taken that many messages. unused says that nobody
// has one of their frames in hand, so that their memory may be used again.
func (r *Ring) Ack(taken uint64, unused bool) error {
	switch {
	case taken < r.taken:
		return fmt.Errorf("%w: ack of %d messages after one of %d", wire.ErrProtocol, taken, r.taken)
	case taken > r.sent:
		return fmt.Errorf("%w: ack of %d messages, but %d were sent", wire.ErrProtocol, taken, r.sent)
	}
	n := 0
	for ; n < len(r.blocks) && r.blocks[n].first+r.blocks[n].n-1 <= taken; n++ {
		b := &r.blocks[n]
		r.bytes -= len(b.buf) - b.gone
		if unused {
			bufpool.Put(b.buf)
		}
	}
	r.blocks = slices.Delete(r.blocks, 0, n)
	if len(r.blocks) == 0 { // an idle session holds nothing
		r.blocks = nil
		r.Unused()
	} else if b := &r.blocks[0]; taken >= b.first {
		for n := max(b.first, r.taken+1); n <= taken; n++ {
			size := frameSize(b.buf[b.gone:])
			b.gone += size
			r.bytes -= size
		}
	}
	r.taken = taken
	return nil
}

// CheckGot returns an error if the peer cannot have read that many messages.
func (r *Ring) CheckGot(got uint64) error {
	if got < r.taken || got > r.sent {
		return fmt.Errorf("%w: the peer resumes after %d messages, want %d, which it has acknowledged, to %d, which were sent", wire.ErrProtocol, got, r.taken, r.sent)
	}
	return nil
}

// Unacknowledged calls f with the payload of each message that is not acknowledged, in order, and
// whether it may have arrived, until f returns false.
func (r *Ring) Unacknowledged(f func(payload []byte, sent bool) bool) {
	for c := r.From(r.taken + 1); ; {
		sent := c.next <= r.sent
		was := r.sent
		frame, ok := r.Frame(&c)
		r.sent = was
		if !ok || !f(frame[HeaderSize:], sent) {
			return
		}
	}
}
