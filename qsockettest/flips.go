package qsockettest

import (
	"math"
	"math/rand/v2"
)

// flips finds the bits to flip.
type flips struct {
	rand *rand.Rand
	rate float64 // for which next was drawn
	next int64   // offset of the next bit to flip at random
}

// flip flips the bits of b, which starts at the offset at.
func (p *flips) flip(b []byte, at int64, f *Faults) {
	first, end := 8*at, 8*(at+int64(len(b)))
	for _, bit := range f.FlipBits {
		if bit >= first && bit < end {
			b[(bit-first)/8] ^= 1 << (bit % 8)
		}
	}
	if f.FlipRate != p.rate {
		p.rate = f.FlipRate
		p.next = p.after(first - 1)
	}
	for ; p.rate > 0 && p.next < end; p.next = p.after(p.next) {
		b[(p.next-first)/8] ^= 1 << (p.next % 8)
	}
}

// after draws the bit that is flipped next: the distances between random bits
// have a geometric distribution.
func (p *flips) after(bit int64) int64 {
	if p.rate >= 1 {
		return bit + 1
	}
	if p.rate <= 0 {
		return math.MaxInt64
	}
	gap := math.Log(1-p.rand.Float64()) / math.Log1p(-p.rate)
	return bit + 1 + int64(min(gap, 1<<60))
}
