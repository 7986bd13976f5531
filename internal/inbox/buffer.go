package inbox

import (
	"crypto/tls"

	"github.com/fb9bb4ed/qsocket/internal/bufpool"
)

// A buffer is never much larger than what has arrived, except while the socket is being
// read: a peer that sends 100 bytes to a handler that takes its time makes us hold 100
// bytes, and not what a read is offered. So it is fitted at every point at which the
// receiver may be gone for long:
//
//	before a wait for the socket    shrink
//	when a payload has been decoded Release, for a caller of Recv
//	when messages has no space      Pump, for the reader goroutine
//	when there is no more to read   drop

// adapt fits the size of the next Read to the traffic: n bytes came for offered. It is
// for connections without raw access, whose buffer is there while they wait.
func (in *Inbox) adapt(n, offered int) {
	size := int(in.readSize)
	switch {
	case n == offered:
		most := rawReadSize
		if _, ok := in.sock.Conn.(*tls.Conn); ok {
			most = tlsRecord
		}
		size = min(4*size, most)
	case n < size/4:
		size = max(2*n, minReadSize)
	}
	in.readSize = int32(size)
}

// makeSpace makes space to read into, for at least one byte and otherwise for
// size bytes from the start of the frame. A buffer grows only when it is full,
// so a peer makes us hold no more than about twice what it has sent, whatever its frame
// announces. Bytes are moved to the front only if there is no space behind them, or not
// enough for their frame.
func (in *Inbox) makeSpace(size int) {
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

// Release gives back what the receiver need not keep while its caller works on the
// message that Next returned last. The caller must hold the lock, and not look at that
// payload any more.
//
// Right after a read, a buffer that is four times too large is fitted. Later on it has to
// be sixteen times too large: a stream that is cut off message by message must not be
// moved again and again.
func (in *Inbox) Release() {
	if in.w-in.r >= int(in.fitBelow) {
		in.fitBelow = int32(cap(in.buf) / 16)
		return
	}
	in.fit()
}

// fit moves what is in the buffer to one of its size. An empty buffer, and one of no use
// any more, goes back to the pool.
func (in *Inbox) fit() {
	if in.w == in.r {
		in.drop()
	} else if cap(in.buf) > 4*max(in.w-in.r, bufpool.Min) {
		in.move(in.w - in.r)
	}
	in.fitBelow = int32(cap(in.buf) / 16)
}

// drop gives the buffer back, with what is in it.
func (in *Inbox) drop() {
	bufpool.Put(in.buf)
	in.buf, in.r, in.w = nil, 0, 0
}

// shrink gives memory back before a wait: all but what has arrived and extra
// bytes to read into. A buffer less than four times too large is kept, or each wait
// inside a frame would copy it.
func (in *Inbox) shrink(extra int) {
	have := in.w - in.r
	if have+extra == 0 {
		in.drop()
	} else if cap(in.buf) > 4*max(have+extra, bufpool.Min/2) {
		in.move(have + extra)
	}
}

// move puts the unconsumed bytes at the start of another buffer.
func (in *Inbox) move(size int) {
	b := bufpool.Get(size)
	n := copy(b[:cap(b)], in.buf[in.r:in.w])
	bufpool.Put(in.buf)
	in.buf, in.r, in.w = b, 0, n
}
