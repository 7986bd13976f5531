// Package backlog bounds the memory of messages that wait, decoded, for their consumer.
package backlog

import (
	"runtime"
	"time"
)

// Backlog is the account of the messages in a queue, by the one goroutine that puts them
// there. Nobody tells it when a message is taken: how many still wait is the queue's
// length, and the messages that wait are the ones that were put last.
//
//	sums   … | a | b | c | d |        bytes of all messages up to this one
//	             └── n = 3 ──┘        waiting: sum at d − sum at a
//
// A queue full of messages that take their share of the limit each, or less, cannot exceed
// it. So such messages are not accounted for as long as no larger one may be waiting:
// most connections never have a larger one, and pay a comparison for each message.
type Backlog struct {
	// Small is the length of the longest payload whose message need not be measured,
	// because it takes no more than Share. Held is the size of the message that is held
	// back if Holding is set. They are for the owner.
	Small, Held int
	Holding     bool

	hasty int // how many more waits begin at once with a pause, see Yield
	fails int // waits in a row for which yielding was in vain

	limit int      // bytes that may wait, unless it is one message
	share int      // bytes of limit for each of the messages that a full queue holds
	on    bool     // a message that took more than its share may be waiting
	large uint64   // count at the last such message
	count uint64   // messages accounted for
	last  int      // bytes of the last of them
	sums  []uint64 // a ring with those of the messages that wait, see at
}

// New returns the account of a queue with space for queue messages, which may hold limit
// bytes, or one message.
func New(limit, queue int) *Backlog {
	return &Backlog{limit: limit, share: limit / (queue + 1)}
}

// Share is how large a message may be that need not be measured: it counts as so much.
func (b *Backlog) Share() int { return b.share }

// On reports whether all messages have to be accounted for. The owner asks first: to look
// at the length of a channel costs as much as to receive from it, while another processor
// does that.
func (b *Backlog) On() bool { return b.on }

// Fits reports whether a message of size bytes may be put into the queue, in which n
// messages wait.
func (b *Backlog) Fits(size, n int) bool {
	waiting := uint64(n * b.share)
	if b.on {
		waiting = *b.at(b.count) - *b.at(b.count - uint64(n))
	}
	return n == 0 || waiting+uint64(size) <= uint64(b.limit)
}

// Full reports whether a message like the last one would not fit: then the next one need
// not be decoded, only to be held back. While it is not accounted for, none is like that.
func (b *Backlog) Full(n int) bool { return b.on && !b.Fits(b.last, n) }

// Put accounts for a message of size bytes that was put into the queue, in which n
// messages were waiting.
func (b *Backlog) Put(size, n int) {
	switch {
	case size > b.share:
		b.begin(n)
		b.large = b.count + 1
	case !b.on:
		return
	case b.count-b.large >= uint64(n): // that one has been taken, as have those before it
		b.on = false
		return
	}
	b.add(size, n)
}

// begin starts the account: of the n messages that wait none took more than its share.
func (b *Backlog) begin(n int) {
	if b.on {
		return
	}
	b.on = true
	for k := range n {
		b.add(b.share, k)
	}
}

// add accounts for a message behind n others.
func (b *Backlog) add(size, n int) {
	if n+2 > len(b.sums) {
		b.grow(n)
	}
	sum := *b.at(b.count)
	b.count++
	*b.at(b.count) = sum + uint64(size)
	b.last = size
}

// at is the sum up to a message. The ring has space for those of the messages that wait,
// and for the one before them.
func (b *Backlog) at(i uint64) *uint64 { return &b.sums[i%uint64(len(b.sums))] }

// grow makes the ring larger, with the sums of the last n messages in it.
func (b *Backlog) grow(n int) {
	old := *b
	b.sums = make([]uint64, max(2*len(old.sums), 16))
	if old.sums == nil {
		return
	}
	for k := range uint64(n + 1) {
		*b.at(b.count - k) = *old.at(b.count - k)
	}
}

// maxYields is how often a wait lets others run before it pauses.
const maxYields = 16

// Yield lets other goroutines run, for a consumer that only waits for the processor: on a quiet machine a pause
// takes longer than to consume what is in the queue. It returns as soon as space says that there is some, which it
// reports. After waits for which that was in vain the next ones are spared it.
func (b *Backlog) Yield(space func() bool) bool {
	if b.hasty > 0 {
		b.hasty--
		return false
	}
	for range maxYields {
		runtime.Gosched()
		if space() {
			b.fails = 0
			return true
		}
	}
	b.fails = min(b.fails+1, 6)
	b.hasty = 1<<b.fails - 1
	return false
}

// A wait for space looks again after a fiftieth of the time that it has lasted, from 1 to
// 250 ms: a consumer that is quick waits for a millisecond at most, one that takes its
// time for 2 % longer than it took, and one that has gone for good costs little.
const (
	minPause = time.Millisecond
	maxPause = 250 * time.Millisecond
)

// Pause is how long to wait before the next look, after a wait of that length.
func Pause(waited time.Duration) time.Duration {
	return min(max(waited/50, minPause), maxPause)
}
