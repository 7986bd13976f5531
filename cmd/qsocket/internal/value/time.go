package value

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Times are written after RFC 3339, in UTC, where that has a text for them.

// times of the years 0 to 9999.
const (
	firstSecond = -62167219200
	lastSecond  = 253402300799
)

// time appends a point in time. tagged says that its type is not known.
func (w *writer) time(sec int64, nsec uint32, tagged bool) {
	if sec < firstSecond || sec > lastSecond {
		w.open("$time")
		w.b = append(strconv.AppendInt(append(w.b, '['), sec, 10), ',')
		w.b = append(strconv.AppendUint(w.b, uint64(nsec), 10), "]}"...)
		return
	}
	if tagged {
		w.open("$time")
	}
	w.byte('"')
	w.b = time.Unix(sec, int64(nsec)).UTC().AppendFormat(w.b, time.RFC3339Nano)
	w.byte('"')
	if tagged {
		w.byte('}')
	}
}

// time reads what time of a writer has written, of either form.
func (n *node) time() (sec int64, nsec uint32, err error) {
	if v := n.tagged("$time"); v != nil {
		n = v
	}
	switch {
	case n.kind == stringNode:
		t, err := time.Parse(time.RFC3339Nano, n.text)
		if err != nil {
			return 0, 0, fmt.Errorf("want a time such as 2026-01-02T03:04:05.678Z, got %s", n.show())
		}
		return t.Unix(), uint32(t.Nanosecond()), nil
	case n.kind == arrayNode && len(n.list) == 2 && n.list[0].kind == numberNode && n.list[1].kind == numberNode:
		s, ok := parseInteger(n.list[0].text)
		ns, ok2 := parseInteger(n.list[1].text)
		if ok && ok2 && (s.negative || s.bits <= math.MaxInt64) && !ns.negative && ns.bits < 1e9 {
			return int64(s.bits), uint32(ns.bits), nil
		}
		return 0, 0, fmt.Errorf("want seconds since 1970 and nanoseconds below 10⁹, got %s and %s", n.list[0].show(), n.list[1].show())
	}
	return 0, 0, n.want("a time in a string")
}
