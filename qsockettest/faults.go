package qsockettest

import (
	"slices"
	"time"
)

// Faults is what a [Proxy] does to the bytes of one direction. The zero Faults
// passes them on as they come. A negative number is like zero.
//
// Faults combine. Bits are flipped first. Then the bytes are gathered (Merge),
// cut into pieces (Split), delayed (Latency, Jitter) and paced (Bandwidth,
// Dribble). Offsets count from the first byte of a connection's direction.
type Faults struct {
	Latency time.Duration // how much later a byte arrives
	Jitter  time.Duration // up to this much more, drawn for each piece; no piece overtakes another

	Bandwidth int // bytes per second, which come in pieces of 20 ms; 0 for no limit

	Split int           // cut into pieces of 1 to Split bytes, drawn; 0: as they come
	Merge time.Duration // what comes within Merge of a first byte is one piece, of 64 KiB at most

	DribbleBytes int           // pieces of so many bytes; 0: of 1 if DribbleEvery is set
	DribbleEvery time.Duration // the time from one piece to the next, at least

	Cut      Cut   // what happens when CutAfter bytes have been delivered; see there
	CutAfter int64 // may be less than what has been delivered already: then it happens at once

	FlipBits []int64 // offsets of bits to flip: i is bit i%8, of value 1<<(i%8), of byte i/8
	FlipRate float64 // probability for each bit to be flipped, 0 to 1

	// Stall stops the direction: nothing is read and nothing delivered, except
	// what is being written right now. So the sender's buffers fill, and it waits.
	Stall bool
}

// Cut is a way for a connection to be cut: both its directions, and for good.
type Cut int

const (
	// NoCut, the zero value, leaves the connection alone.
	NoCut Cut = iota

	// FIN ends the connection as if each end had closed: both read an end of
	// file after what was delivered. What they still send is read and dropped.
	FIN

	// RST resets the connection: both ends get an error (syscall.ECONNRESET)
	// after what was delivered. An end that can send no reset is closed.
	RST

	// BlackHole is the cable that was pulled: both ends live on and hear nothing
	// of each other, nor of the other's end. What they send is read and dropped.
	// When both have ended what they send, with Close or CloseWrite, the
	// connection is over, and one that still reads gets an end of file.
	BlackHole
)

const (
	maxPiece  = streamBuffer          // bytes
	paceEvery = 20 * time.Millisecond // how often Bandwidth delivers

	maxHeld        = 64 << 10 // bytes of a direction that wait for delivery
	maxHeldDelayed = 1 << 20  // the same, where there is a delay
)

// sane returns a copy of f that its owner may keep.
func (f Faults) sane() Faults {
	f.Latency, f.Jitter, f.Merge = max(f.Latency, 0), max(f.Jitter, 0), max(f.Merge, 0)
	f.Bandwidth, f.Split, f.DribbleBytes = max(f.Bandwidth, 0), max(f.Split, 0), max(f.DribbleBytes, 0)
	if f.DribbleEvery > 0 {
		f.DribbleBytes = max(f.DribbleBytes, 1)
	}
	f.FlipBits = slices.Clone(f.FlipBits)
	slices.Sort(f.FlipBits)
	return f
}

// maxHeld returns how many bytes may wait for delivery.
func (f *Faults) maxHeld() int {
	if f.Latency > 0 || f.Jitter > 0 || f.Merge > 0 {
		return maxHeldDelayed
	}
	return maxHeld
}
