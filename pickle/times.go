package pickle

import (
	"fmt"
	"math"
	"time"
)

// wall is what a clock on the wall shows: a date, a time of day, and which of two equal
// ones is meant.
type wall struct {
	year, month, day     int
	hour, minute, second int
	micro                int
	fold                 bool // the second one of two that a clock shows when it is set back
}

// pack and unpackWall keep a wall in 64 bits.
func (w wall) pack() uint64 {
	x := uint64(w.year)<<4 | uint64(w.month)
	x = x<<5 | uint64(w.day)
	x = x<<5 | uint64(w.hour)
	x = x<<6 | uint64(w.minute)
	x = x<<6 | uint64(w.second)
	x = x<<20 | uint64(w.micro)
	x <<= 1
	if w.fold {
		x |= 1
	}
	return x
}

func unpackWall(x uint64) (w wall) {
	cut := func(bits int) int {
		v := int(x & (1<<bits - 1))
		x >>= bits
		return v
	}
	w.fold = cut(1) == 1
	w.micro, w.second, w.minute, w.hour = cut(20), cut(6), cut(6), cut(5)
	w.day, w.month, w.year = cut(5), cut(4), cut(14)
	return w
}

func (w wall) String() string {
	return fmt.Sprintf("%04d-%02d-%02d %02d:%02d:%02d.%06d", w.year, w.month, w.day, w.hour, w.minute, w.second, w.micro)
}

// in returns the time when clocks in loc show w.
func (w wall) in(loc *time.Location) time.Time {
	return time.Date(w.year, time.Month(w.month), w.day, w.hour, w.minute, w.second, w.micro*1000, loc)
}

// valid reports whether there is such a date and time in the calendar.
func (w wall) valid() bool {
	return w.year >= 1 && w.year <= 9999 && w.hour < 24 && w.minute < 60 && w.second < 60 && w.micro < 1e6 &&
		wallOf(w.in(time.UTC)).equal(w)
}

func wallOf(t time.Time) (w wall) {
	y, mo, d := t.Date()
	h, mi, s := t.Clock()
	return wall{year: y, month: int(mo), day: d, hour: h, minute: mi, second: s, micro: t.Nanosecond() / 1000}
}

func (w wall) equal(v wall) bool {
	v.fold = w.fold
	return w == v
}

// naive returns the time when clocks in loc show w. If they do so twice, fold decides; if
// they never do, because they are put forward, there is none.
func (w wall) naive(loc *time.Location) (time.Time, bool) {
	t := w.in(loc)
	if !wallOf(t).equal(w) {
		return t, false
	}
	_, offset := t.Zone()
	start, end := t.ZoneBounds() // zero where there is none
	if !start.IsZero() {
		start = start.Add(-1)
	}
	for _, beside := range []time.Time{start, end} {
		_, other := beside.In(loc).Zone()
		u := t.Add(time.Duration(offset-other) * time.Second)
		if !beside.IsZero() && wallOf(u).equal(w) && u.Before(t) != w.fold && !u.Equal(t) {
			return u, true
		}
	}
	return t, true
}

// The bytes of dates and times: year in two, month, day, hour, minute, second, microsecond in
// three. The highest bit of the month, or of the hour where there is no date, is the fold.

func parseDate(b []byte) wall {
	return wall{year: int(b[0])<<8 | int(b[1]), month: int(b[2] & 0x7f), day: int(b[3]), fold: b[2] >= 0x80}
}

func (w *wall) parseClock(b []byte) {
	w.hour, w.minute, w.second = int(b[0]), int(b[1]), int(b[2])
	w.micro = int(b[3])<<16 | int(b[4])<<8 | int(b[5])
}

