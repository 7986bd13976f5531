package inbox

import "github.com/fb9bb4ed/qsocket/internal/bufpool"

// adapt fits the size of the next Read to the traffic: n bytes came for offered. It is
// for connections without raw access, whose buffer is there while they wait.
func (in *Inbox) adapt(n, offered int) {
	switch {
	case n == offered:
		in.readSize = min(4*in.readSize, rawReadSize)
	case n < in.readSize/4:
		in.readSize = max(2*n, minReadSize)
	}
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

// shrink gives memory back before a wait: all but what has arrived and extra
// bytes to read into. A buffer less than four times too large is kept, or each wait
// inside a frame would copy it.
func (in *Inbox) shrink(extra int) {
	have := in.w - in.r
	if have+extra == 0 {
		bufpool.Put(in.buf)
		in.buf, in.r, in.w = nil, 0, 0
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
