package qsocket

import (
	"context"
	"iter"
	"log/slog"
	"net"
	"strings"
	"sync"

	"github.com/fb9bb4ed/qsocket/internal/handshake"
	"github.com/fb9bb4ed/qsocket/internal/socket"
)

// DifferenceLines returns an iterator over the lines of Differences, without their ends.
func (p Peer) DifferenceLines() iter.Seq[string] {
	return func(yield func(string) bool) {
		for line := range strings.Lines(p.Differences) {
			if !yield(strings.TrimSuffix(line, "\n")) {
				return
			}
		}
	}
}

// logDifferences logs what the messages of the two ends differ in, if they do, once for each pair
// of fingerprints: a fleet of clients with an older version is one line.
func logDifferences(log *slog.Logger, protocol, ours string, peer *handshake.Told, nc net.Conn) {
	if peer == nil || peer.Differences == "" || !log.Enabled(context.Background(), slog.LevelInfo) || !told.first(protocol, ours, peer.Types) {
		return
	}
	log.Info("qsocket: the peer has other message types", "peer", socket.AddrString(nc.RemoteAddr()), "protocol", protocol, "differences", peer.Differences)
}

// told has the pairs whose differences have been logged.
var told toldPairs

// toldPairs are the last maxTold pairs of fingerprints, ours and the peer's, with the name of
// the protocol. The peers choose
// theirs, so they are bounded; one that is forgotten is logged again.
type toldPairs struct {
	mu   sync.Mutex
	seen map[[3]string]bool
	ring [maxTold][3]string // of seen, the oldest at next once it is full
	next int
}

const maxTold = 256

// first reports whether the pair is not there, and puts it there.
func (t *toldPairs) first(protocol, ours, theirs string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	pair := [3]string{protocol, ours, theirs}
	if t.seen[pair] {
		return false
	}
	if t.seen == nil {
		t.seen = make(map[[3]string]bool)
	}
	if len(t.seen) == maxTold {
		delete(t.seen, t.ring[t.next])
	}
	t.ring[t.next], t.seen[pair] = pair, true
	t.next = (t.next + 1) % maxTold
	return true
}
