package outbox

import (
	"errors"
	"os"
	"sync/atomic"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/bufpool"
	"github.com/fb9bb4ed/qsocket/internal/monotime"
	"github.com/fb9bb4ed/qsocket/internal/socket"
)

// direct decides when Send writes to the socket by itself instead of leaving
// it to the flusher, and does it.
//
// The flusher gathers what many Sends add, at the price of a goroutine's start:
// some microseconds before the first byte goes out. That is too much in two
// cases, and in these two there is nothing to gather:
//
//   - answers: the last two Sends each followed a message received, and no more
//     input is at hand. So the peer waits for this one. (With input at hand more
//     answers are to come; then one write for all of them is better.)
//   - quiet: nothing was sent on this connection for quietConn, and by the whole
//     process for quietProcess. The second keeps a fan-out to many connections,
//     each of which looks quiet, on the flushers.
//
// A third case is the flusher that does not come to start, see takeOver. In all
// other cases a direct write would cost a stream of small messages a
// system call each, 40 times what the flusher needs. A direct write never
// waits: what the kernel does not take at once is left to the flusher.
type direct struct {
	// Immutable.
	received *atomic.Uint64        // messages received on this connection
	write    func(fd uintptr) bool // tryWrite, bound once

	// Guarded by the Outbox's mu.
	lastReceived  uint64        // received, at the last Send
	answers       int           // Sends in a row that each followed a message received
	lastActive    time.Duration // when something was last sent here, on the clock of monotime
	lastTakeOvers uint64        // takeOvers, after the last one here

	// Owned by what has set writing.
	buf []byte
	n   int
	err error
}

const (
	quietConn    = 100 * time.Microsecond
	quietProcess = 50 * time.Microsecond

	// takeOver is how many bytes are left to a flusher that has yet to start. On
	// a busy machine it may wait for its turn behind a thousand others; if each
	// connection filled its buffer meanwhile, no byte would still be in the
	// processor's cache when it is written. This much makes a system call cheap
	// and stays in the cache.
	takeOver = 32 << 10

	// takeOverAlone is the same while no other connection of the process takes
	// over, or half of SendBuffer if that is less: three times as much for a system
	// call is a fifth less time for each message of a stream.
	takeOverAlone = 96 << 10
)

// takeOvers counts them, in the whole process.
var takeOvers atomic.Uint64

// processActive is when anything was last sent by any connection.
var processActive atomic.Int64

// wantDirectLocked reports whether the frame that was just accepted is to be
// written by its sender, which it can. The writer is idle: no flusher has been started.
func (o *Outbox) wantDirectLocked() bool {
	if path := Path(forcedPath.Load()); path != Chosen {
		return path == Direct
	}
	d := &o.direct
	if received := d.received.Load(); received != d.lastReceived {
		d.lastReceived = received
		d.answers++
	} else {
		d.answers = 0
	}
	if d.answers >= 2 && !o.owner.InputReady() {
		return true
	}
	now := monotime.Now()
	quiet := now-d.lastActive > quietConn && now-time.Duration(processActive.Load()) > quietProcess
	o.activeLocked(now)
	return quiet
}

// wantTakeOverLocked reports whether the sender of the frame that was just
// accepted is to write what waits for a flusher that has been started.
func (o *Outbox) wantTakeOverLocked() bool {
	if o.sock.Raw == nil || o.remainder != nil { // remainder: the socket was full
		return false
	}
	switch Path(forcedPath.Load()) {
	case Chosen:
		alone := o.direct.lastTakeOvers == takeOvers.Load()
		if o.accepted < takeOver || alone && o.accepted < min(takeOverAlone, o.sendBuffer/2) {
			return false
		}
		o.direct.lastTakeOvers = takeOvers.Add(1)
		return true
	case TakeOver:
		return true
	}
	return false
}

// activeLocked notes that something is sent.
func (o *Outbox) activeLocked(now time.Duration) {
	o.direct.lastActive = now
	processActive.Store(int64(now))
}

// canDirectLocked reports whether a sender can write what is accepted without waiting: it can try
// to, or the kernel can be asked beforehand.
func (o *Outbox) canDirectLocked() bool {
	return o.sock.Raw != nil || o.sock.MayTakeAtOnce() && o.accepted <= socket.SmallWrite
}

// writeDirectLocked writes the accepted frames without waiting, and leaves what
// the kernel does not take, and what else has come meanwhile, to the flusher. mu is
// released during the write; writing keeps everything else away from the socket.
func (o *Outbox) writeDirectLocked() {
	o.writing = true
	d := &o.direct
	d.buf = o.takeLocked()
	o.mu.Unlock()
	if err := o.tryDirect(); err != nil {
		bufpool.Put(d.buf)
		d.buf = nil
		o.fail(err)
		o.mu.Lock()
		return
	}
	o.mu.Lock()
	if d.n > 0 {
		o.writes++
	}
	o.wroteLocked(d.n)
	o.progressLocked()
	if buf := o.cutLocked(d.buf, d.n); d.n < len(buf) {
		o.remainder, o.taken = buf, d.n
	} else {
		bufpool.Put(d.buf)
	}
	d.buf = nil
	o.writing = false
	if (o.remainder != nil || o.accepted > 0) && !o.scheduled {
		o.scheduleLocked()
	}
}

// tryDirect writes what the socket takes of the buffer without waiting.
func (o *Outbox) tryDirect() (err error) {
	d := &o.direct
	d.n, d.err = 0, nil
	if o.sock.Raw == nil {
		if o.sock.TakesAtOnce() {
			d.n, err = o.sock.Write(d.buf)
			err = socket.Sane(err)
		}
		return err
	}
	if err = o.sock.Raw.Write(d.write); err == nil {
		err = d.err
	}
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return nil // the deadline is left behind by an earlier write; the flusher sets a new one
	}
	return o.sock.RawError("write", err)
}

// tryWrite is called by the runtime, once: it never asks to wait.
func (o *Outbox) tryWrite(fd uintptr) (done bool) {
	d := &o.direct
	d.n, _, d.err = socket.RawWrite(fd, d.buf)
	return true
}
