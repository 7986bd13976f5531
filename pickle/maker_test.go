package pickle_test

import (
	"math"
	"math/big"
	"strings"
	"time"

	"github.com/fb9bb4ed/qsocket/pickle"
)

// maker makes values by a script.
type maker struct{ script []byte }

func (g *maker) byte() (c byte) {
	if len(g.script) > 0 {
		c, g.script = g.script[0], g.script[1:]
	}
	return c
}

func (g *maker) bits() (u uint64) {
	for range 8 {
		u = u<<8 | uint64(g.byte())
	}
	return u
}

func (g *maker) bytes() []byte {
	n := min(int(g.byte()), len(g.script))
	b := append([]byte{}, g.script[:n]...)
	g.script = g.script[n:]
	return b
}

func (g *maker) string() string { return strings.ToValidUTF8(string(g.bytes()), "é") }

func (g *maker) micros() time.Duration {
	return time.Duration(int64(g.bits())/1000) * time.Microsecond
}

func (g *maker) time() time.Time {
	offset := int(int32(g.bits()) % 86400)
	year, micro := 1+g.bits()%9999, time.Duration(g.bits()%(365*86400e6))*time.Microsecond
	return time.Date(int(year), 1, 1, 0, 0, 0, 0, time.FixedZone("", offset)).Add(micro)
}

func (g *maker) scalar(kind byte) any {
	switch kind {
	case 0:
		return nil
	case 1:
		return g.byte()%2 == 1
	case 2:
		return int64(g.bits()) >> (g.byte() % 64)
	case 3:
		return math.Float64frombits(g.bits())
	case 4:
		return g.string()
	case 5:
		return g.micros()
	case 6:
		y, m, d := g.time().Date()
		return pickle.Date{Year: y, Month: m, Day: d}
	case 7:
		return pickle.TimeOfDay(g.bits() % 86400e6 * 1000)
	case 8:
		return g.bytes()
	case 9:
		return g.time()
	case 10:
		z := new(big.Int).SetBytes(append([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0}, g.bytes()...))
		if g.byte()%2 == 1 {
			z.Neg(z)
		}
		return z
	default:
		return pickle.Decimal(new(big.Int).SetBytes(g.bytes()).String() + ".0E-7")
	}
}

// key makes a key; numbers are left out of those of which two could be one in Python.
func (g *maker) key() any {
	keys := [...]byte{0, 2, 4, 5, 6, 7}
	return g.scalar(keys[int(g.byte())%len(keys)])
}

func (g *maker) value(depth int) any {
	kind := g.byte() % 16
	if kind < 12 || depth > 20 {
		return g.scalar(kind % 12)
	}
	n := int(g.byte() % 8)
	switch kind {
	case 12:
		m := make(map[string]any)
		for range n {
			m[g.string()] = g.value(depth + 1)
		}
		return m
	case 13:
		m := map[any]any{int64(7): nil} // else it could be a map[string]any
		for range n {
			m[g.key()] = g.value(depth + 1)
		}
		return m
	case 14:
		m := make(map[any]struct{})
		for range n {
			m[g.key()] = struct{}{}
		}
		return m
	default:
		s := make([]any, n)
		for i := range s {
			s[i] = g.value(depth + 1)
		}
		return s
	}
}
