package jsonscan

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"unicode/utf8"
)

// keys remembers the keys of the objects that are open, to find one that is there twice:
// encoding/json takes the last of them, so the other one would be lost.
//
//	list   a b | c d e | f
//	       ▲     ▲       ▲
//	       starts of the objects that are open
type keys struct {
	list   []key
	starts [MaxDepth]int
	isKey  [MaxDepth]bool // whether a container that is open is an object
	open   int
	folded bool // look for keys that differ in case only, too
	alike  bool // there may be some
}

// key is the name of a member. Most are told apart by word alone: their length, and their
// first seven bytes.
type key struct {
	word uint64
	text []byte // without quotes; in the payload, unless it has escapes
}

// fewKeys is up to how many keys of an object are compared with each other as they come.
// Those of a larger object are sorted at its end.
const fewKeys = 16

var keysPool = sync.Pool{New: func() any { return new(keys) }}

// release gives k back, unless a hostile payload has made it large.
func (k *keys) release() {
	if cap(k.list) <= 1024 {
		clear(k.list)
		k.folded, k.alike = false, false
		k.list, k.open = k.list[:0], 0
		keysPool.Put(k)
	}
}

func (k *keys) begin(object bool) {
	if k.open == MaxDepth { // after brackets that close nothing, which is no JSON
		return
	}
	k.starts[k.open], k.isKey[k.open] = len(k.list), object
	k.open++
}

// inObject reports whether the innermost container that is open is an object.
func (k *keys) inObject() bool { return k.open > 0 && k.isKey[k.open-1] }

// add takes in the key of the innermost object that stands in b from at to end, without its
// quotes, and returns an error if the object has that key.
func (k *keys) add(b []byte, at, end int, escaped bool) error {
	text := b[at:end]
	n := key{text: text}
	switch {
	case escaped:
		text = unescape(text)
		n = key{wordOf(text), text}
	case at+8 <= len(b): // the usual case, in one load
		n.word = binary.BigEndian.Uint64(b[at:])>>(8*(8-min(len(text), 7))) | uint64(len(text))<<56
	default:
		n.word = wordOf(text)
	}
	members := k.list[k.starts[k.open-1]:]
	if len(members) <= fewKeys {
		for i := range members {
			if (members[i].word^n.word)&^caseBits != 0 {
				continue
			}
			if members[i].word == n.word && bytes.Equal(members[i].text, text) {
				return twice(text, at)
			}
			k.alike = k.alike || k.folded && bytes.EqualFold(members[i].text, text)
		}
	}
	k.alike = k.alike || k.folded && !isASCII(text) // its length says nothing
	k.list = append(k.list, n)
	return nil
}

// caseBits are where words of keys differ that differ in the case of letters, and some others.
const caseBits = 0x0020_2020_2020_2020

func isASCII(text []byte) bool {
	for _, c := range text {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// end ends the innermost container, at an offset.
func (k *keys) end(at int) error {
	if k.open == 0 { // brackets that do not match are left to the decoder
		return nil
	}
	k.open--
	members := k.list[k.starts[k.open]:]
	k.list = k.list[:k.starts[k.open]]
	if len(members) <= fewKeys+1 {
		return nil
	}
	slices.SortFunc(members, func(a, b key) int {
		if c := cmp.Compare(a.word, b.word); c != 0 {
			return c
		}
		return bytes.Compare(a.text, b.text)
	})
	for i := 1; i < len(members); i++ {
		if members[i].word == members[i-1].word && bytes.Equal(members[i].text, members[i-1].text) {
			return twice(members[i].text, at)
		}
	}
	k.alike = k.alike || k.folded // it would take long to find out
	return nil
}

func wordOf(text []byte) (w uint64) {
	for _, c := range text[:min(len(text), 7)] {
		w = w<<8 | uint64(c)
	}
	return w | uint64(len(text))<<56
}

// unescape returns a key as the decoder sees it.
func unescape(text []byte) []byte {
	var s string
	if json.Unmarshal(slices.Concat([]byte{'"'}, text, []byte{'"'}), &s) != nil {
		return text // no JSON, which the decoder will say
	}
	return []byte(s)
}

func twice(text []byte, at int) error {
	const most = 40
	if len(text) > most {
		text = slices.Concat(text[:most], []byte("…"))
	}
	return fmt.Errorf("json: key %q is twice in the object up to byte %d", text, at)
}
