package main

import "time"

// maxCount bounds what a round may send, if it is faster than its clock can tell.
const maxCount = 1 << 28

// calibrate returns the number of messages that take about target.
func (m *meeting) calibrate(target time.Duration) (int, error) {
	switch m.w.Metric {
	case idleBytes:
		return 1, nil
	case latencies:
		return m.w.roundUp(int(loadRuns * target.Seconds() * float64(m.w.Rate))), nil
	case meanAge:
		return max(1, int(target/pause)), nil
	}
	for n := m.w.roundUp(16); ; {
		took, err := m.time(n)
		if err != nil {
			return 0, err
		}
		if took*8 < target && n < maxCount/16 {
			n = m.w.roundUp(n * int(min(16, max(2, target/8/took))))
			continue
		}
		// The best of three: the machine may have been busy with something else.
		for range 2 {
			again, err := m.time(n)
			if err != nil {
				return 0, err
			}
			took = min(took, again)
		}
		return m.w.roundUp(int(float64(n) * float64(target) / float64(took))), nil
	}
}

// time returns how long n messages take, which is never 0.
func (m *meeting) time(n int) (time.Duration, error) {
	s, err := m.run(n)
	return max(1, s.Elapsed), err
}

// roundUp returns n or a little more, so that each connection and each sender
// has the same share, and enough of it to be a stream.
func (w workload) roundUp(n int) int {
	parts := w.Conns * w.Senders
	if w.Conns > 1 {
		n = max(n, perConn*w.Conns)
	}
	n = min(max(n, parts), maxCount)
	return (n + parts - 1) / parts * parts
}
