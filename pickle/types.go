package pickle

import (
	"fmt"
	"time"
)

// Date is a datetime.date: a day without a time and a zone. The zero Date is sent as None.
type Date struct {
	Year  int // 1 to 9999
	Month time.Month
	Day   int
}

// String returns the date as 2006-01-02.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

// TimeOfDay is a datetime.time: the time since midnight, in whole microseconds, below 24
// hours.
type TimeOfDay time.Duration

// String returns the time as 15:04:05.000000.
func (t TimeOfDay) String() string {
	s := time.Duration(t) / time.Second
	return fmt.Sprintf("%02d:%02d:%02d.%06d", s/3600, s/60%60, s%60, time.Duration(t)%time.Second/time.Microsecond)
}

// Decimal is a decimal.Decimal as Python writes it: "1.50", "-1E+3", "NaN", "Infinity". The
// empty one is sent as None.
type Decimal string

// maxExponent is how many digits it may have: Python refuses numbers with some of 18.
const maxExponent = 17

// isDecimal reports whether Python's decimal.Decimal takes s, in the form in which it writes
// numbers itself.
func isDecimal[S ~string | ~[]byte](s S) bool {
	i := 0
	digits := func() bool {
		from := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	switch rest := string(s[i:min(len(s), i+8)]); {
	case rest == "Infinity":
		return len(s) == i+8
	case len(rest) >= 3 && rest[:3] == "NaN":
		i += 3
		digits()
		return i == len(s)
	case len(rest) >= 4 && rest[:4] == "sNaN":
		i += 4
		digits()
		return i == len(s)
	}
	whole := digits()
	if i < len(s) && s[i] == '.' {
		i++
		whole = digits() || whole
	}
	if !whole {
		return false
	}
	if i < len(s) && s[i] == 'E' {
		if i++; i < len(s) && (s[i] == '-' || s[i] == '+') {
			i++
		}
		if from := i; !digits() || i-from > maxExponent {
			return false
		}
	}
	return i == len(s)
}
