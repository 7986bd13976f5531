package wire

import (
	"strconv"
)

// MinBeat is the least interval of heartbeats, ms, that an end keeps to for a peer without
// asking for as little itself.
const MinBeat = 100

// checkBeat refuses a peer that asks for heartbeats so often that many of its kind would
// cost a processor, unless this end does the same.
//
// It is not symmetric: a peer that asks for more than this end is refused by this end alone.
// The peer does not refuse itself, though it could know, since ends that are not this library
// may keep to any interval. So it takes its handshake for done, and learns of the refusal
// from the goodbye.
func (h *Hello) checkBeat(theirs *Hello) error {
	least := uint64(MinBeat)
	if h.Beat > 0 {
		least = min(least, h.Beat)
	}
	if theirs.Beat == 0 || theirs.Beat >= least {
		return nil
	}
	return &Mismatch{Field: "heartbeat", Local: "at least " + milliseconds(least), Peer: milliseconds(theirs.Beat)}
}

func milliseconds(n uint64) string { return strconv.FormatUint(n, 10) + " ms" }
