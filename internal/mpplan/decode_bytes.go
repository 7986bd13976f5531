package mpplan

import (
	"encoding/binary"
	"math"
	"reflect"
	"time"
	"unsafe"

	"github.com/fb9bb4ed/qsocket/internal/mpscan"
)

// string decodes a str, or a bin.
func (d *Decoder) string(i int, p *string) int {
	if b := d.b; i < len(b) && b[i]&0xe0 == 0xa0 { // the short ones at once
		start := i + 1
		end := start + int(b[i]&0x1f)
		if end > len(b) {
			return d.lacking(i, end-start)
		}
		s := b[start:end]
		if d.budget -= mpscan.BytesCost(len(s)); d.budget < 0 {
			d.overspent()
			return failed
		}
		known, ok := d.names.Find(s)
		if ok {
			*p = known
			return end
		}
		// The shortest ones are looked at in one piece, where the payload goes on.
		if (len(s) > 8 || len(b)-start < 8 || binary.LittleEndian.Uint64(b[start:])<<(64-8*uint(len(s)))&highBits != 0) &&
			!validUTF8(s) && !d.InvalidUTF8 {
			return d.invalid(s)
		}
		*p = d.copy(s)
		return end
	}
	s, end := d.text(i, "a string")
	if end < 0 || !d.spend(mpscan.BytesCost(len(s))) {
		return failed
	}
	*p = string(s)
	return end
}

// copy returns a copy of a short string that has not come before. If such strings are
// rare it may come again. Otherwise those of a message share memory, which saves an
// allocation for each of them.
func (d *Decoder) copy(s []byte) string {
	if kept, ok := d.names.Add(s); ok {
		return kept
	}
	if len(s) > len(d.room) && !d.makeRoom(len(s)) {
		return string(s)
	}
	c := d.room[:len(s)]
	d.room = d.room[copy(c, s):]
	return unsafe.String(unsafe.SliceData(c), len(c))
}

// makeRoom makes as much room as the rest of the message needs if it is like the
// one before. It reports false if that is no more than n.
func (d *Decoder) makeRoom(n int) bool {
	room := min(d.expected-d.shared, maxShared)
	if room <= n {
		d.shared += n
		return false
	}
	d.shared += room
	d.room = make([]byte, room)
	return true
}

// maxShared bounds what one string that is kept keeps with it.
const maxShared = 256

// text reads a str, bin or nil as a string. What it returns is part of the payload.
func (d *Decoder) text(i int, want string) (s []byte, end int) {
	s, end = d.content(i, want)
	if end >= 0 && !d.InvalidUTF8 && !validUTF8(s) {
		return nil, d.invalid(s)
	}
	return s, end
}

func (d *Decoder) invalid(s []byte) int {
	d.failErr(notUTF8(unsafe.String(unsafe.SliceData(s), len(s))))
	return failed
}

// content reads a str, a bin or nil, which has a nil content.
func (d *Decoder) content(i int, want string) (s []byte, end int) {
	b := d.b
	if i >= len(b) {
		return nil, d.end(i)
	}
	var n, start int
	switch c := b[i]; c {
	case nilByte:
		return nil, i + 1
	case 0xd9, 0xc4:
		if start = i + 2; start > len(b) {
			return nil, d.lacking(i, 1)
		}
		n = int(b[i+1])
	case 0xda, 0xc5:
		if start = i + 3; start > len(b) {
			return nil, d.lacking(i, 2)
		}
		n = int(binary.BigEndian.Uint16(b[i+1:]))
	case 0xdb, 0xc6:
		if start = i + 5; start > len(b) {
			return nil, d.lacking(i, 4)
		}
		n = int(binary.BigEndian.Uint32(b[i+1:]))
	default:
		if c&0xe0 != 0xa0 {
			return nil, d.unexpected(i, want)
		}
		n, start = int(c&0x1f), i+1
	}
	if uint(n) > uint(len(b)-start) {
		d.failErr(short("%s of %d bytes, but %d are left", mpscan.Format(b[i]), uint(n), len(b)-start))
		return nil, failed
	}
	return b[start : start+n : start+n], start + n
}

// isString reports whether a str begins with c.
func isString(c byte) bool { return c&0xe0 == 0xa0 || c >= 0xd9 && c <= 0xdb }

// blob is content whose str is UTF-8, as all str must be.
func (d *Decoder) blob(i int) (s []byte, end int) {
	s, end = d.content(i, "bytes")
	if end >= 0 && !d.InvalidUTF8 && (d.b[i]&0xe0 == 0xa0 || d.b[i] >= 0xd9) && !validUTF8(s) {
		return nil, d.invalid(s)
	}
	return s, end
}