// small copies the first argument to buf, if it is bytes of just that length.
func (m *machine) small(args []int32, buf []byte) bool {
	if len(args) == 0 {
		return false
	}
	n := m.at(args[0])
	if n.kind != kindBytes && n.kind != kindLatin {
		return false
	}
	if size := m.sizeOf(n); size != len(buf) {
		return m.fail("a date or time of %d bytes, want %d", size, len(buf))
	}
	m.appendBytes(buf[:0], n)
	return true
}

func (m *machine) dateOf(args []int32) bool {
	var b [4]byte
	if len(args) != 1 || !m.small(args, b[:]) {
		return false
	}
	w := parseDate(b[:])
	if !w.valid() || w.fold {
		return m.fail("date %x, which is none", b)
	}
	return m.push(kindDate, w.pack(), 0)
}

func (m *machine) clockOf(args []int32) bool {
	var b [6]byte
	if !m.small(args, b[:]) {
		return false
	}
	if len(args) > 1 {
		return m.fail("refused: datetime.time with a timezone, which Go has no type for")
	}
	w := wall{year: 1, month: 1, day: 1}
	b[0] &= 0x7f // the fold says nothing without a date
	w.parseClock(b[:])
	if !w.valid() {
		return m.fail("time %x, which is none", b)
	}
	return m.push(kindClock, uint64(w.in(time.UTC).Sub(time.Time{})/time.Microsecond), 0)
}

// noZone is what a node has in place of a zone if a datetime is naive; the others are
// seconds east of UTC and zoneZero.
const (
	noZone   = 0
	zoneZero = 1 << 20
	day      = 24 * 60 * 60 // seconds
)

func (m *machine) dateTimeOf(args []int32) bool {
	var b [10]byte
	if len(args) == 0 || len(args) > 2 || !m.small(args, b[:]) {
		return false
	}
	zone := int32(noZone)
	if len(args) == 2 {
		z := m.at(args[1])
		if z.kind != kindZone {
			return false
		}
		zone = int32(int64(z.x)) + zoneZero
	}
	w := parseDate(b[:4])
	w.parseClock(b[4:])
	if !w.valid() {
		return m.fail("datetime %x, which is none", b)
	}
	return m.push(kindDateTime, w.pack(), zone)
}

func (m *machine) deltaOf(args []int32) bool {
	if !m.are(args, kindInt, kindInt, kindInt) {
		return false
	}
	days, seconds, micros := int64(m.at(args[0]).x), int64(m.at(args[1]).x), int64(m.at(args[2]).x)
	if days < -999_999_999 || days > 999_999_999 || seconds < 0 || seconds >= day || micros < 0 || micros >= 1e6 {
		return m.fail("timedelta of %d days, %d seconds, %d microseconds: out of range", days, seconds, micros)
	}
	return m.push(kindDelta, uint64(seconds)<<20|uint64(micros), int32(days))
}

// parts returns the seconds and the microseconds of a timedelta besides its days.
func (n *node) parts() (seconds, micros int64) { return int64(n.x >> 20), int64(n.x & (1<<20 - 1)) }

// zoneOf takes an offset, and a name, which Go has no use for.
func (m *machine) zoneOf(args []int32) bool {
	if !m.are(args, kindDelta) && !m.are(args, kindDelta, kindStr) {
		return false
	}
	d := m.at(args[0])
	seconds, micros := d.parts()
	offset := int64(d.n)*day + seconds
	if micros != 0 || offset <= -day || offset >= day {
		return m.fail("timezone of %d seconds and %d microseconds, want whole seconds, less than a day", offset, micros)
	}
	return m.push(kindZone, uint64(offset), 0)
}

// duration returns the timedelta n, if there is one so long in Go.
func (n *node) duration() (time.Duration, bool) {
	seconds, micros := n.parts()
	total := int64(n.n)*day + seconds // below 1e14
	const most = math.MaxInt64 / int64(time.Microsecond)
	if total > most/1e6 || total < -most/1e6-1 {
		return 0, false
	}
	total = total*1e6 + micros
	return time.Duration(total) * time.Microsecond, total >= -most && total <= most
}
