package value

import "unicode/utf8"

// outline has the maps of a payload that no JSON object stands for, by where they begin: those
// of which a key is no text, or the only one begins with $. It is made in one pass, so that no
// map has to be looked through before it is written.
type outline map[int]bool

func newOutline(payload []byte) outline {
	type open struct {
		at    int // where a map begins; -1: an array
		left  int // values still to come, keys included
		count int // entries
		odd   bool
	}
	var o outline
	var stack []open
	r := reader{b: payload}
	for r.i < len(payload) {
		begin := r.i
		t := r.next()
		if n := len(stack); n > 0 {
			top := &stack[n-1]
			if top.at >= 0 && top.left%2 == 0 { // a key
				is := t.kind != strToken || !utf8.Valid(t.data) || top.count == 1 && len(t.data) > 0 && t.data[0] == '$'
				top.odd = top.odd || is
			}
			top.left--
		}
		switch t.kind {
		case arrayToken:
			stack = append(stack, open{at: -1, left: t.count})
		case mapToken:
			stack = append(stack, open{at: begin, left: 2 * t.count, count: t.count})
		}
		for len(stack) > 0 && stack[len(stack)-1].left == 0 {
			if top := stack[len(stack)-1]; top.odd {
				if o == nil {
					o = make(outline)
				}
				o[top.at] = true
			}
			stack = stack[:len(stack)-1]
		}
	}
	return o
}
