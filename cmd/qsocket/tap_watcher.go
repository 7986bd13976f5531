package main

import (
	"sync"
	"time"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/conversation"
	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/frames"
	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/proxy"
	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/recording"
)

// watcher sees one connection. What it sees waits in a queue to be decoded, in the order in which
// it came. Where the queue is full, nothing waits but the decoding loses a part, which it is told;
// it goes on at the next frame for which there is room. To know where frames begin meanwhile, the
// headers of all of them are read when they pass.
//
//	client ──► Saw ──► server        Passed: a recording that is behind holds up the next read
//	            ├────► queue ──► decode ──► print
//	            └────► recorder
type watcher struct {
	tap   *tap
	conn  uint32
	talk  *conversation.Conversation // of decode
	more  chan struct{}              // there is something in the queue
	skims [2]skimmer                 // each of the goroutine of its direction

	mu     sync.Mutex
	queue  []piece
	size   int // of the queue and of what is being decoded, bytes
	gaps   [2]gap
	last   time.Time // of what came last
	closed bool
}

// piece is something to be decoded.
type piece struct {
	from proxy.Side
	kind pieceKind
	at   time.Time
	data []byte
	gap  gap
	err  error
}

type pieceKind uint8

const (
	dataPiece pieceKind = iota
	gapPiece            // something is left out
	skipPiece           // the same, and here a frame begins
	endPiece
)

// gap is what was not put into the queue.
type gap struct {
	open  bool
	bytes uint64 // that have not been told
	ends  int    // of frames; the same
}

// skimmer knows where frames begin.
type skimmer struct {
	split *frames.Splitter
}

func (w *watcher) newSkimmer() *frames.Splitter {
	if w.tap.opts.Raw {
		return frames.NewRaw(w.tap.opts.Framing, 0)
	}
	return frames.New(0)
}

// skim takes a piece: where in it a frame begins (-1: nowhere), how many end up to there, and how
// many in all of it. A direction that is not decoded can be joined anywhere.
func (s *skimmer) skim(b []byte) (first, before, ends int) {
	first = -1
	if s.split.Err() != nil {
		return 0, 0, 0
	}
	if s.split.Begun() && !s.split.Open() {
		first = 0
	}
	err := s.split.Feed(b, func(_ *frames.Frame, end int) {
		ends++
		if first < 0 {
			first, before = end, ends
		}
	})
	if err != nil && first < 0 {
		first = 0
	}
	return first, before, ends
}

// Saw puts what has come into the queues.
func (w *watcher) Saw(from proxy.Side, b []byte, at time.Time) {
	first, before, ends := w.skims[from].skim(b)
	held := append([]byte(nil), b...)
	w.mu.Lock()
	defer w.mu.Unlock()
	at = w.next(at)
	if w.tap.record != nil {
		w.tap.record.add(&recording.Entry{Kind: recording.Data, From: recording.Side(from), Conn: w.conn, Time: at, Data: held})
	}
	g := &w.gaps[from]
	room := w.size+len(b) <= tapQueue && w.tap.waiting.Load()+int64(len(b)) <= tapQueues
	if g.open && (w.size > tapResumes || first < 0) {
		room = false
	}
	if !room {
		g.open = true
		g.bytes += uint64(len(b))
		g.ends += ends
		return
	}
	if g.open {
		g.bytes += uint64(first)
		g.ends += before
		w.put(piece{from: from, kind: skipPiece, at: at, gap: *g})
		*g = gap{}
		held = held[first:]
	}
	if len(held) > 0 {
		w.put(piece{from: from, at: at, data: held})
	}
}

// next returns the time of what comes next: the two directions are read by two goroutines, of which
// one may be a moment ahead. The caller holds mu.
func (w *watcher) next(at time.Time) time.Time {
	if at.Before(w.last) {
		at = w.last
	}
	w.last = at
	return at
}

// put appends to the queue. The caller holds mu.
func (w *watcher) put(p piece) {
	w.size += len(p.data)
	w.tap.waiting.Add(int64(len(p.data)))
	w.queue = append(w.queue, p)
}

// Passed wakes the decoder, and waits for a recording that is behind.
func (w *watcher) Passed(proxy.Side) {
	w.wake()
	if w.tap.record != nil {
		w.tap.record.wait()
	}
}

func (w *watcher) wake() {
	select {
	case w.more <- struct{}{}:
	default:
	}
}

// Ended notes the end of a direction.
func (w *watcher) Ended(from proxy.Side, err error, at time.Time) {
	w.mu.Lock()
	at = w.next(at)
	if w.tap.record != nil {
		e := &recording.Entry{Kind: recording.End, From: recording.Side(from), Conn: w.conn, Time: at}
		if err != nil {
			e.Data = []byte(shown(err.Error()))
		}
		w.tap.record.add(e)
	}
	if g := &w.gaps[from]; g.open {
		w.put(piece{from: from, kind: skipPiece, at: at, gap: *g})
		*g = gap{}
	}
	w.put(piece{from: from, kind: endPiece, at: at, err: err})
	w.mu.Unlock()
	w.wake()
}

// tellGaps makes the decoder tell what has been left out so far. The caller holds mu.
func (w *watcher) tellGaps() {
	for from := range w.gaps {
		if g := &w.gaps[from]; g.bytes > 0 {
			w.put(piece{from: proxy.Side(from), kind: gapPiece, at: time.Now(), gap: *g})
			g.bytes, g.ends = 0, 0
		}
	}
}

// Closed ends the decoding, when the queue is empty.
func (w *watcher) Closed() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.wake()
}

// decode decodes what comes through the queue, until Closed.
func (w *watcher) decode() {
	var pieces []piece
	for {
		w.mu.Lock()
		if len(w.queue) == 0 {
			w.tellGaps()
		}
		pieces, w.queue = w.queue, pieces[:0]
		closed := w.closed && len(pieces) == 0
		w.mu.Unlock()
		if closed {
			break
		}
		if len(pieces) == 0 {
			w.tap.print.idle()
			<-w.more
			continue
		}
		for i := range pieces {
			w.say(&pieces[i])
			n := len(pieces[i].data)
			pieces[i] = piece{}
			w.mu.Lock()
			w.size -= n
			w.mu.Unlock()
			w.tap.waiting.Add(int64(-n))
		}
	}
	w.talk.Say(&conversation.Event{Time: time.Now(), Type: "closed"})
	w.tap.print.idle()
}

func (w *watcher) say(p *piece) {
	from := conversation.Side(p.from)
	switch p.kind {
	case gapPiece, skipPiece:
		w.talk.Skip(from, p.gap.bytes, p.gap.ends, p.kind == skipPiece, p.at)
	case endPiece:
		w.talk.End(from, p.err, p.at)
	default:
		w.talk.Data(from, p.data, p.at)
	}
}
