package pickle

import (
	"math"
	"reflect"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/mpscan"
)

// What an interface allocates for what it holds, bytes.
const (
	numberSize = 8
	stringSize = 16
	sliceSize  = 24
	timeSize   = 24
	anySize    = 16
	zoneSize   = 256 // of a time.Location with one zone
)

// Empty ones hold nothing that could be changed, and all are one.
var (
	noItems any = []any{}
	noBytes any = []byte{}
)

// any returns what is at, as one of the types that docs/pickle.md lists.
func (d *decoding) any(at int32) (any, bool) {
	if d.work--; d.work < 0 {
		return nil, d.overworked()
	}
	_, n := d.follow(at)
	switch n.kind {
	case kindList, kindTuple:
		return d.anyList(n)
	case kindDict:
		return d.anyDict(n)
	case kindSet:
		return d.anySet(n)
	default:
		return d.scalar(n)
	}
}

// scalar returns a value that has no parts.
func (d *decoding) scalar(n *node) (any, bool) {
	switch n.kind {
	case kindNone:
		return nil, true
	case kindBool:
		return n.x == 1, true
	case kindInt:
		return int64(n.x), d.spend(numberSize)
	case kindFloat:
		return math.Float64frombits(n.x), d.spend(numberSize)
	case kindBig:
		if !d.spend(bigCost(n)) {
			return nil, false
		}
		return d.big(n), true
	case kindStr:
		s, ok := d.string(n)
		return s, ok && d.spend(stringSize)
	case kindBytes, kindLatin:
		size := d.sizeOf(n)
		if size == 0 {
			return noBytes, true
		}
		if !d.spend(mpscan.BytesCost(size) + sliceSize) {
			return nil, false
		}
		return d.appendBytes(make([]byte, 0, size), n), true
	case kindDate:
		w := unpackWall(n.x)
		return Date{w.year, time.Month(w.month), w.day}, d.spend(timeSize)
	case kindClock:
		return TimeOfDay(n.x * uint64(time.Microsecond)), d.spend(numberSize)
	case kindDelta:
		v, ok := n.duration()
		if !ok {
			return nil, d.fail("timedelta of %d days overflows time.Duration", n.n)
		}
		return v, d.spend(numberSize)
	case kindDecimal:
		return Decimal(d.raw(n)), d.spend(mpscan.BytesCost(int(n.n)) + stringSize)
	case kindDateTime:
		return d.time(n)
	}
	return nil, d.fail("%v by itself has no counterpart in Go", n.kind)
}

// time returns a time in UTC, in a zone without a name, or in the one of option NaiveIn.
func (d *decoding) time(n *node) (any, bool) {
	w := unpackWall(n.x)
	if !d.spend(timeSize) {
		return nil, false
	}
	switch {
	case n.n == zoneZero:
		return w.in(time.UTC), true
	case n.n != noZone:
		return w.in(time.FixedZone("", int(n.n-zoneZero))), d.spend(zoneSize)
	case d.naiveIn == nil:
		return nil, d.fail("datetime %v without a timezone: send an aware one, or choose one with NaiveIn", w)
	}
	t, ok := w.naive(d.naiveIn)
	if !ok {
		return nil, d.fail("datetime %v, which there is not in %v: clocks are put forward", w, d.naiveIn)
	}
	return t, true
}

func (d *decoding) anyList(n *node) (any, bool) {
	if n.n == 0 {
		return noItems, true
	}
	if !d.spend(mpscan.SliceCost(int(n.n), anySize) + sliceSize) {
		return nil, false
	}
	s := make([]any, n.n)
	next := n.first()
	for i := range s {
		var ok bool
		if s[i], ok = d.any(next); !ok {
			return nil, d.inElement(i)
		}
		next = d.at(next).next
	}
	return s, true
}

// anyDict makes a map[string]any if all keys are strs, and a map[any]any if not.
func (d *decoding) anyDict(n *node) (any, bool) {
	count := int(n.n)
	for at, i := n.first(), 0; i < count; i++ {
		if _, key := d.follow(at); key.kind != kindStr {
			return d.anyKeys(n)
		}
		at = d.at(d.at(at).next).next
	}
	if !d.spend(mpscan.MapCost(count, stringSize+anySize)) {
		return nil, false
	}
	m := make(map[string]any, count)
	at := n.first()
	for i := range count {
		_, k := d.follow(at)
		key, ok := d.string(k)
		if !ok || !d.hash(k) {
			return nil, false
		}
		at = d.at(at).next
		elem, ok := d.any(at)
		if !ok {
			return nil, d.inEntry(quote(key))
		}
		if m[key] = elem; len(m) != i+1 {
			return nil, d.twice(n, reflect.ValueOf(key))
		}
		at = d.at(at).next
	}
	return m, true
}

func (d *decoding) anyKeys(n *node) (any, bool) {
	count := int(n.n)
	if !d.spend(mpscan.MapCost(count, 2*anySize)) {
		return nil, false
	}
	m := make(map[any]any, count)
	at := n.first()
	for i := range count {
		key, ok := d.anyKey(at)
		if !ok {
			return nil, d.inKey()
		}
		at = d.at(at).next
		elem, ok := d.any(at)
		if !ok {
			return nil, d.inEntry(showAny(key))
		}
		if m[key] = elem; len(m) != i+1 {
			return nil, d.twice(n, reflect.ValueOf(&key).Elem())
		}
		at = d.at(at).next
	}
	return m, true
}

func (d *decoding) anySet(n *node) (any, bool) {
	count := int(n.n)
	if !d.spend(mpscan.MapCost(count, anySize)) {
		return nil, false
	}
	m := make(map[any]struct{}, count)
	at := n.first()
	for i := range count {
		key, ok := d.anyKey(at)
		if !ok {
			return nil, d.inKey()
		}
		if m[key] = struct{}{}; len(m) != i+1 {
			return nil, d.twice(n, reflect.ValueOf(&key).Elem())
		}
		at = d.at(at).next
	}
	return m, true
}

func (d *decoding) anyKey(at int32) (any, bool) {
	_, n := d.follow(at)
	if !n.keyable() {
		return nil, d.unkeyable(n)
	}
	if !d.hash(n) {
		return nil, false
	}
	return d.any(at)
}

func (n *node) first() int32 {
	first, _ := n.ends()
	return first
}
