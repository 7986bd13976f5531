package qsockettest

// ring is a queue of bytes. Its memory grows with what is in it, and is kept.
type ring struct {
	buf []byte
	r   int // index of the first byte
	n   int // bytes in the queue
}

const minRing = 512

// push appends all of p.
func (q *ring) push(p []byte) {
	if need := q.n + len(p); need > len(q.buf) {
		grown := make([]byte, max(need, 2*len(q.buf), minRing))
		n := q.n
		q.pop(grown[:n])
		q.buf, q.r, q.n = grown, 0, n
	}
	for len(p) > 0 {
		w := (q.r + q.n) % len(q.buf)
		k := copy(q.buf[w:], p)
		q.n += k
		p = p[k:]
	}
}

// pop takes the first bytes, as many as fit into p.
func (q *ring) pop(p []byte) int {
	p = p[:min(len(p), q.n)]
	for rest := p; len(rest) > 0; {
		k := copy(rest, q.buf[q.r:])
		q.r = (q.r + k) % len(q.buf)
		q.n -= k
		rest = rest[k:]
	}
	return len(p)
}

// clear drops everything, the memory as well.
func (q *ring) clear() { *q = ring{} }