func (d *Decoder) bytes(i int, p *[]byte) int {
	s, end := d.blob(i)
	if end < 0 {
		return failed
	}
	if s == nil {
		*p = nil
		return end
	}
	if !d.spend(mpscan.BytesCost(len(s))) {
		return failed
	}
	*p = append(make([]byte, 0, len(s)), s...)
	return end
}

func (d *Decoder) byteArray(i int, n *node, p []byte) int {
	s, end := d.blob(i)
	if len(s) > len(p) {
		d.fail("%d bytes for %v", len(s), n.typ)
		return failed
	}
	copy(p, s)
	return end
}

// time decodes a timestamp. As v5 does at the top, it also takes extension 13 for
// one, a string of RFC 3339, and the array of seconds and nanoseconds that
// earlier versions of v5 wrote.
func (d *Decoder) time(i int, p unsafe.Pointer) int {
	t, end := d.timestamp(i)
	if end >= 0 {
		*(*time.Time)(p) = t
	}
	return end
}

func (d *Decoder) timestamp(i int) (time.Time, int) {
	const want = "a time"
	if i >= len(d.b) {
		return time.Time{}, d.end(i)
	}
	switch c := d.b[i]; {
	case c == nilByte:
		return time.Time{}, i + 1
	case c == 0x92:
		if !d.open(i+1, 2, 1, "array of elements") {
			return time.Time{}, failed
		}
		sec, end := d.signed(i+1, math.MinInt64, math.MaxInt64, int64Node)
		if end < 0 {
			return time.Time{}, failed
		}
		nsec, end := d.signed(end, math.MinInt64, math.MaxInt64, int64Node)
		d.depth--
		if nsec < 0 || nsec > maxNanos {
			return time.Time{}, d.nanos(nsec)
		}
		return time.Unix(sec, nsec), end
	case c&0xe0 == 0xa0 || c >= 0xd9 && c <= 0xdb:
		s, end := d.text(i, want)
		if end < 0 {
			return time.Time{}, failed
		}
		t, err := time.Parse(time.RFC3339Nano, string(s))
		if err != nil {
			d.fail("the string %s is no time", quote(string(s)))
			return time.Time{}, failed
		}
		return t, end
	}
	id, data, end := d.extension(i, want)
	if end < 0 {
		return time.Time{}, failed
	}
	if id != -1 && id != 13 {
		d.fail("extension %d where %s is expected", id, want)
		return time.Time{}, failed
	}
	return d.seconds(data, end)
}

var int64Node = &node{typ: reflect.TypeFor[int64]()}

// maxNanos is the most that the specification allows: time.Unix would take more for
// another second.
const maxNanos = 999_999_999

func (d *Decoder) nanos(n int64) int {
	d.fail("timestamp with %d nanoseconds, want 0 to %d", n, maxNanos)
	return failed
}

// seconds makes a time from the data of a timestamp.
func (d *Decoder) seconds(data []byte, end int) (t time.Time, _ int) {
	var sec, nsec int64
	switch len(data) {
	case 4:
		sec = int64(binary.BigEndian.Uint32(data))
	case 8:
		n := binary.BigEndian.Uint64(data)
		sec, nsec = int64(n&(1<<34-1)), int64(n>>34)
	case 12:
		sec, nsec = int64(binary.BigEndian.Uint64(data[4:])), int64(binary.BigEndian.Uint32(data))
	default:
		d.fail("timestamp of %d bytes, want 4, 8 or 12", len(data))
		return t, failed
	}
	if nsec > maxNanos {
		return t, d.nanos(nsec)
	}
	t = time.Unix(sec, nsec)
	if t.IsZero() {
		t = t.UTC() // as v5: the zero time is the zero value
	}
	return t, end
}

// extension reads an extension.
func (d *Decoder) extension(i int, want string) (id int8, data []byte, end int) {
	b := d.b
	width, n := 0, 0
	switch c := b[i]; {
	case c >= 0xd4 && c <= 0xd8:
		n = 1 << (c - 0xd4)
	case c >= 0xc7 && c <= 0xc9:
		width = 1 << (c - 0xc7)
	default:
		return 0, nil, d.unexpected(i, want)
	}
	start := i + 1 + width + 1 // behind the type
	if start > len(b) {
		return 0, nil, d.lacking(i, width+1)
	}
	for _, c := range b[i+1 : i+1+width] {
		n = n<<8 | int(c)
	}
	if uint(n) > uint(len(b)-start) {
		d.failErr(short("extension of %d bytes, but %d are left", n, len(b)-start))
		return 0, nil, failed
	}
	return int8(b[start-1]), b[start : start+n : start+n], start + n
}
