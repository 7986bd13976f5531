package main

import "time"

// maxCount bounds what a round may send, if it is faster than its clock can tell.
const maxCount = 1 << 28

// calibrate returns the number of messages that take about target.
func (m *meeting) calibrate(target time.Duration) (int, error) {
	switch m.w.Metric {
	case idleBytes:
		return 1, nil
	case meanAge:
		return max(1, int(target/pause)), nil
	}
	for n := m.w.roundUp(16); ; {
		s, err := m.run(n)
		if err != nil {
			return 0, err
		}
		more := float64(target) / float64(max(1, s.Elapsed))
		if more < 4 || n > maxCount/16 {
			return m.w.roundUp(int(float64(n) * more)), nil
		}
		n = m.w.roundUp(int(float64(n) * min(more, 16)))
	}
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
