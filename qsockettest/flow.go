package qsockettest

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"time"
)

// flow is one direction of a session. The session's mutex guards all that is
// not immutable.
type flow struct {
	// Immutable.
	session  *session
	src, dst net.Conn
	back     *flow  // the other direction
	key      uint64 // of jitter

	faults      Faults
	interrupted bool // the read deadline is in the past, because of Stall

	// What has come and is not delivered yet.
	held    ring
	runs    []run
	arrived int64     // bytes, ever
	gather  time.Time // when a gathering ends, see Merge
	flips   flips

	// How the source has ended.
	ended   bool
	isReset bool // with a reset, or dst can no longer be written to
	endedAt time.Time
	broken  bool // src cannot be written to: its end is to be taken for a reset

	// What has been delivered.
	delivered int64      // bytes, ever
	last      time.Time  // when the last piece was due
	free      time.Time  // when Bandwidth has sent it
	next      time.Time  // before which Dribble delivers nothing
	edges     *rand.Rand // of Split
	edge      int64      // where the next piece ends
	split     int        // for which edge was drawn
	finSent   bool       // the end of file has been passed on
}

// run is a sequence of held bytes that are ready for delivery at one time.
type run struct {
	end   int64 // offset
	ready time.Time
}

func (f *flow) init(s *session, src, dst net.Conn, back *flow, seed, number uint64) {
	f.session, f.src, f.dst, f.back = s, src, dst, back
	f.key = rand.New(rand.NewPCG(seed, 3*number)).Uint64()
	f.edges = rand.New(rand.NewPCG(seed, 3*number+1))
	f.flips.rand = rand.New(rand.NewPCG(seed, 3*number+2))
}

func (f *flow) setLocked(faults Faults) {
	if faults.Stall && !f.faults.Stall {
		f.interrupted = true
		_ = f.src.SetReadDeadline(time.Unix(1, 0)) // fails only on a closed end
	}
	f.faults = faults
}

// read is the goroutine that reads from the source.
func (f *flow) read() {
	s := f.session
	buf := make([]byte, maxRead)
	for {
		size := f.awaitRoom()
		if size == 0 {
			return
		}
		n, err := f.src.Read(buf[:size])
		s.mu.Lock()
		if n > 0 && s.mode == passing {
			f.arriveLocked(buf[:n])
		}
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) { // setLocked has interrupted us
			s.mu.Unlock()
			continue
		}
		f.endLocked(err != io.EOF)
		s.mu.Unlock()
		return
	}
}

const maxRead = 32 << 10

// awaitRoom waits until there may be a Read, and returns of how many bytes: 0
// if there is to be no more of them.
func (f *flow) awaitRoom() int {
	s := f.session
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.mode == passing && (f.faults.Stall || f.held.n >= f.faults.maxHeld()) {
		s.changed.Wait()
	}
	if f.interrupted {
		f.interrupted = false
		_ = f.src.SetReadDeadline(time.Time{}) // fails only on a closed end, which Read will notice
	}
	switch s.mode {
	case over:
		return 0
	case dropping:
		return maxRead
	}
	return min(maxRead, f.faults.maxHeld()-f.held.n)
}

// arriveLocked takes bytes that have just come.
func (f *flow) arriveLocked(b []byte) {
	f.flips.flip(b, f.arrived, &f.faults)
	f.held.push(b)
	f.arrived += int64(len(b))
	ready := time.Now()
	if f.faults.Merge > 0 {
		if !ready.Before(f.gather) {
			f.gather = ready.Add(f.faults.Merge)
		}
		ready = f.gather
	}
	if n := len(f.runs); n > 0 && !f.runs[n-1].ready.Before(ready) {
		f.runs[n-1].end = f.arrived
	} else {
		f.runs = append(f.runs, run{end: f.arrived, ready: ready})
	}
	f.session.changed.Broadcast()
}

// endLocked notes that nothing more comes.
func (f *flow) endLocked(isReset bool) {
	f.ended = true
	f.isReset = isReset || f.broken
	f.endedAt = time.Now()
	f.session.changed.Broadcast()
}
