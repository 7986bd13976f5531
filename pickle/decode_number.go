package pickle

import (
	"math"
	"math/big"
	"reflect"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/mpscan"
)

func (d *decoding) signed(n *node, p *plan) (int64, bool) {
	switch n.kind {
	case kindInt:
		return int64(n.x), true
	case kindBig:
		return 0, d.overflows(n, p)
	}
	return 0, d.unexpected(n, p)
}

func (d *decoding) unsigned(n *node, p *plan) (uint64, bool) {
	switch {
	case n.kind == kindInt && int64(n.x) >= 0:
		return n.x, true
	case n.kind == kindBig && n.n == 9 && d.raw(n)[8] == 0: // from 1<<63 on
		return d.big(n).Uint64(), true
	case n.kind == kindInt || n.kind == kindBig:
		return 0, d.overflows(n, p)
	}
	return 0, d.unexpected(n, p)
}

func (d *decoding) overflows(n *node, p *plan) bool {
	return d.fail("%s overflows %v", d.digits(n), p.typ)
}

// digits is the integer n in an error.
func (d *decoding) digits(n *node) string {
	if n.kind == kindBig && n.n > 32 {
		return "an int of " + excerpt.Count(int(n.n)) + " bytes"
	}
	return d.big(n).String()
}

// big returns the integer n.
func (d *decoding) big(n *node) *big.Int {
	if n.kind == kindInt {
		return big.NewInt(int64(n.x))
	}
	raw := d.raw(n)
	b := make([]byte, len(raw))
	negative := raw[len(raw)-1] >= 0x80
	for i, c := range raw {
		if negative {
			c = ^c
		}
		b[len(b)-1-i] = c
	}
	z := new(big.Int).SetBytes(b)
	if negative {
		z.Not(z)
	}
	return z
}

// bigCost is what big allocates, and what is copied of it.
func bigCost(n *node) int { return 3*mpscan.BytesCost(int(n.n)+8) + 64 }

// floating takes ints, too, that a float has without loss.
func (d *decoding) floating(n *node, p *plan, v reflect.Value) bool {
	var f float64
	exact := true
	switch n.kind {
	case kindFloat:
		f = math.Float64frombits(n.x)
	case kindInt:
		i := int64(n.x)
		f = float64(i)
		exact = f < 1<<63 && int64(f) == i
	case kindBig:
		var accuracy big.Accuracy
		if !d.spend(bigCost(n)) {
			return false
		}
		f, accuracy = d.big(n).Float64()
		exact = accuracy == big.Exact
	default:
		return d.unexpected(n, p)
	}
	if p.size == 4 && f == f && float64(float32(f)) != f {
		exact = false
	}
	if !exact && n.kind == kindFloat {
		return d.fail("%v is no %v", f, p.typ)
	} else if !exact {
		return d.fail("%s is no %v", d.digits(n), p.typ)
	}
	v.SetFloat(f)
	return true
}
