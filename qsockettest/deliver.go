package qsockettest

import (
	"math/rand/v2"
	"time"
)

// deliver is the goroutine that delivers.
func (f *flow) deliver() {
	s := f.session
	buf := make([]byte, 0, minRing)
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.mode == passing && !(f.finSent && f.back.finSent) {
		switch {
		case f.faults.Cut != NoCut && f.delivered >= f.faults.CutAfter:
			how := f.faults.Cut
			s.mu.Unlock()
			s.cut(how)
			s.mu.Lock()
			return
		case f.faults.Stall:
			s.changed.Wait()
		case f.held.n > 0:
			n, at := f.pieceLocked()
			if time.Now().Before(at) {
				s.sleepLocked(at)
				continue
			}
			buf = append(buf[:0], make([]byte, n)...)
			f.takeLocked(buf, at)
			s.mu.Unlock()
			err := f.write(buf)
			s.mu.Lock()
			f.wroteLocked()
			if err != nil && s.mode == passing {
				f.breakLocked()
			}
		case f.ended && !(f.finSent && !f.isReset):
			if at := latest(f.endedAt.Add(f.faults.Latency), f.last); time.Now().Before(at) {
				s.sleepLocked(at)
				continue
			}
			f.passEndLocked()
		default:
			s.changed.Wait()
		}
	}
}

// pieceLocked returns the length of the next piece, and when it is due.
func (f *flow) pieceLocked() (n int, at time.Time) {
	fl := &f.faults
	r := f.runs[0]
	limit := min(r.end-f.delivered, maxPiece)
	if fl.Cut != NoCut {
		limit = min(limit, fl.CutAfter-f.delivered)
	}
	if fl.Split > 0 {
		if f.split != fl.Split || f.edge <= f.delivered {
			f.split, f.edge = fl.Split, f.delivered+1+f.edges.Int64N(int64(fl.Split))
		}
		limit = min(limit, f.edge-f.delivered)
	}
	if fl.DribbleBytes > 0 {
		limit = min(limit, int64(fl.DribbleBytes))
	}
	if fl.Bandwidth > 0 {
		limit = min(limit, max(1, int64(fl.Bandwidth)/int64(time.Second/paceEvery)))
	}
	n = int(limit)

	at = latest(r.ready.Add(fl.Latency+f.jitter()), f.last)
	if fl.Bandwidth > 0 {
		at = latest(at, f.free).Add(time.Duration(n) * time.Second / time.Duration(fl.Bandwidth))
	}
	if fl.DribbleEvery > 0 {
		at = latest(at, f.next)
	}
	return n, at
}

// jitter depends on nothing but the seed and the offset of the piece.
func (f *flow) jitter() time.Duration {
	if f.faults.Jitter == 0 {
		return 0
	}
	drawn := rand.NewPCG(f.key, uint64(f.delivered)).Uint64()
	return time.Duration(drawn % (uint64(f.faults.Jitter) + 1))
}

// takeLocked takes the next piece, which fills b and is due at the time at.
func (f *flow) takeLocked(b []byte, at time.Time) {
	f.held.pop(b)
	f.delivered += int64(len(b))
	if f.runs[0].end == f.delivered {
		f.runs = f.runs[1:]
	}
	f.last = at
	f.session.changed.Broadcast() // there is room
}

func (f *flow) write(b []byte) error {
	if sc, ok := f.dst.(*StreamConn); ok {
		_, err := sc.writePiece(b)
		return err
	}
	_, err := f.dst.Write(b)
	return err
}

// wroteLocked notes that the piece has been written. A delivery that was late
// by less than a pace is caught up.
func (f *flow) wroteLocked() {
	now := time.Now()
	f.free = latest(f.last, now.Add(-paceEvery))
	f.next = now.Add(f.faults.DribbleEvery)
}

// breakLocked ends the direction, whose destination cannot be written to. The
// source is reset, after what the destination has sent before.
func (f *flow) breakLocked() {
	if f.broken { // the source cannot be written to either
		f.session.mu.Unlock()
		f.session.reset(f)
		f.session.mu.Lock()
		return
	}
	f.held.clear()
	f.runs = nil
	back := f.back
	back.broken = true
	if back.ended && !back.isReset {
		back.endLocked(true)
	}
	for f.session.mode == passing {
		f.session.changed.Wait()
	}
}

// passEndLocked passes on the end of the source.
func (f *flow) passEndLocked() {
	s := f.session
	isReset := f.isReset
	f.finSent = true
	s.mu.Unlock()
	if isReset {
		s.reset(f)
	} else {
		closeWrite(f.dst)
	}
	s.mu.Lock()
	s.changed.Broadcast()
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
