package pickle

import "time"

// time writes an aware datetime. Python would not see what is less than a microsecond.
func (e *encoder) time(b []byte, t time.Time) ([]byte, bool) {
	if t.Nanosecond()%1000 != 0 {
		return b, e.fail("time %v has nanoseconds, a datetime has microseconds: use Truncate(time.Microsecond)", t.Round(0))
	}
	if y := t.Year(); y < 1 || y > 9999 {
		return b, e.fail("time in the year %d, a datetime has 1 to 9999", y)
	}
	_, offset := t.Zone()
	if offset <= -day || offset >= day {
		return b, e.fail("time with an offset of %d seconds from UTC, a timezone has less than a day", offset)
	}
	b = e.appendGlobal(b, "datetime", "datetime")
	w := wallOf(t)
	b = append(b, opShortBinBytes, 10)
	b = w.appendDate(b)
	b = w.appendClock(b)
	b = e.appendGlobal(b, "datetime", "timezone")
	b = e.appendDelta(b, int64(offset)*1e6)
	return append(b, opTuple1, opReduce, opTuple2, opReduce), true
}

func (w wall) appendDate(b []byte) []byte {
	return append(b, byte(w.year>>8), byte(w.year), byte(w.month), byte(w.day))
}

func (w wall) appendClock(b []byte) []byte {
	return append(b, byte(w.hour), byte(w.minute), byte(w.second), byte(w.micro>>16), byte(w.micro>>8), byte(w.micro))
}

// appendDelta writes a timedelta, whose seconds and microseconds are not negative.
func (e *encoder) appendDelta(b []byte, micros int64) []byte {
	const perDay = day * 1e6
	days, rest := micros/perDay, micros%perDay
	if rest < 0 {
		days, rest = days-1, rest+perDay
	}
	b = e.appendGlobal(b, "datetime", "timedelta")
	b = appendInt(b, days)
	b = appendInt(b, rest/1e6)
	b = appendInt(b, rest%1e6)
	return append(b, opTuple3, opReduce)
}

func (e *encoder) duration(b []byte, d time.Duration) ([]byte, bool) {
	if d%time.Microsecond != 0 {
		return b, e.fail("duration %v has nanoseconds, a timedelta has microseconds: use Truncate(time.Microsecond)", d)
	}
	return e.appendDelta(b, int64(d/time.Microsecond)), true
}

func (e *encoder) date(b []byte, d Date) ([]byte, bool) {
	if d == (Date{}) {
		return append(b, opNone), true
	}
	w := wall{year: d.Year, month: int(d.Month), day: d.Day}
	if !w.valid() {
		return b, e.fail("date %v, which there is not", d)
	}
	b = e.appendGlobal(b, "datetime", "date")
	b = w.appendDate(append(b, opShortBinBytes, 4))
	return append(b, opTuple1, opReduce), true
}

func (e *encoder) timeOfDay(b []byte, t TimeOfDay) ([]byte, bool) {
	d := time.Duration(t)
	if d < 0 || d >= day*time.Second || d%time.Microsecond != 0 {
		return b, e.fail("time of day %v after midnight, want whole microseconds below 24h", d)
	}
	b = e.appendGlobal(b, "datetime", "time")
	b = wallOf(time.Time{}.Add(d)).appendClock(append(b, opShortBinBytes, 6))
	return append(b, opTuple1, opReduce), true
}
