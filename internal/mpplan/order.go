package mpplan

import "encoding/binary"

// rank is the place of a key of a map among the others, as far as one word tells.
type rank struct {
	n uint64
	i int // which key it is
}

// ranks are the keys of a map, to be put in order.
type ranks struct {
	list, spare []rank
	texts       []string // the keys, or their encodings, of which n is only a part; nil if it is all
}

// byText fills in the ranks of keys that are strings: by the eight bytes behind what all of them
// begin with.
func (r *ranks) byText(texts []string) {
	r.texts = texts
	skip := len(texts[0])
	for _, s := range texts[1:] {
		skip = common(texts[0][:skip], s)
	}
	for i, s := range texts {
		r.list = append(r.list, rank{firstWord(s[skip:]), i})
	}
}

// common returns how many bytes two strings have in common at their beginnings.
func common(a, b string) (n int) {
	for len(a)-n >= 8 && len(b)-n >= 8 && a[n:n+8] == b[n:n+8] {
		n += 8
	}
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// firstWord returns the first eight bytes of s as a number that is in the order of strings: zeros
// are behind a shorter one.
func firstWord(s string) uint64 {
	b := []byte(s[:min(len(s), 8)]) // on the stack
	n := len(b)
	switch {
	case n == 8:
		return binary.BigEndian.Uint64(b)
	case n >= 4:
		return uint64(binary.BigEndian.Uint32(b))<<32 | uint64(binary.BigEndian.Uint32(b[n-4:]))<<(8*(8-n))
	case n > 0:
		return uint64(b[0])<<56 | uint64(b[n/2])<<(56-8*(n/2)) | uint64(b[n-1])<<(56-8*(n-1))
	}
	return 0
}

// less reports whether x comes before y.
func (r *ranks) less(x, y rank) bool {
	return x.n < y.n || x.n == y.n && r.texts != nil && r.texts[x.i] < r.texts[y.i]
}

// same reports whether x and y are encoded alike.
func (r *ranks) same(x, y rank) bool {
	return x.n == y.n && (r.texts == nil || r.texts[x.i] == r.texts[y.i])
}

// few is how many entries are sorted by insertion.
const few = 12

// sort puts the list in order. It is written for this type, since a comparison that is inlined
// takes half the time of one that is called.
func (r *ranks) sort() {
	a := r.list
	for from := 0; from < len(a); from += few {
		r.insert(a[from:min(from+few, len(a))])
	}
	if len(a) <= few {
		return
	}
	if cap(r.spare) < len(a) {
		r.spare = make([]rank, len(a), cap(a))
	}
	b := r.spare[:len(a)]
	for width := few; width < len(a); width *= 2 {
		for from := 0; from < len(a); from += 2 * width {
			middle, to := min(from+width, len(a)), min(from+2*width, len(a))
			r.merge(b[from:to], a[from:middle], a[middle:to])
		}
		a, b = b, a
	}
	r.list, r.spare = a, b
}

func (r *ranks) insert(a []rank) {
	for i := 1; i < len(a); i++ {
		x, k := a[i], i
		for ; k > 0 && r.less(x, a[k-1]); k-- {
			a[k] = a[k-1]
		}
		a[k] = x
	}
}

// merge puts the entries of a and b, which are in order, into dst.
func (r *ranks) merge(dst, a, b []rank) {
	for i := range dst {
		if len(b) == 0 || len(a) > 0 && !r.less(b[0], a[0]) {
			dst[i], a = a[0], a[1:]
		} else {
			dst[i], b = b[0], b[1:]
		}
	}
}

// clear lets go of the keys.
func (r *ranks) clear() { r.list, r.texts = r.list[:0], nil }
