package value

import (
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// writer is the text that is being made.
type writer struct {
	b     []byte
	start int
	most  int // how long the text may be
}

// check returns an error if the text has become too long for its payload.
func (w *writer) check() error {
	if len(w.b)-w.start > w.most {
		return fmt.Errorf("text of more than %d bytes, which is %d times the payload and %d", w.most, expansion, free)
	}
	return nil
}

// byte appends a byte of punctuation.
func (w *writer) byte(c byte) { w.b = append(w.b, c) }

// open appends the beginning of an object with this key, which needs no escapes.
func (w *writer) open(key string) { w.b = append(append(append(w.b, `{"`...), key...), `":`...) }

// string appends s, which is UTF-8, in quotes. What is not printable is escaped.
func (w *writer) string(s []byte) {
	w.b = append(w.b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		r, n := utf8.DecodeRune(s[i:])
		if c >= utf8.RuneSelf && strconv.IsPrint(r) {
			i += n
			continue
		}
		w.b = append(w.b, s[from:i]...)
		w.b = appendEscape(w.b, r)
		i += n
		from = i
	}
	w.b = append(append(w.b, s[from:]...), '"')
}

const hexDigits = "0123456789abcdef"

func appendEscape(b []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(b, '\\', byte(r))
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	if r > 0xffff {
		high, low := utf16.EncodeRune(r)
		return appendEscape(appendEscape(b, high), low)
	}
	return append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}
